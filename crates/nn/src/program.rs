//! Whole graphs: a model with its loss and gradients, or with its probabilities.

use crate::{Ctx, Mode, Model, NnError, Pattern};
use inception_autograd::{
    DType, Graph, GraphError, ParamId, Passes, Plan, PlanOptions, Recompute, Storage, Var,
    differentiate, optimise, recompute, store, store_forward,
};
use inception_tensor::{Element, Shape};

/// How a training program is recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainConfig {
    /// Images in a batch.
    pub batch_size: usize,
    /// Share of the target that is spread over all classes.
    pub label_smoothing: f64,
    /// Weight of each auxiliary loss in the total: 0.3 in the paper.
    pub aux_weight: f64,
    /// Patterns of parameters that keep their value ([`Pattern`]). A normalisation whose
    /// running statistics are frozen normalises by them.
    pub frozen: Vec<String>,
    /// Which passes rewrite the graph.
    pub passes: Passes,
    /// What the right answers are.
    pub answers: Answers,
    /// How the maps of the forward pass are kept: not as bytes.
    pub storage: Storage,
    /// Which maps are made again instead of kept; it changes no bit.
    pub recompute: Recompute,
}

/// What the right answers of a batch are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answers {
    /// One class for each image.
    #[default]
    Labels,
    /// Shares of classes, as mixed images have them.
    Shares,
}

/// Where a program reads the right answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Targets {
    /// Input `[n, 1, 1, 1]`, [`DType::U32`]: a class for each image.
    Labels(Var),
    /// Input `[n, 1, 1, classes]`: rows that add up to 1.
    Shares(Var),
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            batch_size: 32,
            label_smoothing: 0.0,
            aux_weight: 0.3,
            frozen: Vec::new(),
            passes: Passes::TRAINING,
            answers: Answers::default(),
            storage: Storage::Real,
            recompute: Recompute::default(),
        }
    }
}

/// Logits and loss of an auxiliary classifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuxLoss {
    /// The head: `"aux1"`.
    pub name: &'static str,
    /// `[n, 1, 1, classes]`.
    pub logits: Var,
    /// A scalar, without its weight.
    pub loss: Var,
}

/// A parameter and the gradient of the total loss with respect to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParamGrad {
    /// The parameter.
    pub param: ParamId,
    /// Its gradient, of its shape.
    pub grad: Var,
}

/// Forward pass, loss and gradients of a batch. Running statistics are
/// [`Graph::updates`] of the graph.
#[derive(Clone, Debug)]
pub struct TrainProgram {
    /// The graph.
    pub graph: Graph,
    /// Input `[n, h, w, c]`.
    pub images: Var,
    /// The right answers.
    pub targets: Targets,
    /// `[n, 1, 1, classes]`.
    pub logits: Var,
    /// The total, which is differentiated: main + weight · Σ auxiliary.
    pub loss: Var,
    /// The loss of the main classifier.
    pub loss_main: Var,
    /// The losses of the auxiliary classifiers.
    pub loss_aux: Vec<AuxLoss>,
    /// Of every parameter that is trained, in order.
    pub grads: Vec<ParamGrad>,
    passes: Passes,
}

impl Targets {
    fn record(graph: &mut Graph, config: &TrainConfig, classes: usize) -> Self {
        let rows = config.batch_size;
        match config.answers {
            Answers::Labels => Self::Labels(graph.input(Shape::matrix(rows, 1), DType::U32)),
            Answers::Shares => Self::Shares(graph.input(Shape::matrix(rows, classes), DType::Real)),
        }
    }

    /// The input.
    pub fn var(self) -> Var {
        let (Self::Labels(var) | Self::Shares(var)) = self;
        var
    }

    /// The input of classes, where that is what the program reads.
    pub fn labels(self) -> Option<Var> {
        match self {
            Self::Labels(var) => Some(var),
            Self::Shares(_) => None,
        }
    }
}

