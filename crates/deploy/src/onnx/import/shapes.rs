//! Operators that move or count numbers without changing them.

use super::{Constant, Feature, Form, ImportError, Importer, MAX_CONSTANTS, Value};
use inception_autograd::{Split, Var};
use inception_formats::{OnnxAttribute, OnnxNode};
use smallvec::SmallVec;

/// A place among `rank`, which may be counted from the end.
fn place(axis: i64, rank: usize) -> Option<usize> {
    let rank = i64::try_from(rank).ok()?;
    let axis = if axis < 0 {
        axis.checked_add(rank)?
    } else {
        axis
    };
    (0..rank).contains(&axis).then_some(axis as usize)
}

impl<'m> Importer<'m> {
    /// The ONNX shape of a map.
    fn onnx_shape(&self, x: Feature) -> Vec<usize> {
        let shape = self.graph.shape(x.var);
        match x.form {
            Form::Map => vec![shape.n, shape.c, shape.h, shape.w],
            Form::Flat { .. } => vec![shape.n, shape.c],
            Form::Plane => vec![shape.n, shape.h, shape.w],
        }
    }

    /// A map as a row of features.
    fn give_flat(&mut self, node: &'m OnnxNode, x: Feature) -> Result<(), ImportError> {
        if x.form != Form::Map {
            return self.give(node, Value::Feature(x));
        }
        let shape = self.graph.shape(x.var);
        let form = Form::Flat {
            c: shape.c,
            h: shape.h,
            w: shape.w,
        };
        let var = self.graph.flatten(Self::path(node), x.var)?;
        self.give(node, Value::Feature(Feature { var, form }))
    }

    pub(super) fn flatten(&mut self, node: &'m OnnxNode) -> Result<(), ImportError> {
        let x = self.feature(node, 0)?;
        let axis = self.int(node, "axis", 1)?;
        let rank = self.onnx_shape(x).len();
        if place(axis, rank) != Some(1) || x.form == Form::Plane {
            return Err(self.fault(node, format!("expected one from axis 1 on, found {axis}")));
        }
        self.give_flat(node, x)
    }

    /// A reshape that flattens, or one of a constant.
    pub(super) fn reshape(&mut self, node: &'m OnnxNode) -> Result<(), ImportError> {
        let target = match self.optional(node, 1)? {
            Some(Value::Constant(target)) => target.ints().map(<[i64]>::to_vec),
            Some(Value::Feature(_)) => None,
            None => self.ints(node, "shape")?.map(<[i64]>::to_vec),
        };
        let Some(target) = target.filter(|target| target.len() <= 8) else {
            return Err(self.fault(node, "expected a known shape"));
        };
        match self.value(node, 0)? {
            Value::Constant(constant) => {
                let Some(shape) = resolve(&target, constant.shape()) else {
                    let shape = constant.shape();
                    let message = format!("expected a shape for {shape:?}, found {target:?}");
                    return Err(self.fault(node, message));
                };
                self.give(node, Value::Constant(constant.with_shape(shape)))
            }
            Value::Feature(x) => {
                let from = self.onnx_shape(x);
                let features: usize = from.iter().skip(1).product();
                match resolve(&target, &from).as_deref() {
                    Some(to) if to == from => self.give(node, Value::Feature(x)),
                    Some(&[_, to]) if to == features && x.form != Form::Plane => {
                        self.give_flat(node, x)
                    }
                    _ => {
                        let message =
                            format!("expected rows of features, found {from:?} as {target:?}");
                        Err(self.fault(node, message))
                    }
                }
            }
        }
    }

