//! The parts of the document, in its order.

use crate::claims::table1::Row;
use crate::claims::{Claims, Head, ModuleForms, Net, Taught};
use crate::cost::Cost;
use crate::markdown::{Table, count, extent, millions, times as ratio};
use crate::timing::Times;
use std::fmt::{Formatter, Result};

const INTRODUCTION: &str = "\
# What the paper claims, counted

Written by `cargo xtask bench`; the same counts as data are in
[paper-claims.json](paper-claims.json). Every count is a walk over a graph recorded by
`inception-nn`, for one image. Multiply-adds (MACs) are those of convolutions and linear
layers; FLOPs are twice that. The paper is Szegedy et al. 2014, *Going Deeper with
Convolutions*.
";

pub(super) fn introduction(f: &mut Formatter<'_>) -> Result {
    f.write_str(INTRODUCTION)
}

/// Figures of a form, as a table shows them.
struct Column {
    name: &'static str,
    of: fn(&Cost) -> u64,
    show: fn(u64) -> String,
}

const PARAMS: Column = Column {
    name: "Parameters",
    of: |cost| cost.params,
    show: count,
};
const MACS: Column = Column {
    name: "Multiply-adds, in millions",
    of: |cost| cost.macs,
    show: millions,
};
const FLOPS: Column = Column {
    name: "FLOPs, in millions",
    of: |cost| cost.flops,
    show: millions,
};

pub(super) fn modules(f: &mut Formatter<'_>, claims: &Claims) -> Result {
    f.write_str(
        "\n## The modules of GoogLeNet in four forms\n\n\
         *reduced* is the paper's module, with 1×1 convolutions in front of the 3×3 and 5×5 \
         ones and behind\nthe pool. *naive* has none of them, and its pool passes all channels \
         on. *one 5×5* and *one 10×10*\nare a single convolution from the same input to as many \
         channels as the reduced module makes. Each\nnaive module reads what the network's \
         module reads. All have biases.\n",
    )?;
    for column in [PARAMS, MACS, FLOPS] {
        write!(f, "\n### {}\n\n{}", column.name, forms(claims, &column))?;
    }
    Ok(())
}

fn forms(claims: &Claims, column: &Column) -> Table {
    let mut table = Table::new(&[
        "module",
        "input",
        "output",
        "reduced",
        "naive",
        "one 5×5",
        "one 10×10",
        "naive / reduced",
        "5×5 / reduced",
        "10×10 / reduced",
    ]);
    let mut row = |first: [String; 3], costs: [Cost; 4]| {
        let figures = costs.map(|cost| (column.of)(&cost));
        let [reduced, others @ ..] = figures;
        let shown = figures.map(column.show);
        let ratios = others.map(|other| ratio(other, reduced));
        table.row(first.into_iter().chain(shown).chain(ratios));
    };
    let costs = |m: &ModuleForms| [m.reduced, m.naive, m.plain5, m.plain10];
    for module in &claims.modules {
        let first = [
            module.name.clone(),
            extent(module.input),
            extent(module.output),
        ];
        row(first, costs(module));
    }
    let total = |i: usize| claims.modules.iter().map(|m| costs(m)[i]).sum();
    let first = ["all nine".to_owned(), String::new(), String::new()];
    row(first, std::array::from_fn(total));
    table
}

pub(super) fn stacked(f: &mut Formatter<'_>, claims: &Claims) -> Result {
    let reduced: Cost = claims.modules.iter().map(|m| m.reduced).sum();
    let stacked = claims.stacked.cost;
    write!(
        f,
        "\nIn the tables above every naive module reads the input that the reduced network gives \
         it. Really\nstacked, with the network's pools between them, naive modules pile up \
         channels, because each pool\nbranch passes on all that its module reads: they end in \
         {} channels and take {} parameters\n({} those of the reduced modules) and {} million \
         multiply-adds ({}).\n",
        count(claims.stacked.channels as u64),
        count(stacked.params),
        ratio(stacked.params, reduced.params),
        millions(stacked.macs),
        ratio(stacked.macs, reduced.macs),
    )
}

pub(super) fn head(f: &mut Formatter<'_>, head: &Head) -> Result {
    let mut table = Table::new(&[
        "end",
        "parameters",
        "MACs (M)",
        "FLOPs (M)",
        "parameters / first",
    ]);
    for (name, cost) in [
        ("average over all pixels, linear", head.average),
        ("linear over every pixel", head.connected),
    ] {
        table.row([
            name.to_owned(),
            count(cost.params),
            millions(cost.macs),
            millions(cost.flops),
            ratio(cost.params, head.average.params),
        ]);
    }
    write!(
        f,
        "\n## The end of the network: {} to {} classes\n\n{table}",
        extent(head.input),
        count(head.classes as u64)
    )
}

