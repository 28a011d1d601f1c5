//! What a graph has to keep, whatever its operators are.

use super::OnnxModel;
use crate::error::{Flaw, quoted};
use std::collections::{HashMap, HashSet};

/// Operator sets that are understood: before 3 settings of batch norm had other meanings.
const OPSETS: std::ops::RangeInclusive<i64> = 3..=28;

/// Checks names and order; drops inputs that an initialiser gives.
pub(super) fn check(model: &mut OnnxModel) -> Result<(), Flaw> {
    if !OPSETS.contains(&model.opset) {
        let expected = format!(
            "operators of version {} to {}",
            OPSETS.start(),
            OPSETS.end()
        );
        return Err(Flaw::new(expected, format!("version {}", model.opset)));
    }
    // Before version 4 of the format, initialisers had to be inputs as well.
    let initializers = &model.initializers;
    model
        .inputs
        .retain(|input| !initializers.contains_key(&input.name));
    let mut known: HashSet<&str> = initializers.keys().map(String::as_str).collect();
    for input in &model.inputs {
        if !known.insert(&input.name) {
            let found = format!("input {} twice", quoted(&input.name));
            return Err(Flaw::new("each name once", found));
        }
    }
    let mut makers: HashMap<&str, usize> = HashMap::new();
    for (i, node) in model.nodes.iter().enumerate() {
        for output in node.outputs.iter().filter(|name| !name.is_empty()) {
            if known.contains(output.as_str()) || makers.insert(output, i).is_some() {
                let found = format!("{} twice", quoted(output));
                return Err(Flaw::new("each name once", found).of(node.shown()));
            }
        }
    }
    let mut used = HashSet::new();
    for (i, node) in model.nodes.iter().enumerate() {
        for input in node.inputs.iter().filter(|name| !name.is_empty()) {
            used.insert(input.as_str());
            let found = match makers.get(input.as_str()) {
                Some(&maker) if maker < i => continue,
                None if known.contains(input.as_str()) => continue,
                Some(&maker) if maker == i => "its own output",
                Some(_) => "what a later node makes: a cycle, or nodes out of order",
                None => "what nothing makes",
            };
            let found = format!("{}, {found}", quoted(input));
            return Err(Flaw::new("inputs that were made before", found).of(node.shown()));
        }
    }
    for output in &model.outputs {
        used.insert(output.name.as_str());
        if !makers.contains_key(output.name.as_str()) {
            let found = format!("{}, which no node makes", quoted(&output.name));
            return Err(Flaw::new("outputs that nodes make", found));
        }
    }
    if model.outputs.is_empty() {
        return Err(Flaw::new("at least one output", "none"));
    }
    let unused = initializers
        .keys()
        .find(|name| !used.contains(name.as_str()));
    // Exporters leave such tensors behind, so that they deserve a word and no refusal.
    let unused = unused.map(|name| format!("no node reads the initialiser {}", quoted(name)));
    model.warnings.extend(unused);
    Ok(())
}