    pub(super) fn squeeze(&mut self, node: &'m OnnxNode) -> Result<(), ImportError> {
        let axes = self.axes(node, 1)?;
        match self.value(node, 0)? {
            Value::Constant(constant) => {
                let shape = constant.shape();
                let gone = |i: usize| match &axes {
                    None => shape[i] == 1,
                    Some(axes) => axes.iter().any(|&a| place(a, shape.len()) == Some(i)),
                };
                let kept = (0..shape.len()).filter(|&i| !gone(i)).map(|i| shape[i]);
                let kept: Vec<usize> = kept.collect();
                if kept.iter().product::<usize>() != constant.len() {
                    return Err(self.fault(node, "expected axes of extent 1"));
                }
                self.give(node, Value::Constant(constant.with_shape(kept)))
            }
            Value::Feature(x) => {
                let from = self.onnx_shape(x);
                let places = axes.map(|axes| axes.iter().map(|&a| place(a, from.len())).collect());
                let mut places: Vec<Option<usize>> = places.unwrap_or(vec![Some(2), Some(3)]);
                places.sort_unstable();
                if x.form != Form::Map || from[2..] != [1, 1] || places != [Some(2), Some(3)] {
                    let message = format!("expected rows and columns of 1, found {from:?}");
                    return Err(self.fault(node, message));
                }
                self.give_flat(node, x)
            }
        }
    }

    pub(super) fn unsqueeze(&mut self, node: &'m OnnxNode) -> Result<(), ImportError> {
        let Some(axes) = self.axes(node, 1)? else {
            return Err(self.fault(node, "expected axes, found none"));
        };
        match self.value(node, 0)? {
            Value::Constant(constant) => {
                let rank = constant.shape().len() + axes.len();
                let new: Option<Vec<usize>> = axes.iter().map(|&a| place(a, rank)).collect();
                let Some(new) = new.filter(|_| rank <= 8) else {
                    return Err(self.fault(node, format!("expected axes, found {axes:?}")));
                };
                let mut old = constant.shape().iter().copied();
                let one = |i: usize| {
                    if new.contains(&i) {
                        Some(1)
                    } else {
                        old.next()
                    }
                };
                let shape: Option<Vec<usize>> = (0..rank).map(one).collect();
                let Some(shape) = shape.filter(|_| old.next().is_none()) else {
                    return Err(
                        self.fault(node, format!("expected different axes, found {axes:?}"))
                    );
                };
                self.give(node, Value::Constant(constant.with_shape(shape)))
            }
            Value::Feature(x) => match (x.form, axes.as_slice()) {
                (Form::Plane, [1 | -3]) => self.give_map(node, x.var),
                _ => Err(self.fault(node, "expected a channel that becomes a map again")),
            },
        }
    }

    pub(super) fn concat(&mut self, node: &'m OnnxNode) -> Result<(), ImportError> {
        let axis = self.int(node, "axis", 1)?;
        let values: Vec<Value> = (0..node.inputs.len())
            .map(|i| self.value(node, i))
            .collect::<Result<_, _>>()?;
        let mut maps = Vec::new();
        let mut ints = Vec::new();
        for value in &values {
            match value {
                Value::Feature(Feature {
                    var,
                    form: Form::Map,
                }) => maps.push(*var),
                Value::Constant(constant) => ints.extend(constant.ints().unwrap_or_default()),
                Value::Feature(_) => {}
            }
        }
        if maps.len() == values.len() && place(axis, 4) == Some(1) && !maps.is_empty() {
            let y = self.graph.concat(Self::path(node), &maps)?;
            self.keeps_sign(y, &maps);
            return self.give_map(node, y);
        }
        let vectors = values.iter().all(|value| match value {
            Value::Constant(constant) => constant.shape().len() == 1 && constant.ints().is_some(),
            Value::Feature(_) => false,
        });
        if !vectors || place(axis, 1) != Some(0) {
            return Err(self.fault(
                node,
                format!("expected maps along channels, found axis {axis}"),
            ));
        }
        let constant = Constant::of_ints(Self::path(node), ints);
        self.give(node, Value::Constant(constant))
    }

    /// One channel of a map, or numbers of a known vector.
    pub(super) fn gather(&mut self, node: &'m OnnxNode) -> Result<(), ImportError> {
        let places = self.constant(node, 1)?;
        let axis = self.int(node, "axis", 0)?;
        match self.value(node, 0)? {
            Value::Constant(constant) => {
                let found = constant.gather(Self::path(node), &places);
                let message = "expected places of a known vector";
                let found = found.ok_or_else(|| self.fault(node, message))?;
                self.give(node, Value::Constant(found))
            }
            Value::Feature(x) => {
                let channels = self.graph.shape(x.var).c;
                let one = places.ints().filter(|_| places.shape().is_empty());
                let one = one.and_then(|all| place(*all.first()?, channels));
                match (x.form, place(axis, 4), one) {
                    (Form::Map, Some(1), Some(channel)) => {
                        let var = self.channels(node, x.var, channel, 1)?;
                        let form = Form::Plane;
                        self.give(node, Value::Feature(Feature { var, form }))
                    }
                    _ => Err(self.fault(node, "expected one channel of a map")),
                }
            }
        }
    }

