//! Plain loops.

use inception_tensor::{Element, Shape, Tensor};

/// The pixels of window `(oy, ox)`.
fn window_of(x: Shape, y: Shape, oy: usize, ox: usize) -> Vec<[usize; 2]> {
    let bounds = |o: usize, extent: usize, outputs: usize| {
        let ratio = extent as f64 / outputs as f64;
        // The margin absorbs rounding where the product is a whole number.
        let start = (o as f64 * ratio + 1e-9).floor() as usize;
        let end = ((o + 1) as f64 * ratio - 1e-9).ceil() as usize;
        start..end
    };
    let mut pixels = Vec::new();
    for iy in bounds(oy, x.h, y.h) {
        for ix in bounds(ox, x.w, y.w) {
            pixels.push([iy, ix]);
        }
    }
    pixels
}

/// The mean of each window, in `y`'s shape.
pub fn forward<T: Element>(x: &Tensor<T>, y: Shape) -> Tensor<T> {
    Tensor::from_fn(y, |at| {
        let (c, ox, oy) = (at % y.c, at / y.c % y.w, at / y.c / y.w % y.h);
        let n = at / y.c / y.w / y.h;
        let pixels = window_of(x.shape(), y, oy, ox);
        let sum = pixels.iter().fold(T::zero(), |sum, &[iy, ix]| {
            sum + x.view().pixel(n, iy, ix)[c]
        });
        sum / T::of(pixels.len() as f64)
    })
}

/// Each gradient in equal parts to the pixels of its window, in `x`'s shape.
pub fn backward<T: Element>(dy: &Tensor<T>, x: Shape) -> Tensor<T> {
    let y = dy.shape();
    let mut dx = Tensor::zeros(x);
    for row in 0..y.rows() {
        let (n, oy, ox) = (row / y.w / y.h, row / y.w % y.h, row % y.w);
        let pixels = window_of(x, y, oy, ox);
        for &[iy, ix] in &pixels {
            let to = (n * x.h + iy) * x.w + ix;
            for c in 0..y.c {
                dx.data_mut()[to * x.c + c] += dy.view().row(row)[c] / T::of(pixels.len() as f64);
            }
        }
    }
    dx
}
