//! ONNX files, which are models of their own.

use super::{LoadOptions, Weights, foreign};
use crate::{DeployError, onnx};
use inception_data::Preprocess;
use inception_formats::OnnxModel;
use inception_nn::{LoadMode, Parameters, WeightsMeta};
use inception_store::Archive;
use std::path::Path;

/// Records the graph as a model, with its numbers.
pub(super) fn load(
    path: &Path,
    graph: &OnnxModel,
    archive: &Archive,
    options: &LoadOptions,
) -> Result<Weights, DeployError> {
    let non_finite = archive.check_finite(options.non_finite)?;
    let imported = onnx::import(graph, options.model_options.input).map_err(|source| {
        let path = path.to_owned();
        DeployError::Import { path, source }
    })?;
    let model = imported.model;
    let own = WeightsMeta::from_map(&graph.metadata).map_err(|source| {
        let path = path.to_owned();
        DeployError::Meta { path, source }
    })?;
    let mut meta = WeightsMeta::of(&model);
    let mut preprocess = foreign::usual_preprocess(&model);
    // Of what a file of ours says, the graph itself is the better witness of sizes.
    if let Some(own) = own.filter(|own| own.classes == meta.classes) {
        let said = Preprocess::from_map(&own.preprocess).map_err(|e| DeployError::Description {
            path: path.to_owned(),
            message: e.to_string(),
        })?;
        preprocess = said.filter(|p| p.input == meta.input).unwrap_or(preprocess);
        meta.class_names = own.class_names;
        meta.training = own.training;
    }
    let mut parameters = Parameters::zeros(&model);
    let report = parameters.load_state_dict(imported.state, LoadMode::Strict);
    let report = report.map_err(|source| DeployError::Misfit {
        path: path.to_owned(),
        model: model.name(),
        source,
    })?;
    Ok(Weights {
        model,
        parameters,
        meta,
        preprocess,
        report,
        non_finite,
        warnings: Vec::new(),
    })
}