    /// Some channels of a map, or some numbers of a known vector.
    pub(super) fn slice(&mut self, node: &'m OnnxNode) -> Result<(), ImportError> {
        let part = |i: usize, name: &str| -> Result<Option<i64>, ImportError> {
            let found = match self.optional(node, i)? {
                Some(Value::Constant(all)) => all.ints().map(<[i64]>::to_vec),
                Some(Value::Feature(_)) => Some(Vec::new()),
                None => self.ints(node, name)?.map(<[i64]>::to_vec),
            };
            match found.as_deref() {
                None => Ok(None),
                Some(&[one]) => Ok(Some(one)),
                Some(_) => Err(self.fault(node, "expected a slice of one axis")),
            }
        };
        let (start, end) = (part(1, "starts")?, part(2, "ends")?);
        let (axis, step) = (
            part(3, "axes")?.unwrap_or(0),
            part(4, "steps")?.unwrap_or(1),
        );
        let (Some(start), Some(end), 1) = (start, end, step) else {
            return Err(self.fault(node, "expected start and end, and steps of 1"));
        };
        let clamp = |at: i64, len: usize| {
            let len = i64::try_from(len).unwrap_or(i64::MAX);
            let at = if at < 0 { at.saturating_add(len) } else { at };
            at.clamp(0, len) as usize
        };
        match self.value(node, 0)? {
            Value::Constant(constant) => {
                let ints = constant.ints().filter(|_| constant.shape().len() == 1);
                let ints = ints.filter(|_| place(axis, 1) == Some(0));
                let Some(ints) = ints else {
                    return Err(self.fault(node, "expected a known vector"));
                };
                let (start, end) = (clamp(start, ints.len()), clamp(end, ints.len()));
                let found = ints.get(start..end).unwrap_or_default().to_vec();
                let found = Constant::of_ints(Self::path(node), found);
                self.give(node, Value::Constant(found))
            }
            Value::Feature(x) => {
                let channels = self.graph.shape(x.var).c;
                let (start, end) = (clamp(start, channels), clamp(end, channels));
                if x.form != Form::Map || place(axis, 4) != Some(1) || start >= end {
                    return Err(self.fault(node, "expected channels of a map"));
                }
                let y = self.channels(node, x.var, start, end - start)?;
                self.give_map(node, y)
            }
        }
    }

    /// `len` channels of a map from `start` on.
    fn channels(
        &mut self,
        node: &'m OnnxNode,
        x: Var,
        start: usize,
        len: usize,
    ) -> Result<Var, ImportError> {
        let all = self.graph.shape(x).c;
        let parts = [start, len, all - start - len];
        let channels: SmallVec<[usize; 4]> = parts.into_iter().filter(|&c| c > 0).collect();
        if channels.len() == 1 {
            return Ok(x);
        }
        let outputs = self
            .graph
            .push(Self::path(node), Split { channels }, &[x])?;
        Ok(outputs[usize::from(start > 0)])
    }

    pub(super) fn shape(&mut self, node: &'m OnnxNode) -> Result<(), ImportError> {
        let shape = match self.value(node, 0)? {
            Value::Feature(x) => self.onnx_shape(x),
            Value::Constant(constant) => constant.shape().to_vec(),
        };
        let end = self.int(node, "end", i64::MAX)?;
        let start = self.int(node, "start", 0)?;
        if start < 0 || end < 0 {
            return Err(self.fault(node, "expected start and end from the front"));
        }
        let all = shape.iter().map(|&d| d as i64);
        let all = all
            .skip(start as usize)
            .take(end.saturating_sub(start).max(0) as usize);
        let found = Constant::of_ints(Self::path(node), all.collect());
        self.give(node, Value::Constant(found))
    }

