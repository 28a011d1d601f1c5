//! What the paper claims about its modules, counted on graphs.

pub mod table1;

use crate::block::Block;
use crate::cost::{Cost, lies_in};
use crate::forms::{self, Branch, Place};
use anyhow::{Context, Result};
use inception_autograd::Graph;
use inception_nn::models::TABLE1;
use inception_nn::{Aux, Mode, Model, ModelOptions};
use inception_tensor::Shape;
use serde::{Deserialize, Serialize};
use table1::Row;

/// The network that the paper describes.
const PAPER: &str = "googlenet";
/// The networks that are counted as a whole.
const NETS: [&str; 5] = [
    PAPER,
    "googlenet-bn",
    "googlenet-torchvision",
    "alexnet",
    "vgg16",
];

/// All counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    /// The nine modules of the paper's network, each in every form.
    pub modules: Vec<ModuleForms>,
    /// The nine naive modules stacked, and the channels that they end in.
    pub stacked: Stacked,
    /// The end of the network.
    pub head: Head,
    /// Whole networks.
    pub nets: Vec<Net>,
    /// The paper's Table 1 beside counts.
    pub table1: Vec<Row>,
    /// The module that Inception is taught with.
    pub taught: Taught,
}

/// A module in every form; plain convolutions make as many channels as the reduced form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleForms {
    /// The paper's name: `3a`.
    pub name: String,
    /// `[h, w, c]` of its input.
    pub input: [usize; 3],
    /// `[h, w, c]` of its output.
    pub output: [usize; 3],
    /// With 1×1 reductions: as the network has it.
    pub reduced: Cost,
    /// Without them; the pool passes its input on.
    pub naive: Cost,
    /// Channels of the naive form's output.
    pub naive_channels: usize,
    /// One 5×5 convolution.
    pub plain5: Cost,
    /// One 10×10 convolution.
    pub plain10: Cost,
}

/// Naive modules one behind the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stacked {
    /// All of them.
    pub cost: Cost,
    /// Channels at the end.
    pub channels: usize,
}

/// A classifier's end, in two forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// `[h, w, c]` of its input.
    pub input: [usize; 3],
    /// How many classes.
    pub classes: usize,
    /// Average over all pixels, then a linear layer.
    pub average: Cost,
    /// A linear layer that reads every pixel.
    pub connected: Cost,
}

/// A whole network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Net {
    /// Its name in the registry.
    pub name: String,
    /// `[c, h, w]` of an image.
    pub input: [usize; 3],
    /// Without auxiliary classifiers.
    pub cost: Cost,
    /// Parameters of auxiliary classifiers.
    pub aux_params: u64,
}

/// The module of `simple-inception` and what it is taught in comparison with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taught {
    /// `[h, w, c]` of its input.
    pub input: [usize; 3],
    /// `[h, w, c]` of its output.
    pub output: [usize; 3],
    /// As it is.
    pub module: Cost,
    /// Its 3×3 and 5×5 convolutions reading the input directly.
    pub direct: Cost,
    /// One 10×10 convolution.
    pub plain10: Cost,
}

impl Claims {
    /// Records the networks and counts.
    ///
    /// # Errors
    /// When a network cannot be recorded.
    pub fn count() -> Result<Self> {
        let paper = Recorded::new(PAPER)?;
        let places = paper.places()?;
        let modules: Result<Vec<_>> = TABLE1.iter().map(|row| paper.forms(row.name)).collect();
        let stacked = forms::stacked(&places)?;
        let nets: Result<Vec<_>> = NETS.into_iter().map(net).collect();
        Ok(Self {
            modules: modules?,
            stacked: Stacked {
                cost: stacked.cost(),
                channels: stacked.output_shape().c,
            },
            head: paper.head()?,
            nets: nets?,
            table1: table1::rows(&paper)?,
            taught: taught()?,
        })
    }
}

/// A network of the registry, recorded for inference on one image.
#[derive(Debug)]
pub struct Recorded {
    model: Model,
    graph: Graph,
}

impl Recorded {
    fn new(name: &str) -> Result<Self> {
        let options = ModelOptions {
            aux: Aux::Drop,
            ..ModelOptions::default()
        };
        let model = Model::build(name, &options)?;
        let mut graph = Graph::new();
        let images = model.images(&mut graph, 1);
        model.forward(images, &mut model.context(&mut graph, Mode::Eval))?;
        Ok(Self { model, graph })
    }

