//! Rotations from additions and multiplications alone.
//!
//! The sine of the platform's library may differ in its last bit from machine to machine;
//! IEEE 754 fixes `+ - * / √`, so pictures drawn with those are the same bytes everywhere.

/// A rotation of the plane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    pub(super) cos: f64,
    pub(super) sin: f64,
}

impl Turn {
    /// The rotation by `angle` radians, `|angle| ≤ 2π`, to 1e-10.
    ///
    /// The first seven terms of the Taylor series at an eighth of the angle, from the last to
    /// the first by the ratio of each to the one before; then three doublings.
    pub(super) fn radians(angle: f64) -> Self {
        let a = angle / 8.0;
        let q = a * a;
        let sin = [156.0, 110.0, 72.0, 42.0, 20.0, 6.0];
        let cos = [132.0, 90.0, 56.0, 30.0, 12.0, 2.0];
        let series = |ratios: [f64; 6]| ratios.iter().fold(1.0, |sum, r| 1.0 - q / r * sum);
        let (sin, cos) = (a * series(sin), series(cos));
        let doubled = |t: Self| Self {
            cos: t.cos * t.cos - t.sin * t.sin,
            sin: 2.0 * t.sin * t.cos,
        };
        doubled(doubled(doubled(Self { cos, sin })))
    }

    /// The rotation by `share` of a full turn.
    pub(super) fn of_circle(share: f64) -> Self {
        Self::radians(share * std::f64::consts::TAU)
    }
}

#[cfg(test)]
mod tests {
    use super::Turn;

    #[test]
    fn a_turn_is_sine_and_cosine() {
        for step in -100..=100 {
            let angle = f64::from(step) / 100.0 * std::f64::consts::TAU;
            let turn = Turn::radians(angle);
            assert!((turn.cos - angle.cos()).abs() < 1e-10, "cos {angle}");
            assert!((turn.sin - angle.sin()).abs() < 1e-10, "sin {angle}");
        }
    }
}
