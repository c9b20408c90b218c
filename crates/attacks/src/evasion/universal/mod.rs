//! Universal perturbations: one for the whole batch.
mod deepfool;
mod sgd;
mod turns;

pub(crate) use deepfool::ENTRY as UNIVERSAL_DEEPFOOL;
pub use deepfool::UniversalDeepFool;
pub(crate) use sgd::ENTRY as UNIVERSAL_SGD;
pub use sgd::UniversalSgd;

use duress_core::Norm;

/// Share of the radius that rounding to f32 may use up.
const INSIDE: f64 = 1e-6;

/// Moves a perturbation into the ball of `radius` around zero: only if it lies outside.
fn into_ball(perturbation: &mut [f64], norm: Norm, radius: f64) {
    let radius = radius * (1.0 - INSIDE);
    if norm == Norm::Linf {
        for value in perturbation {
            *value = value.clamp(-radius, radius);
        }
        return;
    }
    let length = norm.of_slice(perturbation);
    if length > radius {
        let scale = radius / length;
        for value in perturbation {
            *value *= scale;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_projection_never_enlarges() {
        let mut small = [0.03, -0.04];
        into_ball(&mut small, Norm::L2, 1.0);
        assert!(small.iter().zip([0.03, -0.04]).all(|(a, b)| (a - b).abs() < 1e-15));
        let mut large = [3.0, -4.0];
        into_ball(&mut large, Norm::L2, 1.0);
        assert!((large[0] - 0.6).abs() < 1e-5 && (large[1] + 0.8).abs() < 1e-5);
        assert!(Norm::L2.of_slice(&large) <= 1.0);
        let mut wide = [3.0, -0.04];
        into_ball(&mut wide, Norm::Linf, 0.1);
        assert!((wide[0] - 0.1).abs() < 1e-6 && (wide[1] + 0.04).abs() < 1e-15);
    }
}
