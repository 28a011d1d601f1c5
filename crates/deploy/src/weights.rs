//! Files of weights: our own, which describe themselves, and state dicts of other tools.

mod caffe;
mod foreign;
mod graph;
mod state;

use crate::DeployError;
use inception_data::Preprocess;
use inception_formats::{Contents, Format};
use inception_nn::{LoadMode, LoadReport, Model, ModelOptions, Parameters, WeightsMeta};
use inception_store::{
    Archive, ArchiveBuilder, FinitePolicy, Limits, NonFinite, RealFs, write_atomic,
    write_atomic_from,
};
use std::path::Path;

/// How a file of weights is read.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// The model of a file that does not say what it is.
    pub model: Option<String>,
    /// What that model is built for. The number of classes is taken from the file where it
    /// is not given here. A file that describes itself is followed instead, but for
    /// auxiliary heads, which inference does not need.
    pub model_options: ModelOptions,
    /// What the file must have.
    pub mode: LoadMode,
    /// What happens to NaN and infinity.
    pub non_finite: FinitePolicy,
    /// What the file may ask for.
    pub limits: Limits,
    /// How many numbers the parameters of a model may have: 2²⁹, 2 GiB.
    pub max_numbers: u64,
    /// Names what the parameters begin with that the file lacks, with
    /// [`LoadMode::Partial`].
    pub seed: u64,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            model: None,
            model_options: ModelOptions::default(),
            mode: LoadMode::Strict,
            non_finite: FinitePolicy::Refuse,
            limits: Limits::default(),
            max_numbers: 1 << 29,
            seed: 0,
        }
    }
}

/// A model with its numbers and everything that using it takes.
#[derive(Debug)]
pub struct Weights {
    /// The model.
    pub model: Model,
    /// Its numbers.
    pub parameters: Parameters<f32>,
    /// What the file says about itself, or what was concluded from a foreign one.
    pub meta: WeightsMeta,
    /// How pictures are prepared.
    pub preprocess: Preprocess,
    /// What was taken from the file.
    pub report: LoadReport,
    /// Tensors with NaN or infinity, where they are allowed.
    pub non_finite: Vec<NonFinite>,
    /// What deserves a word about the file, although it was read.
    pub warnings: Vec<String>,
}

impl Weights {
    /// Reads a file of weights of any [`Format`].
    ///
    /// An ONNX file is its own model: its graph is recorded and runs as any other. Where a
    /// model is named, the file's tensors alone are taken. Weights of Caffe are those of
    /// `googlenet` under Caffe's names.
    ///
    /// A sealed file is checked against its digests. A file that names no model is taken for
    /// a PyTorch state dict of [`LoadOptions::model`]: its keys may all begin with `module.`
    /// or `model.`, as wrappers of other tools leave them.
    ///
    /// # Errors
    /// When the file cannot be read or is malformed, does not say what it is and no model is
    /// named, its tensors are not those of the model, or a number is not finite.
    pub fn load(path: &Path, options: &LoadOptions) -> Result<Self, DeployError> {
        let contents = inception_formats::read(path, &options.limits)?;
        let Contents {
            format,
            tensors: archive,
            graph,
            warnings,
        } = contents;
        if let (Some(graph), None) = (&graph, &options.model) {
            let weights = graph::load(path, graph, &archive, options)?;
            return Ok(Self {
                warnings,
                ..weights
            });
        }
        if format == Format::Safetensors && archive.is_sealed() {
            archive.verify()?;
        }
        let meta = WeightsMeta::from_map(archive.metadata()).map_err(|source| {
            let path = path.to_owned();
            DeployError::Meta { path, source }
        })?;
        let found = match (meta, format) {
            (Some(meta), _) => described(path, &archive, meta, options)?,
            (None, Format::Caffe) => caffe::conclude(path, &archive, options)?,
            (None, _) => foreign::conclude(path, &archive, options)?,
        };
        let weights = found.fill(path, &archive, options)?;
        Ok(Self {
            warnings,
            ..weights
        })
    }

    /// Weights that nobody has trained: to measure, or to train from.
    ///
    /// # Errors
    /// When no preprocessing fits the model's input.
    pub fn random(model: Model, seed: u64) -> Result<Self, DeployError> {
        let preprocess = foreign::usual_preprocess(&model);
        preprocess.validate()?;
        Ok(Self {
            parameters: Parameters::init(&model, seed),
            meta: WeightsMeta::of(&model),
            preprocess,
            report: LoadReport::default(),
            non_finite: Vec::new(),
            warnings: Vec::new(),
            model,
        })
    }

