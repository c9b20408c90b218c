//! Whether an ensemble keeps its prediction in a box, and the largest ball in which it does.
use duress_core::Domain;
use serde::{Deserialize, Serialize};

use super::clique::clique_bound;
use super::leaves::reachable;
use super::search::{Found, search};
use super::{FeatureBox, TreeEnsemble, TreeError};

/// How hard to try.
///
/// The clique bound is cheap and often enough; where it is not, the exact search decides, as long as it
/// may. All of it is deterministic and a proof: there is no failure probability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TreeCertifier {
    /// Trees that one level of the clique bound joins (T in the paper).
    pub clique_size: usize,
    /// Levels of the clique bound (L in the paper); 0 bounds tree by tree.
    pub levels: usize,
    /// Most cliques of a group; a group with more is not joined.
    pub most_cliques: usize,
    /// Most steps of the exact search for each rival class; 0 leaves it out.
    pub search_steps: u64,
}

impl Default for TreeCertifier {
    fn default() -> Self {
        Self { clique_size: 2, levels: 2, most_cliques: 100_000, search_steps: 100_000 }
    }
}

/// What holds for every f32 input of a box.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// All of them are predicted as the row is; the score of that class leads by at least `margin`,
    /// which is positive and allows for rounding.
    Robust {
        /// Lower bound of the lead.
        margin: f64,
    },
    /// `witness`, in the box, is predicted as another class: evaluated, not inferred.
    NotRobust {
        /// The input.
        witness: Vec<f32>,
        /// Its prediction.
        prediction: usize,
    },
    /// Neither was shown: the search ran out of steps, or two scores are equal but for rounding.
    Unknown {
        /// Lower bound of the lead, not positive.
        margin: f64,
    },
}

/// The L∞ ball around a row in which an ensemble provably keeps its prediction.
#[derive(Clone, Debug, PartialEq)]
pub struct LinfCertificate {
    /// The prediction at the row.
    pub prediction: usize,
    /// A radius that is certified; 0 if none is.
    pub radius: f64,
    /// The smallest radius that was tried and not certified; `None` if all were.
    pub uncertified: Option<f64>,
    /// An input within `uncertified` that is predicted otherwise, where one was found.
    pub witness: Option<Vec<f32>>,
}

impl TreeCertifier {
    /// Whether every input of `inputs` is predicted as `row`, which need not be one of them.
    ///
    /// # Errors
    /// [`TreeError::Parameter`]; [`TreeError::Length`] or [`TreeError::Input`] for a row or a box that
    /// does not fit the ensemble.
    pub fn certify(
        &self,
        ensemble: &TreeEnsemble,
        row: &[f32],
        inputs: &FeatureBox,
    ) -> Result<Verdict, TreeError> {
        self.check()?;
        let class = ensemble.predict(row)?;
        if inputs.lower().len() != ensemble.features() {
            let (expected, got) = (ensemble.features(), inputs.lower().len());
            return Err(TreeError::Length { what: "the box", expected, got });
        }
        let rounding = ensemble.rounding();
        let (mut margin, mut unknown) = (f64::INFINITY, false);
        for other in (0..ensemble.classes()).filter(|&other| other != class) {
            let start = ensemble.base()[class] - ensemble.base()[other];
            let lists = reachable(ensemble, inputs, (class, other));
            let cliques = (self.clique_size, self.levels, self.most_cliques);
            let bound = clique_bound(lists.clone(), cliques.0, cliques.1, cliques.2);
            let mut bound = start + bound - rounding;
            if bound <= 0.0 && self.search_steps > 0 {
                // What is not below this leads by more than any rounding.
                let cutoff = (2.0 * rounding).max(f64::MIN_POSITIVE) - start;
                match search(&lists, cutoff, false, self.search_steps) {
                    Found::Nothing => bound = (start + cutoff - rounding).max(f64::MIN_POSITIVE),
                    Found::Below(sum, region) => {
                        let witness = region.nearest(&clamp(row, inputs));
                        let prediction = ensemble.predict(&witness)?;
                        if prediction != class {
                            return Ok(Verdict::NotRobust { witness, prediction });
                        }
                        bound = bound.max(start + sum - rounding).min(0.0);
                    }
                    Found::OutOfSteps => {}
                }
            }
            unknown |= bound.is_nan() || bound <= 0.0;
            margin = margin.min(bound);
        }
        Ok(if unknown { Verdict::Unknown { margin } } else { Verdict::Robust { margin } })
    }

    /// A certified L∞ radius of at most `largest` around `row`, by halving until what is certified and
    /// what is not are within `tolerance`. With a domain the ball is cut by its box, and features that
    /// are immutable do not move.
    ///
    /// # Errors
    /// As [`TreeCertifier::certify`] and [`FeatureBox::linf`]; [`TreeError::Parameter`] unless
    /// `largest` and `tolerance` are positive and finite.
    pub fn linf_radius(
        &self,
        ensemble: &TreeEnsemble,
        row: &[f32],
        domain: Option<&Domain>,
        (largest, tolerance): (f64, f64),
    ) -> Result<LinfCertificate, TreeError> {
        for (field, value) in [("largest", largest), ("tolerance", tolerance)] {
            if !(value.is_finite() && value > 0.0) {
                let (expected, got) = ("positive and finite", value.to_string());
                return Err(TreeError::Parameter { field, expected, got });
            }
        }
        let prediction = ensemble.predict(row)?;
        let mut result =
            LinfCertificate { prediction, radius: 0.0, uncertified: None, witness: None };
        let mut next = largest;
        loop {
            match self.certify(ensemble, row, &FeatureBox::linf(row, next, domain)?)? {
                Verdict::Robust { .. } => result.radius = next,
                Verdict::NotRobust { witness, .. } => {
                    (result.uncertified, result.witness) = (Some(next), Some(witness));
                }
                Verdict::Unknown { .. } => {
                    (result.uncertified, result.witness) = (Some(next), None);
                }
            }
            let Some(above) = result.uncertified else { return Ok(result) };
            next = 0.5 * (result.radius + above);
            if above - result.radius <= tolerance || next <= result.radius || next >= above {
                return Ok(result);
            }
        }
    }

    fn check(&self) -> Result<(), TreeError> {
        let expect = |holds, field, expected, got: String| {
            if holds { Ok(()) } else { Err(TreeError::Parameter { field, expected, got }) }
        };
        expect(self.clique_size >= 2, "clique_size", "at least 2", self.clique_size.to_string())?;
        expect(self.most_cliques >= 1, "most_cliques", "at least 1", self.most_cliques.to_string())
    }
}

fn clamp(row: &[f32], inputs: &FeatureBox) -> Vec<f32> {
    let bounds = inputs.lower().iter().zip(inputs.upper());
    row.iter().zip(bounds).map(|(value, (low, high))| value.clamp(*low, *high)).collect()
}
