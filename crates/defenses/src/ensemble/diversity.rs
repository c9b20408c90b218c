//! How far the members of an ensemble agree on where to push an input.
//!
//! Kariyappa, Qureshi. *Improving Adversarial Robustness of Ensembles with Diversity Training.*
//! 2019, §3 (gradient alignment). <https://arxiv.org/abs/1901.09981>
use burn::prelude::*;
use duress_core::{Classifier, Error, Goal, Loss, Passes, Result, host};

/// Cosines of the angles between the members' input gradients.
#[derive(Clone, Debug, PartialEq)]
pub struct GradientDiversity {
    /// The members of each pair, in the order of the cosines.
    pub pairs: Vec<(usize, usize)>,
    /// One list a sample, one cosine a pair; `None` where a gradient is zero.
    pub cosines: Vec<Vec<Option<f64>>>,
    /// The mean of each sample's cosines; `None` where it has none.
    pub per_sample: Vec<Option<f64>>,
    /// The mean over the samples that have one; `None` where none has.
    pub mean: Option<f64>,
}

/// Compares the gradients of `loss` by the input among `members`, at labelled rows `[N, F]`.
///
/// # Errors
/// [`Error::Shape`] for fewer than two members; [`Error::NoGradient`] and the other errors of a
/// pass.
pub fn gradient_diversity(
    members: &[&dyn Classifier],
    rows: &Tensor<2>,
    labels: &[usize],
    loss: &dyn Loss,
    passes: &Passes,
) -> Result<GradientDiversity> {
    if members.len() < 2 {
        return Err(Error::Shape {
            what: "members whose gradients are compared",
            expected: "at least 2".into(),
            got: members.len().to_string(),
        });
    }
    let [count, features] = rows.dims();
    let goal = Goal::Untargeted(labels.to_vec());
    goal.check(count, members[0].classes())?;
    let aim = goal.aim(passes.device());
    let mut gradients = Vec::new();
    for member in members {
        let at = passes.gradient(*member, rows.clone(), &aim, loss)?;
        gradients.push(host::floats(at.gradient)?);
    }
    let pairs: Vec<(usize, usize)> =
        (0..members.len()).flat_map(|a| (a + 1..members.len()).map(move |b| (a, b))).collect();
    let row = |member: usize, sample: usize| &gradients[member][sample * features..][..features];
    let cosines: Vec<Vec<Option<f64>>> = (0..count)
        .map(|n| pairs.iter().map(|&(a, b)| cosine(row(a, n), row(b, n))).collect())
        .collect();
    let per_sample: Vec<Option<f64>> =
        cosines.iter().map(|cosines| mean(cosines.iter().copied())).collect();
    let mean = mean(per_sample.iter().copied());
    Ok(GradientDiversity { pairs, cosines, per_sample, mean })
}

fn cosine(a: &[f32], b: &[f32]) -> Option<f64> {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    (lengths > 0.0).then(|| (dot(a, b) / lengths).clamp(-1.0, 1.0))
}

fn mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let (sum, count) = values.flatten().fold((0.0, 0_u32), |(s, c), value| (s + value, c + 1));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{Aim, Domain};

    /// Logits `(⟨w, x⟩, 0)`.
    struct Linear([f32; 2], Domain);

    impl Linear {
        fn new(weights: [f32; 2]) -> Self {
            Self(weights, Domain::image(1, 1, 2).unwrap())
        }
    }

    impl Classifier for Linear {
        fn domain(&self) -> &Domain {
            &self.1
        }

        fn classes(&self) -> usize {
            2
        }

        fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
            let weights = Tensor::<2>::from_data([self.0], &rows.device().inner());
            let first = (rows * weights).sum_dim(1);
            Tensor::cat(vec![first.clone(), first * 0.0], 1)
        }
    }

    #[derive(Debug)]
    struct First;

    impl Loss for First {
        fn name(&self) -> &'static str {
            "first"
        }

        fn per_sample(&self, logits: Tensor<2>, _: &Aim) -> Tensor<1> {
            logits.narrow(1, 0, 1).squeeze_dim(1)
        }
    }

    #[test]
    fn cosines_are_those_of_the_weights_of_linear_members() {
        let passes = Passes::with_workers(&Device::flex(), 1).unwrap();
        let members = [[1.0, 0.0], [1.0, 1.0], [-2.0, 0.0], [0.0, 0.0]].map(Linear::new);
        let all: Vec<&dyn Classifier> = members.iter().map(|m| m as &dyn Classifier).collect();
        let rows = Tensor::<2>::from_data([[0.2, 0.4], [0.9, 0.1]], &Device::flex());
        let got = gradient_diversity(&all, &rows, &[0, 1], &First, &passes).unwrap();
        assert_eq!(got.pairs, [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]);
        let half = 0.5_f64.sqrt();
        for sample in &got.cosines {
            for (got, expected) in sample.iter().zip([half, -1.0, 9.0, -half, 9.0, 9.0]) {
                match got {
                    Some(cosine) => assert!((cosine - expected).abs() < 1e-6),
                    None => assert!(expected > 1.0, "no angle to a zero gradient"),
                }
            }
        }
        assert!((got.mean.unwrap() + 1.0 / 3.0).abs() < 1e-6, "{:?}", got.mean);
        assert!(gradient_diversity(&all[..1], &rows, &[0, 1], &First, &passes).is_err());
    }
}
