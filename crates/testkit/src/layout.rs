//! Between PyTorch's layouts and the channels-last ones of this workspace.
//!
//! A linear weight `[out, in]` becomes `[1, 1, in, out]` by [`oihw_to_hwio`] with a kernel
//! of 1×1. One that follows a flattened feature map of `c` channels of `h`×`w` pixels is
//! `[out, c, h, w]` in PyTorch, where channels come first; [`oihw_to_hwio`] with that shape
//! makes it the matrix `[h·w·c, out]` for a map flattened channels-last.

/// Copies a row-major tensor so that axis `d` of the result is axis `axes[d]` of the source.
///
/// # Panics
/// When `data` does not have `shape`'s length or `axes` is no permutation of the axes.
pub fn permute<T: Copy, const D: usize>(data: &[T], shape: [usize; D], axes: [usize; D]) -> Vec<T> {
    let count: usize = shape.iter().product();
    assert_eq!(data.len(), count, "data of shape {shape:?}");
    assert!((0..D).all(|d| axes.contains(&d)), "permutation {axes:?}");
    let mut strides = [1; D];
    for d in (1..D).rev() {
        strides[d - 1] = strides[d] * shape[d];
    }
    let mut out = Vec::with_capacity(count);
    for mut rest in 0..count {
        let mut source = 0;
        for d in (0..D).rev() {
            let extent = shape[axes[d]];
            source += rest % extent * strides[axes[d]];
            rest /= extent;
        }
        out.push(data[source]);
    }
    out
}

/// A feature map `[n, c, h, w]` as `[n, h, w, c]`; `shape` is `[n, c, h, w]`.
pub fn nchw_to_nhwc<T: Copy>(data: &[T], shape: [usize; 4]) -> Vec<T> {
    permute(data, shape, [0, 2, 3, 1])
}

/// A feature map `[n, h, w, c]` as `[n, c, h, w]`; `shape` is `[n, h, w, c]`.
pub fn nhwc_to_nchw<T: Copy>(data: &[T], shape: [usize; 4]) -> Vec<T> {
    permute(data, shape, [0, 3, 1, 2])
}

/// Weights `[out, in, h, w]` as `[h, w, in, out]`; `shape` is `[out, in, h, w]`.
pub fn oihw_to_hwio<T: Copy>(data: &[T], shape: [usize; 4]) -> Vec<T> {
    permute(data, shape, [2, 3, 1, 0])
}

/// Weights `[h, w, in, out]` as `[out, in, h, w]`; `shape` is `[h, w, in, out]`.
pub fn hwio_to_oihw<T: Copy>(data: &[T], shape: [usize; 4]) -> Vec<T> {
    permute(data, shape, [3, 2, 0, 1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn channels_come_together_at_each_pixel() {
        // Two channels of 2×3 pixels: channel 1 counts on from 10.
        let nchw = [0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15];
        let nhwc = [0, 10, 1, 11, 2, 12, 3, 13, 4, 14, 5, 15];
        assert_eq!(nchw_to_nhwc(&nchw, [1, 2, 2, 3]), nhwc);
    }

    #[test]
    fn outputs_of_a_weight_come_together() {
        // [out 2, in 2, 1, 2], element = 100·out + 10·in + x.
        let oihw = [0, 1, 10, 11, 100, 101, 110, 111];
        let hwio = [0, 100, 10, 110, 1, 101, 11, 111];
        assert_eq!(oihw_to_hwio(&oihw, [2, 2, 1, 2]), hwio);
    }

    proptest! {
        #[test]
        fn each_layout_comes_back(a in 0usize..4, b in 1usize..5, c in 1usize..5, d in 1usize..5) {
            let data: Vec<usize> = (0..a * b * c * d).collect();
            let there = nchw_to_nhwc(&data, [a, b, c, d]);
            prop_assert_eq!(&nhwc_to_nchw(&there, [a, c, d, b]), &data);
            let there = oihw_to_hwio(&data, [a, b, c, d]);
            prop_assert_eq!(&hwio_to_oihw(&there, [c, d, b, a]), &data);
        }

        #[test]
        fn element_n_c_y_x_lands_at_n_y_x_c(n in 1usize..4, c in 1usize..5, h in 1usize..5, w in 1usize..5) {
            let data: Vec<usize> = (0..n * c * h * w).collect();
            let nhwc = nchw_to_nhwc(&data, [n, c, h, w]);
            let (i, ch, y, x) = (n - 1, c / 2, h - 1, w / 2);
            prop_assert_eq!(nhwc[((i * h + y) * w + x) * c + ch], data[((i * c + ch) * h + y) * w + x]);
        }
    }
}
