//! Numbers kept in fewer bits than they are computed in.

use crate::Element;
use bytemuck::{Pod, Zeroable};
use std::fmt::Debug;

/// A number with the sign and exponent of `f32` and 7 bits after the point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Bf16(u16);

// SAFETY: a transparent wrapper of a `u16`: all zeros is a value of it.
unsafe impl Zeroable for Bf16 {}
// SAFETY: a transparent wrapper of a `u16`: no padding, and any bit pattern is a value.
unsafe impl Pod for Bf16 {}

impl Bf16 {
    /// The number with these bits.
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// Its bits.
    pub const fn to_bits(self) -> u16 {
        self.0
    }

    /// The nearest value, of two equally near ones the even one; a NaN stays a NaN.
    #[inline(always)]
    pub fn from_f32(x: f32) -> Self {
        let bits = x.to_bits();
        let rounded = (bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16) as u16;
        let quiet = (bits >> 16) as u16 | 0x40;
        Self(if x.is_nan() { quiet } else { rounded })
    }

    /// The value, exactly.
    #[inline(always)]
    pub fn to_f32(self) -> f32 {
        f32::from_bits(u32::from(self.0) << 16)
    }
}

/// A type that numbers are kept in between operators which compute in an [`Element`]: that
/// type itself, or one of fewer bits.
pub trait Kept: Pod + Send + Sync {
    /// The number.
    fn number<T: Element>(self) -> T;

    /// The nearest number that can be kept.
    fn keep<T: Element>(x: T) -> Self;
}

impl<E: Element> Kept for E {
    #[inline(always)]
    fn number<T: Element>(self) -> T {
        T::of(self.f64())
    }

    #[inline(always)]
    fn keep<T: Element>(x: T) -> Self {
        Self::of(x.f64())
    }
}

impl Kept for Bf16 {
    #[inline(always)]
    fn number<T: Element>(self) -> T {
        T::of(f64::from(self.to_f32()))
    }

    #[inline(always)]
    fn keep<T: Element>(x: T) -> Self {
        Self::from_f32(x.f64() as f32)
    }
}

/// A type that feature maps are kept in while products of them are summed in more bits.
///
/// Products take a *word* of 32 bits at a time: [`GROUP`](Self::GROUP) numbers that follow
/// each other along `k`, times as many weights.
pub trait Stored: Pod + Debug + Default + Send + Sync + 'static {
    /// Numbers in a word.
    const GROUP: usize;

    /// Weights in packed words.
    type Weight: Pod + Default + Send + Sync;

    /// What products are summed in.
    type Sum: Copy + Default + Send + Sync;

    /// `sum + Σ a·b` over the numbers of two words.
    fn dot(sum: Self::Sum, a: u32, b: u32) -> Self::Sum;

    /// A finished sum.
    fn sum(sum: Self::Sum) -> f32;

    /// The nearest stored number, of two equally near ones the even one.
    fn encode(x: f32) -> Self;

    /// The number, exactly; of a byte, how many steps it stands for.
    fn decode(self) -> f32;

    /// An integer that grows with the number; that of a NaN is greater than all others.
    type Rank: Ord + Copy + Default;

    /// The rank of a number.
    fn rank(self) -> Self::Rank;

    /// The number of a rank; of a NaN's some NaN.
    fn of_rank(rank: Self::Rank) -> Self;

    /// Which kernels multiply its words.
    #[doc(hidden)]
    const KIND: DotKind;
}

/// Which instruction multiplies words.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DotKind {
    /// Pairs of [`Bf16`], summed in `f32`.
    Bf16,
    /// Fours of `u8` by `i8`, summed in `i32`.
    Int8,
}

impl Stored for Bf16 {
    const GROUP: usize = 2;
    const KIND: DotKind = DotKind::Bf16;
    type Weight = Self;
    type Sum = f32;
    type Rank = i16;

    #[inline(always)]
    fn dot(sum: f32, a: u32, b: u32) -> f32 {
        let low = f32::from_bits(a << 16) * f32::from_bits(b << 16);
        let high = f32::from_bits(a & 0xffff_0000) * f32::from_bits(b & 0xffff_0000);
        sum + low + high
    }

    #[inline(always)]
    fn sum(sum: f32) -> f32 {
        sum
    }

    #[inline(always)]
    fn encode(x: f32) -> Self {
        Self::from_f32(x)
    }

