//! Each operator of ours as nodes.

use super::Exporter;
use crate::DeployError;
use inception_autograd::{
    AdaptiveAvgPool, AvgPool, BatchNormEval, Conv2d, Linear, Lrn, MaxPool, NodeId, Op, Reshape,
    Split, Sum, Var,
};
use inception_formats::{OnnxAttribute, OnnxTensor};
use inception_nn::Layout;
use inception_ops::lrn::AlphaScale;
use inception_ops::{Activation, PadCount, Rounding, Window};
use inception_tensor::Shape;

fn ints(values: &[usize]) -> OnnxAttribute {
    OnnxAttribute::Ints(values.iter().map(|&n| n as i64).collect())
}

/// Kernel, steps, distances and padding; padding is `[top, left, bottom, right]`.
fn window(window: &Window, padding: [[usize; 2]; 2]) -> [(&'static str, OnnxAttribute); 4] {
    let [[top, bottom], [left, right]] = padding;
    [
        ("kernel_shape", ints(&window.kernel)),
        ("strides", ints(&window.stride)),
        ("dilations", ints(&window.dilation)),
        ("pads", ints(&[top, left, bottom, right])),
    ]
}

/// Padding with which rounding down gives the windows that rounding up gave: runtimes differ
/// in what a window beyond the edge is, padding is the same everywhere.
fn explicit(window: &Window, x: Shape, y: Shape) -> [[usize; 2]; 2] {
    let (span, extents) = (window.span(), [[x.h, y.h], [x.w, y.w]]);
    std::array::from_fn(|i| {
        let [before, after] = window.padding[i];
        let reach = (extents[i][1] - 1) * window.stride[i] + span[i];
        let more = reach.saturating_sub(extents[i][0] + before);
        [
            before,
            if window.rounding == Rounding::Ceil {
                more
            } else {
                after
            },
        ]
    })
}

impl Exporter<'_> {
    fn x(&mut self, id: NodeId) -> (Var, String) {
        let x = self.graph.nodes()[id].inputs[0];
        (x, self.name(x))
    }

    /// The name of output `i`, or of what leads to it where an activation follows.
    fn output(&mut self, var: Var, activation: Activation) -> (String, String) {
        let end = self.name(var);
        match activation {
            Activation::None => (end.clone(), end),
            Activation::Relu => (self.free(&format!("{end}/linear")), end),
        }
    }

    fn activate(&mut self, (start, end): (String, String)) {
        if start != end {
            self.emit("Relu", &[&start], &end, []);
        }
    }

    pub(super) fn simple(&mut self, id: NodeId, op: &str) -> Result<(), DeployError> {
        let (_, input) = self.x(id);
        let output = self.name(self.graph.nodes()[id].outputs[0]);
        self.emit(op, &[&input], &output, []);
        Ok(())
    }

    pub(super) fn softmax(&mut self, id: NodeId) -> Result<(), DeployError> {
        let (_, input) = self.x(id);
        let output = self.name(self.graph.nodes()[id].outputs[0]);
        let axis = OnnxAttribute::Int(1);
        self.emit("Softmax", &[&input], &output, [("axis", axis)]);
        Ok(())
    }

    pub(super) fn conv2d(&mut self, id: NodeId, op: &Conv2d) -> Result<(), DeployError> {
        let node = &self.graph.nodes()[id];
        if op.packed.is_some() {
            return Err(self.lacking(id, "a convolution with packed weights"));
        }
        let (_, input) = self.x(id);
        let operands = 1 + usize::from(op.bias);
        for (bank, &y) in node.outputs.iter().enumerate() {
            let at = 1 + bank * operands;
            let weight = self.param(node.inputs[at], Layout::Conv)?;
            let mut inputs = vec![input.clone(), weight];
            if op.bias {
                inputs.push(self.param(node.inputs[at + 1], Layout::Vector)?);
            }
            let normalisation = self.folded.normalisation(id);
            let (y, activation) = match normalisation {
                None => (y, op.activation),
                Some(norm) => {
                    self.fold(norm, &mut inputs);
                    let node = &self.graph.nodes()[norm];
                    let Op::BatchNormEval(op) = &node.op else {
                        return Err(self.lacking(norm, "a folded operator"));
                    };
                    (node.outputs[0], op.activation)
                }
            };
            let output = self.output(y, activation);
            let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
            let settings = window(&op.window, op.window.padding);
            self.emit("Conv", &inputs, &output.0, settings);
            self.activate(output);
        }
        Ok(())
    }

    /// Multiplies the filters just written by `γ/√(σ² + ε)` and gives them the bias
    /// `β + (b − μ)·γ/√(σ² + ε)`, in double precision.
    fn fold(&mut self, norm: NodeId, inputs: &mut Vec<String>) {
        let node = &self.graph.nodes()[norm];
        let Op::BatchNormEval(op) = &node.op else {
            return;
        };
        let vector = |i: usize| -> Vec<f64> {
            let numbers = self.numbers(node.inputs[i]);
            numbers.iter().map(|&x| f64::from(x)).collect()
        };
        let [gamma, beta, mean, var] = [1, 2, 3, 4].map(vector);
        let old: Vec<f64> = match inputs
            .get(2)
            .and_then(|name| self.out.initializers.get(name))
        {
            Some(bias) => bias
                .to_f32()
                .unwrap_or_default()
                .into_iter()
                .map(f64::from)
                .collect(),
            None => vec![0.0; beta.len()],
        };
        let scale: Vec<f64> = gamma
            .iter()
            .zip(&var)
            .map(|(g, v)| g / (v + op.eps).sqrt())
            .collect();
        let bias: Vec<f32> = (0..beta.len())
            .map(|c| (beta[c] + (old[c] - mean[c]) * scale[c]) as f32)
            .collect();
        if let Some(weight) = self.out.initializers.get_mut(&inputs[1])
            && let Some(mut numbers) = weight.to_f32()
        {
            let own = numbers.len() / scale.len().max(1);
            for (filter, scale) in numbers.chunks_mut(own.max(1)).zip(&scale) {
                filter
                    .iter_mut()
                    .for_each(|x| *x = (f64::from(*x) * scale) as f32);
            }
            *weight = OnnxTensor::from_f32(&weight.shape, &numbers);
        }
        let name = match inputs.get(2) {
            Some(name) => name.clone(),
            None => {
                let stem = inputs[1].strip_suffix(".weight").unwrap_or(&inputs[1]);
                let name = format!("{stem}.bias");
                inputs.push(name.clone());
                name
            }
        };
        self.tensor(&name, OnnxTensor::from_f32(&[bias.len()], &bias));
    }

    pub(super) fn batch_norm(&mut self, id: NodeId, op: &BatchNormEval) -> Result<(), DeployError> {
        let node = &self.graph.nodes()[id];
        let (_, input) = self.x(id);
        let mut inputs = vec![input];
        for &var in &node.inputs[1..] {
            inputs.push(self.param(var, Layout::Vector)?);
        }
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let output = self.output(node.outputs[0], op.activation);
        let epsilon = OnnxAttribute::Float(op.eps as f32);
        self.emit(
            "BatchNormalization",
            &inputs,
            &output.0,
            [("epsilon", epsilon)],
        );
        self.activate(output);
        Ok(())
    }

    pub(super) fn linear(&mut self, id: NodeId, op: &Linear) -> Result<(), DeployError> {
        let node = &self.graph.nodes()[id];
        let (x, mut input) = self.x(id);
        let layout = match self.row(x) {
            Some(Shape { c, h, w, .. }) if [h, w] != [1, 1] => Layout::LinearChw { c, h, w },
            Some(_) => Layout::Linear,
            None => {
                // A map of one pixel is a row of features to us, and not to ONNX.
                let row = self.free(&format!("{}/flatten", node.path));
                let axis = OnnxAttribute::Int(1);
                self.emit("Flatten", &[&input], &row, [("axis", axis)]);
                input = row;
                Layout::Linear
            }
        };
        let mut inputs = vec![input, self.param(node.inputs[1], layout)?];
        if op.bias {
            inputs.push(self.param(node.inputs[2], Layout::Vector)?);
        }
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let output = self.output(node.outputs[0], op.activation);
        self.emit(
            "Gemm",
            &inputs,
            &output.0,
            [("transB", OnnxAttribute::Int(1))],
        );
        self.activate(output);
        Ok(())
    }

    pub(super) fn max_pool(&mut self, id: NodeId, op: &MaxPool) -> Result<(), DeployError> {
        let (x, input) = self.x(id);
        let y = self.graph.nodes()[id].outputs[0];
        let padding = explicit(&op.window, self.graph.shape(x), self.graph.shape(y));
        let output = self.name(y);
        self.emit("MaxPool", &[&input], &output, window(&op.window, padding));
        Ok(())
    }

    pub(super) fn avg_pool(&mut self, id: NodeId, op: &AvgPool) -> Result<(), DeployError> {
        let (x, input) = self.x(id);
        let y = self.graph.nodes()[id].outputs[0];
        let padding = explicit(&op.window, self.graph.shape(x), self.graph.shape(y));
        // Padding that rounding up needs does not count, whereas padding that was asked for
        // may.
        if op.count == PadCount::Include && padding != op.window.padding {
            return Err(self.lacking(id, "an average over padding and beyond the edge"));
        }
        let include = OnnxAttribute::Int(i64::from(op.count == PadCount::Include));
        let [kernel, strides, dilations, pads] = window(&op.window, padding);
        let mut settings = vec![kernel, strides, pads, ("count_include_pad", include)];
        if op.window.dilation != [1, 1] {
            // Averages know distances from version 19 on.
            self.out.opset = self.out.opset.max(19);
            settings.push(dilations);
        }
        let output = self.name(y);
        self.emit("AveragePool", &[&input], &output, []);
        if let Some(node) = self.out.nodes.last_mut() {
            let settings = settings.into_iter().map(|(k, v)| (k.to_owned(), v));
            node.attributes = settings.collect();
        }
        Ok(())
    }

    pub(super) fn adaptive_avg_pool(
        &mut self,
        id: NodeId,
        op: &AdaptiveAvgPool,
    ) -> Result<(), DeployError> {
        let (x, input) = self.x(id);
        let shape = self.graph.shape(x);
        let output = self.name(self.graph.nodes()[id].outputs[0]);
        let [rows, columns] = op.output;
        if op.output == [1, 1] {
            self.emit("GlobalAveragePool", &[&input], &output, []);
        } else if op.output == [shape.h, shape.w] {
            self.emit("Identity", &[&input], &output, []);
        } else if shape.h.is_multiple_of(rows) && shape.w.is_multiple_of(columns) {
            let kernel = ints(&[shape.h / rows, shape.w / columns]);
            let settings = [("kernel_shape", kernel.clone()), ("strides", kernel)];
            self.emit("AveragePool", &[&input], &output, settings);
        } else {
            return Err(self.lacking(id, "an average over windows of different sizes"));
        }
        Ok(())
    }

    pub(super) fn lrn(&mut self, id: NodeId, op: &Lrn) -> Result<(), DeployError> {
        let lrn = &op.lrn;
        // An even window reaches further down here and further up there.
        if lrn.size.is_multiple_of(2) {
            return Err(self.lacking(id, "a local response normalisation of even size"));
        }
        let alpha = match lrn.alpha_scale {
            AlphaScale::BySize => lrn.alpha,
            AlphaScale::Plain => lrn.alpha * lrn.size as f64,
        };
        let (_, input) = self.x(id);
        let output = self.name(self.graph.nodes()[id].outputs[0]);
        let settings = [
            ("size", OnnxAttribute::Int(lrn.size as i64)),
            ("alpha", OnnxAttribute::Float(alpha as f32)),
            ("beta", OnnxAttribute::Float(lrn.beta as f32)),
            ("bias", OnnxAttribute::Float(lrn.k as f32)),
        ];
        self.emit("LRN", &[&input], &output, settings);
        Ok(())
    }

    pub(super) fn concat(&mut self, id: NodeId) -> Result<(), DeployError> {
        let node = &self.graph.nodes()[id];
        let inputs: Vec<String> = node.inputs.iter().map(|&v| self.name(v)).collect();
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let output = self.name(node.outputs[0]);
        self.emit(
            "Concat",
            &inputs,
            &output,
            [("axis", OnnxAttribute::Int(1))],
        );
        Ok(())
    }

    pub(super) fn split(&mut self, id: NodeId, op: &Split) -> Result<(), DeployError> {
        let (_, input) = self.x(id);
        let mut start = 0;
        for (i, &channels) in op.channels.iter().enumerate() {
            let output = self.name(self.graph.nodes()[id].outputs[i]);
            let mut names = vec![input.clone()];
            for (part, number) in [("start", start), ("end", start + channels), ("axis", 1)] {
                let name = self.free(&format!("{output}/{part}"));
                self.tensor(&name, OnnxTensor::from_i64(&[1], &[number as i64]));
                names.push(name);
            }
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            self.emit("Slice", &names, &output, []);
            start += channels;
        }
        Ok(())
    }

    pub(super) fn sum(&mut self, id: NodeId, op: &Sum) -> Result<(), DeployError> {
        let node = &self.graph.nodes()[id];
        let output = self.output(node.outputs[0], op.activation);
        let mut terms = Vec::new();
        for (&var, &scale) in node.inputs.iter().zip(&op.scales) {
            let mut term = self.name(var);
            if scale != 1.0 {
                let factor = self.free(&format!("{}/factor", node.path));
                self.tensor(&factor, OnnxTensor::from_f32(&[], &[scale as f32]));
                let scaled = self.free(&format!("{}/scaled", node.path));
                self.emit("Mul", &[&term, &factor], &scaled, []);
                term = scaled;
            }
            terms.push(term);
        }
        let terms: Vec<&str> = terms.iter().map(String::as_str).collect();
        self.emit("Sum", &terms, &output.0, []);
        self.activate(output);
        Ok(())
    }

    /// A map as a row of features, in whose order channels come first there.
    pub(super) fn reshape(&mut self, id: NodeId, op: &Reshape) -> Result<(), DeployError> {
        let (x, input) = self.x(id);
        let (from, to) = (self.graph.shape(x), op.shape);
        if to != Shape::matrix(from.n, from.h * from.w * from.c) {
            return Err(self.lacking(id, "a reshape that does not flatten"));
        }
        let output = self.name(self.graph.nodes()[id].outputs[0]);
        self.emit(
            "Flatten",
            &[&input],
            &output,
            [("axis", OnnxAttribute::Int(1))],
        );
        Ok(())
    }
}
