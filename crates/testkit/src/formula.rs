//! Weights, inputs, labels and sample positions as a function of a name.
//!
//! `golden/formula.py` computes the same bits, so a fixture stores results only. The stream
//! of a name is `Stream::new(&[SEED, fnv1a(name)])`; with `u` its element `i` in `[0, 1)`
//! and `v = 2u − 1`, both exact in `f32`, and `i` counting in the row-major order of
//! PyTorch's layout (NCHW, OIHW, `[out, in]`):
//!
//! | what | formula | stream |
//! |---|---|---|
//! | input, probe | `v` | `input`, `probe` |
//! | label | `at(i) mod classes` | `labels` |
//! | sample position | `at(j) mod numel` | `sample/` + the tensor's name |
//! | weight of rank ≥ 2 | `v · f32(√(gain / fan_in))`, `fan_in` = product of all extents but the first | its state-dict key |
//! | batch norm's weight | `1 + 0.25 v` | its key |
//! | bias, running mean | `0.1 v` | its key |
//! | running variance | `0.5 + u` | its key |

use inception_tensor::{Stream, fnv1a};

/// The seed of every stream of the fixtures.
pub const SEED: u64 = 0;

/// How many elements a fixture keeps of a tensor that it does not keep whole.
pub const SAMPLES: usize = 32;

/// The `gain` of networks with ReLU: weights keep the second moment of activations.
pub const GAIN_RELU: f64 = 6.0;

/// The `gain` of networks without activations, and of single operators.
pub const GAIN_LINEAR: f64 = 3.0;

/// What a parameter or buffer is, and so how its numbers are spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A weight of a convolution or a linear layer: uniform within `√(gain / fan_in)`.
    Weight {
        /// [`GAIN_RELU`] or [`GAIN_LINEAR`].
        gain: f64,
    },
    /// The weight (γ) of a normalisation: within a quarter of 1.
    Scale,
    /// A bias, of whatever layer: within 0.1.
    Bias,
    /// A running mean: within 0.1.
    RunningMean,
    /// A running variance: from 0.5 to 1.5.
    RunningVar,
}

impl Kind {
    /// The kind that a state-dict key and a rank imply; `gain` is for weights.
    ///
    /// # Panics
    /// When the key's last part is none of `weight`, `bias`, `running_mean`, `running_var`.
    pub fn of(name: &str, shape: &[usize], gain: f64) -> Self {
        match name.rsplit('.').next() {
            Some("weight") if shape.len() >= 2 => Self::Weight { gain },
            Some("weight") => Self::Scale,
            Some("bias") => Self::Bias,
            Some("running_mean") => Self::RunningMean,
            Some("running_var") => Self::RunningVar,
            _ => panic!("no formula for a parameter called {name}"),
        }
    }
}

fn stream(name: &str) -> Stream {
    Stream::new(&[SEED, fnv1a(name.as_bytes())])
}

/// Applies `f` to the first `count` uniform numbers of the stream called `name`.
fn map_uniform(name: &str, count: usize, f: impl Fn(f32) -> f32) -> Vec<f32> {
    let stream = stream(name);
    (0..count as u64).map(|i| f(stream.uniform_at(i))).collect()
}

/// `2u − 1`, exact because `u` has 24 bits.
fn signed(u: f32) -> f32 {
    2.0 * u - 1.0
}

/// Numbers in `[-1, 1)` from the stream called `name`.
pub fn signed_values(name: &str, count: usize) -> Vec<f32> {
    map_uniform(name, count, signed)
}

/// A network's input of `shape`, in NCHW order.
pub fn input(shape: &[usize]) -> Vec<f32> {
    signed_values("input", shape.iter().product())
}

/// The numbers `R` of the scalar loss `Σ output · R`, in PyTorch's order of the output.
pub fn probe(shape: &[usize]) -> Vec<f32> {
    signed_values("probe", shape.iter().product())
}

/// The classes of `count` images.
///
/// # Panics
/// When `classes` is 0.
pub fn labels(count: usize, classes: usize) -> Vec<usize> {
    let stream = stream("labels");
    (0..count as u64)
        .map(|i| (stream.at(i) % classes as u64) as usize)
        .collect()
}