    #[inline(always)]
    fn decode(self) -> f32 {
        self.to_f32()
    }

    #[inline(always)]
    fn rank(self) -> i16 {
        let size = (self.0 & 0x7fff).cast_signed();
        // Of negative numbers, the nearer to zero the greater; a negative NaN loses its sign.
        let below = self.0.cast_signed() < 0 && size <= 0x7f80;
        if below { !size } else { size }
    }

    #[inline(always)]
    fn of_rank(rank: i16) -> Self {
        let bits = if rank < 0 { rank ^ 0x7fff } else { rank };
        Self(bits.cast_unsigned())
    }
}

impl Stored for u8 {
    const GROUP: usize = 4;
    const KIND: DotKind = DotKind::Int8;
    type Weight = i8;
    type Sum = i32;
    type Rank = Self;

    #[inline(always)]
    fn dot(sum: i32, a: u32, b: u32) -> i32 {
        let product = |shift: u32| {
            let b = ((b >> shift) as u8) as i8;
            i32::from((a >> shift) as u8) * i32::from(b)
        };
        sum + product(0) + product(8) + product(16) + product(24)
    }

    #[inline(always)]
    fn sum(sum: i32) -> f32 {
        sum as f32
    }

    #[inline(always)]
    #[expect(clippy::manual_clamp, reason = "`clamp` leaves a NaN")]
    fn encode(x: f32) -> Self {
        /// Where neighbouring numbers are 1 apart: a sum with it rounds to whole ones, the low
        /// bits of the result. Rounding as such is a call where it has no instruction.
        const WHOLE: f32 = 1.5 * (1 << 23) as f32;
        // A NaN becomes 0, as in a cast.
        (x.max(0.0).min(255.0) + WHOLE).to_bits() as Self
    }

    #[inline(always)]
    fn decode(self) -> f32 {
        f32::from(self)
    }

    #[inline(always)]
    fn rank(self) -> Self {
        self
    }

    #[inline(always)]
    fn of_rank(rank: Self) -> Self {
        rank
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_to_the_nearest_and_ties_go_to_even() {
        for (x, bits) in [
            (1.0, 0x3f80),
            (1.0 + 1.0 / 256.0, 0x3f80),
            (1.0 + 3.0 / 256.0, 0x3f82),
            (-1.0 - 1.01 / 256.0, 0xbf81),
            (f32::MAX, 0x7f80),
            (f32::INFINITY, 0x7f80),
            (-0.0, 0x8000),
        ] {
            assert_eq!(Bf16::from_f32(x), Bf16::from_bits(bits), "{x}");
        }
        assert!(
            Bf16::from_f32(f32::from_bits(0x7f80_0001))
                .to_f32()
                .is_nan()
        );
        assert_eq!([2.5f32, 3.5, -4.0, 300.0].map(u8::encode), [2, 4, 0, 255]);
        for i in -40..=2_700 {
            let x = i as f32 * 0.1;
            for x in [x, x.next_up(), x.next_down(), i as f32 * 0.5] {
                assert_eq!(u8::encode(x), x.round_ties_even() as u8, "{x}");
            }
        }
        let far = [f32::NAN, f32::NEG_INFINITY, -1e30, 1e30, f32::INFINITY];
        assert_eq!(far.map(u8::encode), [0, 0, 0, 255, 255]);
    }

    #[test]
    fn every_bf16_survives_the_way_to_f32_and_back() {
        for bits in 0..=u16::MAX {
            let x = Bf16::from_bits(bits);
            let back = Bf16::from_f32(x.to_f32());
            assert!(back == x || x.to_f32().is_nan() && back.to_f32().is_nan());
        }
    }

    #[test]
    fn ranks_are_in_the_order_of_numbers_and_a_nan_is_above_all() {
        let mut last = Bf16::of_rank(i16::MIN + 0x7f);
        assert_eq!(last, Bf16::from_f32(f32::NEG_INFINITY));
        for rank in i16::MIN + 0x80..=0x7f80 {
            let next = Bf16::of_rank(rank);
            assert_eq!(next.rank(), rank);
            assert!(last.to_f32() < next.to_f32() || next.to_f32() == 0.0);
            last = next;
        }
        for bits in [0x7fc0, 0xffc0, 0xff81] {
            let nan = Bf16::from_bits(bits).rank();
            assert!(nan > last.rank() && Bf16::of_rank(nan).to_f32().is_nan());
        }
    }
}
