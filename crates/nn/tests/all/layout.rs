//! How memory and state dict relate.

use inception_nn::Layout;
use inception_tensor::Shape;
use proptest::prelude::*;

/// A layout, a shape that it fits, and where place `i` of the disk order lies in memory,
/// written out by hand.
fn cases() -> impl Strategy<Value = (Layout, Shape)> {
    let extent = || 1..6usize;
    prop_oneof![
        Just((Layout::Scalar, Shape::SCALAR)),
        extent().prop_map(|c| (Layout::Vector, Shape::vector(c))),
        (extent(), extent(), extent(), 1..40usize)
            .prop_map(|(kh, kw, ci, co)| (Layout::Conv, Shape::new(kh, kw, ci, co))),
        (extent(), 1..40usize).prop_map(|(i, o)| (Layout::Linear, Shape::new(1, 1, i, o))),
        (extent(), extent(), extent(), 1..40usize).prop_map(|(c, h, w, o)| {
            let shape = Shape::new(1, 1, c * h * w, o);
            (Layout::LinearChw { c, h, w }, shape)
        }),
    ]
}

/// The place in memory of place `i` on disk, from the definitions alone.
fn memory_place(layout: Layout, shape: Shape, i: usize) -> usize {
    let [kh, kw, ci, co] = shape.array();
    match layout {
        Layout::Scalar | Layout::Vector => i,
        Layout::Linear => (i % ci) * co + i / ci,
        Layout::Conv => {
            let (x, y) = (i % kw, i / kw % kh);
            let (c, o) = (i / (kw * kh) % ci, i / (kw * kh * ci));
            ((y * kw + x) * ci + c) * co + o
        }
        Layout::LinearChw { c, h, w } => {
            let (x, y, channel, o) = (i % w, i / w % h, i / (w * h) % c, i / (w * h * c));
            ((y * w + x) * c + channel) * co + o
        }
    }
}

proptest! {
    #[test]
    fn reading_puts_every_number_where_the_definition_says((layout, shape) in cases()) {
        let torch: Vec<usize> = (0..shape.len()).collect();
        let mut memory = vec![usize::MAX; shape.len()];
        layout.read(shape, &torch, &mut memory);
        for i in 0..shape.len() {
            prop_assert_eq!(memory[memory_place(layout, shape, i)], i);
        }
        let numbers: usize = layout.torch_shape(shape).iter().product();
        prop_assert_eq!(numbers, shape.len());
    }

    #[test]
    fn writing_undoes_reading((layout, shape) in cases()) {
        let torch: Vec<usize> = (0..shape.len()).collect();
        let (mut memory, mut back) = (torch.clone(), vec![0; shape.len()]);
        layout.read(shape, &torch, &mut memory);
        layout.write(shape, &memory, &mut back);
        prop_assert_eq!(back, torch);
    }
}

#[test]
fn shapes_on_disk_are_those_of_pytorch() {
    let conv = Shape::new(3, 5, 7, 11);
    assert_eq!(Layout::Conv.torch_shape(conv), [11, 7, 3, 5]);
    let linear = Shape::new(1, 1, 12, 2);
    assert_eq!(Layout::Linear.torch_shape(linear), [2, 12]);
    let map = Layout::LinearChw { c: 3, h: 2, w: 2 };
    assert_eq!(map.torch_shape(linear), [2, 12]);
    assert_eq!(Layout::Vector.torch_shape(Shape::vector(4)), [4]);
    assert!(Layout::Scalar.torch_shape(Shape::SCALAR).is_empty());
}
