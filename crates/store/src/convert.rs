//! Arrays as numbers of the type that the caller works with.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic
)]

use crate::archive::memory;
use crate::{Archive, Dtype, Entry, Rule, StoreError};
use std::fmt;

/// What to do with weights that are not finite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FinitePolicy {
    /// The first tensor that holds NaN or infinity is an error.
    #[default]
    Refuse,
    /// Such tensors are reported and kept.
    Allow,
}

/// How many numbers of a tensor are not finite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NonFinite {
    /// The tensor.
    pub tensor: String,
    /// How many are NaN.
    pub nan: usize,
    /// How many are infinite, of either sign.
    pub infinite: usize,
    /// The index of the first, in row-major order.
    pub first: usize,
}

impl NonFinite {
    /// Looks through `values`; `None` where all are finite.
    pub fn scan(tensor: &str, values: &[f32]) -> Option<Self> {
        count(tensor, values.iter().map(|&v| f64::from(v)))
    }

    fn counts(&self) -> String {
        let nan = (self.nan > 0).then(|| format!("{} NaN", self.nan));
        let infinite = (self.infinite > 0).then(|| format!("{} infinite", self.infinite));
        let parts: Vec<String> = nan.into_iter().chain(infinite).collect();
        format!("{}, first at element {}", parts.join(" and "), self.first)
    }
}

impl fmt::Display for NonFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "tensor \"{}\" has {}",
            self.tensor.escape_debug(),
            self.counts()
        )
    }
}

fn count(tensor: &str, values: impl Iterator<Item = f64>) -> Option<NonFinite> {
    let mut report: Option<NonFinite> = None;
    for (first, value) in values.enumerate().filter(|(_, v)| !v.is_finite()) {
        let report = report.get_or_insert_with(|| NonFinite {
            tensor: tensor.to_owned(),
            nan: 0,
            infinite: 0,
            first,
        });
        let counter = if value.is_nan() {
            &mut report.nan
        } else {
            &mut report.infinite
        };
        *counter = counter.saturating_add(1);
    }
    report
}

/// The half-precision number with these bits.
///
/// Normal numbers move to the wider exponent by its bias, 127 − 15 = 112; a subnormal is
/// its fraction times 2⁻²⁴.
fn half(bits: u16) -> f32 {
    let bits = u32::from(bits);
    let sign = (bits & 0x8000) << 16;
    let (exponent, fraction) = ((bits >> 10) & 0x1F, bits & 0x3FF);
    let magnitude = match exponent {
        0 => return f32::from_bits((fraction as f32 * 2.0_f32.powi(-24)).to_bits() | sign),
        0x1F => 0x7F80_0000 | (fraction << 13),
        _ => (exponent.wrapping_add(112) << 23) | (fraction << 13),
    };
    f32::from_bits(sign | magnitude)
}

fn brain(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// The little-endian elements of `bytes`, each through `convert`.
fn elements<'a, const N: usize, T>(
    bytes: &'a [u8],
    convert: impl Fn([u8; N]) -> T + 'a,
) -> impl Iterator<Item = T> + 'a {
    bytes
        .as_chunks::<N>()
        .0
        .iter()
        .map(move |&chunk| convert(chunk))
}

impl Archive {
    fn collect<T>(
        &self,
        len: usize,
        values: impl Iterator<Item = T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut out = Vec::new();
        if out.try_reserve_exact(len).is_err() {
            let bytes = len.saturating_mul(size_of::<T>());
            return Err(memory(&self.path, u64::try_from(bytes).unwrap_or(u64::MAX)));
        }
        out.extend(values);
        Ok(out)
    }

    fn inconvertible(&self, name: &str, expected: &str, found: Dtype) -> StoreError {
        self.fault(
            Rule::Convertible,
            name,
            expected.to_owned(),
            found.to_string(),
        )
    }

    /// A copy of a tensor of F32, F16, BF16 or F64, the last rounded to nearest.
    ///
    /// # Errors
    /// [`Rule::Present`]; [`Rule::Convertible`] for any other dtype; [`Rule::Range`] where
    /// a finite F64 would become infinite.
    pub fn to_f32(&self, name: &str) -> Result<Vec<f32>, StoreError> {
        let entry @ Entry { bytes, dtype, .. } = self.tensor(name)?;
        let n = entry.len();
        match dtype {
            Dtype::F32 => self.collect(n, elements(bytes, f32::from_le_bytes)),
            Dtype::F16 => self.collect(n, elements(bytes, |b| half(u16::from_le_bytes(b)))),
            Dtype::Bf16 => self.collect(n, elements(bytes, |b| brain(u16::from_le_bytes(b)))),
            Dtype::F64 => {
                let lost = elements(bytes, f64::from_le_bytes)
                    .enumerate()
                    .find(|(_, v)| v.is_finite() && !(*v as f32).is_finite());
                if let Some((i, v)) = lost {
                    let expected = "numbers in the range of F32".to_owned();
                    let found = format!("{v:e} at element {i}");
                    return Err(self.fault(Rule::Range, name, expected, found));
                }
                self.collect(n, elements(bytes, |b| f64::from_le_bytes(b) as f32))
            }
            other => Err(self.inconvertible(name, "F32, F16, BF16 or F64", other)),
        }
    }

