//! What there is to attack: a classifier in this process, or a service.
use std::sync::{Arc, OnceLock};

use burn::prelude::*;
use duress_core::{
    Classifier, Cut, Expectation, LabelOracle, Oracle, Passes, ScoreOracle, Seed, Surrogate,
    WhiteBox, arg_max, host,
};

use crate::Result;
use crate::experiment::AttackPlan;
use duress_defenses::Defended;

/// What there is to attack.
pub(super) enum Subject {
    /// A classifier in this process.
    Local {
        classifier: Arc<dyn Classifier>,
        /// What an adversary differentiates where the classifier itself has no gradient of use.
        stand_in: Option<Arc<dyn Classifier>>,
        /// The same classifier, where it is another one behind a transformation.
        defended: Option<Arc<Defended>>,
        /// How passes cut batches of the classifier and of the stand-in, found at the first oracle.
        cuts: OnceLock<[Cut; 2]>,
    },
    /// A service that answers with scores.
    Scores(Arc<dyn ScoreOracle>),
    /// A service that answers with classes.
    Labels(Arc<dyn LabelOracle>),
}

impl Subject {
    pub(super) fn local(
        classifier: Arc<dyn Classifier>,
        stand_in: Option<Arc<dyn Classifier>>,
    ) -> Self {
        Subject::Local { classifier, stand_in, defended: None, cuts: OnceLock::new() }
    }

    /// A classifier behind a transformation.
    pub(super) fn defended(defended: Arc<Defended>) -> Self {
        let classifier: Arc<dyn Classifier> = Arc::clone(&defended) as _;
        let defended = Some(defended);
        Subject::Local { classifier, stand_in: None, defended, cuts: OnceLock::new() }
    }

    /// The attack made for a model behind a generator.
    pub(super) fn latent_attack(&self) -> Option<AttackPlan> {
        match self {
            Subject::Local { defended: Some(defended), .. } => {
                defended.latent_map().map(AttackPlan::latent)
            }
            _ => None,
        }
    }

    /// Whether answers depend on draws.
    pub(super) fn is_random(&self) -> bool {
        matches!(self, Subject::Local { defended: Some(defended), .. } if defended.is_random())
    }

    /// Runs `work` with what an adversary works on who knows nothing of the transformation in front
    /// of the model, and with who judges the result: the gradient that the pipeline itself gives,
    /// which is zero behind a step; where answers are random, that of the model without the
    /// transformation.
    pub(super) fn with_unaware<T>(
        &self,
        passes: &Passes,
        work: impl FnOnce(Oracle<'_>, Option<Oracle<'_>>) -> T,
    ) -> T {
        let Subject::Local { defended: Some(defended), .. } = self else {
            return self.with_oracle(passes, |own| work(own, None));
        };
        let (naive, base) = (defended.naive(), defended.base().as_ref());
        let seen: &dyn Classifier = if defended.is_random() { base } else { &naive };
        let seen = WhiteBox::new(seen, passes);
        self.with_oracle(passes, |judge| work(Oracle::Gradients(&seen), Some(judge)))
    }

    /// Runs `work` with what an adversary works on and, where that is not the subject itself, with
    /// who judges the result: a random model is attacked in expectation over `draws` draws that
    /// follow from `seed`, and judged by the deployed one, which draws for each row anew.
    pub(super) fn with_adversary<T>(
        &self,
        passes: &Passes,
        (draws, seed): (u32, Seed),
        work: impl FnOnce(Oracle<'_>, Option<Oracle<'_>>) -> T,
    ) -> T {
        match self {
            Subject::Local { defended: Some(defended), .. } if defended.is_random() => {
                let adversary = defended.adversary();
                let mean = Expectation::new(&adversary, passes, draws, seed, 0);
                let judge = |judge: Oracle<'_>| work(Oracle::Gradients(&mean), Some(judge));
                self.with_oracle(passes, judge)
            }
            _ => self.with_oracle(passes, |own| work(own, None)),
        }
    }

    /// Runs `work` with the best access an adversary has.
    pub(super) fn with_oracle<T>(&self, passes: &Passes, work: impl FnOnce(Oracle<'_>) -> T) -> T {
        let (classifier, stand_in, cuts) = match self {
            Subject::Scores(oracle) => return work(Oracle::Scores(oracle.as_ref())),
            Subject::Labels(oracle) => return work(Oracle::Labels(oracle.as_ref())),
            Subject::Local { classifier, stand_in, cuts, .. } => {
                (classifier.as_ref(), stand_in.as_deref(), cuts)
            }
        };
        let [cut, other] = *cuts.get_or_init(|| {
            [passes.cut_for(classifier), stand_in.map_or(Cut::FULL, |model| passes.cut_for(model))]
        });
        let own = WhiteBox::with_cut(classifier, passes, cut);
        match stand_in {
            None => work(Oracle::Gradients(&own)),
            Some(model) => {
                let stand_in = WhiteBox::with_cut(model, passes, other);
                work(Oracle::Gradients(&Surrogate::of(own, stand_in)))
            }
        }
    }

    /// The class of each row.
    pub(super) fn classes_of(&self, passes: &Passes, rows: Tensor<2>) -> Result<Vec<usize>> {
        Ok(self.answers(passes, rows)?.0)
    }

    /// The class of each row, and its logits `[N, K]` where there are any.
    pub(super) fn answers(
        &self,
        passes: &Passes,
        rows: Tensor<2>,
    ) -> Result<(Vec<usize>, Option<Vec<f32>>)> {
        let logits = match self {
            Subject::Local { classifier, .. } => passes.logits(classifier.as_ref(), rows)?,
            Subject::Scores(oracle) => oracle.logits(rows)?,
            Subject::Labels(oracle) => return Ok((host::labels(oracle.labels(rows)?)?, None)),
        };
        let classes = logits.dims()[1].max(1);
        let logits = host::floats(logits)?;
        Ok((logits.chunks_exact(classes).map(arg_max).collect(), Some(logits)))
    }
}