    /// Writes a file that describes itself: sealed safetensors with PyTorch's keys, shapes
    /// and order. An existing file is replaced in one step.
    ///
    /// # Errors
    /// When the file cannot be written, or the model is a graph that came with a file, which
    /// nothing could build again from a name.
    pub fn save(&self, path: &Path) -> Result<(), DeployError> {
        if !self.model.is_registered() {
            return Err(DeployError::Usage(
                "a graph from an ONNX file can be written as ONNX, not as weights of a model; \
                 to take its weights alone, name their model with --model"
                    .to_owned(),
            ));
        }
        let mut builder = self.archive()?;
        let meta = WeightsMeta {
            preprocess: self.preprocess.to_map(),
            ..self.meta.clone()
        };
        for (key, value) in meta.to_map() {
            builder.metadata(key, value)?;
        }
        write_atomic_from(&RealFs, path, &builder.sealed()?)?;
        Ok(())
    }

    /// Writes a state dict for PyTorch: safetensors with its keys, shapes and order, and no
    /// word about the model. An existing file is replaced in one step.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save_state_dict(&self, path: &Path) -> Result<(), DeployError> {
        write_atomic(&RealFs, path, &self.archive()?.build()?)?;
        Ok(())
    }

    fn archive(&self) -> Result<ArchiveBuilder<'_>, DeployError> {
        let mut builder = ArchiveBuilder::new();
        builder.metadata("format", "pt")?;
        for entry in self.parameters.state_entries() {
            let write = move |out: &mut [f32]| entry.write(out);
            builder.f32_with(entry.name(), &entry.shape(), entry.len(), write)?;
        }
        Ok(builder)
    }
}

/// A model and what is known about it, before its numbers are read.
struct Found {
    model: Model,
    meta: WeightsMeta,
    preprocess: Preprocess,
    /// How keys of the file become keys of the model.
    naming: Naming,
}

/// How keys of a file become keys of a model.
#[derive(Clone, Copy, Debug)]
enum Naming {
    /// By leaving away what all of them begin with.
    Prefix(&'static str),
    /// By Caffe's names of layers.
    Caffe,
}

impl Found {
    fn fill(
        self,
        path: &Path,
        archive: &Archive,
        options: &LoadOptions,
    ) -> Result<Weights, DeployError> {
        let name = self.model.name();
        let specs = self.model.specs();
        let numbers = specs.iter().map(|(_, spec)| spec.shape.checked_len());
        let numbers = numbers.map(|n| n.map_or(u64::MAX, |n| n as u64));
        let found = numbers.fold(0, u64::saturating_add);
        if found > options.max_numbers {
            return Err(DeployError::TooLarge {
                path: path.to_owned(),
                model: name,
                found,
                allowed: options.max_numbers,
            });
        }
        let non_finite = archive.check_finite(options.non_finite)?;
        let state = state::tensors(archive, specs, self.naming)?;
        let mut parameters = match options.mode {
            LoadMode::Strict => Parameters::zeros(&self.model),
            LoadMode::Partial => Parameters::init(&self.model, options.seed),
        };
        let report = parameters.load_state_dict(state, options.mode);
        let report = report.map_err(|source| DeployError::Misfit {
            path: path.to_owned(),
            model: name,
            source,
        })?;
        Ok(Weights {
            model: self.model,
            parameters,
            meta: self.meta,
            preprocess: self.preprocess,
            report,
            non_finite,
            warnings: Vec::new(),
        })
    }
}

/// What a file of our own is.
fn described(
    path: &Path,
    archive: &Archive,
    meta: WeightsMeta,
    options: &LoadOptions,
) -> Result<Found, DeployError> {
    let contradiction = |message: String| {
        let path = path.to_owned();
        DeployError::Description { path, message }
    };
    if let Some(warning) = archive.warnings().first() {
        return Err(contradiction(warning.clone()));
    }
    if let Some(asked) = options.model.as_ref().filter(|m| **m != meta.model) {
        return Err(DeployError::Usage(format!(
            "{} holds weights of {}, not of {}: leave --model away",
            inception_data::escape_path(path),
            meta.model.escape_debug(),
            asked.escape_debug(),
        )));
    }
    let meta = WeightsMeta {
        aux: options.model_options.aux,
        ..meta
    };
    let model = meta.build().map_err(|e| contradiction(e.to_string()))?;
    let preprocess = Preprocess::from_map(&meta.preprocess)
        .map_err(|e| contradiction(e.to_string()))?
        .unwrap_or_else(|| foreign::usual_preprocess(&model));
    if preprocess.input != meta.input {
        return Err(contradiction(format!(
            "preprocessing makes images of {:?}, the model takes {:?}",
            preprocess.input, meta.input
        )));
    }
    Ok(Found {
        model,
        meta,
        preprocess,
        naming: Naming::Prefix(""),
    })
}