    pub(super) fn constant_node(&mut self, node: &'m OnnxNode) -> Result<(), ImportError> {
        let name = Self::path(node);
        let found = match node.attributes.iter().next() {
            Some((_, OnnxAttribute::Tensor(tensor))) => Constant::new(name, tensor),
            Some((_, OnnxAttribute::Float(x))) => Constant::of_floats(name, &[], vec![*x]),
            Some((_, OnnxAttribute::Floats(all))) => {
                Constant::of_floats(name, &[all.len()], all.clone())
            }
            Some((_, OnnxAttribute::Int(n))) => {
                Constant::of_ints(name, vec![*n]).with_shape(Vec::new())
            }
            Some((_, OnnxAttribute::Ints(all))) => Constant::of_ints(name, all.clone()),
            _ => return Err(self.fault(node, "expected a tensor or numbers")),
        };
        self.give(node, Value::Constant(found))
    }

    pub(super) fn constant_of_shape(&mut self, node: &'m OnnxNode) -> Result<(), ImportError> {
        let wanted = self.constant(node, 0)?;
        let extents = wanted.ints().unwrap_or_default().iter();
        let shape: Option<Vec<usize>> = extents.map(|&d| usize::try_from(d).ok()).collect();
        let product = |shape: &Vec<usize>| shape.iter().try_fold(1_usize, |n, &d| n.checked_mul(d));
        let Some(shape) = shape.filter(|shape| shape.len() <= 8) else {
            return Err(self.fault(node, "expected a shape of at most 8 extents"));
        };
        let len = product(&shape).unwrap_or(usize::MAX);
        self.budget(node, self.constants.saturating_add(len), MAX_CONSTANTS)?;
        let name = Self::path(node);
        let like = match self.setting(node, "value") {
            Some(OnnxAttribute::Tensor(tensor)) => Constant::new(name, tensor),
            _ => Constant::of_floats(name, &[1], vec![0.0]),
        };
        let message = "expected a number to fill with";
        let found = Constant::filled(name, &shape, &like);
        let found = found.ok_or_else(|| self.fault(node, message))?;
        self.give(node, Value::Constant(found))
    }

    /// The mean over rows and columns.
    pub(super) fn reduce_mean(&mut self, node: &'m OnnxNode) -> Result<(), ImportError> {
        let x = self.map(node, 0)?;
        let axes = self.axes(node, 1)?.unwrap_or_default();
        let mut places: Vec<Option<usize>> = axes.iter().map(|&a| place(a, 4)).collect();
        places.sort_unstable();
        if places != [Some(2), Some(3)] {
            return Err(self.fault(node, format!("expected axes 2 and 3, found {axes:?}")));
        }
        let var = self.graph.global_avg_pool(Self::path(node), x)?;
        match self.int(node, "keepdims", 1)? {
            0 => {
                let form = Form::Map;
                self.give_flat(node, Feature { var, form })
            }
            _ => self.give_map(node, var),
        }
    }
}

/// The shape that a reshape asks for: 0 keeps an extent, −1 takes what is left.
fn resolve(target: &[i64], from: &[usize]) -> Option<Vec<usize>> {
    let total = from.iter().try_fold(1_usize, |n, &d| n.checked_mul(d))?;
    let mut shape = Vec::new();
    for (i, &extent) in target.iter().enumerate() {
        shape.push(match extent {
            0 => *from.get(i)?,
            -1 => 0,
            n => usize::try_from(n).ok()?,
        });
    }
    let known = |n: usize, (&d, &asked): (&usize, &i64)| match asked {
        -1 => Some(n),
        _ => n.checked_mul(d),
    };
    let product = shape.iter().zip(target).try_fold(1_usize, known)?;
    let open: Vec<usize> = (0..target.len()).filter(|&i| target[i] == -1).collect();
    match open.as_slice() {
        [] => (product == total).then_some(shape),
        &[i] if product > 0 && total.is_multiple_of(product) => {
            shape[i] = total / product;
            Some(shape)
        }
        _ => None,
    }
}
