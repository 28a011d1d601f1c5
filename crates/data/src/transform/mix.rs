//! Mixed images with mixed labels.

use crate::DataError;
use inception_tensor::{Shape, Stream, fnv1a};

const MIX: u64 = fnv1a(b"data.mix");

/// How the images of a batch are mixed, each with its neighbour in the batch.
///
/// A share λ is drawn from Beta(α, α) for each batch. Where both are asked for, one of the
/// two is drawn for each batch, evenly.
///
/// # Sources
/// Zhang et al. 2017, *mixup*; Yun et al. 2019, *CutMix*; torchvision's references
/// (`RandomMixUp`, `RandomCutMix`).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mix {
    /// α of mixup, which blends images: 0.2 is usual; 0 for none.
    pub mixup: f64,
    /// α of cutmix, which pastes a rectangle: 1 is usual; 0 for none.
    pub cutmix: f64,
}

/// What is done to one batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mixture {
    /// Nothing.
    None,
    /// Every number is `λ` times its own and `1 − λ` times the neighbour's.
    Blend {
        /// λ.
        keep: f64,
    },
    /// A rectangle comes from the neighbour.
    Paste {
        /// First row and the row after the last.
        rows: [usize; 2],
        /// First column and the column after the last.
        columns: [usize; 2],
        /// The share of the image that stays: λ.
        keep: f64,
    },
}

impl Mix {
    /// Whether batches stay as they are.
    pub fn is_none(&self) -> bool {
        self.mixup == 0.0 && self.cutmix == 0.0
    }

    /// Checks both α.
    ///
    /// # Errors
    /// When one is negative or no number.
    pub fn validate(&self) -> Result<(), DataError> {
        for (name, alpha) in [("mixup", self.mixup), ("cutmix", self.cutmix)] {
            if !(0.0..=100.0).contains(&alpha) {
                return Err(DataError::Usage(format!(
                    "{name}: expected a number between 0 and 100, found {alpha}"
                )));
            }
        }
        Ok(())
    }

    /// The mixture of batch `batch` of a run: a function of `seed` and `batch` alone.
    pub fn draw(&self, seed: u64, batch: u64, image: Shape) -> Mixture {
        if self.is_none() {
            return Mixture::None;
        }
        let mut stream = Stream::new(&[seed, MIX, batch]);
        let blend = match (self.mixup > 0.0, self.cutmix > 0.0) {
            (true, true) => stream.uniform() < 0.5,
            (blend, _) => blend,
        };
        if blend {
            let keep = beta(self.mixup, &mut stream);
            return Mixture::Blend { keep };
        }
        let keep = beta(self.cutmix, &mut stream);
        let half = 0.5 * (1.0 - keep).sqrt();
        let mut span = |side: usize| {
            let centre = stream.below(side as u64) as f64;
            let reach = (half * side as f64).trunc();
            let clip = |x: f64| x.clamp(0.0, side as f64) as usize;
            [clip(centre - reach), clip(centre + reach)]
        };
        let (columns, rows) = (span(image.w), span(image.h));
        let pasted = (rows[1] - rows[0]) * (columns[1] - columns[0]);
        Mixture::Paste {
            rows,
            columns,
            keep: 1.0 - pasted as f64 / (image.h * image.w) as f64,
        }
    }
}

/// Beta(α, α): the first of two gammas, as a share of both.
fn beta(alpha: f64, stream: &mut Stream) -> f64 {
    let (x, y) = (gamma(alpha, stream), gamma(alpha, stream));
    match x + y {
        // Both underflow for tiny α, where the distribution sits at 0 and 1.
        0.0 => f64::from(u8::from(stream.uniform() < 0.5)),
        sum => x / sum,
    }
}

/// Gamma(α, 1).
///
/// # Sources
/// Marsaglia and Tsang 2000, *A Simple Method for Generating Gamma Variables*.
fn gamma(alpha: f64, stream: &mut Stream) -> f64 {
    if alpha < 1.0 {
        let boost = (1.0 - stream.uniform()).powf(1.0 / alpha);
        return boost * gamma(alpha + 1.0, stream);
    }
    let d = alpha - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = stream.normal();
        let v = (1.0 + c * x).powi(3);
        let u = 1.0 - stream.uniform();
        if v > 0.0 && u.ln() < 0.5 * x * x + d * (1.0 - v + v.ln()) {
            return d * v;
        }
    }
}

impl Mixture {
    /// The share of each image, and of its label, that is its own.
    pub fn keep(&self) -> f64 {
        match *self {
            Self::None => 1.0,
            Self::Blend { keep } | Self::Paste { keep, .. } => keep,
        }
    }

    /// Mixes each of the `images` with the one before it, the first with the last.
    ///
    /// # Panics
    /// When `images` are no whole images of `shape` `[1, h, w, c]`.
    pub fn apply(&self, images: &mut [f32], shape: Shape) {
        let len = shape.h * shape.w * shape.c;
        assert!(images.len().is_multiple_of(len), "images of {shape}");
        if *self == Self::None || images.is_empty() {
            return;
        }
        let last = images[images.len() - len..].to_vec();
        for i in (0..images.len() / len).rev() {
            let (before, own) = images.split_at_mut(i * len);
            let other = match i {
                0 => &last,
                _ => &before[(i - 1) * len..],
            };
            self.mix(&mut own[..len], other, shape);
        }
    }

    fn mix(&self, own: &mut [f32], other: &[f32], shape: Shape) {
        match *self {
            Self::None => {}
            Self::Blend { keep } => {
                let (keep, rest) = (keep as f32, (1.0 - keep) as f32);
                for (x, &y) in own.iter_mut().zip(other) {
                    *x = keep * *x + rest * y;
                }
            }
            Self::Paste { rows, columns, .. } => {
                for row in rows[0]..rows[1] {
                    let from = (row * shape.w + columns[0]) * shape.c;
                    let len = (columns[1] - columns[0]) * shape.c;
                    own[from..][..len].copy_from_slice(&other[from..][..len]);
                }
            }
        }
    }

    /// Writes what each image's class should be: `labels` mixed as the images are, `classes`
    /// numbers a row.
    ///
    /// # Panics
    /// When a label is no class or `targets` has another length.
    pub fn targets(&self, labels: &[u32], classes: usize, targets: &mut [f32]) {
        assert_eq!(targets.len(), labels.len() * classes, "rows of {classes}");
        targets.fill(0.0);
        let keep = self.keep() as f32;
        for (i, row) in targets.chunks_exact_mut(classes).enumerate() {
            let other = labels[(i + labels.len() - 1) % labels.len()];
            row[labels[i] as usize] += keep;
            row[other as usize] += 1.0 - keep;
        }
    }
}
