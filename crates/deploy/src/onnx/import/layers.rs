//! Layers with parameters.

use super::{Constant, Feature, Form, ImportError, Importer, Value};
use inception_autograd::{RunningStatistics, Split, Var};
use inception_formats::OnnxNode;
use inception_nn::{Layout, Role};
use inception_ops::lrn::{AlphaScale, Lrn};
use inception_tensor::Shape;

impl<'m> Importer<'m> {
    /// A convolution; one of several groups becomes as many convolutions.
    pub(super) fn conv(&mut self, node: &'m OnnxNode) -> Result<(), ImportError> {
        let padded = self.windowed(node)?;
        let x = padded.var;
        let weight = self.constant(node, 1)?;
        let bias = match self.optional(node, 2)? {
            Some(_) => Some(self.constant(node, 2)?),
            None => None,
        };
        let channels = self.graph.shape(x).c;
        let groups = usize::try_from(self.int(node, "group", 1)?).unwrap_or(0);
        let (Some(numbers), &[c_out, c_in, kh, kw]) = (weight.floats(), weight.shape()) else {
            let shape = weight.shape();
            return Err(self.fault(
                node,
                format!("expected filters [o, i, h, w], found {shape:?}"),
            ));
        };
        let fits = groups > 0 && c_out.is_multiple_of(groups) && c_in * groups == channels;
        if !fits || numbers.is_empty() {
            let shape = weight.shape();
            let message =
                format!("expected {channels} channels in {groups} groups, found filters {shape:?}");
            return Err(self.fault(node, message));
        }
        let window = self.window(node, &padded, Some([kh, kw]))?;
        let window = self.fold(node, &padded, window)?;
        let biases = bias.as_ref().and_then(Constant::floats).unwrap_or_default();
        if bias.is_some() && biases.len() != c_out {
            let found = biases.len();
            return Err(self.fault(node, format!("expected {c_out} biases, found {found}")));
        }
        let path = Self::path(node);
        let parts: Vec<Var> = match groups {
            1 => vec![x],
            _ => {
                let channels = std::iter::repeat_n(c_in, groups).collect();
                self.graph.push(path, Split { channels }, &[x])?.to_vec()
            }
        };
        let (own, shape) = (c_out / groups, Shape::new(kh, kw, c_in, c_out / groups));
        let mut outputs = Vec::new();
        for (group, &x) in parts.iter().enumerate() {
            let named = |constant: &Constant| match groups {
                1 => constant.name().to_owned(),
                _ => format!("{}.{group}", constant.name()),
            };
            let data = numbers[group * shape.len()..][..shape.len()].to_vec();
            let name = named(&weight);
            let weight = self.param(node, &name, Layout::Conv, shape, data, Role::Weight)?;
            let bias = match &bias {
                Some(bias) => {
                    let (name, data) = (named(bias), biases[group * own..][..own].to_vec());
                    let shape = Shape::vector(own);
                    Some(self.param(node, &name, Layout::Vector, shape, data, Role::Bias)?)
                }
                None => None,
            };
            outputs.push(self.graph.conv2d(path, window, x, weight, bias)?);
        }
        let y = match outputs.as_slice() {
            &[y] => y,
            many => self.graph.concat(path, many)?,
        };
        self.give_map(node, y)
    }

    pub(super) fn batch_norm(&mut self, node: &'m OnnxNode) -> Result<(), ImportError> {
        let Feature { var: x, form } = self.feature(node, 0)?;
        let channels = self.graph.shape(x).c;
        let epsilon = f64::from(self.float(node, "epsilon", 1e-5)?);
        let training = self.int(node, "training_mode", 0)? != 0;
        let spatial = self.int(node, "spatial", 1)? != 0;
        let flat = matches!(form, Form::Map | Form::Flat { h: 1, w: 1, .. });
        let sound = epsilon.is_finite() && epsilon >= 0.0;
        if training || !spatial || !flat || !sound {
            let message = "expected normalisation of channels by known statistics";
            return Err(self.fault(node, message));
        }
        let roles = [
            Role::NormScale,
            Role::NormShift,
            Role::RunningMean,
            Role::RunningVar,
        ];
        let mut vars = Vec::new();
        for (i, role) in roles.into_iter().enumerate() {
            let constant = self.constant(node, i + 1)?;
            vars.push(self.vector(node, &constant, channels, role)?);
        }
        let statistics = RunningStatistics {
            mean: vars[2],
            var: vars[3],
        };
        let path = Self::path(node);
        let var = self
            .graph
            .batch_norm_eval(path, epsilon, x, vars[0], vars[1], statistics)?;
        self.give(node, Value::Feature(Feature { var, form }))
    }

