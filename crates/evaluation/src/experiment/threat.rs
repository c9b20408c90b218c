//! `[[threat]]`: one norm and its radii.
use duress_core::{Epsilon, Norm};
use serde::Deserialize;

/// What the adversary may do.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThreatPlan {
    /// The norm of the balls.
    pub norm: Norm,
    /// Radii of the curve, ascending, in units of the raw input.
    pub epsilons: Vec<Epsilon>,
    /// The radius of the comparison table, one of `epsilons`; the first if missing.
    pub headline: Option<Epsilon>,
}

impl ThreatPlan {
    /// The radius of the comparison table.
    #[must_use]
    pub fn headline(&self) -> f64 {
        self.headline.or(self.epsilons.first().copied()).map_or(0.0, Epsilon::get)
    }
}

pub(super) fn check_all(threats: Vec<ThreatPlan>) -> Result<Vec<ThreatPlan>, String> {
    for (index, threat) in threats.iter().enumerate() {
        let at = format!("[[threat]] {} ({})", index + 1, threat.norm);
        if threat.epsilons.is_empty() {
            return Err(format!("{at}: `epsilons` must name at least one radius"));
        }
        if !threat.epsilons.is_sorted_by(|a, b| a < b) {
            return Err(format!("{at}: `epsilons` must ascend"));
        }
        if let Some(headline) = threat.headline
            && !threat.epsilons.contains(&headline)
        {
            return Err(format!("{at}: `headline` {headline} is not one of `epsilons`"));
        }
        if threats[..index].iter().any(|other| other.norm == threat.norm) {
            return Err(format!("{at}: there is a threat of this norm already"));
        }
    }
    Ok(threats)
}
