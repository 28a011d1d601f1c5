//! What is compared, and with whom.

use serde::{Deserialize, Serialize};

/// A piece of work that several engines do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Work {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is, for the table.
    pub title: &'static str,
    /// The network: a name of the registry, or `module-3a`.
    pub model: &'static str,
    /// `C,H,W` of an image, where it is not the model's own.
    pub input: Option<&'static str>,
    /// Inference or training.
    pub mode: Mode,
    /// `f32`, `bf16` or `int8`.
    pub precision: &'static str,
    /// What this engine makes again in the backward pass: `nothing`, `cheap` or `stages`.
    pub recompute: &'static str,
    /// Images in a batch.
    pub batch_size: usize,
    /// Runs of a measurement.
    pub reps: usize,
    /// Which engines do it.
    pub peers: &'static [Peer],
    /// How many times the speed of the fastest of them is aimed at.
    pub target: f64,
}

/// What is done with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Forward.
    Infer,
    /// Forward, backward, SGD with momentum; a module alone: forward and backward.
    Train,
}

impl Mode {
    /// The word on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Infer => "infer",
            Self::Train => "train",
        }
    }
}

/// Another engine, in one way of using it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Peer {
    /// PyTorch as it comes.
    TorchEager,
    /// PyTorch with channels-last memory.
    TorchChannelsLast,
    /// The same, compiled by `torch.compile`.
    TorchCompile,
    /// ONNX Runtime, CPU provider.
    OnnxRuntime,
    /// OpenVINO, latency hint.
    OpenVino,
    /// tract.
    Tract,
    /// rten.
    Rten,
    /// burn on its `flex` backend.
    Burn,
    /// This engine on the lineage with batch norm instead of local response norm.
    BatchNormLineage,
}

impl Peer {
    /// Its column in the table.
    pub fn title(self) -> &'static str {
        match self {
            Self::TorchEager => "PyTorch",
            Self::TorchChannelsLast => "PyTorch channels last",
            Self::TorchCompile => "PyTorch compiled",
            Self::OnnxRuntime => "ONNX Runtime",
            Self::OpenVino => "OpenVINO",
            Self::Tract => "tract",
            Self::Rten => "rten",
            Self::Burn => "burn",
            Self::BatchNormLineage => "inception, batch norm",
        }
    }

    /// Whether it may be the fastest of a work and starts within seconds.
    pub fn leads(self) -> bool {
        matches!(
            self,
            Self::TorchChannelsLast | Self::OnnxRuntime | Self::OpenVino | Self::BatchNormLineage
        )
    }

    /// How it is installed.
    pub fn hint(self) -> &'static str {
        match self {
            Self::TorchEager
            | Self::TorchChannelsLast
            | Self::TorchCompile
            | Self::OnnxRuntime
            | Self::OpenVino => "python3 -m pip install -r benches/peers/requirements.txt",
            Self::Tract | Self::Rten | Self::Burn => {
                "cargo build --release --manifest-path benches/peers/rust/Cargo.toml \
                 --target-dir target/peers"
            }
            Self::BatchNormLineage => "cargo build --release",
        }
    }
}

const TORCH: [Peer; 3] = [
    Peer::TorchEager,
    Peer::TorchChannelsLast,
    Peer::TorchCompile,
];
const INFER_F32: &[Peer] = &[
    TORCH[0],
    TORCH[1],
    TORCH[2],
    Peer::OnnxRuntime,
    Peer::OpenVino,
    Peer::Tract,
    Peer::Rten,
];
const INFER_BF16: &[Peer] = &[Peer::TorchChannelsLast, Peer::OpenVino];
const INFER_INT8: &[Peer] = &[Peer::OnnxRuntime, Peer::OpenVino];
const TRAIN_F32: &[Peer] = &TORCH;
const WITH_BURN: &[Peer] = &[TORCH[0], TORCH[1], TORCH[2], Peer::Burn];
const TRAIN_BF16: &[Peer] = &[Peer::TorchChannelsLast];

/// torchvision's GoogLeNet.
const GOOGLENET: Work = Work {
    name: "",
    title: "",
    model: "googlenet-torchvision",
    input: None,
    mode: Mode::Infer,
    precision: "f32",
    recompute: "nothing",
    batch_size: 1,
    reps: 5,
    peers: INFER_F32,
    target: 1.6,
};

