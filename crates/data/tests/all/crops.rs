//! Views of test protocols, against an independent script and against plain cuts.

use inception_data::{
    CropTransform, Crops, Image, Interpolation, Mirror, Normalise, Preprocess, ResizeSpec, Size,
    Transform, Window, crop_and_resize, mirror_into, resize,
};
use inception_tensor::Stream;
use serde_json::Value;

fn picture(width: usize, height: usize) -> Image {
    let mut stream = Stream::new(&[7]);
    let pixels = (0..width * height * 3).map(|_| stream.below(256) as u8);
    Image {
        width,
        height,
        channels: 3,
        pixels: pixels.collect(),
    }
}

#[test]
fn the_144_crops_lie_where_a_script_of_the_papers_text_puts_them() {
    let pictures: Value = serde_json::from_str(include_str!("../fixtures/crops.json")).unwrap();
    let pictures = pictures.as_array().unwrap();
    assert_eq!(pictures.len(), 8);
    let number = |value: &Value| value.as_u64().unwrap() as usize;
    for picture in pictures {
        let size = Size {
            width: number(&picture["width"]),
            height: number(&picture["height"]),
        };
        let plan = Crops::Paper
            .plan(&Preprocess::photograph(224, 224), size)
            .unwrap();
        let scales = plan.scales.iter().map(|s| [s.width, s.height]);
        let expected = picture["resized"].as_array().unwrap().iter();
        let expected = expected.map(|s| [number(&s[0]), number(&s[1])]);
        assert!(scales.eq(expected), "{size:?}");
        let found: Vec<[usize; 4]> = plan
            .views
            .iter()
            .map(|view| {
                let Window {
                    left,
                    top,
                    width,
                    height,
                } = view.window;
                assert_eq!(width, height);
                let scale = plan.scales[view.scale];
                assert!(view.window.is_inside(scale), "{view:?} {scale:?}");
                [
                    scale.width.min(scale.height),
                    left as usize,
                    top as usize,
                    width,
                ]
            })
            .collect();
        let expected = picture["crops"].as_array().unwrap().iter();
        let expected: Vec<[usize; 4]> = expected
            .map(|c| std::array::from_fn(|i| number(&c[i])))
            .collect();
        assert_eq!(found, expected, "{size:?}");
        assert_eq!(found.len() * 2, Crops::Paper.count());
    }
}

#[test]
fn views_are_cut_from_the_picture_resized_once() {
    let image = picture(60, 45);
    let preprocess = Preprocess {
        input: [3, 14, 14],
        resize: Some(ResizeSpec::Shorter(16)),
        ..Preprocess::photograph(14, 14)
    };
    let normalise = Normalise::new(&preprocess.mean, &preprocess.std);
    let input = preprocess.size();
    for crops in Crops::ALL {
        let transform = CropTransform::new(preprocess.clone(), crops).unwrap();
        let mut out = vec![f32::NAN; transform.output().len()];
        transform
            .apply(&image, &mut Stream::new(&[]), &mut out)
            .unwrap();
        let plan = crops.plan(&preprocess, Size::of(&image)).unwrap();
        assert_eq!(plan.views.len(), crops.unmirrored());
        for (view, found) in plan.views.iter().zip(out.chunks_exact(14 * 14 * 3)) {
            let scaled = resize(&image, plan.scales[view.scale], Interpolation::Bilinear);
            let part = crop_and_resize(&scaled, view.window, input, Interpolation::Bilinear);
            let mut expected = vec![0.0; found.len()];
            normalise.write(&part, Window::whole(input), Mirror::No, &mut expected);
            // A part that is resampled alone may be rounded otherwise by a byte.
            let alone = matches!(crops, Crops::One | Crops::Two);
            let most = if alone { 2.0 } else { 0.0 } / 255.0 / 0.22;
            for (a, b) in found.iter().zip(&expected) {
                assert!((a - b).abs() <= most, "{crops:?} {view:?} {a} {b}");
            }
        }
    }
}

#[test]
fn ten_crops_are_the_corners_and_the_middle() {
    let size = Size {
        width: 341,
        height: 256,
    };
    let plan = Crops::Ten.plan(&Preprocess::photograph(224, 224), size);
    let places: Vec<[isize; 2]> = plan
        .unwrap()
        .views
        .iter()
        .map(|v| [v.window.left, v.window.top])
        .collect();
    // torchvision's FiveCrop of 341×256: corners, then the middle.
    assert_eq!(places, [[0, 0], [117, 0], [0, 32], [117, 32], [58, 16]]);
}

#[test]
fn mirroring_exchanges_left_and_right_and_twice_is_nothing() {
    let image: Vec<f32> = (0..2 * 3 * 2).map(|i| i as f32).collect();
    let mut once = vec![0.0; 12];
    mirror_into(&image, 3, 2, &mut once);
    assert_eq!(
        once,
        [4.0, 5.0, 2.0, 3.0, 0.0, 1.0, 10.0, 11.0, 8.0, 9.0, 6.0, 7.0]
    );
    let mut twice = vec![0.0; 12];
    mirror_into(&once, 3, 2, &mut twice);
    assert_eq!(twice, image);
}

#[test]
fn squares_of_an_oblong_input_are_refused() {
    let preprocess = Preprocess::photograph(224, 200);
    let error = CropTransform::new(preprocess, Crops::Paper).unwrap_err();
    assert!(error.to_string().contains("found 200×224"), "{error}");
    assert_eq!(Crops::of_count(12), None);
}
