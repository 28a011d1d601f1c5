//! Plain loops.

use crate::Window;
use inception_tensor::{Element, Shape, Tensor};

/// Maxima and winners.
#[derive(Clone, Debug)]
pub struct Pooled<T> {
    /// The maxima.
    pub y: Tensor<T>,
    /// `ky·kw + kx` of each.
    pub winners: Vec<u8>,
}

/// The input pixel at place `k` of window `o`, if it is no padding.
fn pixel(window: &Window, x: Shape, o: [usize; 2], k: [usize; 2]) -> Option<[usize; 2]> {
    let at = |a: usize| {
        let i = (o[a] * window.stride[a] + k[a] * window.dilation[a]) as i64
            - window.padding[a][0] as i64;
        (0..[x.h, x.w][a] as i64).contains(&i).then_some(i as usize)
    };
    Some([at(0)?, at(1)?])
}

/// The maximum of each window, in `y`'s shape.
pub fn forward<T: Element>(window: &Window, x: &Tensor<T>, y: Shape) -> Pooled<T> {
    let mut winners = Vec::with_capacity(y.len());
    let maxima = Tensor::from_fn(y, |at| {
        let (c, ox, oy) = (at % y.c, at / y.c % y.w, at / y.c / y.w % y.h);
        let n = at / y.c / y.w / y.h;
        let mut best: Option<(T, u8)> = None;
        for ky in 0..window.kernel[0] {
            for kx in 0..window.kernel[1] {
                let Some([iy, ix]) = pixel(window, x.shape(), [oy, ox], [ky, kx]) else {
                    continue;
                };
                let v = x.view().pixel(n, iy, ix)[c];
                if best.is_none_or(|(max, _)| v > max || v.is_nan()) {
                    best = Some((v, (ky * window.kernel[1] + kx) as u8));
                }
            }
        }
        let (max, winner) = best.expect("a window covers a pixel");
        winners.push(winner);
        max
    });
    Pooled { y: maxima, winners }
}

/// Each gradient to the pixel that won, in `x`'s shape.
pub fn backward<T: Element>(
    window: &Window,
    dy: &Tensor<T>,
    winners: &[u8],
    x: Shape,
) -> Tensor<T> {
    let y = dy.shape();
    let mut dx = Tensor::zeros(x);
    for (at, (&d, &k)) in dy.data().iter().zip(winners).enumerate() {
        let (c, ox, oy) = (at % y.c, at / y.c % y.w, at / y.c / y.w % y.h);
        let n = at / y.c / y.w / y.h;
        let k = [
            usize::from(k) / window.kernel[1],
            usize::from(k) % window.kernel[1],
        ];
        let [iy, ix] = pixel(window, x, [oy, ox], k).expect("a winner is on the input");
        dx.data_mut()[((n * x.h + iy) * x.w + ix) * x.c + c] += d;
    }
    dx
}