/// The parameter or buffer whose state-dict key is `name`, in PyTorch's layout.
///
/// # Panics
/// When a weight's `shape` is empty or has no input.
///
/// # Examples
/// ```
/// use inception_testkit::formula::{GAIN_RELU, Kind, parameter};
///
/// let (name, shape) = ("conv1.conv.weight", [64, 3, 7, 7]);
/// let weight = parameter(name, &shape, Kind::of(name, &shape, GAIN_RELU));
/// assert_eq!(weight.len(), 64 * 3 * 7 * 7);
/// assert!(weight.iter().all(|w| w.abs() <= (6.0f32 / 147.0).sqrt()));
/// ```
pub fn parameter(name: &str, shape: &[usize], kind: Kind) -> Vec<f32> {
    let count = shape.iter().product();
    match kind {
        Kind::Weight { gain } => {
            let fan_in: usize = shape[1..].iter().product();
            assert!(fan_in > 0, "{name} of shape {shape:?} has no input");
            let bound = (gain / fan_in as f64).sqrt() as f32;
            map_uniform(name, count, |u| signed(u) * bound)
        }
        Kind::Scale => map_uniform(name, count, |u| 1.0 + 0.25 * signed(u)),
        Kind::Bias | Kind::RunningMean => map_uniform(name, count, |u| 0.1 * signed(u)),
        Kind::RunningVar => map_uniform(name, count, |u| 0.5 + u),
    }
}

/// Which elements of the tensor called `name` a fixture keeps as samples.
///
/// # Panics
/// When `numel` is 0.
pub fn sample_positions(name: &str, numel: usize) -> [usize; SAMPLES] {
    let stream = stream(&format!("sample/{name}"));
    std::array::from_fn(|j| (stream.at(j as u64) % numel as u64) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    // The expected numbers are what `python3 golden/formula.py` prints.

    fn assert_bits(name: &str, shape: &[usize], expected: &[u32]) {
        let values = parameter(name, shape, Kind::of(name, shape, GAIN_RELU));
        let bits: Vec<u32> = values.iter().map(|v| v.to_bits()).collect();
        assert_eq!(bits, expected, "{name}");
    }

    #[test]
    fn the_streams_are_those_of_the_script() {
        let stream = stream("input");
        let expected = [
            0xa2c4_66f5_9f7f_edb2,
            0x50d2_da0c_143e_034d,
            0x6079_595f_a7c5_f478,
        ];
        assert_eq!([stream.at(0), stream.at(1), stream.at(2)], expected);
        assert_eq!(labels(8, 7), [0, 3, 4, 5, 2, 5, 3, 2]);
        assert_eq!(
            sample_positions("fc.weight", 1000)[..8],
            [56, 781, 957, 119, 351, 272, 139, 873]
        );
    }

    #[test]
    fn inputs_and_probes_are_those_of_the_script() {
        let expected = [0.271_618_6, -0.368_565_32, -0.246_296_76, -0.637_793_66];
        assert_eq!(input(&[1, 2, 1, 2]), expected);
        let expected = [0.209_235_79, 0.677_130_8, -0.290_308_48, 0.760_814_8];
        assert_eq!(probe(&[4]), expected);
    }

    #[test]
    fn weights_are_those_of_the_script_bit_for_bit() {
        assert_bits(
            "conv1.conv.weight",
            &[2, 3, 1, 1],
            &[
                0xbe97_7e6b,
                0x3f6b_13a9,
                0xbfae_3291,
                0x3ede_e9e1,
                0xbeaa_c94c,
                0x3f1a_d314,
            ],
        );
        assert_bits(
            "fc.weight",
            &[2, 3],
            &[
                0xbe5a_0067,
                0xbf4b_7075,
                0xbf1d_048c,
                0x3f8e_8958,
                0xbee9_3d28,
                0xbf91_9ca6,
            ],
        );
    }

    #[test]
    fn vectors_are_those_of_the_script_bit_for_bit() {
        assert_bits(
            "conv1.bn.weight",
            &[3],
            &[0x3f5a_420e, 0x3f92_f3c0, 0x3f80_e76c],
        );
        assert_bits("fc.bias", &[3], &[0xbdac_b637, 0x3d36_f2ea, 0xbd9f_3c53]);
        assert_bits(
            "conv1.bn.running_mean",
            &[3],
            &[0xbd9a_d135, 0xbdbd_2f9f, 0x3d30_5563],
        );
        assert_bits(
            "conv1.bn.running_var",
            &[3],
            &[0x3f2a_e6c2, 0x3f86_461b, 0x3f7d_3c85],
        );
    }

    #[test]
    #[should_panic(expected = "no formula for a parameter called conv1.bn.num_batches_tracked")]
    fn a_key_of_no_known_kind_is_refused() {
        Kind::of("conv1.bn.num_batches_tracked", &[], GAIN_RELU);
    }
}
