//! What a run does when it is told nothing.

use super::{
    AuxHeads, BadImages, InitMode, InitializerName, NonFinitePolicy, OptimizerName, Order,
    ScheduleName,
};
use crate::TrainConfig;

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            data: "shapes".into(),
            data_dir: None,
            holdout: None,
            model: "inception-small".into(),
            input: None,
            classes: None,
            aux: AuxHeads::Keep,
            dropout: None,
            epochs: None,
            steps: None,
            batch_size: 64,
            accumulate: 1,
            optimizer: OptimizerName::Sgd,
            lr: 0.05,
            momentum: 0.9,
            weight_decay: 1e-4,
            rule: Vec::new(),
            beta1: 0.9,
            beta2: 0.999,
            alpha: 0.99,
            eps: None,
            schedule: ScheduleName::Cosine,
            step_factor: 0.1,
            step_every: 30,
            poly_power: 0.5,
            warmup_epochs: 0.0,
            label_smoothing: 0.0,
            aux_weight: 0.3,
            augment: "basic".into(),
            mixup: 0.0,
            cutmix: 0.0,
            ema: None,
            clip_grad: None,
            initializer: InitializerName::He,
            init: None,
            init_mode: InitMode::Strict,
            freeze: Vec::new(),
            layer_decay: None,
            seed: 0,
            order: Order::Shuffled,
            val_every: 1,
            log_every: 1,
            doctor_every: 100,
            save_every: None,
            keep: 2,
            passes: "all".into(),
            on_bad_image: BadImages::Fail,
            on_nonfinite: NonFinitePolicy::default(),
            threads: None,
            workers: None,
        }
    }
}
