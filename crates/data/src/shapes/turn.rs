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
    /// The rotation by `angle` radians, `|angle| ≤ 2π`, to about 1e-11.
    ///
    /// A Taylor polynomial of a quarter of the angle, halved once more, then the doubling
    /// formulas three times.
    pub(super) fn radians(angle: f64) -> Self {
        let a = angle / 8.0;
        let q = a * a;
        let sin = a
            * (1.0
                - q / 6.0
                    * (1.0 - q / 20.0 * (1.0 - q / 42.0 * (1.0 - q / 72.0 * (1.0 - q / 110.0)))));
        let cos = 1.0
            - q / 2.0 * (1.0 - q / 12.0 * (1.0 - q / 30.0 * (1.0 - q / 56.0 * (1.0 - q / 90.0))));
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
