//! The tensors of an archive as a state dict.

use inception_nn::{Specs, StateTensor};
use inception_store::{Archive, StoreError};

/// Every tensor of `archive`, its name without `prefix`. The numbers of a tensor that the
/// model does not know are left out.
pub(super) fn tensors(
    archive: &Archive,
    specs: &Specs,
    prefix: &str,
) -> Result<Vec<StateTensor<f32>>, StoreError> {
    let tensor = |(key, entry): (&str, inception_store::Entry<'_>)| {
        let name = key.strip_prefix(prefix).unwrap_or(key);
        let known = specs.find(name).is_some();
        Ok(StateTensor {
            name: name.to_owned(),
            shape: if known { entry.shape.to_vec() } else { vec![0] },
            data: if known {
                archive.to_f32(key)?
            } else {
                Vec::new()
            },
        })
    };
    archive.iter().map(tensor).collect()
}
