//! Weights of Caffe: blobs of layers, in both forms of the format.
//!
//! # Sources
//! `caffe.proto` of <https://github.com/BVLC/caffe>: `NetParameter`, `V1LayerParameter`,
//! `LayerParameter`, `BlobProto`, `BlobShape`.

use crate::error::{Flaw, quoted};
use crate::wire::Message;

/// Fields of `NetParameter`: its name, layers of the old form, layers of the new.
const NET_NAME: u64 = 1;
const NET_LAYERS: u64 = 2;
const NET_LAYER: u64 = 100;
/// Name and blobs of a layer of either form.
const NAME: [u64; 2] = [4, 1];
const BLOBS: [u64; 2] = [6, 7];
/// Fields of `BlobProto`: four extents of the old form, numbers, shape.
const BLOB_EXTENTS: std::ops::RangeInclusive<u64> = 1..=4;
const BLOB_DATA: u64 = 5;
const BLOB_SHAPE: u64 = 7;
const BLOB_DOUBLE_DATA: u64 = 8;
/// Most layers with blobs, and blobs of a layer.
const MAX_LAYERS: usize = 65_536;
const MAX_BLOBS: usize = 4;

/// A blob of single precision.
#[derive(Debug)]
pub(crate) struct Blob {
    /// `conv1/7x7_s2.weight`: the layer, and what the blob is by its place.
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) bytes: Vec<u8>,
}

/// Whether a file that begins with `head` may be one of Caffe.
pub(crate) fn is_likely(head: &[u8]) -> bool {
    // The name, or an old layer without one.
    matches!(head.first(), Some(0x0A | 0x12)) || head.starts_with(&[0xA2, 0x06])
}

/// Reads the blobs of all layers.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<Blob>, Flaw> {
    let mut net = Message::new("NetParameter", bytes);
    let (mut blobs, mut layers) = (Vec::new(), 0_usize);
    while let Some(field) = net.next()? {
        let form = match field.number {
            NET_LAYERS => 0,
            NET_LAYER => 1,
            NET_NAME => {
                field.text()?;
                continue;
            }
            _ => continue,
        };
        layers = layers.saturating_add(1);
        if layers > MAX_LAYERS {
            return Err(Flaw::limit("layers", MAX_LAYERS as u64, layers as u64));
        }
        layer(field.message("LayerParameter")?, form, &mut blobs)?;
    }
    if blobs.is_empty() {
        return Err(Flaw::new(
            "layers with weights",
            format!("{layers} layers without any"),
        ));
    }
    Ok(blobs)
}

fn layer(mut message: Message<'_>, form: usize, blobs: &mut Vec<Blob>) -> Result<(), Flaw> {
    let [name_field, blob_field] = [NAME, BLOBS].map(|f| f.get(form).copied().unwrap_or(0));
    let (mut name, mut found) = ("", Vec::new());
    while let Some(field) = message.next()? {
        if field.number == name_field {
            name = field.text()?;
        } else if field.number == blob_field {
            found.push(field);
            if found.len() > MAX_BLOBS {
                return Err(Flaw::limit(
                    "blobs of a layer",
                    MAX_BLOBS as u64,
                    found.len() as u64,
                ));
            }
        }
    }
    for (field, suffix) in found.iter().zip(["weight", "bias", "2", "3"]) {
        let about = |e: Flaw| e.of(format!("blob {suffix} of layer {}", quoted(name)));
        let (shape, bytes) = blob(field.message("BlobProto")?).map_err(about)?;
        blobs.push(Blob {
            name: format!("{name}.{suffix}"),
            shape,
            bytes,
        });
    }
    Ok(())
}

fn blob(mut message: Message<'_>) -> Result<(Vec<usize>, Vec<u8>), Flaw> {
    let (mut old, mut dims) = ([None; 4], None::<Vec<i64>>);
    let (mut bytes, mut doubles) = (Vec::new(), Vec::new());
    while let Some(field) = message.next()? {
        match field.number {
            BLOB_DATA => field.fixed::<4>(&mut bytes)?,
            BLOB_DOUBLE_DATA => field.fixed::<8>(&mut doubles)?,
            BLOB_SHAPE => {
                let mut shape = field.message("BlobShape")?;
                let dims = dims.get_or_insert_default();
                while let Some(field) = shape.next()? {
                    if field.number == 1 && dims.len() <= 8 {
                        field.ints(dims)?;
                    }
                }
            }
            n if BLOB_EXTENTS.contains(&n) => {
                let place = usize::try_from(n.saturating_sub(1)).unwrap_or(0);
                if let Some(slot) = old.get_mut(place) {
                    *slot = Some(field.int()?);
                }
            }
            _ => {}
        }
    }
    for double in doubles.as_chunks().0 {
        bytes.extend((f64::from_le_bytes(*double) as f32).to_le_bytes());
    }
    let dims = dims.unwrap_or_else(|| old.into_iter().flatten().collect());
    let extents = dims.iter().map(|&d| usize::try_from(d).ok());
    let shape: Option<Vec<usize>> = extents.collect();
    let shape = shape.filter(|shape| shape.len() <= 8);
    let len = shape.as_ref().and_then(|shape| {
        shape
            .iter()
            .try_fold(4_usize, |n, &d| n.checked_mul(d.max(1)))
    });
    match (shape, len) {
        (Some(shape), Some(len)) if len == bytes.len() && !shape.contains(&0) => Ok((shape, bytes)),
        _ => {
            let expected = format!("numbers for the extents {dims:?}");
            Err(Flaw::new(expected, format!("{} bytes", bytes.len())))
        }
    }
}
