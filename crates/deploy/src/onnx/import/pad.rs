//! Zeros around a map, which become padding of the window that reads them.
//!
//! Old exporters of PyTorch write a `Pad` in front of a pool whose zeros count. No operator is
//! recorded for it: it waits for the convolution or pool that reads it.

use super::{ImportError, Importer, Value};
use inception_autograd::Var;
use inception_formats::{OnnxAttribute, OnnxNode};
use inception_ops::Window;

/// The most zeros on one side.
const MAX_PADDING: usize = 4_096;

/// A map with zeros around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Padded {
    pub(super) var: Var,
    /// `[[top, bottom], [left, right]]`.
    pub(super) padding: [[usize; 2]; 2],
}

impl Padded {
    /// A map as it is.
    pub(super) const fn plain(var: Var) -> Self {
        let padding = [[0; 2]; 2];
        Self { var, padding }
    }

    /// Whether there are zeros.
    pub(super) fn has_zeros(&self) -> bool {
        self.padding != [[0; 2]; 2]
    }
}

impl<'m> Importer<'m> {
    /// Input 0 of an operator with a window.
    pub(super) fn windowed(&self, node: &'m OnnxNode) -> Result<Padded, ImportError> {
        let waiting = node
            .inputs
            .first()
            .and_then(|name| self.padded.get(&**name));
        match waiting {
            Some(padded) => Ok(*padded),
            None => Ok(Padded::plain(self.map(node, 0)?)),
        }
    }

    /// A window over the padded map as one over the map alone.
    ///
    /// # Errors
    /// When the sums of both paddings are no padding of the window, or another number of
    /// windows would fit.
    pub(super) fn fold(
        &self,
        node: &'m OnnxNode,
        x: &Padded,
        window: Window,
    ) -> Result<Window, ImportError> {
        if !x.has_zeros() {
            return Ok(window);
        }
        let mut folded = window;
        for (own, zeros) in folded.padding.iter_mut().zip(x.padding) {
            own[0] += zeros[0];
            own[1] += zeros[1];
        }
        let span = window.span();
        let beyond = |axis: usize| folded.padding[axis].iter().any(|&p| p >= span[axis]);
        if beyond(0) || beyond(1) {
            let found = folded.padding;
            let message =
                format!("expected zeros of less than the window {span:?} around, found {found:?}");
            return Err(self.fault(node, message));
        }
        let shape = self.graph.shape(x.var);
        let counts = [
            window.output("window", self.extent(x)),
            folded.output("window", [shape.h, shape.w]),
        ];
        if counts[0] != counts[1] {
            return Err(self.fault(node, "expected no window that covers zeros alone"));
        }
        Ok(folded)
    }

    /// Rows and columns with the zeros.
    pub(super) fn extent(&self, x: &Padded) -> [usize; 2] {
        let shape = self.graph.shape(x.var);
        let [rows, columns] = x.padding;
        [
            shape.h + rows[0] + rows[1],
            shape.w + columns[0] + columns[1],
        ]
    }

    /// Notes the zeros around a map.
    pub(super) fn pad(&mut self, node: &'m OnnxNode) -> Result<(), ImportError> {
        let mut x = self.windowed(node)?;
        let mode = self.text(node, "mode")?;
        if !matches!(mode, "" | "constant") {
            return Err(self.fault(node, format!("expected zeros around, found {mode:?}")));
        }
        let value = match self.optional(node, 2)? {
            Some(Value::Constant(value)) => value.scalar().unwrap_or(f32::NAN),
            Some(Value::Feature(_)) => f32::NAN,
            None => self.float(node, "value", 0.0)?,
        };
        if value != 0.0 {
            return Err(self.fault(node, format!("expected zeros around, found {value}")));
        }
        for (i, amount) in self.amounts(node)?.into_iter().enumerate() {
            let (axis, side) = (i % 4, i / 4);
            let place = match axis {
                2 | 3 => &mut x.padding[axis - 2][side],
                _ if amount == 0 => continue,
                _ => {
                    let message = format!(
                        "expected zeros around rows and columns, found {amount} along axis {axis}"
                    );
                    return Err(self.fault(node, message));
                }
            };
            let sum = usize::try_from(amount)
                .ok()
                .map(|n| n.saturating_add(*place));
            let Some(sum) = sum.filter(|&sum| sum <= MAX_PADDING) else {
                let message =
                    format!("expected 0 to {MAX_PADDING} zeros, found {amount} along axis {axis}");
                return Err(self.fault(node, message));
            };
            *place = sum;
        }
        if !x.has_zeros() {
            return self.give_map(node, x.var);
        }
        if let Some(name) = node.outputs.first() {
            self.padded.insert(name, x);
        }
        Ok(())
    }

    /// How many zeros there are in front of each of four axes, then behind each.
    fn amounts(&self, node: &'m OnnxNode) -> Result<[i64; 8], ImportError> {
        let given = match self.optional(node, 1)? {
            Some(Value::Constant(pads)) => pads.ints().map(<[i64]>::to_vec),
            Some(Value::Feature(_)) => None,
            // Version 1 called it otherwise.
            None => match self.setting(node, "paddings") {
                Some(OnnxAttribute::Ints(pads)) => Some(pads.clone()),
                _ => self.ints(node, "pads")?.map(<[i64]>::to_vec),
            },
        };
        let axes = match self.optional(node, 3)? {
            None => Some(vec![0, 1, 2, 3]),
            Some(Value::Constant(axes)) => axes.ints().map(<[i64]>::to_vec),
            Some(Value::Feature(_)) => None,
        };
        let (Some(given), Some(axes)) = (given, axes) else {
            return Err(self.fault(node, "expected known numbers of zeros"));
        };
        let mut amounts = [0; 8];
        let mut seen = [false; 4];
        let fits = given.len() == 2 * axes.len();
        for (i, &axis) in axes.iter().enumerate().take(if fits { 4 } else { 0 }) {
            let axis = if axis < 0 {
                axis.saturating_add(4)
            } else {
                axis
            };
            let axis = usize::try_from(axis).unwrap_or(usize::MAX);
            let new = seen
                .get_mut(axis)
                .is_some_and(|seen| !std::mem::replace(seen, true));
            if !new {
                return Err(self.fault(node, format!("expected different axes, found {axes:?}")));
            }
            amounts[axis] = given[i];
            amounts[axis + 4] = given[axes.len() + i];
        }
        if !fits || axes.len() > 4 {
            let found = given.len();
            let message = format!(
                "expected two numbers for each of {} axes, found {found}",
                axes.len()
            );
            return Err(self.fault(node, message));
        }
        Ok(amounts)
    }

    /// Notes that a map has no number below zero, where none of `from` has.
    pub(super) fn keeps_sign(&mut self, var: Var, from: &[Var]) {
        if from.iter().all(|x| self.at_least_zero.contains(x)) {
            self.at_least_zero.insert(var);
        }
    }
}
