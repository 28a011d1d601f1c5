//! The gradient of the input.

use super::places::{Axis, Places};
use super::winograd::{Direction, Filtered};
use super::{Method, NAME, check, workspace_of};
use crate::Window;
use inception_tensor::{
    Accumulate, Bank, Element, Epilogue, Operand, Pool, Rows, Shape, View, ViewMut,
    multiply_matrix, multiply_rows, pack, packed_len,
};
use smallvec::SmallVec;

/// Pixels of a task of 1×1 convolutions.
const PIXELS: usize = 112;

/// Numbers of workspace that [`backward_input`] needs: room to pack the transposed weights,
/// and for strides above 1 to compute the pixels of a phase side by side.
///
/// # Shapes
/// `x`: the input, `[n, h, w, c_in]`; each weight `[kh, kw, c_in, c_out]`.
pub fn backward_input_workspace(
    method: &Method,
    x: Shape,
    weights: impl IntoIterator<Item = Shape>,
) -> usize {
    let packed = |weight| packed_weight(method, weight);
    weights.into_iter().map(packed).sum::<usize>() + phase_len(&method.window, x)
}

/// Numbers that a packed transposed weight takes, all phases together.
fn packed_weight(method: &Method, w: Shape) -> usize {
    match method.gradient_tiling() {
        Some(tiling) => tiling.filter_len(w, Direction::Backward),
        None => packed_len(w.n * w.h * w.c, w.w),
    }
}

/// Numbers of the pixels of the largest phase.
fn phase_len(window: &Window, x: Shape) -> usize {
    match window.stride {
        [1, 1] => 0,
        [down, across] => x.n * x.h.div_ceil(down) * x.w.div_ceil(across) * x.c,
    }
}