/// torchvision's Inception v3, at 299 pixels.
const V3: Work = Work {
    model: "inception-v3",
    ..GOOGLENET
};

/// A training step of GoogLeNet with both auxiliary classifiers.
const STEP: Work = Work {
    mode: Mode::Train,
    batch_size: 32,
    reps: 3,
    peers: TRAIN_F32,
    target: 2.0,
    ..GOOGLENET
};

/// Every work that is compared.
pub const WORKS: [Work; 18] = [
    Work {
        name: "infer-f32-b1",
        title: "GoogLeNet inference, f32, batch 1",
        reps: 15,
        ..GOOGLENET
    },
    Work {
        name: "infer-f32-b16",
        title: "GoogLeNet inference, f32, batch 16",
        batch_size: 16,
        ..GOOGLENET
    },
    Work {
        name: "infer-bf16-b1",
        title: "GoogLeNet inference, bf16, batch 1",
        precision: "bf16",
        reps: 15,
        peers: INFER_BF16,
        target: 1.2,
        ..GOOGLENET
    },
    Work {
        name: "infer-bf16-b16",
        title: "GoogLeNet inference, bf16, batch 16",
        precision: "bf16",
        batch_size: 16,
        peers: INFER_BF16,
        target: 1.2,
        ..GOOGLENET
    },
    Work {
        name: "infer-int8-b16",
        title: "GoogLeNet inference, int8, batch 16",
        precision: "int8",
        batch_size: 16,
        peers: INFER_INT8,
        target: 1.2,
        ..GOOGLENET
    },
    Work {
        name: "train-f32-b32",
        title: "GoogLeNet training step with heads, f32, batch 32",
        ..STEP
    },
    Work {
        name: "train-f32-b32-cheap",
        title: "the same, maps of normalisations and pools made again",
        recompute: "cheap",
        ..STEP
    },
    Work {
        name: "train-bf16-b32",
        title: "GoogLeNet training step with heads, bf16, batch 32",
        precision: "bf16",
        peers: TRAIN_BF16,
        target: 1.3,
        ..STEP
    },
    Work {
        name: "train-lrn-b32",
        title: "Paper's GoogLeNet (LRN) training step, f32, batch 32",
        model: "googlenet",
        peers: &[Peer::BatchNormLineage],
        target: 1.0,
        ..STEP
    },
    Work {
        name: "v3-infer-f32-b1",
        title: "Inception v3 inference, f32, batch 1",
        ..V3
    },
    Work {
        name: "v3-infer-f32-b16",
        title: "Inception v3 inference, f32, batch 16",
        batch_size: 16,
        ..V3
    },
    Work {
        name: "v3-infer-bf16-b16",
        title: "Inception v3 inference, bf16, batch 16",
        precision: "bf16",
        batch_size: 16,
        peers: INFER_BF16,
        target: 1.2,
        ..V3
    },
    Work {
        name: "v3-infer-int8-b16",
        title: "Inception v3 inference, int8, batch 16",
        precision: "int8",
        batch_size: 16,
        peers: INFER_INT8,
        target: 1.2,
        ..V3
    },
    Work {
        name: "v3-train-f32-b16",
        title: "Inception v3 training step with its head, f32, batch 16",
        model: "inception-v3",
        batch_size: 16,
        reps: 2,
        ..STEP
    },
    Work {
        name: "simple-b64",
        title: "simple-inception training step, f32, batch 64",
        model: "simple-inception",
        batch_size: 64,
        reps: 5,
        peers: WITH_BURN,
        ..STEP
    },
    Work {
        name: "small-b128",
        title: "inception-small (32 pixels) training step, f32, batch 128",
        model: "inception-small",
        input: Some("3,32,32"),
        batch_size: 128,
        reps: 10,
        ..STEP
    },
    Work {
        name: "3a-forward-b32",
        title: "module 3a forward, f32, batch 32",
        model: "module-3a",
        mode: Mode::Infer,
        reps: 15,
        peers: WITH_BURN,
        ..STEP
    },
    Work {
        name: "3a-train-b32",
        title: "module 3a forward and backward, f32, batch 32",
        model: "module-3a",
        reps: 10,
        peers: WITH_BURN,
        ..STEP
    },
];
