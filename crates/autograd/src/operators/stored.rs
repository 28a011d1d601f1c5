//! Operators on maps that are kept in fewer bits than the plan's element type.
//!
//! They are recorded by the passes [`store`](crate::store), and
//! [`store_forward`](crate::store_forward) after differentiation: they have no gradients.

use super::one;
use crate::io::InIo;
use crate::operator::{Operator, Output, Outputs};
use crate::{DType, Io};
use inception_ops::conv2d::stored::{
    self as convolution, Convolution, Filter, Output as Into, Scales, Taps, Vectors,
};
use inception_ops::stored::{self, Scale};
use inception_ops::{
    Activation, OpError, PadCount, Window, adaptive_avg_pool, avg_pool, conv2d, max_pool,
};
use inception_tensor::{Bf16, Element, Kernel, Shape, View, ViewMut, with_scratch};
use smallvec::{SmallVec, smallvec};
use std::borrow::Cow;

/// How a map is kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Encoding {
    /// As [`Bf16`].
    Bf16,
    /// As bytes that count steps.
    Int8(Scale),
}

impl Encoding {
    /// The type of values that are kept so.
    pub fn dtype(self) -> DType {
        match self {
            Self::Bf16 => DType::Bf16,
            Self::Int8(_) => DType::Int8,
        }
    }

    /// What numbers stand for.
    pub fn scale(self) -> Scale {
        match self {
            Self::Bf16 => Scale::ONE,
            Self::Int8(scale) => scale,
        }
    }

    /// One output that is kept so.
    fn output(self, shape: Shape) -> Outputs {
        let dtype = self.dtype();
        smallvec![Output { shape, dtype }]
    }
}

/// Lets `f` write a map in single precision, and widens it where the plan computes in another.
pub(super) fn into_single<T: Element>(mut y: ViewMut<'_, T>, f: impl FnOnce(ViewMut<'_, f32>)) {
    let (shape, stride) = (y.shape(), y.stride());
    if let Ok(single) = bytemuck::try_cast_slice_mut(y.data_mut()) {
        return f(ViewMut::strided(single, shape, stride));
    }
    with_scratch(shape.len(), |numbers: &mut [f32]| {
        f(ViewMut::new(numbers, shape));
        stored::widen(View::new(numbers, shape), y);
    });
}

/// Runs an operator's method for the type of an encoding.
macro_rules! by_type {
    ($encoding:expr, $self:ident.$method:ident($io:expr)) => {
        match $encoding {
            Encoding::Bf16 => $self.$method::<T, Bf16>($io),
            Encoding::Int8(_) => $self.$method::<T, u8>($io),
        }
    };
}

/// A map, rounded, inside a border of zeros. Operand: `x`.
#[derive(Clone, Debug, PartialEq)]
pub struct Store {
    /// How it is kept.
    pub encoding: Encoding,
    /// `[[top, bottom], [left, right]]`.
    pub border: [[usize; 2]; 2],
}

impl Store {
    fn round<T: Element, S: InIo>(&self, mut io: Io<'_, T>) {
        let (x, y) = (io.read(0), io.write_stored::<S>(0));
        stored::store(io.pool, self.encoding.scale(), self.border, x, y);
    }
}

impl Operator for Store {
    fn name(&self) -> &'static str {
        "store"
    }

    fn infer(&self, inputs: &[Shape]) -> Result<Outputs, OpError> {
        let [[top, bottom], [left, right]] = self.border;
        Ok(self.encoding.output(Shape {
            h: inputs[0].h + top + bottom,
            w: inputs[0].w + left + right,
            ..inputs[0]
        }))
    }

    fn run<T: Element>(&self, io: Io<'_, T>) {
        by_type!(self.encoding, self.round(io));
    }
}

/// A stored map as numbers of the plan's element type. Operand: `x`.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// How `x` is kept.
    pub encoding: Encoding,
}

impl Load {
    fn widen<T: Element, S: InIo>(&self, mut io: Io<'_, T>) {
        let (x, y) = (io.read_stored::<S>(0), io.write(0));
        stored::load(io.pool, self.encoding.scale(), x, y);
    }
}

impl Operator for Load {
    fn name(&self) -> &'static str {
        "load"
    }

    fn infer(&self, inputs: &[Shape]) -> Result<Outputs, OpError> {
        Ok(one(inputs[0]))
    }

    fn run<T: Element>(&self, io: Io<'_, T>) {
        by_type!(self.encoding, self.widen(io));
    }
}

