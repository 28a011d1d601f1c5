//! How many windows fit: known networks, a brute-force count, and refusals.

use inception_ops::{Rounding, Window};
use proptest::prelude::*;

/// Counts windows one by one along an axis.
fn count(w: &Window, axis: usize, extent: usize) -> usize {
    let [before, after] = w.padding[axis];
    let span = w.dilation[axis] * (w.kernel[axis] - 1) + 1;
    let padded = extent + before + after;
    let starts = |i: &usize| i * w.stride[axis];
    let inside = (0..).take_while(|i| starts(i) + span <= padded).count();
    if w.rounding == Rounding::Floor {
        return inside;
    }
    // Where the padded input goes on beyond the last whole window, one more starts, if it
    // reads at least a pixel that is not trailing padding.
    let used_up = match inside {
        0 => padded + w.stride[axis] <= span || padded == span,
        n => starts(&(n - 1)) + span == padded,
    };
    if used_up {
        // A whole window may also start in the trailing padding; Caffe takes it back.
        let last_beyond = inside > 0 && starts(&(inside - 1)) >= extent + before;
        return inside - usize::from(last_beyond);
    }
    let next_beyond = starts(&inside) >= extent + before;
    if !next_beyond {
        return inside + 1;
    }
    inside
}

#[test]
fn googlenet_has_the_sizes_of_the_paper() {
    let pool = Window::square(3).stride(2).ceil();
    let stem = Window::square(7).stride(2).padding(3);
    assert_eq!(stem.output("conv2d", [224, 224]), Ok([112, 112]));
    for (from, to) in [(112, 56), (56, 28), (28, 14), (14, 7)] {
        assert_eq!(pool.output("max_pool", [from, from]), Ok([to, to]));
    }
    let auxiliary = Window::square(5).stride(3);
    assert_eq!(auxiliary.output("avg_pool", [14, 14]), Ok([4, 4]));
}

#[test]
fn inception_v3_has_the_sizes_of_the_paper() {
    let mut size = [299, 299];
    for window in [
        Window::square(3).stride(2),
        Window::square(3),
        Window::square(3).padding(1),
        Window::square(3).stride(2),
        Window::square(1),
        Window::square(3),
        Window::square(3).stride(2),
    ] {
        size = window.output("conv2d", size).unwrap();
    }
    assert_eq!(size, [35, 35]);
    let factored = Window::new(1, 7).padding_hw(0, 3);
    assert_eq!(factored.output("conv2d", [17, 17]), Ok([17, 17]));
}

#[test]
fn rounding_up_lets_the_only_window_overhang_as_in_pytorch() {
    let pool = Window::square(3).stride(2);
    assert_eq!(pool.ceil().output("max_pool", [2, 2]), Ok([1, 1]));
    assert!(pool.output("max_pool", [2, 2]).is_err());
    assert!(pool.ceil().output("max_pool", [1, 1]).is_err());
}

#[test]
fn rounding_up_starts_no_window_in_the_trailing_padding() {
    // (4 + 2 − 2)/3 rounds up to 2, but a third window would start at 6 ≥ 4 + 1.
    let pool = Window::square(2).stride(3).padding(1).ceil();
    assert_eq!(pool.output("max_pool", [4, 4]), Ok([2, 2]));
}

#[test]
fn refusals_name_operator_setting_and_sizes() {
    let message = |w: Window, extent| w.output("conv2d", extent).unwrap_err().to_string();
    assert_eq!(
        message(Window::new(3, 0), [5, 5]),
        "conv2d: kernel 3×0 must be at least 1×1"
    );
    assert_eq!(
        message(Window::square(3).stride(0), [5, 5]),
        "conv2d: stride 0×0 must be at least 1×1"
    );
    assert_eq!(
        message(Window::square(3).dilation(0), [5, 5]),
        "conv2d: dilation 0×0 must be at least 1×1"
    );
    assert_eq!(
        message(Window::square(3), [0, 5]),
        "conv2d: input of 0×5 pixels is empty"
    );
    assert_eq!(
        message(Window::new(3, 2).dilation(3).padding_hw(1, 0), [4, 9]),
        "conv2d: window of 7×4 pixels (kernel 3×2, dilation 3×3) does not fit input 4×9 \
         with padding 1+1, 0+0"
    );
    let huge = Window::square(usize::MAX).dilation(2);
    assert!(huge.output("conv2d", [4, 4]).is_err());
    let padded = Window::square(2).padding(usize::MAX);
    assert!(padded.output("conv2d", [4, 4]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn the_formula_counts_windows(
        kernel in [1usize..6, 1..6],
        stride in [1usize..5, 1..5],
        padding in [[0usize..4, 0..4], [0..4, 0..4]],
        dilation in [1usize..4, 1..4],
        extent in [1usize..20, 1..20],
        ceil: bool,
    ) {
        let rounding = if ceil { Rounding::Ceil } else { Rounding::Floor };
        let window = Window { kernel, stride, padding, dilation, rounding };
        let expected = [count(&window, 0, extent[0]), count(&window, 1, extent[1])];
        match window.output("test", extent) {
            Ok(output) => prop_assert_eq!(output, expected),
            Err(_) => prop_assert!(expected.contains(&0), "{expected:?}"),
        }
    }
}

/// TensorFlow's rule, written out: so many windows as strides begin in the input, and what
/// they reach beyond it is padded, the smaller half in front.
#[test]
fn same_padding_is_tensorflows() {
    for (kernel, stride, extent, padding) in [
        (7, 2, 224, [2, 3]),
        (3, 2, 112, [0, 1]),
        (3, 2, 113, [1, 1]),
        (2, 2, 14, [0, 0]),
        (2, 2, 7, [0, 1]),
        (3, 1, 9, [1, 1]),
        (1, 2, 9, [0, 0]),
        (5, 3, 2, [1, 2]),
    ] {
        let window = Window::square(kernel)
            .stride(stride)
            .ceil()
            .same([extent; 2]);
        assert_eq!(
            window.padding, [padding; 2],
            "{kernel} / {stride} on {extent}"
        );
        let found = window.output("max_pool", [extent; 2]);
        assert_eq!(found, Ok([extent.div_ceil(stride); 2]));
    }
}
