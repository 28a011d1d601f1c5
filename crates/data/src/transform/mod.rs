//! From a decoded picture to the numbers that a network reads.

mod affine;
mod augment;
mod color;
mod crops;
mod erase;
mod metadata;
mod mix;
#[cfg(test)]
mod naive;
mod names;
mod normalise;
mod pipeline;
mod policy;
mod preprocess;
mod resize;
#[cfg(test)]
mod tests;
mod tone;

pub use augment::{Augment, Cut, PadCrop, RandomCrop, ResizedCrop};
pub use color::{ColorJitter, ColorStep};
pub use crops::{CropPlan, CropTransform, Crops, View, mirror_into};
pub use erase::RandomErasing;
pub use mix::{Mix, Mixture};
pub use normalise::{Mirror, Normalise};
pub use pipeline::{Pipeline, Transform};
pub use policy::{Operation, Policy};
pub use preprocess::{IMAGENET_MEAN, IMAGENET_STD, Placement, Preprocess, ResizeSpec};
pub use resize::{Interpolation, Size, crop_and_resize, resize, resize_window};

/// A rectangle of pixels; it may reach beyond a picture, where everything is black.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// Columns left of it; negative when it begins left of the picture.
    pub left: isize,
    /// Rows above it; negative when it begins above the picture.
    pub top: isize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Window {
    /// The whole of a picture of `size`.
    pub fn whole(size: Size) -> Self {
        Self {
            left: 0,
            top: 0,
            width: size.width,
            height: size.height,
        }
    }

    /// The middle `inner` of a picture of `outer`. Where a margin is odd, the larger half is
    /// the one that makes the offset even, as `torchvision`'s `center_crop` rounds.
    pub fn centre(outer: Size, inner: Size) -> Self {
        Self {
            left: half(outer.width as isize - inner.width as isize),
            top: half(outer.height as isize - inner.height as isize),
            width: inner.width,
            height: inner.height,
        }
    }

    /// Whether no pixel lies outside of a picture of `size`.
    pub fn is_inside(&self, size: Size) -> bool {
        let fits = |start: isize, len: usize, extent: usize| {
            usize::try_from(start).is_ok_and(|s| s + len <= extent)
        };
        fits(self.left, self.width, size.width) && fits(self.top, self.height, size.height)
    }
}

/// `margin / 2`, a half rounded to even.
fn half(margin: isize) -> isize {
    let floor = margin.div_euclid(2);
    floor + (margin.rem_euclid(2) & floor.rem_euclid(2))
}
