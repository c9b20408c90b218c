//! Proofs and counterexamples by complete verification.
use duress_core::Norm;
use serde::{Deserialize, Serialize};

use super::{Proof, Prover, Subject, expect_norm};
use crate::bounds::{InputSet, Result};
use crate::table::{Certification, Entry};
use crate::verify::{self, Verdict, verify};
use crate::vnnlib::{Conjunction, LinearConstraint, Property, Region};

/// A prediction is proved, or refuted, by [`verify()`]; on time-out it stays open.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VerifyProver {
    /// What one ball of one sample may cost.
    pub options: verify::Options,
}

impl Prover for VerifyProver {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norm(&self) -> Norm {
        ENTRY.norm
    }

    fn check(&self) -> duress_core::Result<()> {
        expect_norm(ENTRY.name, ENTRY.norm, &[Norm::Linf])?;
        let seconds = self.options.timeout_seconds;
        if seconds > 0.0 {
            return Ok(());
        }
        Err(duress_core::Error::Parameter {
            algorithm: ENTRY.name,
            field: "timeout_seconds",
            expected: "positive",
            got: seconds.to_string(),
        })
    }

    fn is_parallel(&self) -> bool {
        true
    }

    fn prove(&self, subject: &Subject<'_>, set: &InputSet, class: usize) -> Result<Proof> {
        let sides = set.intervals();
        let outputs = subject.network.outputs();
        let region = Region {
            lower: sides.lower.clone(),
            upper: sides.upper.clone(),
            unsafe_outputs: (0..outputs)
                .filter(|&other| other != class)
                .map(|other| beaten(class, other))
                .collect(),
        };
        let inputs = region.lower.len();
        let property = Property { inputs, outputs, regions: vec![region] };
        let (forward, device) = (subject.forward, subject.device);
        let outcome = verify(subject.graph, &property, forward, device, &self.options)?;
        Ok(match outcome.verdict {
            Verdict::Holds => Proof::Holds,
            // Each value is an f32.
            Verdict::Violated { inputs, .. } => {
                Proof::Refuted(inputs.into_iter().map(|value| value as f32).collect())
            }
            Verdict::Unknown | Verdict::Timeout => Proof::Open,
        })
    }
}

/// `logit[class] − logit[other] ≤ 0`: a tie is no prediction.
fn beaten(class: usize, other: usize) -> Conjunction {
    let mut coefficients = vec![(class, 1.0), (other, -1.0)];
    coefficients.sort_by_key(|(output, _)| *output);
    vec![LinearConstraint { coefficients, bound: 0.0, strict: false }]
}

pub(crate) const ENTRY: Entry = Entry {
    name: "verify",
    summary: "proof or counterexample by branch and bound",
    reference: "arXiv:2103.06624",
    norm: Norm::Linf,
    defaults: || toml::Table::try_from(VerifyProver::default()).unwrap_or_default(),
    parse: |table| Ok(Certification::Proved(Box::new(table.try_into::<VerifyProver>()?))),
};