/// `dx = Σ_i convᵀ(dy[i], weights[i])`:
/// `dx[n, y, x, c] = Σ_{i, p, q, o} dy[i][n, (y + t − p·d)/s, (x + l − q·d)/s, o]·w[i][p, q, c, o]`
/// over the taps where the quotients are whole and inside.
///
/// The sum is gathered: each input pixel reads the output pixels that read it. Input pixels
/// whose places agree modulo the stride are reached by the same taps, so each such phase is
/// a convolution of stride 1 that multiplies no zeros between pixels. All operands may be
/// channel slices. Banks are added in their order.
///
/// # Shapes
/// Each of `dy`: `[n, oh, ow, c_out]`, its weight `[kh, kw, c_in, c_out]`, `dx`:
/// `[n, h, w, c_in]`, workspace: at least [`backward_input_workspace`].
///
/// # Panics
/// When shapes do not fit, there is no bank, or the workspace is too small.
///
/// # Sources
/// Dumoulin and Visin 2016, *A guide to convolution arithmetic for deep learning*, chapter 4.
pub fn backward_input<T: Element>(
    pool: &Pool,
    method: &Method,
    dy: &[View<'_, T>],
    weights: &[View<'_, T>],
    mut dx: ViewMut<'_, T>,
    workspace: &mut [T],
) {
    assert_eq!(dy.len(), weights.len(), "{NAME}: a weight for each bank");
    assert!(!dy.is_empty(), "{NAME}: no bank");
    let window = &method.window;
    for (dy, weight) in dy.iter().zip(weights) {
        check(window, dx.shape(), weight.shape(), dy.shape());
    }
    if dx.shape().is_empty() {
        return;
    }
    let weight_shapes = weights.iter().map(View::shape);
    let needed = backward_input_workspace(method, dx.shape(), weight_shapes);
    let workspace = workspace_of(workspace, needed);
    if dy.len() > 1 && window.is_pointwise() {
        return pointwise(pool, dy, weights, dx, workspace);
    }
    let (side_by_side, mut rest) = workspace.split_at_mut(phase_len(window, dx.shape()));
    for (bank, (dy, weight)) in dy.iter().zip(weights).enumerate() {
        let accumulate = match bank {
            0 => Accumulate::Replace,
            _ => Accumulate::Add,
        };
        let (block, tail) = rest.split_at_mut(packed_weight(method, weight.shape()));
        rest = tail;
        if let Some(tiling) = method.gradient_tiling() {
            let offset = [0, 1].map(|axis| window.kernel[axis] - 1 - window.padding[axis][0]);
            tiling.filter(pool, *weight, Direction::Backward, block);
            let bank = Filtered {
                filter: block,
                accumulate,
                epilogue: Epilogue::NONE,
            };
            // A convolution by flipped filters, padded by what the kernel reaches beyond the
            // padding of the input.
            tiling.forward(pool, *dy, offset, bank, dx.reborrow());
            continue;
        }
        let mut free = block;
        for phase in Phase::all(window) {
            let k = phase.taps() * weight.shape().c;
            let (packed, tail) = free.split_at_mut(packed_len(k, weight.shape().w));
            free = tail;
            phase.pack(pool, *weight, packed);
            let factor = Factor { packed, accumulate };
            match window.stride {
                [1, 1] => phase.multiply(pool, dy, factor, dx.reborrow()),
                stride => phase.deal(pool, stride, dy, factor, &mut dx, side_by_side),
            }
        }
    }
}

/// The gradient of 1×1 convolutions: some pixels after the other, so that a pixel's sum stays in
/// cache while the banks are added to it.
fn pointwise<T: Element>(
    pool: &Pool,
    dy: &[View<'_, T>],
    weights: &[View<'_, T>],
    dx: ViewMut<'_, T>,
    workspace: &mut [T],
) {
    let mut rest = workspace;
    let mut factors: SmallVec<[&[T]; 4]> = SmallVec::new();
    for weight in weights {
        let Shape { w, c, .. } = weight.shape();
        let (packed, tail) = rest.split_at_mut(packed_len(c, w));
        rest = tail;
        pack(pool, Operand::Transposed(*weight), c, 0, packed);
        factors.push(packed);
    }
    let serial = pool.on_this_thread();
    pool.for_each_rows(dx, PIXELS, |first, mut block| {
        for (bank, (dy, &packed)) in dy.iter().zip(&factors).enumerate() {
            let pixels = Shape::matrix(block.shape().rows(), dy.shape().c);
            let dy = View::strided(&dy.data()[first * dy.stride()..], pixels, dy.stride());
            let bank = Bank {
                packed,
                accumulate: match bank {
                    0 => Accumulate::Replace,
                    _ => Accumulate::Add,
                },
                epilogue: Epilogue::NONE,
                c: block.reborrow(),
            };
            multiply_matrix(&serial, dy, &mut [bank]);
        }
    });
}

/// A packed right operand, and whether its product is added.
struct Factor<'a, T> {
    packed: &'a [T],
    accumulate: Accumulate,
}

/// Input pixels whose rows and columns leave the remainders `start` by the stride.
#[derive(Clone, Debug)]
pub(super) struct Phase {
    start: [usize; 2],
    /// What they read of `dy`.
    pub(super) axes: [Axis; 2],
    /// Rows and columns in the kernel of those taps.
    pub(super) kernel: [SmallVec<[usize; 8]>; 2],
}

impl Phase {
    /// All phases; each tap of the kernel belongs to one.
    pub(super) fn all(window: &Window) -> impl Iterator<Item = Self> {
        let [height, width] = window.stride;
        let starts = (0..height).flat_map(move |y| (0..width).map(move |x| [y, x]));
        starts.map(|start| {
            let [(down, rows), (across, columns)] =
                [0, 1].map(|axis| Self::axis(window, axis, start[axis]));
            Self {
                start,
                axes: [down, across],
                kernel: [rows, columns],
            }
        })
    }

    /// The taps along one axis that reach the pixels of a phase, by increasing output pixel.
    fn axis(window: &Window, axis: usize, start: usize) -> (Axis, SmallVec<[usize; 8]>) {
        let stride = window.stride[axis] as isize;
        let place = (start + window.padding[axis][0]) as isize;
        let (offsets, kernel) = (0..window.kernel[axis])
            .rev()
            .map(|tap| (place - (tap * window.dilation[axis]) as isize, tap))
            .filter(|(distance, _)| distance.rem_euclid(stride) == 0)
            .map(|(distance, tap)| (distance.div_euclid(stride), tap))
            .unzip();
        (Axis { offsets, step: 1 }, kernel)
    }

    pub(super) fn taps(&self) -> usize {
        self.kernel[0].len() * self.kernel[1].len()
    }

    /// Packs the transposed weight, `taps·c_out × c_in`, taps in the order of the axes.
    fn pack<T: Element>(&self, pool: &Pool, weight: View<'_, T>, packed: &mut [T]) {
        let Shape { h, w: c_in, c, .. } = weight.shape();
        let taps = self.kernel[0]
            .iter()
            .flat_map(|row| self.kernel[1].iter().map(move |column| row * h + column));
        for (i, tap) in taps.enumerate() {
            let data = &weight.data()[tap * c_in * weight.stride()..];
            let part = View::strided(data, Shape::matrix(c_in, c), weight.stride());
            pack(
                pool,
                Operand::Transposed(part),
                self.taps() * c,
                i * c,
                packed,
            );
        }
    }

    /// The pixels of this phase, `out`, as the product of `dy`'s pixels and a factor.
    fn multiply<T: Element>(
        &self,
        pool: &Pool,
        dy: &View<'_, T>,
        factor: Factor<'_, T>,
        out: ViewMut<'_, T>,
    ) {
        let places = Places {
            axes: self.axes.clone(),
            grid: [out.shape().h, out.shape().w],
            source: dy.shape(),
            stride: dy.stride(),
        };
        let rows = Rows {
            data: dy.data(),
            taps: places.taps(),
            width: dy.shape().c,
        };
        let bank = Bank {
            packed: factor.packed,
            accumulate: factor.accumulate,
            epilogue: Epilogue::NONE,
            c: out,
        };
        multiply_rows(
            pool,
            rows,
            |first: usize, offsets: &mut [u32]| places.locate(first, offsets),
            &mut [bank],
        );
    }

    /// Computes the phase side by side and deals its pixels out to `dx`.
    fn deal<T: Element>(
        &self,
        pool: &Pool,
        stride: [usize; 2],
        dy: &View<'_, T>,
        factor: Factor<'_, T>,
        dx: &mut ViewMut<'_, T>,
        side_by_side: &mut [T],
    ) {
        let shape = dx.shape();
        let [h, w] = [(shape.h, 0), (shape.w, 1)].map(|(extent, axis)| {
            extent
                .saturating_sub(self.start[axis])
                .div_ceil(stride[axis])
        });
        let phase = Shape::new(shape.n, h, w, shape.c);
        if phase.is_empty() {
            return;
        }
        let accumulate = factor.accumulate;
        let product = &mut side_by_side[..phase.len()];
        let replace = Factor {
            accumulate: Accumulate::Replace,
            ..factor
        };
        self.multiply(pool, dy, replace, ViewMut::new(product, phase));
        let product = View::new(product, phase);
        pool.for_each_rows(dx.reborrow(), shape.w, |first, mut line| {
            let (image, row) = (first / shape.w / shape.h, first / shape.w % shape.h);
            if row % stride[0] != self.start[0] {
                return;
            }
            for x in 0..w {
                let source = product.pixel(image, row / stride[0], x);
                let target = line.row_mut(self.start[1] + x * stride[1]);
                match accumulate {
                    Accumulate::Replace => target.copy_from_slice(source),
                    Accumulate::Add => target.iter_mut().zip(source).for_each(|(t, &s)| *t += s),
                }
            }
        });
    }
}
