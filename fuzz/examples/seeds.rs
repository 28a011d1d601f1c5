//! Writes the inputs that targets start from, into `seeds`.

use fuzz::build;
use inception_data::{Image, Preprocess, encode_png};
use inception_deploy::{LoadOptions, Weights};
use inception_nn::{Model, ModelOptions, WeightsMeta};
use inception_store::{ArchiveBuilder, Dtype};
use std::error::Error;
use std::fs;
use std::path::Path;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    safetensors()?;
    torch()?;
    graphs()?;
    data()?;
    pictures()
}

fn write(target: &str, name: &str, bytes: &[u8]) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("seeds")
        .join(target);
    fs::create_dir_all(&folder)?;
    Ok(fs::write(folder.join(name), bytes)?)
}

fn safetensors() -> Result<()> {
    let mut builder = ArchiveBuilder::new();
    builder.metadata("format", "pt")?;
    builder.metadata("note", "two\nlines, \"quotes\" and \u{e9}\u{1f980}")?;
    builder.f32(
        "conv.weight",
        &[2, 3],
        vec![1.0, -2.0, 0.5, 3.25, 0.0, -0.0],
    )?;
    builder.f64("loss", &[1], vec![0.125])?;
    builder.u64("step", &[], vec![41])?;
    builder.raw("half", Dtype::F16, &[2], vec![0, 0x3c, 0, 0xc0])?;
    builder.f32("empty", &[0, 7], Vec::new())?;
    write("safetensors", "plain", &builder.build()?)?;
    write("safetensors", "sealed", &builder.seal()?)?;
    write("safetensors", "empty", &ArchiveBuilder::new().build()?)?;
    write("checkpoint", "sealed", &builder.seal()?)?;
    let options = ModelOptions {
        classes: Some(2),
        ..ModelOptions::default()
    };
    let model = Model::build("inception-small", &options)?;
    let mut meta = WeightsMeta::of(&model);
    meta.class_names = vec!["left".into(), "right".into()];
    let [_, height, width] = meta.input;
    let mut preprocess = Preprocess::photograph(height, width);
    preprocess.input = meta.input;
    let channels = meta.input[0];
    preprocess.mean = vec![0.5; channels];
    preprocess.std = vec![0.25; channels];
    meta.preprocess = preprocess.to_map();
    let mut builder = ArchiveBuilder::new();
    for (key, value) in meta.to_map() {
        builder.metadata(key, value)?;
    }
    builder.f32("w", &[1], vec![1.0])?;
    write("checkpoint", "weights", &builder.seal()?)?;
    write("checkpoint", "unsealed", &builder.build()?)
}

fn torch() -> Result<()> {
    let fixture = |name: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/formats/tests/fixtures");
        fs::read(folder.join(name))
    };
    write("pickle", "tensor", &build::pickle())?;
    write("zip", "small", &build::pth(&build::pickle())[2..])?;
    for name in ["complex.pth", "meta.pth", "sparse.pth"] {
        write("zip", name, &fixture(name)?[2..])?;
    }
    write("legacy", "state", &fixture("state_legacy.pth")?[1..])
}

fn graphs() -> Result<()> {
    write("onnx", "settings", &build::graph())?;
    let classifier = build::classifier();
    let path = fuzz::folder().join("x.onnx");
    fs::write(&path, &classifier)?;
    Weights::load(&path, &LoadOptions::default())?;
    fs::remove_dir_all(fuzz::folder())?;
    write("graph", "classifier", &classifier)?;
    write("graph", "settings", &build::graph())?;
    write("caffe", "net", &build::net())?;
    let places = [
        ("inside", "w", "0"),
        ("deeper", "d/w", "4"),
        ("outside", "../w", "0"),
        ("other", "../m2/w", "0"),
        ("link", "l", "0"),
        ("parent", "p/w", "0"),
        ("hard", "h", "0"),
        ("absent", "n", "0"),
    ];
    for (name, location, offset) in places {
        let entries = [
            ("location", location),
            ("offset", offset),
            ("length", "16"),
            ("checksum", "0"),
        ];
        let entries = entries.map(|(key, value)| build::external_entry(key, value));
        write("external", name, &entries.concat())?;
    }
    Ok(())
}

fn data() -> Result<()> {
    let mut shard = tar::Builder::new(Vec::new());
    let long = format!("{}/b.jpg", "long".repeat(40));
    let picture = encode_png(&picture())?;
    let members: [(&str, &[u8]); 4] = [
        ("a.png", &picture),
        ("a.cls", b"1"),
        (&long, b"no picture"),
        (&long.replace(".jpg", ".json"), b"{\"label\": 0}"),
    ];
    for (name, content) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        shard.append_data(&mut header, name, content)?;
    }
    write("tar", "gnu", &shard.into_inner()?)?;
    let mut shard = tar::Builder::new(Vec::new());
    shard.append_pax_extensions([("path", b"p/c.png".as_slice()), ("size", b"3")])?;
    let mut header = tar::Header::new_ustar();
    header.set_size(3);
    shard.append_data(&mut header, "x", b"abc".as_slice())?;
    let mut header = tar::Header::new_ustar();
    header.set_size(1);
    shard.append_data(&mut header, "p/c.cls", b"0".as_slice())?;
    write("tar", "pax", &shard.into_inner()?)?;
    let images = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 1, 1, 2, 3, 4];
    let labels = [0, 0, 8, 1, 0, 0, 0, 2, 9, 0];
    let both = [&(images.len() as u16).to_le_bytes()[..], &images, &labels].concat();
    write("idx", "plain", &both)?;
    // A member of gzip that is stored, of the same pictures.
    let mut packed = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x01".to_vec();
    packed.extend((images.len() as u16).to_le_bytes());
    packed.extend((!(images.len() as u16)).to_le_bytes());
    packed.extend(images);
    packed.extend(crc32fast::hash(&images).to_le_bytes());
    packed.extend((images.len() as u32).to_le_bytes());
    let both = [&(packed.len() as u16).to_le_bytes()[..], &packed, &labels].concat();
    write("idx", "packed", &both)?;
    write("cifar", "ten", &[2 << 1, 9, 0])?;
    write("cifar", "hundred", &[2 << 1 | 1, 19, 99, 0, 0])
}

/// A small picture of 16 by 8 pixels.
fn picture() -> Image {
    Image {
        width: 16,
        height: 8,
        channels: 3,
        pixels: (0..16 * 8 * 3).map(|i| (i * 37 % 251) as u8).collect(),
    }
}

fn pictures() -> Result<()> {
    let picture = picture();
    let jpeg = |progressive: bool| -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 80);
        encoder.set_progressive(progressive);
        encoder.encode(&picture.pixels, 16, 8, jpeg_encoder::ColorType::Rgb)?;
        Ok(bytes)
    };
    write("jpeg", "plain", &jpeg(false)?)?;
    write("jpeg", "progressive", &jpeg(true)?)?;
    let png = encode_png(&picture)?;
    write("png", "colour", &png)?;
    let grey = Image {
        channels: 1,
        pixels: picture.pixels[..128].to_vec(),
        ..picture.clone()
    };
    write("png", "grey", &encode_png(&grey)?)?;
    let mut webp = Vec::new();
    let encoder = image::codecs::webp::WebPEncoder::new_lossless(&mut webp);
    encoder.encode(&picture.pixels, 16, 8, image::ExtendedColorType::Rgb8)?;
    write("webp", "lossless", &webp)?;
    let mut tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0".to_vec();
    tiff.extend([0; 6]);
    write("exif", "turned", &tiff)?;
    let big = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x03\0\0\0\0\0\0";
    write("exif", "motorola", big)
}