/// A convolution's weight, rounded and in the order in which the kernels read it, and the scale
/// and bias of each output channel.
///
/// Operands: the weight `[kh, kw, c_in, c_out]` and, where `bias` says so, the bias. Outputs:
/// bytes, of words and of two vectors of `f32`.
#[derive(Clone, Debug, PartialEq)]
pub struct PackStored {
    /// How the convolution's input is kept.
    pub x: Encoding,
    /// What its output is counted in.
    pub y: Scale,
    /// How the numbers under the window follow each other.
    pub taps: Taps,
    /// Whether there is a bias.
    pub bias: bool,
}

impl PackStored {
    fn pack<T: Element, S: InIo>(&self, mut io: Io<'_, T>) {
        let (weight, bias) = (io.read(0), self.bias.then(|| io.vector(1)));
        let packed = io.write_bytes(0).expect("a convolution reads the words");
        let vectors = io.write_bytes(1).expect("a convolution reads the vectors");
        let vectors: &mut [f32] = bytemuck::cast_slice_mut(vectors);
        let (scale, shift) = vectors.split_at_mut(weight.shape().c);
        let packed = bytemuck::cast_slice_mut(packed);
        let (x, y) = (self.x.scale(), self.y);
        let scales = Scales { x, y };
        let vectors = Vectors { scale, shift };
        convolution::pack::<T, S>(io.pool, self.taps, scales, weight, bias, packed, vectors);
    }
}

impl Operator for PackStored {
    fn name(&self) -> &'static str {
        "pack_stored"
    }

    fn infer(&self, inputs: &[Shape]) -> Result<Outputs, OpError> {
        let words = match self.x {
            Encoding::Bf16 => convolution::packed_len::<Bf16>(self.taps, inputs[0]),
            Encoding::Int8(_) => convolution::packed_len::<u8>(self.taps, inputs[0]),
        };
        let bytes = |bytes: usize| Output {
            shape: Shape::vector(bytes),
            dtype: DType::U8,
        };
        Ok(smallvec![bytes(words * 4), bytes(inputs[0].c * 2 * 4)])
    }

    fn run<T: Element>(&self, io: Io<'_, T>) {
        by_type!(self.x, self.pack(io));
    }
}

/// A bank of a [`StoredConv2d`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StoredBank {
    /// `[kh, kw, c_in, c_out]`.
    pub weight: Shape,
    /// How the output is kept, `None` as numbers of the plan's element type.
    pub y: Option<Encoding>,
}

/// Convolutions of a stored map. Operands: `x`, then for each bank the outputs of its
/// [`PackStored`]. Outputs: one map a bank.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredConv2d {
    /// How `x` is kept.
    pub x: Encoding,
    /// Kernel, stride, padding, dilation.
    pub window: Window,
    /// How the numbers under the window follow each other.
    pub taps: Taps,
    /// Applied to every output.
    pub activation: Activation,
    /// The banks.
    pub banks: SmallVec<[StoredBank; 4]>,
}

impl StoredConv2d {
    fn convolve<T: Element, S: InIo>(&self, mut io: Io<'_, T>) {
        let x = io.read_stored::<S>(0);
        let filters: SmallVec<[Filter<'_>; 4]> = self
            .banks
            .iter()
            .enumerate()
            .map(|(i, bank)| {
                let vectors: &[f32] = bytemuck::cast_slice(io.bytes(2 + 2 * i));
                let (scale, shift) = vectors.split_at(bank.weight.c);
                Filter {
                    packed: bytemuck::cast_slice(io.bytes(1 + 2 * i)),
                    scale,
                    shift,
                    weight: bank.weight,
                    y: bank.y.map_or(Scale::ONE, Encoding::scale),
                }
            })
            .collect();
        let convolution = Convolution {
            window: self.window,
            taps: self.taps,
            x: self.x.scale(),
            activation: self.activation,
        };
        if let [StoredBank { y: None, .. }] = self.banks[..] {
            let y = io.write(0);
            return into_single(y, |y| {
                let into = smallvec![Into::Real(y)];
                convolution::forward::<S>(io.pool, &convolution, x, &filters, into);
            });
        }
        let outputs = (0..self.banks.len())
            .map(|i| Into::Stored(io.write_stored::<S>(i)))
            .collect();
        convolution::forward::<S>(io.pool, &convolution, x, &filters, outputs);
    }
}

impl Operator for StoredConv2d {
    fn name(&self) -> &'static str {
        match self.x {
            Encoding::Bf16 => "conv2d_bf16",
            Encoding::Int8(_) => "conv2d_int8",
        }
    }

