//! Confronts what is proved with what the attacks found.
use std::collections::{HashMap, HashSet};

use duress_core::Norm;
use duress_metrics::Distance;

use super::{Built, Journal, Runner};
use crate::row::{Measured, Row, SampleRow};
use crate::{Error, Result};

impl Runner<'_> {
    /// A deterministic certificate and an adversarial point inside it cannot both be right.
    ///
    /// A smoothing certificate is about the smoothed classifier and holds with a probability;
    /// what the attacks broke is the base classifier. Only certificates without a failure
    /// probability are confronted.
    pub(super) fn contradictions(&self, model: &Built, journal: &Journal) -> Result<()> {
        let of_model = |row: &&Row| row.model == model.name;
        let rows: Vec<&Row> = journal.rows().iter().filter(of_model).collect();
        if !rows.iter().any(|row| is_proof(row)) {
            return Ok(());
        }
        confront(&rows, &journal.samples()?, |key| {
            let Some(points) = self.stored(journal, key)? else { return Ok(None) };
            let (test, features) = (&self.data.test, self.data.test.features());
            let mut distances = HashMap::with_capacity(test.len());
            for (position, point) in points.chunks(features).enumerate() {
                let distance = Distance::between(test.row(position), point)?;
                distances.insert(test.ids()[position], distance);
            }
            Ok(Some(distances))
        })
    }
}

pub(super) fn is_proof(row: &Row) -> bool {
    matches!(&row.measured, Measured::Certified { failure_probability, .. } if *failure_probability <= 0.0)
}

/// Looks for a point of an attack inside a ball that is proven to hold none.
///
/// Every broken sample has a distance in the norm of its attack; `points` gives the distances in
/// all norms, by sample, for the measurements whose points were kept.
fn confront(
    rows: &[&Row],
    samples: &[SampleRow],
    points: impl Fn(&str) -> Result<Option<HashMap<u64, Distance>>>,
) -> Result<()> {
    let proofs: HashSet<&str> =
        rows.iter().filter(|row| is_proof(row)).map(|row| row.key.as_str()).collect();
    let mut proven: HashMap<u64, Vec<(Norm, f64)>> = HashMap::new();
    let mut broken: HashMap<&str, Vec<&SampleRow>> = HashMap::new();
    for sample in samples {
        if proofs.contains(sample.key.as_str()) && sample.robust {
            proven.entry(sample.index).or_default().push((sample.norm, sample.epsilon));
        }
        if sample.broken_by.is_some() {
            broken.entry(sample.key.as_str()).or_default().push(sample);
        }
    }
    for row in rows {
        let Measured::Attack { attack, .. } = &row.measured else { continue };
        let Some(of_row) = broken.get(row.key.as_str()) else { continue };
        let points = points(&row.key)?;
        for sample in of_row {
            let point = points.as_ref().and_then(|points| points.get(&sample.index));
            for &(norm, certified) in proven.get(&sample.index).into_iter().flatten() {
                let distance = match point {
                    Some(point) => Some(length(point, norm)),
                    None => sample.distance.filter(|_| sample.norm == norm),
                };
                if let Some(distance) = distance.filter(|distance| *distance <= certified) {
                    return Err(Error::Contradiction {
                        model: row.model.clone(),
                        sample: sample.index,
                        certified,
                        attack: attack.clone(),
                        distance,
                    });
                }
            }
        }
    }
    Ok(())
}

pub(super) fn length(distance: &Distance, norm: Norm) -> f64 {
    match norm {
        Norm::L0 => distance.l0 as f64,
        Norm::L1 => distance.l1,
        Norm::L2 => distance.l2,
        Norm::Linf => distance.linf,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{attack, broken, certified, sample};

    /// A proof at radius 0.2 for sample 5, and PGD that broke it at `distance` in Linf.
    fn meet(proof: &Row, distance: f64, points: Option<(u64, Distance)>) -> Result<()> {
        let Measured::Certified { norm, .. } = proof.measured else { panic!("no proof") };
        let pgd = attack("m", "pgd", 0.3, 80);
        let samples = [
            sample(proof, 4, norm, 0.9),
            sample(proof, 5, norm, 0.2),
            broken(&pgd, 5, Norm::Linf, distance),
            sample(&pgd, 4, Norm::Linf, 0.3),
        ];
        let points = points.map(|point| HashMap::from([point]));
        confront(&[&pgd, proof], &samples, |key| {
            assert_eq!(key, "m/pgd/linf/0.3");
            Ok(points.clone())
        })
    }

    #[test]
    fn a_point_inside_a_proven_ball_is_a_contradiction() {
        let proof = certified("m", Norm::Linf, 0.0);
        let error = meet(&proof, 0.2, None).unwrap_err();
        let expected = "contradiction on `m`, sample 5: certified at radius 0.2, broken by pgd at \
                        distance 0.2";
        assert_eq!(error.to_string(), expected);
        assert!(!error.is_bad_input());
        assert!(meet(&proof, 0.200_001, None).is_ok());
    }

    #[test]
    fn a_kept_point_is_measured_in_the_norm_of_the_certificate() {
        let proof = certified("m", Norm::L2, 0.0);
        // Without the point, a Linf distance says nothing about an L2 ball.
        assert!(meet(&proof, 0.01, None).is_ok());
        let point = |l2| Some((5, Distance { l0: 9, l1: 1.0, l2, linf: 0.01 }));
        assert!(meet(&proof, 0.01, point(0.21)).is_ok());
        let error = meet(&proof, 0.01, point(0.19)).unwrap_err();
        assert!(matches!(error, Error::Contradiction { sample: 5, distance: 0.19, .. }));
    }

    #[test]
    fn a_certificate_that_may_fail_contradicts_nothing() {
        assert!(meet(&certified("m", Norm::Linf, 0.001), 0.1, None).is_ok());
    }

    #[test]
    fn a_wrong_or_abstaining_sample_is_not_certified() {
        let (proof, pgd) = (certified("m", Norm::Linf, 0.0), attack("m", "pgd", 0.3, 80));
        let wrong = SampleRow { robust: false, ..sample(&proof, 5, Norm::Linf, 0.2) };
        let samples = [wrong, broken(&pgd, 5, Norm::Linf, 0.1)];
        assert!(confront(&[&pgd, &proof], &samples, |_| Ok(None)).is_ok());
    }
}
