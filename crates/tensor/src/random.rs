//! Random numbers as a function of a key and a counter.

/// The odd number nearest to 2⁶⁴ divided by the golden ratio: SplitMix64's increment.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// SplitMix64's output function: a bijection of `u64` that mixes every bit.
#[inline]
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The 64-bit FNV-1a hash of `bytes`: turns a name into a key for [`Stream::new`].
pub const fn fnv1a(bytes: &[u8]) -> u64 {
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(0x0000_0100_0000_01B3);
        i += 1;
    }
    hash
}

/// An endless sequence of random numbers that a key names: the same key gives the same
/// numbers on any thread, in any order, after any interruption.
///
/// Element `i` of the stream with state `s` is `mix(s + (i + 1)·φ)`, SplitMix64 read at
/// random places; the state is the key's words folded by the same mixer. A draw moves the
/// counter; [`Stream::at`] reads any element without moving it.
///
/// # Examples
/// ```
/// use inception_tensor::Stream;
///
/// let (seed, step, item) = (0, 12, 345);
/// let mut a = Stream::new(&[seed, step, item]);
/// let mut b = Stream::new(&[seed, step, item]);
/// assert_eq!(a.uniform(), b.uniform());
/// assert_ne!(a.next_u64(), Stream::new(&[seed, step, 346]).at(1));
/// ```
#[derive(Clone, Debug)]
pub struct Stream {
    state: u64,
    counter: u64,
}

impl Stream {
    /// The stream that `key` names, for instance `[seed, step, item]`.
    pub fn new(key: &[u64]) -> Self {
        let state = key
            .iter()
            .fold(GOLDEN, |h, &k| mix(h ^ mix(k.wrapping_add(GOLDEN))));
        Self { state, counter: 0 }
    }

    /// Element `i`, whatever was drawn before.
    #[inline]
    pub fn at(&self, i: u64) -> u64 {
        mix(self
            .state
            .wrapping_add(i.wrapping_add(1).wrapping_mul(GOLDEN)))
    }

    /// Element `i` as a number in `[0, 1)` with 24 random bits, exact in `f32`.
    #[inline]
    pub fn uniform_at(&self, i: u64) -> f32 {
        (self.at(i) >> 40) as f32 * (1.0 / (1u32 << 24) as f32)
    }

    /// The next element.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        let value = self.at(self.counter);
        self.counter = self.counter.wrapping_add(1);
        value
    }

    /// The next number in `[0, 1)`, with 53 random bits.
    #[inline]
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// The next number in `[low, high)`.
    #[inline]
    pub fn range(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// The next whole number in `0..n`, without bias (Lemire's multiply and reject).
    ///
    /// # Panics
    /// When `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        assert!(n > 0, "Stream::below needs n > 0");
        let threshold = n.wrapping_neg() % n;
        loop {
            let product = u128::from(self.next_u64()) * u128::from(n);
            if product as u64 >= threshold {
                return (product >> 64) as u64;
            }
        }
    }

    /// The next number of the standard normal distribution (Box–Muller, two draws).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Puts `items` into random order (Fisher–Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = self.below(i as u64 + 1) as usize;
            items.swap(i, j);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mixer_is_splitmix64() {
        // First outputs of SplitMix64 seeded with 1234567 (Steele, Lea, Flood 2014).
        let stream = Stream {
            state: 1_234_567,
            counter: 0,
        };
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        for (i, e) in expected.into_iter().enumerate() {
            assert_eq!(stream.at(i as u64), e);
        }
    }

    #[test]
    fn draws_have_the_moments_of_their_distributions() {
        let mut s = Stream::new(&[7]);
        let n = 200_000;
        let mean = (0..n).map(|_| s.uniform()).sum::<f64>() / f64::from(n);
        assert!((mean - 0.5).abs() < 3e-3, "{mean}");
        let normals: Vec<f64> = (0..n).map(|_| s.normal()).collect();
        let mean = normals.iter().sum::<f64>() / f64::from(n);
        let var = normals.iter().map(|x| x * x).sum::<f64>() / f64::from(n);
        assert!(
            mean.abs() < 1e-2 && (var - 1.0).abs() < 2e-2,
            "{mean} {var}"
        );
    }

    #[test]
    fn below_reaches_every_value_evenly() {
        let mut s = Stream::new(&[1, 2]);
        let mut counts = [0u32; 7];
        for _ in 0..70_000 {
            counts[s.below(7) as usize] += 1;
        }
        assert!(
            counts.iter().all(|&c| (9_500..10_500).contains(&c)),
            "{counts:?}"
        );
    }

    #[test]
    fn keys_that_differ_in_order_name_different_streams() {
        assert_ne!(Stream::new(&[1, 2]).at(0), Stream::new(&[2, 1]).at(0));
        assert_ne!(Stream::new(&[0]).at(0), Stream::new(&[0, 0]).at(0));
    }
}
