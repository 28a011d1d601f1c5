//! Convolutions' and pools' windows.

use super::pad::Padded;
use super::{ImportError, Importer};
use inception_autograd::Graph;
use inception_formats::OnnxNode;
use inception_ops::{PadCount, Rounding, Window};

/// The largest kernel, step, distance and padding.
const MAX_SETTING: usize = 4_096;

impl<'m> Importer<'m> {
    /// Two settings, rows and columns.
    fn pair(
        &self,
        node: &'m OnnxNode,
        name: &str,
        or: [usize; 2],
        least: usize,
    ) -> Result<[usize; 2], ImportError> {
        let Some(found) = self.ints(node, name)? else {
            return Ok(or);
        };
        let within = |&n: &i64| {
            let n = usize::try_from(n).ok()?;
            (least..=MAX_SETTING).contains(&n).then_some(n)
        };
        match found
            .iter()
            .map(within)
            .collect::<Option<Vec<_>>>()
            .as_deref()
        {
            Some(&[rows, columns]) => Ok([rows, columns]),
            _ => {
                let expected = format!("expected two numbers from {least} to {MAX_SETTING}");
                Err(self.fault(node, format!("{expected} as {name}, found {found:?}")))
            }
        }
    }

    /// The window of a node over `x` and the zeros around it; `kernel` is that of a convolution's weights.
    pub(super) fn window(
        &self,
        node: &'m OnnxNode,
        x: &Padded,
        kernel: Option<[usize; 2]>,
    ) -> Result<Window, ImportError> {
        let named = self.pair(node, "kernel_shape", kernel.unwrap_or([0, 0]), 1)?;
        if named == [0, 0] || kernel.is_some_and(|kernel| kernel != named) {
            let message = format!("expected the kernel's shape {kernel:?}, found {named:?}");
            return Err(self.fault(node, message));
        }
        let mut window = Window {
            stride: self.pair(node, "strides", [1, 1], 1)?,
            dilation: self.pair(node, "dilations", [1, 1], 1)?,
            rounding: match self.int(node, "ceil_mode", 0)? {
                0 => Rounding::Floor,
                _ => Rounding::Ceil,
            },
            ..Window::new(named[0], named[1])
        };
        let extent = self.extent(x);
        window.padding = match self.text(node, "auto_pad")? {
            "" | "NOTSET" => self.pads(node, &window)?,
            "VALID" => [[0, 0], [0, 0]],
            "SAME_UPPER" => same(&window, extent, |odd| [odd / 2, odd - odd / 2]),
            "SAME_LOWER" => same(&window, extent, |odd| [odd - odd / 2, odd / 2]),
            other => {
                let message = format!("expected a known auto_pad, found {other:?}");
                return Err(self.fault(node, message));
            }
        };
        // The number of windows is computed in checked arithmetic here, so that the operator
        // is recorded only where it fits.
        if let Err(error) = window.output("window", extent) {
            return Err(self.fault(node, error.to_string()));
        }
        Ok(window)
    }

    /// `[top, left, bottom, right]`, each less than the window's span.
    fn pads(&self, node: &'m OnnxNode, window: &Window) -> Result<[[usize; 2]; 2], ImportError> {
        let Some(found) = self.ints(node, "pads")? else {
            return Ok([[0, 0], [0, 0]]);
        };
        let span = window.span();
        let pads: Option<Vec<usize>> = found.iter().map(|&n| usize::try_from(n).ok()).collect();
        match pads.as_deref() {
            Some(&[top, left, bottom, right])
                if top.max(bottom) < span[0] && left.max(right) < span[1] =>
            {
                Ok([[top, bottom], [left, right]])
            }
            _ => {
                let expected = format!("expected four pads of less than the window {span:?}");
                Err(self.fault(node, format!("{expected}, found {found:?}")))
            }
        }
    }

    pub(super) fn max_pool(&mut self, node: &'m OnnxNode) -> Result<(), ImportError> {
        let x = self.windowed(node)?;
        let window = self.window(node, &x, None)?;
        if x.has_zeros() && !self.at_least_zero.contains(&x.var) {
            let message = "expected a map without numbers below zero under the zeros around it";
            return Err(self.fault(node, message));
        }
        let window = self.fold(node, &x, window)?;
        if self.int(node, "storage_order", 0)? != 0 || node.outputs.len() > 1 {
            return Err(self.fault(node, "expected a pool without indices"));
        }
        let y = self.graph.max_pool(Self::path(node), window, x.var)?;
        self.keeps_sign(y, &[x.var]);
        self.give_map(node, y)
    }

    pub(super) fn average_pool(&mut self, node: &'m OnnxNode) -> Result<(), ImportError> {
        let x = self.windowed(node)?;
        let window = self.window(node, &x, None)?;
        let own = window.padding != [[0; 2]; 2];
        let count = match self.int(node, "count_include_pad", 0)? {
            0 if x.has_zeros() && own => {
                let message =
                    "expected one kind of padding, found zeros that count and pads that do not";
                return Err(self.fault(node, message));
            }
            0 if !x.has_zeros() => PadCount::Exclude,
            _ => PadCount::Include,
        };
        let window = self.fold(node, &x, window)?;
        let y = self
            .graph
            .avg_pool(Self::path(node), window, count, x.var)?;
        self.keeps_sign(y, &[x.var]);
        self.give_map(node, y)
    }

    pub(super) fn global_average_pool(&mut self, node: &'m OnnxNode) -> Result<(), ImportError> {
        let x = self.map(node, 0)?;
        let y = Graph::global_avg_pool(&mut self.graph, Self::path(node), x)?;
        self.give_map(node, y)
    }
}

/// Padding with which the output has `⌈extent / stride⌉` rows and columns.
fn same(
    window: &Window,
    extent: [usize; 2],
    divide: impl Fn(usize) -> [usize; 2],
) -> [[usize; 2]; 2] {
    let span = window.span();
    std::array::from_fn(|i| {
        let steps = extent[i].div_ceil(window.stride[i]).saturating_sub(1);
        let reach = steps * window.stride[i] + span[i];
        divide(reach.saturating_sub(extent[i]))
    })
}