    /// A copy of a tensor of F64, F32, F16 or BF16; each converts exactly.
    ///
    /// # Errors
    /// [`Rule::Present`]; [`Rule::Convertible`] for any other dtype.
    pub fn to_f64(&self, name: &str) -> Result<Vec<f64>, StoreError> {
        let entry = self.tensor(name)?;
        match floats(entry) {
            Some(values) => self.collect(entry.len(), values),
            None => Err(self.inconvertible(name, "F64, F32, F16 or BF16", entry.dtype)),
        }
    }

    /// A copy of a tensor of U64, U32, U16 or U8.
    ///
    /// # Errors
    /// [`Rule::Present`]; [`Rule::Convertible`] for any other dtype.
    pub fn to_u64(&self, name: &str) -> Result<Vec<u64>, StoreError> {
        let entry @ Entry { bytes, dtype, .. } = self.tensor(name)?;
        let n = entry.len();
        match dtype {
            Dtype::U64 => self.collect(n, elements(bytes, u64::from_le_bytes)),
            Dtype::U32 => self.collect(n, elements(bytes, |b| u32::from_le_bytes(b).into())),
            Dtype::U16 => self.collect(n, elements(bytes, |b| u16::from_le_bytes(b).into())),
            Dtype::U8 => self.collect(n, elements(bytes, |b| u8::from_le_bytes(b).into())),
            other => Err(self.inconvertible(name, "U64, U32, U16 or U8", other)),
        }
    }

    /// A copy of a tensor of I64, I32, I16, I8, U32, U16 or U8.
    ///
    /// # Errors
    /// [`Rule::Present`]; [`Rule::Convertible`] for any other dtype.
    pub fn to_i64(&self, name: &str) -> Result<Vec<i64>, StoreError> {
        let entry @ Entry { bytes, dtype, .. } = self.tensor(name)?;
        let n = entry.len();
        match dtype {
            Dtype::I64 => self.collect(n, elements(bytes, i64::from_le_bytes)),
            Dtype::I32 => self.collect(n, elements(bytes, |b| i32::from_le_bytes(b).into())),
            Dtype::I16 => self.collect(n, elements(bytes, |b| i16::from_le_bytes(b).into())),
            Dtype::I8 => self.collect(n, elements(bytes, |b| i8::from_le_bytes(b).into())),
            Dtype::U32 => self.collect(n, elements(bytes, |b| u32::from_le_bytes(b).into())),
            Dtype::U16 => self.collect(n, elements(bytes, |b| u16::from_le_bytes(b).into())),
            Dtype::U8 => self.collect(n, elements(bytes, |b| u8::from_le_bytes(b).into())),
            other => Err(self.inconvertible(name, "an integer of at most 63 bits", other)),
        }
    }

    /// A copy of a tensor of U8.
    ///
    /// # Errors
    /// [`Rule::Present`]; [`Rule::Convertible`] for any other dtype.
    pub fn to_u8(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        let entry = self.tensor(name)?;
        match entry.dtype {
            Dtype::U8 => self.collect(entry.len(), entry.bytes.iter().copied()),
            other => Err(self.inconvertible(name, "U8", other)),
        }
    }

    /// Looks for NaN and infinity in every tensor of floats; returns the tensors that hold
    /// any, by name.
    ///
    /// # Errors
    /// [`Rule::Finite`] for the first such tensor, under [`FinitePolicy::Refuse`].
    pub fn check_finite(&self, policy: FinitePolicy) -> Result<Vec<NonFinite>, StoreError> {
        let mut reports = Vec::new();
        for (name, entry) in self.iter() {
            let Some(report) = floats(entry).and_then(|values| count(name, values)) else {
                continue;
            };
            if policy == FinitePolicy::Refuse {
                let expected = "finite numbers".to_owned();
                return Err(self.fault(Rule::Finite, name, expected, report.counts()));
            }
            reports.push(report);
        }
        Ok(reports)
    }
}

/// The elements of a tensor of floats, widened.
fn floats(entry: Entry<'_>) -> Option<Box<dyn Iterator<Item = f64> + '_>> {
    let bytes = entry.bytes;
    Some(match entry.dtype {
        Dtype::F64 => Box::new(elements(bytes, f64::from_le_bytes)),
        Dtype::F32 => Box::new(elements(bytes, |b| f32::from_le_bytes(b).into())),
        Dtype::F16 => Box::new(elements(bytes, |b| half(u16::from_le_bytes(b)).into())),
        Dtype::Bf16 => Box::new(elements(bytes, |b| brain(u16::from_le_bytes(b)).into())),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_is_sign_times_significand_times_power_of_two() {
        for bits in 0..=u16::MAX {
            let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
            let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
            let expected: f64 = match exponent {
                0 => fraction / 1024.0 * 2.0_f64.powi(-14),
                31 if fraction == 0.0 => f64::INFINITY,
                31 => f64::NAN,
                e => (1.0 + fraction / 1024.0) * 2.0_f64.powi(e - 15),
            };
            let (expected, found) = (sign * expected, f64::from(half(bits)));
            assert_eq!(expected.is_nan(), found.is_nan(), "{bits:#06x}");
            assert!(
                expected.is_nan() || expected.to_bits() == found.to_bits(),
                "{bits:#06x}"
            );
        }
    }
}