    pub(super) fn lrn(&mut self, node: &'m OnnxNode) -> Result<(), ImportError> {
        let x = self.map(node, 0)?;
        let size = usize::try_from(self.int(node, "size", 0)?).unwrap_or(0);
        // Of an even size ONNX reaches further up, we reach further down.
        if size.is_multiple_of(2) || size > 4_096 {
            return Err(self.fault(node, format!("expected an odd size, found {size}")));
        }
        let lrn = Lrn {
            size,
            alpha: f64::from(self.float(node, "alpha", 1e-4)?),
            beta: f64::from(self.float(node, "beta", 0.75)?),
            k: f64::from(self.float(node, "bias", 1.0)?),
            alpha_scale: AlphaScale::BySize,
        };
        let y = self.graph.lrn(Self::path(node), lrn, x)?;
        self.give_map(node, y)
    }

    /// `α·x·w + β·b`, with α = β = 1.
    pub(super) fn gemm(&mut self, node: &'m OnnxNode) -> Result<(), ImportError> {
        let [alpha, beta] = [
            self.float(node, "alpha", 1.0)?,
            self.float(node, "beta", 1.0)?,
        ];
        if [alpha, beta] != [1.0, 1.0] || self.int(node, "transA", 0)? != 0 {
            return Err(self.fault(node, "expected x·w + b without other factors"));
        }
        let transposed = self.int(node, "transB", 0)? != 0;
        let bias = match self.optional(node, 2)? {
            Some(_) => Some(self.constant(node, 2)?),
            None => None,
        };
        self.linear(node, transposed, bias)
    }

    pub(super) fn mat_mul(&mut self, node: &'m OnnxNode) -> Result<(), ImportError> {
        self.linear(node, false, None)
    }

    fn linear(
        &mut self,
        node: &'m OnnxNode,
        transposed: bool,
        bias: Option<Constant>,
    ) -> Result<(), ImportError> {
        let x = self.feature(node, 0)?;
        let weight = self.constant(node, 1)?;
        let Form::Flat { c, h, w } = x.form else {
            let form = x.form;
            return Err(self.fault(node, format!("expected [n, c] as input 0, found {form:?}")));
        };
        let inputs = self.graph.shape(x.var).c;
        let (Some(numbers), &[rows, columns]) = (weight.floats(), weight.shape()) else {
            let shape = weight.shape();
            return Err(self.fault(node, format!("expected a matrix, found {shape:?}")));
        };
        let (outputs, found) = match transposed {
            true => (rows, columns),
            false => (columns, rows),
        };
        if found != inputs || outputs == 0 {
            let message = format!("expected {inputs} inputs, found a matrix {rows}×{columns}");
            return Err(self.fault(node, message));
        }
        let numbers = match transposed {
            true => numbers,
            false => transpose(&numbers, rows, columns),
        };
        let layout = match [h, w] {
            [1, 1] => Layout::Linear,
            _ => Layout::LinearChw { c, h, w },
        };
        let shape = Shape::new(1, 1, inputs, outputs);
        let name = weight.name();
        let weight = self.param(node, name, layout, shape, numbers, Role::Weight)?;
        let bias = match bias {
            Some(bias) => Some(self.vector(node, &bias, outputs, Role::Bias)?),
            None => None,
        };
        let var = self.graph.linear(Self::path(node), x.var, weight, bias)?;
        let form = Form::Flat {
            c: outputs,
            h: 1,
            w: 1,
        };
        self.give(node, Value::Feature(Feature { var, form }))
    }
}

fn transpose(numbers: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let at = |i: usize| numbers[i % rows * columns + i / rows];
    (0..rows * columns).map(at).collect()
}
