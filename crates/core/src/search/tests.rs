use super::*;
use crate::oracle::Oracle;
use crate::{
    Algorithm, Attack, Classifier, Domain, Goal, LabelAttack, Norm, Passes, Problem, Reach,
    Setting, Status, Threat, WhiteBox, run,
};

/// Class 1 where the first feature exceeds 0.7.
struct Threshold(Domain);

impl Classifier for Threshold {
    fn domain(&self) -> &Domain {
        &self.0
    }

    fn classes(&self) -> usize {
        2
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let first = rows.narrow(1, 0, 1);
        Tensor::cat(vec![first.clone() * 0.0, first - 0.7], 1)
    }
}

/// Bisects between the clean value of feature 0 and 1.
#[derive(Debug)]
struct Bisection {
    queries: u32,
}

impl Algorithm for Bisection {
    fn name(&self) -> &'static str {
        "bisection"
    }

    fn norms(&self) -> &[Norm] {
        &Norm::ALL
    }

    fn reach(&self) -> Reach {
        Reach::Nearest
    }

    fn check(&self, _: &Setting<'_>) -> Result<()> {
        Ok(())
    }
}

impl LabelAttack for Bisection {
    fn perturb(&self, job: &mut LabelJob<'_>) -> Result<Tensor<2>> {
        search_labels(job, self)
    }
}

impl Search<Labels> for Bisection {
    fn search<'s>(&'s self, asker: &'s mut Asker<Labels>) -> Searching<'s> {
        Box::pin(async move {
            let (mut low, mut high) = (asker.clean()[0], asker.upper()[0]);
            for _ in 0..self.queries {
                let mut row = asker.clean().to_vec();
                row[0] = 0.5 * (low + high);
                if asker.meets(&row).await? { high = row[0] } else { low = row[0] }
            }
            Ok(())
        })
    }
}

fn outcome(clean: &[f32], radius: Option<f64>, budget: Option<u64>) -> crate::Outcome {
    let device = Device::flex();
    let model = Threshold(Domain::image(1, 1, 2).unwrap());
    let passes = Passes::new(&device).unwrap();
    let oracle = WhiteBox::new(&model, &passes);
    let rows = clean.iter().flat_map(|&value| [value, 0.5]).collect::<Vec<_>>();
    let rows = Tensor::from_data(TensorData::new(rows, [clean.len(), 2]), &device);
    let goal = Goal::Untargeted(vec![0; clean.len()]);
    let problem = match radius {
        Some(radius) => Problem::new(
            Oracle::Labels(&oracle),
            rows,
            goal,
            Threat::new(Norm::L2, radius).unwrap(),
        ),
        None => Problem::nearest(Oracle::Labels(&oracle), rows, goal, Norm::L2).unwrap(),
    };
    let attack = Attack::Label(Box::new(Bisection { queries: 24 }));
    run(&attack, &problem.with_budget(budget)).unwrap()
}

#[test]
fn the_nearest_point_is_found_and_each_query_counted() {
    let got = outcome(&[0.0, 0.5, 0.9], None, None);
    for (sample, distance) in got.samples.iter().zip([0.7, 0.2]) {
        assert_eq!((sample.status, sample.forwards), (Status::Broken, 24));
        assert!((sample.distance - distance).abs() < 1e-6, "{}", sample.distance);
        assert_eq!(sample.broken_by.as_deref(), Some("bisection"));
    }
    assert_eq!((got.samples[2].status, got.samples[2].forwards), (Status::AlreadyMet, 0));
    assert_eq!((got.stages[0].given, got.stages[0].broken), (2, 2));
}

/// From 0.5: the midpoint 0.75 lies at 0.25, then 0.625 fails, 0.6875 fails, 0.71875 is at 0.21875.
#[test]
fn a_sample_leaves_at_its_first_point_in_the_ball() {
    let got = outcome(&[0.5, 0.5], Some(0.25), None);
    assert_eq!((got.samples[0].forwards, got.samples[0].distance), (1, 0.25));
    let got = outcome(&[0.5, 0.5], Some(0.22), None);
    assert_eq!((got.samples[1].forwards, got.samples[1].distance), (4, 0.21875));
    let got = outcome(&[0.5], Some(0.19), None);
    assert_eq!((got.samples[0].forwards, got.samples[0].status), (24, Status::Survived));
    assert!(got.samples[0].distance <= 0.19, "its best attempt is inside the ball");
}

#[test]
fn a_budget_is_never_overspent() {
    for budget in [0, 1, 3, 24, 30] {
        let got = outcome(&[0.5], None, Some(budget));
        assert_eq!(got.samples[0].forwards, budget.min(24));
    }
}

#[test]
fn a_fixed_budget_attack_must_be_given_a_radius() {
    #[derive(Debug)]
    struct Fixed;
    impl Algorithm for Fixed {
        fn name(&self) -> &'static str {
            "fixed"
        }
        fn norms(&self) -> &[Norm] {
            &Norm::ALL
        }
        fn check(&self, _: &Setting<'_>) -> Result<()> {
            Ok(())
        }
    }
    impl LabelAttack for Fixed {
        fn perturb(&self, job: &mut LabelJob<'_>) -> Result<Tensor<2>> {
            Ok(job.clean())
        }
    }
    let device = Device::flex();
    let model = Threshold(Domain::image(1, 1, 2).unwrap());
    let passes = Passes::new(&device).unwrap();
    let oracle = WhiteBox::new(&model, &passes);
    let rows = Tensor::zeros([1, 2], &device);
    let goal = Goal::Untargeted(vec![0]);
    let problem = Problem::nearest(Oracle::Labels(&oracle), rows, goal, Norm::L2).unwrap();
    let got = run(&Attack::Label(Box::new(Fixed)), &problem);
    assert!(matches!(got, Err(Error::NeedsRadius { algorithm: "fixed" })));
}