impl TrainProgram {
    /// Records one training step of `model`.
    ///
    /// # Errors
    /// When a pattern fits no parameter, nothing is left to train, a setting is out of
    /// range, or the batch does not fit the model.
    pub fn record(model: &Model, config: &TrainConfig) -> Result<Self, NnError> {
        check_batch(config.batch_size)?;
        if !(config.aux_weight.is_finite() && config.aux_weight >= 0.0) {
            let weight = config.aux_weight;
            return Err(NnError::Setting(format!(
                "the weight of auxiliary losses must be a number ≥ 0, found {weight}"
            )));
        }
        if let Storage::Int8(_) = config.storage {
            return Err(NnError::Setting(
                "maps are kept as bytes for inference alone".to_owned(),
            ));
        }
        let frozen = frozen(model, &config.frozen)?;
        let mut graph = Graph::new();
        let images = model.images(&mut graph, config.batch_size);
        let targets = Targets::record(&mut graph, config, model.options().classes);
        let mut ctx = Ctx {
            frozen: &frozen,
            ..model.context(&mut graph, Mode::Train)
        };
        let outputs = model.forward(images, &mut ctx)?;
        let smoothing = config.label_smoothing;
        let mut cross_entropy =
            |path: &str, logits| graph.cross_entropy(path, smoothing, logits, targets.var());
        let loss_main = cross_entropy("loss", outputs.logits)?;
        let mut loss_aux = Vec::new();
        for aux in &outputs.aux {
            loss_aux.push(AuxLoss {
                name: aux.name,
                logits: aux.logits,
                loss: cross_entropy(&format!("loss_{}", aux.name), aux.logits)?,
            });
        }
        let loss = total(&mut graph, loss_main, &loss_aux, config.aux_weight)?;
        let mut program = Self {
            graph,
            images,
            targets,
            logits: outputs.logits,
            loss,
            loss_main,
            loss_aux,
            grads: Vec::new(),
            passes: config.passes,
        };
        let keep = program.keep();
        optimise(&mut program.graph, &keep, &config.passes);
        let forward = program.graph.nodes().len();
        program.differentiate(model, &frozen)?;
        if config.storage == Storage::Bf16 {
            let keep = program.keep();
            store_forward(&mut program.graph, &keep, forward)?;
        }
        let keep = program.keep();
        recompute(&mut program.graph, forward, &keep, config.recompute);
        Ok(program)
    }

    fn differentiate(&mut self, model: &Model, frozen: &[bool]) -> Result<(), NnError> {
        let trained: Vec<(ParamId, Var)> = model
            .specs()
            .iter()
            .filter(|(id, spec)| spec.role.is_trainable() && !frozen[id.index()])
            .filter_map(|(id, _)| Some((id, self.graph.find_param(id)?)))
            .collect();
        if trained.is_empty() {
            let model = model.name();
            return Err(NnError::Setting(format!(
                "every parameter of {model} is frozen: nothing is left to train"
            )));
        }
        let wrt: Vec<Var> = trained.iter().map(|&(_, var)| var).collect();
        let found = differentiate(&mut self.graph, self.loss, &wrt)?;
        let with_grads = trained.into_iter().filter_map(|(param, var)| {
            let grad = found.get(var)?;
            Some(ParamGrad { param, grad })
        });
        self.grads = with_grads.collect();
        Ok(())
    }

    /// What outlives a run: logits, losses, gradients.
    pub fn keep(&self) -> Vec<Var> {
        let mut keep = vec![self.logits, self.loss, self.loss_main];
        keep.extend(self.loss_aux.iter().flat_map(|aux| [aux.logits, aux.loss]));
        keep.extend(self.grads.iter().map(|g| g.grad));
        keep
    }

    /// The plan of the program in `T`.
    pub fn compile<T: Element>(&self) -> Plan {
        plan::<T>(&self.graph, &self.keep(), self.passes)
    }
}

/// Forward pass and probabilities of a batch.
#[derive(Clone, Debug)]
pub struct EvalProgram {
    /// The graph.
    pub graph: Graph,
    /// Input `[n, h, w, c]`.
    pub images: Var,
    /// `[n, 1, 1, classes]`.
    pub logits: Var,
    /// `[n, 1, 1, classes]`: softmax of the logits.
    pub probs: Var,
    passes: Passes,
}

impl EvalProgram {
    /// Records inference of `model` on batches of `batch_size` images.
    ///
    /// # Errors
    /// When the batch is empty or does not fit the model.
    pub fn record(model: &Model, batch_size: usize, passes: Passes) -> Result<Self, NnError> {
        Self::record_stored(model, batch_size, passes, &Storage::Real)
    }

