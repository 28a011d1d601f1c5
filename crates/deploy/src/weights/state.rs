//! The tensors of an archive as a state dict.

use super::{Naming, caffe};
use inception_nn::{Specs, StateTensor};
use inception_store::{Archive, StoreError};

/// Every tensor of `archive` under the key of a model. The numbers of a tensor that the
/// model does not know are left out.
pub(super) fn tensors(
    archive: &Archive,
    specs: &Specs,
    naming: Naming,
) -> Result<Vec<StateTensor<f32>>, StoreError> {
    let tensor = |(key, entry): (&str, inception_store::Entry<'_>)| {
        let name = match naming {
            Naming::Prefix(prefix) => key.strip_prefix(prefix).unwrap_or(key).to_owned(),
            Naming::Caffe => caffe::key(key),
        };
        let Some(id) = specs.find(&name) else {
            return Ok(StateTensor {
                name,
                shape: vec![0],
                data: Vec::new(),
            });
        };
        let mut tensor = StateTensor {
            name,
            shape: entry.shape.to_vec(),
            data: archive.to_f32(key)?,
        };
        if let Naming::Caffe = naming {
            caffe::adapt(&mut tensor, &specs.get(id).torch_shape());
        }
        Ok(tensor)
    };
    archive.iter().map(tensor).collect()
}
