//! What is written reads back equal, here and in the `safetensors` crate.

use crate::common::{read, sample};
use inception_store::{ArchiveBuilder, Dtype, StoreError};
use proptest::prelude::*;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype as RefDtype, TensorView, serialize};
use std::collections::BTreeMap;

/// The type of the `safetensors` crate with the same name.
fn reference_dtype(dtype: Dtype) -> RefDtype {
    match dtype {
        Dtype::Bool => RefDtype::BOOL,
        Dtype::U8 => RefDtype::U8,
        Dtype::I8 => RefDtype::I8,
        Dtype::I16 => RefDtype::I16,
        Dtype::U16 => RefDtype::U16,
        Dtype::F16 => RefDtype::F16,
        Dtype::Bf16 => RefDtype::BF16,
        Dtype::I32 => RefDtype::I32,
        Dtype::U32 => RefDtype::U32,
        Dtype::F32 => RefDtype::F32,
        Dtype::F64 => RefDtype::F64,
        Dtype::I64 => RefDtype::I64,
        Dtype::U64 => RefDtype::U64,
    }
}

#[derive(Clone, Debug)]
struct Array {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

fn array() -> impl Strategy<Value = Array> {
    let dtype = prop::sample::select(Dtype::ALL);
    let shape = prop::collection::vec(0_usize..5, 0..4);
    (dtype, shape, any::<u64>()).prop_map(|(dtype, shape, seed)| {
        let len = dtype.size() * shape.iter().product::<usize>();
        let mut stream = inception_tensor::Stream::new(&[seed]);
        let bytes = (0..len).map(|_| stream.next_u64() as u8).collect();
        Array {
            dtype,
            shape,
            bytes,
        }
    })
}

fn contents() -> impl Strategy<Value = (BTreeMap<String, Array>, BTreeMap<String, String>)> {
    let name = "[a-z.\"\\\\\n\u{0}-\u{1f}\u{7f}é🦀]{0,6}";
    (
        prop::collection::btree_map(name, array(), 0..6),
        prop::collection::btree_map(name, any::<String>(), 0..3),
    )
}

proptest! {
    #[test]
    fn an_archive_reads_back_equal_here_and_in_the_reference_crate(
        (tensors, metadata) in contents(),
    ) {
        let mut builder = ArchiveBuilder::new();
        for (name, Array { dtype, shape, bytes }) in tensors.iter().rev() {
            builder.raw(name, *dtype, shape, bytes).unwrap();
        }
        for (key, value) in &metadata {
            builder.metadata(key, value).unwrap();
        }
        let sealed = builder.seal().unwrap();
        for bytes in [builder.build().unwrap(), sealed.clone()] {
            let archive = read(&bytes).unwrap();
            let reference = SafeTensors::deserialize(&bytes).unwrap();
            prop_assert_eq!(archive.metadata(), &metadata);
            prop_assert!(archive.names().eq(tensors.keys()));
            prop_assert_eq!(reference.len(), tensors.len());
            for (name, array) in &tensors {
                let ours = archive.tensor(name).unwrap();
                prop_assert_eq!(ours.dtype, array.dtype);
                prop_assert_eq!(ours.shape, &array.shape);
                prop_assert_eq!(ours.bytes, &array.bytes);
                let theirs = reference.tensor(name).unwrap();
                prop_assert_eq!(theirs.dtype(), reference_dtype(array.dtype));
                prop_assert_eq!(theirs.shape(), &array.shape);
                prop_assert_eq!(theirs.data(), &array.bytes);
            }
        }
        read(&sealed).unwrap().verify().unwrap();
    }

    #[test]
    fn a_file_without_metadata_is_the_reference_crates_byte_for_byte((tensors, _) in contents()) {
        let mut builder = ArchiveBuilder::new();
        for (name, Array { dtype, shape, bytes }) in &tensors {
            builder.raw(name, *dtype, shape, bytes).unwrap();
        }
        let views = tensors.iter().map(|(name, a)| {
            let dtype = reference_dtype(a.dtype);
            (name, TensorView::new(dtype, a.shape.clone(), &a.bytes).unwrap())
        });
        prop_assert_eq!(builder.build().unwrap(), serialize(views, None).unwrap());
    }

    #[test]
    fn every_file_of_the_reference_crate_is_read((tensors, metadata) in contents()) {
        let views = tensors.iter().map(|(name, a)| {
            let dtype = reference_dtype(a.dtype);
            (name, TensorView::new(dtype, a.shape.clone(), &a.bytes).unwrap())
        });
        // With no tensor and an empty map, safetensors 0.8.0 writes `{},"__metadata__":{}`,
        // which it cannot read either.
        let info = (!metadata.is_empty()).then(|| metadata.clone().into_iter().collect());
        let archive = read(&serialize(views, info).unwrap()).unwrap();
        prop_assert_eq!(archive.metadata(), &metadata);
        for (name, array) in &tensors {
            prop_assert_eq!(archive.tensor(name).unwrap().bytes, &array.bytes);
        }
    }
}

#[test]
fn each_tensor_begins_at_a_multiple_of_its_element_size() {
    let bytes = sample().seal().unwrap();
    let archive = read(&bytes).unwrap();
    for (name, entry) in archive.iter() {
        let at = entry.bytes.as_ptr() as usize - archive.bytes().as_ptr() as usize;
        assert_eq!(at % entry.dtype.size(), 0, "{name}");
    }
}

#[test]
fn numbers_convert_from_every_type_that_holds_them() {
    let mut builder = ArchiveBuilder::new();
    let le = |values: &[u16]| {
        values
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect::<Vec<u8>>()
    };
    builder.f32("f32", &[2], vec![0.1, f32::MAX]).unwrap();
    builder.f64("f64", &[2], vec![0.1, f64::INFINITY]).unwrap();
    builder
        .raw("f16", Dtype::F16, &[3], le(&[0x3C00, 0xFBFF, 0x0001]))
        .unwrap();
    builder
        .raw("bf16", Dtype::Bf16, &[2], le(&[0x3F80, 0xC040]))
        .unwrap();
    builder.u64("u64", &[1], vec![u64::MAX]).unwrap();
    builder.u8("u8", &[2], vec![0, 255]).unwrap();
    builder.raw("i8", Dtype::I8, &[1], vec![0x80]).unwrap();
    builder.raw("i16", Dtype::I16, &[1], le(&[0xFFFE])).unwrap();
    builder.raw("u16", Dtype::U16, &[1], le(&[0xFFFE])).unwrap();
    builder
        .raw("i32", Dtype::I32, &[1], (-7_i32).to_le_bytes().to_vec())
        .unwrap();
    builder
        .raw("u32", Dtype::U32, &[1], u32::MAX.to_le_bytes().to_vec())
        .unwrap();
    builder
        .raw("i64", Dtype::I64, &[], i64::MIN.to_le_bytes().to_vec())
        .unwrap();
    let archive = read(&builder.build().unwrap()).unwrap();
    assert_eq!(archive.to_f32("f32").unwrap(), [0.1, f32::MAX]);
    assert_eq!(archive.to_f32("f64").unwrap(), [0.1, f32::INFINITY]);
    assert_eq!(
        archive.to_f32("f16").unwrap(),
        [1.0, -65504.0, 2.0_f32.powi(-24)]
    );
    assert_eq!(archive.to_f32("bf16").unwrap(), [1.0, -3.0]);
    assert_eq!(
        archive.to_f64("f32").unwrap(),
        [f64::from(0.1_f32), f64::from(f32::MAX)]
    );
    assert_eq!(archive.to_f64("bf16").unwrap(), [1.0, -3.0]);
    assert_eq!(archive.to_u64("u64").unwrap(), [u64::MAX]);
    assert_eq!(archive.to_u64("u32").unwrap(), [u64::from(u32::MAX)]);
    assert_eq!(archive.to_u64("u16").unwrap(), [0xFFFE]);
    assert_eq!(archive.to_u64("u8").unwrap(), [0, 255]);
    assert_eq!(archive.to_u8("u8").unwrap(), [0, 255]);
    assert_eq!(archive.to_i64("i8").unwrap(), [-128]);
    assert_eq!(archive.to_i64("i16").unwrap(), [-2]);
    assert_eq!(archive.to_i64("i32").unwrap(), [-7]);
    assert_eq!(archive.to_i64("i64").unwrap(), [i64::MIN]);
    for refused in [
        archive.to_f32("u8").map(drop),
        archive.to_f64("i64").map(drop),
        archive.to_u64("i8").map(drop),
        archive.to_i64("u64").map(drop),
        archive.to_u8("i8").map(drop),
    ] {
        let text = refused.unwrap_err().to_string();
        assert!(
            text.contains("expected") && text.contains("found"),
            "{text}"
        );
    }
}

#[test]
fn the_builder_refuses_what_could_not_be_read_back() {
    let mut builder = sample();
    let refused = [
        builder.f32("step", &[], vec![0.0]).map(drop),
        builder.f32("__metadata__", &[], vec![0.0]).map(drop),
        builder.f32("x", &[2], vec![0.0]).map(drop),
        builder.f32("x", &[usize::MAX, 2], vec![0.0]).map(drop),
        builder.f32("x", &[1; 9], vec![0.0]).map(drop),
        builder.f32("x".repeat(1025), &[], vec![0.0]).map(drop),
        builder.metadata("format", "tf").map(drop),
        builder.metadata("inception.seal", "").map(drop),
        builder.metadata("inception.seal:step", "").map(drop),
    ];
    for result in refused {
        let error = result.unwrap_err();
        assert!(matches!(error, StoreError::Usage { .. }), "{error}");
        assert_eq!(error.exit_code(), 2);
    }
    assert_eq!(builder.build().unwrap(), sample().build().unwrap());
}
