//! A model, built by name.

use crate::{Builder, Ctx, Mode, Network, NnError, Outputs, Specs, registry};
use inception_autograd::{DType, Graph, GraphError, Var};
use inception_tensor::Shape;
use std::sync::Arc;

/// Whether auxiliary classifiers are built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Aux {
    /// Where the model has them.
    #[default]
    Keep,
    /// Never.
    Drop,
}

/// What a model is built for; `None` leaves the model's own value.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ModelOptions {
    /// `[c, h, w]` of an image.
    pub input: Option<[usize; 3]>,
    /// How many classes.
    pub classes: Option<usize>,
    /// Auxiliary classifiers.
    pub aux: Aux,
    /// Share dropped in front of the logits.
    pub dropout: Option<f64>,
    /// Share dropped in front of the auxiliary logits.
    pub aux_dropout: Option<f64>,
}

/// [`ModelOptions`] with the model's own values filled in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resolved {
    /// `[c, h, w]` of an image.
    pub input: [usize; 3],
    /// How many classes.
    pub classes: usize,
    /// Auxiliary classifiers; [`Aux::Drop`] where the model has none.
    pub aux: Aux,
    /// Share dropped in front of the logits.
    pub dropout: f64,
    /// Share dropped in front of the auxiliary logits.
    pub aux_dropout: f64,
}

/// The paper's dropout in front of the auxiliary logits.
const AUX_DROPOUT: f64 = 0.7;
/// The smallest image that is looked for when an image is too small.
const LARGEST_MINIMUM: usize = 1024;

impl Resolved {
    fn new(info: &registry::ModelInfo, options: &ModelOptions) -> Result<Self, NnError> {
        let resolved = Self {
            input: options.input.unwrap_or(info.input),
            classes: options.classes.unwrap_or(info.classes),
            aux: if info.has_aux { options.aux } else { Aux::Drop },
            dropout: options.dropout.unwrap_or(info.dropout),
            aux_dropout: options.aux_dropout.unwrap_or(AUX_DROPOUT),
        };
        let refuse = |detail| {
            let model = info.name;
            Err(NnError::Option { model, detail })
        };
        if resolved.classes == 0 {
            return refuse("classes must be at least 1, found 0".to_owned());
        }
        if resolved.input[0] == 0 {
            return refuse("an image has at least 1 channel, found 0".to_owned());
        }
        for (name, rate) in [
            ("dropout", resolved.dropout),
            ("aux_dropout", resolved.aux_dropout),
        ] {
            if !(0.0..1.0).contains(&rate) {
                return refuse(format!("{name} must lie in [0, 1), found {rate}"));
            }
        }
        Ok(resolved)
    }
}

/// A classifier: its structure and its parameters' specifications, without any numbers.
#[derive(Debug)]
pub struct Model {
    info: &'static registry::ModelInfo,
    options: Resolved,
    specs: Arc<Specs>,
    network: Box<dyn Network>,
}

impl Model {
    /// Builds the model called `name`, and checks that it fits its images.
    ///
    /// # Errors
    /// When there is no such model, an option is out of range, or images are too small; the
    /// error then names the smallest that fit.
    pub fn build(name: &str, options: &ModelOptions) -> Result<Self, NnError> {
        let info = registry::find(name)?;
        let options = Resolved::new(info, options)?;
        match Self::assemble(info, options) {
            Ok(model) => Ok(model),
            Err(error) => Err(Self::too_small(info, options).unwrap_or(error.into())),
        }
    }

    /// A model that is in no registry: a graph that came with a file.
    ///
    /// # Errors
    /// When the network cannot be recorded on images of `options`.
    pub fn from_network(
        network: Box<dyn Network>,
        specs: Specs,
        options: Resolved,
    ) -> Result<Self, GraphError> {
        Self::checked(&registry::IMPORTED, options, specs, network)
    }

    /// Whether it can be built again by its name.
    pub fn is_registered(&self) -> bool {
        !std::ptr::eq(self.info, &registry::IMPORTED)
    }

    fn assemble(info: &'static registry::ModelInfo, options: Resolved) -> Result<Self, GraphError> {
        let mut specs = Specs::default();
        let network = (info.build)(&mut Builder::new(&mut specs), &options)?;
        Self::checked(info, options, specs, network)
    }

    fn checked(
        info: &'static registry::ModelInfo,
        options: Resolved,
        specs: Specs,
        network: Box<dyn Network>,
    ) -> Result<Self, GraphError> {
        let model = Self {
            info,
            options,
            specs: Arc::new(specs),
            network,
        };
        for mode in [Mode::Train, Mode::Eval] {
            let mut graph = Graph::new();
            // A batch of 2, because normalisation by one value is refused.
            let images = model.images(&mut graph, 2);
            model.forward(images, &mut model.context(&mut graph, mode))?;
        }
        Ok(model)
    }

    /// The error that names the smallest square images, if those of `options` are smaller.
    fn too_small(info: &'static registry::ModelInfo, options: Resolved) -> Option<NnError> {
        let [c, h, w] = options.input;
        let fits = |side: &usize| {
            let input = [c, *side, *side];
            Self::assemble(info, Resolved { input, ..options }).is_ok()
        };
        let minimum = (h.min(w) + 1..=LARGEST_MINIMUM).find(fits)?;
        Some(NnError::InputTooSmall {
            model: info.name,
            input: options.input,
            minimum,
        })
    }

    /// Its name in the registry.
    pub fn name(&self) -> &'static str {
        self.info.name
    }

    /// Its entry in the registry.
    pub fn info(&self) -> &'static registry::ModelInfo {
        self.info
    }

    /// What it was built for.
    pub fn options(&self) -> &Resolved {
        &self.options
    }

    /// Its parameters, without numbers.
    pub fn specs(&self) -> &Arc<Specs> {
        &self.specs
    }

    /// The shape of a batch of images.
    pub fn batch(&self, images: usize) -> Shape {
        let [c, h, w] = self.options.input;
        Shape::new(images, h, w, c)
    }

    /// Adds a batch of images to the inputs of `graph`.
    pub fn images(&self, graph: &mut Graph, batch_size: usize) -> Var {
        graph.input(self.batch(batch_size), DType::Real)
    }

    /// What its modules record into, with no parameter frozen.
    pub fn context<'a>(&'a self, graph: &'a mut Graph, mode: Mode) -> Ctx<'a> {
        Ctx {
            graph,
            mode,
            specs: &self.specs,
            frozen: &[],
        }
    }

    /// Records the forward pass on `images` `[n, h, w, c]`.
    ///
    /// # Errors
    /// When the images do not fit.
    pub fn forward(&self, images: Var, ctx: &mut Ctx<'_>) -> Result<Outputs, GraphError> {
        self.network.forward(images, ctx)
    }
}