    /// What the modules called `names` cost together.
    fn cost(&self, names: &[&str]) -> Cost {
        let belongs = |path: &str| names.iter().any(|name| lies_in(path, name));
        Cost::of(&self.graph, self.model.specs(), belongs)
    }

    /// What a module reads and what it makes.
    fn extent(&self, module: &str) -> Result<[Shape; 2]> {
        let inside = |path: &str| lies_in(path, module);
        let mut nodes = self.graph.nodes().iter().filter(|node| inside(&node.path));
        let missing = || format!("{} has no module {module}", self.model.name());
        let first = nodes.next().with_context(missing)?;
        let last = nodes.next_back().unwrap_or(first);
        let shape = |var| self.graph.shape(var);
        Ok([shape(first.inputs[0]), shape(last.outputs[0])])
    }

    fn places(&self) -> Result<Vec<Place>> {
        let place = |row: &inception_nn::models::InceptionRow| {
            let [input, _] = self.extent(&path(row.name))?;
            let config = row.config;
            Ok(Place { input, config })
        };
        TABLE1.iter().map(place).collect()
    }

    fn forms(&self, name: &str) -> Result<ModuleForms> {
        let row = TABLE1.iter().find(|row| row.name == name);
        let config = row.with_context(|| format!("no module {name}"))?.config;
        let [input, output] = self.extent(&path(name))?;
        let naive = forms::naive(input, &config)?;
        Ok(ModuleForms {
            name: name.to_owned(),
            input: hwc(input),
            output: hwc(output),
            reduced: self.cost(&[&path(name)]),
            naive: naive.cost(),
            naive_channels: naive.output_shape().c,
            plain5: same_extent(forms::plain(input, 5, output.c)?, output),
            plain10: same_extent(forms::plain(input, 10, output.c)?, output),
        })
    }

    fn head(&self) -> Result<Head> {
        let last = TABLE1.last().context("the paper has modules")?;
        let [_, input] = self.extent(&path(last.name))?;
        let classes = self.model.options().classes;
        Ok(Head {
            input: hwc(input),
            classes,
            average: forms::average_head(input, classes)?.cost(),
            connected: forms::connected_head(input, classes)?.cost(),
        })
    }
}

/// The path of a module of the paper.
fn path(name: &str) -> String {
    format!("inception{name}")
}

fn hwc(shape: Shape) -> [usize; 3] {
    [shape.h, shape.w, shape.c]
}

/// The cost of a form that must make what the module makes.
fn same_extent(form: Block, output: Shape) -> Cost {
    assert_eq!(form.output_shape(), output, "the same output");
    form.cost()
}

fn net(name: &str) -> Result<Net> {
    let recorded = Recorded::new(name)?;
    let with_aux = Model::build(name, &ModelOptions::default())?;
    let cost = Cost::of(&recorded.graph, recorded.model.specs(), |_| true);
    Ok(Net {
        name: name.to_owned(),
        input: recorded.model.options().input,
        cost,
        aux_params: with_aux.specs().trainable_aux(),
    })
}

fn taught() -> Result<Taught> {
    const MODULE: &str = "inception1";
    let net = Recorded::new("simple-inception")?;
    let [input, output] = net.extent(MODULE)?;
    let branch = |key: &str| {
        let name = format!("{MODULE}.{key}.weight");
        let id = net.model.specs().find(&name);
        let id = id.with_context(|| format!("simple-inception has no {name}"))?;
        let shape = net.model.specs().get(id).shape;
        let [side, c_out] = [shape.n, shape.c];
        Ok::<_, anyhow::Error>(Branch { side, c_out })
    };
    let branches = [branch("conv1")?, branch("conv3.1")?, branch("conv5.1")?];
    let direct = forms::direct(input, &branches, branch("pool.1")?.c_out)?;
    let plain10 = Branch {
        side: 10,
        c_out: output.c,
    };
    Ok(Taught {
        input: hwc(input),
        output: hwc(output),
        module: net.cost(&[MODULE]),
        direct: same_extent(direct, output),
        plain10: same_extent(forms::plain_linear(input, plain10)?, output),
    })
}
