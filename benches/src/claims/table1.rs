//! The figures that the paper prints in Table 1, beside counts.

use super::Recorded;
use crate::cost::Cost;
use anyhow::Result;
use serde::{Deserialize, Serialize};

/// A row of the paper's Table 1 with parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// `conv1`, `3a`, …
    pub name: String,
    /// The paper's params column, in K.
    pub paper_params_k: f64,
    /// The paper's ops column, in M.
    pub paper_ops_m: f64,
    /// Counted.
    pub cost: Cost,
    /// Pixels of the output.
    pub pixels: u64,
    /// Why the figures differ, or that they do not.
    pub remark: String,
}

/// What is printed, and the modules that it is about.
struct Printed {
    name: &'static str,
    modules: &'static [&'static str],
    params_k: f64,
    ops_m: f64,
}

const fn printed(
    name: &'static str,
    modules: &'static [&'static str],
    [params_k, ops_m]: [f64; 2],
) -> Printed {
    Printed {
        name,
        modules,
        params_k,
        ops_m,
    }
}

/// Szegedy et al. 2014, Table 1, columns "params" and "ops".
const PRINTED: [Printed; 12] = [
    printed("conv1", &["conv1"], [2.7, 34.0]),
    printed("conv2", &["conv2", "conv3"], [112.0, 360.0]),
    printed("3a", &["inception3a"], [159.0, 128.0]),
    printed("3b", &["inception3b"], [380.0, 304.0]),
    printed("4a", &["inception4a"], [364.0, 73.0]),
    printed("4b", &["inception4b"], [437.0, 88.0]),
    printed("4c", &["inception4c"], [463.0, 100.0]),
    printed("4d", &["inception4d"], [580.0, 119.0]),
    printed("4e", &["inception4e"], [840.0, 170.0]),
    printed("5a", &["inception5a"], [1072.0, 54.0]),
    printed("5b", &["inception5b"], [1388.0, 71.0]),
    printed("linear", &["fc"], [1000.0, 1.0]),
];

/// The paper's K is 1024: only so do conv2 and the linear layer fit.
const K: f64 = 1024.0;
const M: f64 = 1e6;

/// The paper's rows, each with what its modules cost.
pub(super) fn rows(net: &Recorded) -> Result<Vec<Row>> {
    PRINTED.iter().map(|printed| row(net, printed)).collect()
}

fn row(net: &Recorded, printed: &Printed) -> Result<Row> {
    let last = printed.modules.last().copied().unwrap_or_default();
    let [_, output] = net.extent(last)?;
    let mut row = Row {
        name: printed.name.to_owned(),
        paper_params_k: printed.params_k,
        paper_ops_m: printed.ops_m,
        cost: net.cost(printed.modules),
        pixels: output.rows() as u64,
        remark: String::new(),
    };
    row.remark = match row.name.as_str() {
        "conv1" => separable(&row),
        _ => row.verdict().to_owned(),
    };
    Ok(row)
}

impl Row {
    /// Weights without biases, in the paper's K.
    pub fn weights_k(&self) -> f64 {
        self.cost.weights as f64 / K
    }

    /// Multiply-adds in M.
    pub fn macs_m(&self) -> f64 {
        self.cost.macs as f64 / M
    }

    /// The operations that follow from the paper's parameters, each used once a pixel, in M.
    pub fn implied_ops_m(&self) -> f64 {
        self.paper_params_k * K * self.pixels as f64 / M
    }

    /// Compares what is printed with what is counted, and with itself.
    fn verdict(&self) -> &'static str {
        let near = |a: f64, b: f64| (a - b).abs() <= 1.0;
        let params = near(self.paper_params_k, self.weights_k());
        let ops = near(self.paper_ops_m, self.macs_m());
        let consistent = near(self.paper_ops_m, self.implied_ops_m());
        match (params, ops, consistent) {
            (true, true, _) => "agrees: weights without biases, K = 1024",
            (false, true, true) => "ops agree; params do not follow from the listed channels",
            (false, true, false) => {
                "ops agree; params follow neither from the listed channels nor from the ops"
            }
            (true, false, _) => "params agree; ops do not",
            (false, false, true) => "params and ops fit each other, but not the listed channels",
            (false, false, false) => "neither follows from the listed channels",
        }
    }
}

/// A stem that would cost what is printed for the first convolution: each colour filtered by
/// 8 filters of its own, then a 1×1 convolution to as many channels as the stem has.
fn separable(row: &Row) -> String {
    let channels = row.cost.params - row.cost.weights;
    let depthwise = row.cost.weights / channels * 8;
    let weights = depthwise + 3 * 8 * channels;
    let macs_m = (weights * row.pixels) as f64 / M;
    format!(
        "{}. An inference, not stated in the paper: a depthwise-separable stem of multiplier 8 \
         has {weights} weights and {macs_m:.0} M multiply-adds",
        row.verdict()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted() -> Vec<Row> {
        rows(&Recorded::new("googlenet").unwrap()).unwrap()
    }

    #[test]
    fn every_row_is_counted_on_modules_of_the_network_and_no_module_is_missed() {
        let rows = counted();
        let whole = Recorded::new("googlenet").unwrap();
        let total: Cost = rows.iter().map(|row| row.cost).sum();
        assert_eq!(total, Cost::of(&whole.graph, whole.model.specs(), |_| true));
    }

    #[test]
    fn ops_agree_but_for_conv1_and_5a() {
        let far = counted().into_iter();
        let far = far.filter(|row| (row.macs_m() - row.paper_ops_m).abs() > 1.0);
        let names: Vec<String> = far.map(|row| row.name).collect();
        assert_eq!(names, ["conv1", "5a"]);
    }

    #[test]
    fn where_params_agree_the_unit_is_1024() {
        let rows = counted();
        let linear = rows.last().unwrap();
        assert_eq!(linear.weights_k(), linear.paper_params_k);
        assert_eq!(rows[1].weights_k(), rows[1].paper_params_k);
    }

    #[test]
    fn a_separable_stem_has_the_printed_cost() {
        let remark = &counted()[0].remark;
        assert!(remark.contains("An inference"), "{remark}");
        assert!(remark.contains("2712 weights and 34 M"), "{remark}");
    }
}
