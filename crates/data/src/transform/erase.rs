//! Random erasing.

use super::Window;
use crate::DataError;
use inception_tensor::{Shape, Stream};

/// Takes a rectangle out of the network's input: its numbers become 0, the mean.
///
/// # Sources
/// Zhong et al. 2017, *Random Erasing Data Augmentation*;
/// `torchvision.transforms.RandomErasing`, whose ranges these are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RandomErasing {
    /// How often: half the time.
    pub probability: f64,
    /// Least and largest share of the area: 2 % to 33 %.
    pub area: [f64; 2],
    /// Least and largest height over width, drawn on a logarithmic scale: 0.3 to 3.3.
    pub aspect: [f64; 2],
}

impl Default for RandomErasing {
    fn default() -> Self {
        Self {
            probability: 0.5,
            area: [0.02, 0.33],
            aspect: [0.3, 3.3],
        }
    }
}

impl RandomErasing {
    /// Checks the probability.
    ///
    /// # Errors
    /// When it is none.
    pub fn validate(&self) -> Result<(), DataError> {
        match self.probability {
            p if (0.0..=1.0).contains(&p) => Ok(()),
            p => Err(DataError::Usage(format!(
                "augmentation: erase is between 0 and 1, found {p}"
            ))),
        }
    }

    /// Draws the rectangle of an image of `h`×`w`; `None` where nothing is erased: most of
    /// the time by chance, and when ten rectangles in a row did not fit.
    pub fn draw(&self, h: usize, w: usize, stream: &mut Stream) -> Option<Window> {
        if stream.uniform() >= self.probability {
            return None;
        }
        let [low, high] = self.aspect.map(f64::ln);
        for _ in 0..10 {
            let area = (h * w) as f64 * stream.range(self.area[0], self.area[1]);
            let aspect = stream.range(low, high).exp();
            let height = (area * aspect).sqrt().round_ties_even() as usize;
            let width = (area / aspect).sqrt().round_ties_even() as usize;
            if height < h && width < w {
                return Some(Window {
                    left: stream.below((w - width + 1) as u64) as isize,
                    top: stream.below((h - height + 1) as u64) as isize,
                    width,
                    height,
                });
            }
        }
        None
    }

    /// Draws a rectangle and erases it from `image`, channels-last numbers of `shape`.
    pub(super) fn apply(&self, image: &mut [f32], shape: Shape, stream: &mut Stream) {
        let Some(window) = self.draw(shape.h, shape.w, stream) else {
            return;
        };
        for y in 0..window.height {
            let at = (window.top as usize + y) * shape.w + window.left as usize;
            image[at * shape.c..][..window.width * shape.c].fill(0.0);
        }
    }
}