    fn infer(&self, inputs: &[Shape]) -> Result<Outputs, OpError> {
        let output = |bank: &StoredBank| {
            Ok(Output {
                shape: conv2d::shape(&self.window, inputs[0], bank.weight)?,
                dtype: bank.y.map_or(DType::Real, Encoding::dtype),
            })
        };
        self.banks.iter().map(output).collect()
    }

    fn macs(&self, _inputs: &[Shape], outputs: &[Shape]) -> u64 {
        let banks = self.banks.iter().zip(outputs);
        banks
            .map(|(bank, y)| y.rows() as u64 * bank.weight.len() as u64)
            .sum()
    }

    fn algorithm(
        &self,
        kernel: Kernel,
        _inputs: &[Shape],
        _outputs: &[Shape],
    ) -> Option<Cow<'static, str>> {
        if matches!(self.taps, Taps::Tiles { .. }) {
            return Some("winograd f32".into());
        }
        let (name, multiplies) = match self.x {
            Encoding::Bf16 => ("bf16", kernel.multiplies::<Bf16>()),
            Encoding::Int8(_) => ("int8", kernel.multiplies::<u8>()),
        };
        Some(match multiplies {
            true => format!("direct {name}").into(),
            false => format!("direct {name}, no instruction").into(),
        })
    }

    fn run<T: Element>(&self, io: Io<'_, T>) {
        by_type!(self.x, self.convolve(io));
    }
}

/// Maximum over a window of a stored map. Operand: `x`. Outputs: `y`, and which pixel of its
/// window each maximum was, as bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredMaxPool {
    /// How the maps are kept.
    pub encoding: Encoding,
    /// The window.
    pub window: Window,
}

impl StoredMaxPool {
    fn pool<T: Element, S: InIo>(&self, mut io: Io<'_, T>) {
        let (x, y) = (io.read_stored::<S>(0), io.write_stored::<S>(0));
        stored::max_pool(io.pool, &self.window, x, y, io.write_bytes(1));
    }
}

impl Operator for StoredMaxPool {
    fn name(&self) -> &'static str {
        "max_pool"
    }

    fn infer(&self, inputs: &[Shape]) -> Result<Outputs, OpError> {
        let shape = max_pool::shape(&self.window, inputs[0])?;
        let dtype = self.encoding.dtype();
        let winners = Output {
            shape,
            dtype: DType::U8,
        };
        Ok(smallvec![Output { shape, dtype }, winners])
    }

    fn optional(&self, output: usize) -> bool {
        output == 1
    }

    fn run<T: Element>(&self, io: Io<'_, T>) {
        by_type!(self.encoding, self.pool(io));
    }
}

/// Average over a window of a stored map. Operand: `x`.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredAvgPool {
    /// How the maps are kept.
    pub encoding: Encoding,
    /// The window.
    pub window: Window,
    /// Whether padding counts.
    pub count: PadCount,
}

impl StoredAvgPool {
    fn pool<T: Element, S: InIo>(&self, mut io: Io<'_, T>) {
        let (x, y) = (io.read_stored::<S>(0), io.write_stored::<S>(0));
        let scale = self.encoding.scale();
        stored::avg_pool(io.pool, &self.window, self.count, scale, x, y);
    }
}

impl Operator for StoredAvgPool {
    fn name(&self) -> &'static str {
        "avg_pool"
    }

    fn infer(&self, inputs: &[Shape]) -> Result<Outputs, OpError> {
        let shape = avg_pool::shape(&self.window, inputs[0])?;
        Ok(self.encoding.output(shape))
    }

    fn run<T: Element>(&self, io: Io<'_, T>) {
        by_type!(self.encoding, self.pool(io));
    }
}

/// Average over windows that divide a stored map evenly, kept as [`Bf16`]. Operand: `x`.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredAdaptiveAvgPool {
    /// How `x` is kept.
    pub x: Encoding,
    /// Rows and columns of the output.
    pub output: [usize; 2],
}

impl StoredAdaptiveAvgPool {
    fn pool<T: Element, S: InIo>(&self, mut io: Io<'_, T>) {
        let (x, y) = (io.read_stored::<S>(0), io.write_stored::<Bf16>(0));
        stored::adaptive_avg_pool(io.pool, self.x.scale(), x, y);
    }
}

impl Operator for StoredAdaptiveAvgPool {
    fn name(&self) -> &'static str {
        "adaptive_avg_pool"
    }

    fn infer(&self, inputs: &[Shape]) -> Result<Outputs, OpError> {
        let shape = adaptive_avg_pool::shape(self.output, inputs[0])?;
        Ok(Encoding::Bf16.output(shape))
    }

    fn run<T: Element>(&self, io: Io<'_, T>) {
        by_type!(self.x, self.pool(io));
    }
}
