//! Plain loops.

use crate::{PadCount, Window};
use inception_tensor::{Element, Shape, Tensor};

/// The pixels and the divisor of window `(oy, ox)`, as PyTorch's `avg_pool2d` writes them.
fn window_of(window: &Window, count: PadCount, x: Shape, o: [usize; 2]) -> (Vec<[usize; 2]>, f64) {
    let axis = |a: usize| {
        let extent = [x.h, x.w][a] as i64;
        let [before, after] = window.padding[a].map(|p| p as i64);
        let start = (o[a] * window.stride[a]) as i64 - before;
        let end = (start + window.kernel[a] as i64).min(extent + after);
        (start, end, extent)
    };
    let ((y0, y1, h), (x0, x1, w)) = (axis(0), axis(1));
    let mut pixels = Vec::new();
    for y in y0.max(0)..y1.min(h) {
        for x in x0.max(0)..x1.min(w) {
            pixels.push([y as usize, x as usize]);
        }
    }
    let divisor = match count {
        PadCount::Include => ((y1 - y0) * (x1 - x0)) as f64,
        PadCount::Exclude => pixels.len() as f64,
    };
    (pixels, divisor)
}

/// The mean of each window, in `y`'s shape.
pub fn forward<T: Element>(window: &Window, count: PadCount, x: &Tensor<T>, y: Shape) -> Tensor<T> {
    Tensor::from_fn(y, |at| {
        let (c, ox, oy) = (at % y.c, at / y.c % y.w, at / y.c / y.w % y.h);
        let n = at / y.c / y.w / y.h;
        let (pixels, divisor) = window_of(window, count, x.shape(), [oy, ox]);
        let sum = pixels.iter().fold(T::zero(), |sum, &[iy, ix]| {
            sum + x.view().pixel(n, iy, ix)[c]
        });
        sum / T::of(divisor)
    })
}

/// Each gradient in equal parts to the pixels of its window, in `x`'s shape.
pub fn backward<T: Element>(
    window: &Window,
    count: PadCount,
    dy: &Tensor<T>,
    x: Shape,
) -> Tensor<T> {
    let y = dy.shape();
    let mut dx = Tensor::zeros(x);
    for n in 0..y.n {
        for oy in 0..y.h {
            for ox in 0..y.w {
                let (pixels, divisor) = window_of(window, count, x, [oy, ox]);
                for [iy, ix] in pixels {
                    let row = (n * x.h + iy) * x.w + ix;
                    for c in 0..y.c {
                        dx.data_mut()[row * x.c + c] +=
                            dy.view().pixel(n, oy, ox)[c] / T::of(divisor);
                    }
                }
            }
        }
    }
    dx
}