    /// The same with maps kept as `storage` says.
    ///
    /// # Errors
    /// As [`EvalProgram::record`], and when ranges of the model's values are missing.
    pub fn record_stored(
        model: &Model,
        batch_size: usize,
        passes: Passes,
        storage: &Storage,
    ) -> Result<Self, NnError> {
        check_batch(batch_size)?;
        let mut graph = Graph::new();
        let images = model.images(&mut graph, batch_size);
        let outputs = model.forward(images, &mut model.context(&mut graph, Mode::Eval))?;
        let logits = outputs.logits;
        let probs = graph.softmax("softmax", logits)?;
        match storage {
            Storage::Real => optimise(&mut graph, &[logits, probs], &passes),
            storage => {
                optimise(&mut graph, &[logits, probs], &unmerged(passes));
                store(&mut graph, &[logits, probs], storage)?;
            }
        }
        Ok(Self {
            graph,
            images,
            logits,
            probs,
            passes,
        })
    }

    /// What outlives a run: logits and probabilities.
    pub fn keep(&self) -> Vec<Var> {
        vec![self.logits, self.probs]
    }

    /// The plan of the program in `T`.
    pub fn compile<T: Element>(&self) -> Plan {
        plan::<T>(&self.graph, &self.keep(), self.passes)
    }
}

/// Forward pass of a batch up to what the last linear layer reads.
#[derive(Clone, Debug)]
pub struct FeaturesProgram {
    /// The graph.
    pub graph: Graph,
    /// Input `[n, h, w, c]`.
    pub images: Var,
    /// `[n, 1, 1, features]`.
    pub features: Var,
    passes: Passes,
}

impl FeaturesProgram {
    /// Records inference of `model` on batches of `batch_size` images, without its classifier.
    ///
    /// # Errors
    /// When the batch is empty or does not fit the model.
    pub fn record(model: &Model, batch_size: usize, passes: Passes) -> Result<Self, NnError> {
        check_batch(batch_size)?;
        let mut graph = Graph::new();
        let images = model.images(&mut graph, batch_size);
        let outputs = model.forward(images, &mut model.context(&mut graph, Mode::Eval))?;
        let features = outputs.features;
        optimise(&mut graph, &[features], &passes);
        Ok(Self {
            graph,
            images,
            features,
            passes,
        })
    }

    /// The plan of the program in `T`.
    pub fn compile<T: Element>(&self) -> Plan {
        plan::<T>(&self.graph, &[self.features], self.passes)
    }
}

/// The passes that may run before maps are stored, and before they are observed.
pub(crate) const fn unmerged(passes: Passes) -> Passes {
    Passes {
        merge_siblings: false,
        pack_weights: false,
        ..passes
    }
}

fn plan<T: Element>(graph: &Graph, keep: &[Var], passes: Passes) -> Plan {
    let options = PlanOptions {
        passes,
        element_bytes: size_of::<T>(),
        ..PlanOptions::default()
    };
    Plan::compile(graph, keep, &options)
}

fn check_batch(batch_size: usize) -> Result<(), NnError> {
    match batch_size {
        0 => Err(NnError::Setting(
            "a batch has at least 1 image, found 0".to_owned(),
        )),
        _ => Ok(()),
    }
}

fn total(graph: &mut Graph, main: Var, aux: &[AuxLoss], weight: f64) -> Result<Var, GraphError> {
    if aux.is_empty() {
        return Ok(main);
    }
    let terms = aux.iter().map(|aux| (aux.loss, weight));
    let terms: Vec<(Var, f64)> = [(main, 1.0)].into_iter().chain(terms).collect();
    graph.sum("loss_total", &terms)
}

/// By parameter: whether one of the patterns fits it.
fn frozen(model: &Model, patterns: &[String]) -> Result<Vec<bool>, NnError> {
    let specs = model.specs();
    let mut frozen = vec![false; specs.len()];
    for text in patterns {
        let pattern = Pattern::new(text);
        let mut fits = false;
        for (id, _) in specs.iter().filter(|(_, spec)| pattern.fits(&spec.name)) {
            frozen[id.index()] = true;
            fits = true;
        }
        if !fits {
            let names = specs.iter().map(|(_, spec)| spec.name.clone());
            return Err(NnError::Pattern {
                pattern: text.clone(),
                model: model.name(),
                examples: names.take(5).collect(),
            });
        }
    }
    Ok(frozen)
}