pub(super) fn nets(f: &mut Formatter<'_>, nets: &[Net]) -> Result {
    let mut table = Table::new(&[
        "network",
        "image",
        "parameters",
        "auxiliary heads",
        "MACs (M)",
        "FLOPs (M)",
        "parameters / googlenet",
        "MACs / googlenet",
    ]);
    let Some(paper) = nets.first() else {
        return Ok(());
    };
    for net in nets {
        table.row([
            net.name.clone(),
            extent(net.input),
            count(net.cost.params),
            count(net.aux_params),
            millions(net.cost.macs),
            millions(net.cost.flops),
            ratio(net.cost.params, paper.cost.params),
            ratio(net.cost.macs, paper.cost.macs),
        ]);
    }
    let alexnet = nets.iter().find(|net| net.name == "alexnet");
    let alexnet = alexnet.map_or(0.0, |net| net.cost.params as f64 / paper.cost.params as f64);
    write!(
        f,
        "\n## Whole networks\n\nParameters and operations are without auxiliary heads, which \
         inference leaves away.\n\n{table}\nThe paper says that its network uses 12 times fewer \
         parameters than that of Krizhevsky et al.\n(AlexNet). Counted, it is {alexnet:.1} \
         times.\n"
    )
}

pub(super) fn table1(f: &mut Formatter<'_>, rows: &[Row]) -> Result {
    let mut table = Table::new(&[
        "layer",
        "params, paper (K)",
        "weights (K = 1024)",
        "weights",
        "with biases",
        "ops, paper (M)",
        "MACs (M)",
        "paper's params × pixels (M)",
        "why they differ",
    ])
    .text(8);
    for row in rows {
        table.row([
            row.name.clone(),
            row.paper_params_k.to_string(),
            format!("{:.1}", row.weights_k()),
            count(row.cost.weights),
            count(row.cost.params),
            row.paper_ops_m.to_string(),
            format!("{:.1}", row.macs_m()),
            format!("{:.1}", row.implied_ops_m()),
            row.remark.clone(),
        ]);
    }
    let total: Cost = rows.iter().map(|row| row.cost).sum();
    write!(
        f,
        "\n## The paper's Table 1 beside counts\n\nThe paper's ops column counts multiply-adds. \
         A weight of a convolution is used once for each pixel\nof the output, so the paper's \
         params times the pixels should be its ops: where they are not, the\ntwo columns of the \
         paper contradict each other. Figures agree here when they lie within 1 K or\n1 M of each \
         other.\n\n{table}\nCounted in all: {} parameters, {} of them weights, and {} million \
         multiply-adds.\n",
        count(total.params),
        count(total.weights),
        millions(total.macs)
    )
}

pub(super) fn taught(f: &mut Formatter<'_>, taught: &Taught) -> Result {
    let mut table = Table::new(&[
        "form",
        "parameters",
        "MACs (M)",
        "FLOPs (M)",
        "parameters / module",
        "MACs / module",
    ]);
    for (name, cost) in [
        ("module of simple-inception", taught.module),
        ("branches without 1×1 in front", taught.direct),
        ("one 10×10", taught.plain10),
    ] {
        table.row([
            name.to_owned(),
            count(cost.params),
            millions(cost.macs),
            millions(cost.flops),
            ratio(cost.params, taught.module.params),
            ratio(cost.macs, taught.module.macs),
        ]);
    }
    let verdict = match taught.direct.macs.cmp(&taught.module.macs) {
        std::cmp::Ordering::Less => {
            "At these widths the 1×1 convolutions in front do not reduce: they leave as many \
             channels as they\nread, and what they cost comes on top."
        }
        _ => "The 1×1 convolutions in front pay for themselves.",
    };
    write!(
        f,
        "\n## The module that Inception is taught with\n\nFrom {} to {}, biases and no \
         activations.\n\n{table}\n{verdict}\n",
        extent(taught.input),
        extent(taught.output)
    )
}

pub(super) fn times(f: &mut Formatter<'_>, times: Option<&Times>) -> Result {
    f.write_str("\n## Measured time\n\n")?;
    let Some(times) = times else {
        return f.write_str("Not measured yet: `cargo xtask bench` without `--no-timing` does.\n");
    };
    let mut table = Table::new(&[
        "form",
        "median (ms)",
        "shortest (ms)",
        "GFLOP/s",
        "time / first",
        "MACs / first",
    ]);
    let Some(first) = times.forms.first() else {
        return Ok(());
    };
    for form in &times.forms {
        let flops = 2.0 * form.macs as f64 * times.batch_size as f64;
        table.row([
            form.form.clone(),
            format!("{:.2}", form.median_ms),
            format!("{:.2}", form.min_ms),
            format!("{:.1}", flops / form.median_ms / 1e6),
            format!("{:.2}×", form.median_ms / first.median_ms),
            ratio(form.macs, first.macs),
        ]);
    }
    write!(
        f,
        "Module {} forward, {} images of {}, f32, {} threads on {}; {} runs of each form, taking \
         turns.\n\n{table}",
        times.module,
        times.batch_size,
        extent(times.input),
        times.threads,
        times.processor,
        times.reps
    )
}
