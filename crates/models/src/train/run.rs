//! The training loop.
use std::path::Path;
use std::time::Instant;

use burn::optim::GradientsParams;
use duress_core::{Passes, Progress};

use super::checkpoint::{self, Fingerprint};
use super::clip::clip;
use super::data::{Assembled, Batch, TrainingData};
use super::gradients::sum;
use super::memory::Memory;
use super::mix;
use super::objective::{Feedback, LossOutput, Objective, Step};
use super::preparation::{Preparation, beside};
use super::recipe::Recipe;
use super::state::{Kept, Pending, Position, State, on_tape, order};
use super::watch::{EpochReport, Watch};
use crate::{Error, Result, Trainable};

/// Steps between two reads of the loss from the device.
const READ_EVERY: usize = 32;

/// What a training needs from around it.
pub struct Run<'a, M> {
    /// The device to train on, and the passes an objective makes.
    pub passes: &'a Passes,
    /// Looks at the network after each epoch.
    pub watch: Option<&'a mut dyn Watch<M>>,
    /// Where the state is kept after each epoch. A file that is there is resumed.
    pub checkpoint: Option<&'a Path>,
    /// The second set of samples, if the recipe mixes one in: same domain, same classes.
    pub extra: Option<TrainingData<'a>>,
    /// Hears of each step and says whether to stop.
    pub progress: &'a dyn Progress,
}

impl<'a, M> Run<'a, M> {
    /// Trains on the device of `passes`, unwatched, silent, without a checkpoint.
    #[must_use]
    pub fn new(passes: &'a Passes) -> Self {
        Self { passes, watch: None, checkpoint: None, extra: None, progress: &duress_core::Silent }
    }
}

/// The weights with the highest score, and when that was.
#[derive(Clone, Debug)]
pub struct Best<M> {
    /// In evaluation mode, averaged if the recipe averages.
    pub network: M,
    /// Epoch, from 0.
    pub epoch: u32,
    /// The score that the watch gave.
    pub score: f64,
}

/// What comes out of a training. All networks are in evaluation mode and share nothing.
#[derive(Clone, Debug)]
pub struct Trained<M> {
    /// The weights after the last epoch, averaged if the recipe averages.
    pub last: M,
    /// The weights after the last step, never averaged.
    pub raw: M,
    /// The best weights, if the watch gave a score. Of equal scores the first.
    pub best: Option<Best<M>>,
    /// One report an epoch.
    pub history: Vec<EpochReport>,
    /// Why the training stopped before the recipe's epochs, if it did.
    pub stopped: Option<String>,
}

impl<M> Trained<M> {
    /// The best weights if there are any, else the last.
    #[must_use]
    pub fn chosen(&self) -> &M {
        self.best.as_ref().map_or(&self.last, |best| &best.network)
    }
}

/// Trains a copy of `network` on `data`.
///
/// The result is a function of the weights of `network`, the objective, the data and the recipe:
/// a training that was interrupted and resumed from its checkpoint ends with the same bits.
///
/// # Errors
/// [`Error::Parameter`] for a recipe that does not fit, [`Error::Core`] for data that do not fit,
/// [`Error::LossNotFinite`] at most 32 steps after the one it names,
/// [`Error::OtherRun`], [`Error::Format`] or [`Error::Damaged`] for a checkpoint that cannot be
/// resumed, [`duress_core::Error::Cancelled`] when asked to stop (the checkpoint is written
/// first), and whatever the objective or the watch return.
pub fn train<M: Trainable>(
    network: &M,
    objective: &dyn Objective<M>,
    data: &TrainingData<'_>,
    recipe: &Recipe,
    run: Run<'_, M>,
) -> Result<Trained<M>> {
    recipe.check()?;
    recipe.augmentation.check(data.domain)?;
    data.check()?;
    if recipe.early_stop.is_some() && run.watch.is_none() {
        return Err(Error::Parameter {
            what: "recipe",
            field: "early_stop",
            expected: "absent, as nobody watches".into(),
            got: "a rule".into(),
        });
    }
    check_extra(data, recipe, run.extra.as_ref())?;
    let network = on_tape(network, run.passes.device());
    let fingerprint = match run.checkpoint {
        Some(_) => Some(Fingerprint::new(&network, objective, data, run.extra.as_ref(), recipe)?),
        None => None,
    };
    let mut trainer = Trainer { objective, data, recipe, run, fingerprint };
    let mut state = trainer.begin(network)?;
    while state.at.epoch < recipe.epochs && state.stopped.is_none() {
        state = trainer.epoch(state)?;
        let judged = trainer.judge(&mut state);
        if judged.as_ref().err().is_none_or(is_cancelled) {
            trainer.save(&state)?;
        }
        judged?;
    }
    Ok(Trained {
        last: state.evaluation(),
        raw: state.network.valid(),
        best: state.best.map(|Kept { network, epoch, score }| Best { network, epoch, score }),
        history: state.history,
        stopped: state.stopped,
    })
}

/// Checks that there is a second set exactly if the recipe asks for one, and that it fits.
fn check_extra(
    data: &TrainingData<'_>,
    recipe: &Recipe,
    extra: Option<&TrainingData<'_>>,
) -> Result<()> {
    let fault = |expected: &str, got: &str| {
        let (expected, got) = (expected.into(), got.into());
        Err(Error::Parameter { what: "recipe", field: "mix", expected, got })
    };
    match (&recipe.mix, extra) {
        (None, None) => Ok(()),
        (Some(_), None) => fault("absent, as there is no second set of samples", "a share"),
        (None, Some(_)) => fault("the share of the second set of samples", "none"),
        (Some(_), Some(extra)) if extra.classes != data.classes || extra.domain != data.domain => {
            fault("of a set of the same domain and classes", "another one")
        }
        (Some(_), Some(extra)) => extra.check(),
    }
}

fn is_cancelled(error: &Error) -> bool {
    matches!(error, Error::Core(duress_core::Error::Cancelled))
}

struct Trainer<'a, 'r, M> {
    objective: &'a dyn Objective<M>,
    data: &'a TrainingData<'a>,
    recipe: &'a Recipe,
    run: Run<'r, M>,
    fingerprint: Option<Fingerprint>,
}

impl<M: Trainable> Trainer<'_, '_, M> {
    /// The state in the checkpoint, or a new one.
    fn begin(&self, network: M) -> Result<State<M>> {
        match (self.run.checkpoint, &self.fingerprint) {
            (Some(path), Some(fingerprint)) if path.exists() => {
                checkpoint::load(path, fingerprint, network, self.recipe)
            }
            _ => self.prepare(State::new(network, self.recipe)),
        }
    }

    /// A new state with what the objective keeps from the beginning. Companions may have taken
    /// long: they are saved at once, and only then forgotten where they were.
    fn prepare(&self, mut state: State<M>) -> Result<State<M>> {
        let network = state.network.valid();
        state.memory = self.objective.prepare(&Preparation {
            network: &network,
            data: self.data,
            recipe: self.recipe,
            passes: self.run.passes,
            progress: self.run.progress,
            checkpoint: self.run.checkpoint,
        })?;
        if !state.memory.is_empty() {
            self.save(&state)?;
        }
        if let Some(path) = self.run.checkpoint {
            for (name, _) in state.memory.networks() {
                let path = beside(path, name);
                match std::fs::remove_file(&path) {
                    Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                        return Err(Error::Io { path, source });
                    }
                    _ => {}
                }
            }
        }
        Ok(state)
    }

    fn save(&self, state: &State<M>) -> Result<()> {
        match (self.run.checkpoint, &self.fingerprint) {
            (Some(path), Some(fingerprint)) => checkpoint::save(path, fingerprint, state),
            _ => Ok(()),
        }
    }

    /// Samples of the first and of the second set in a full batch.
    fn shares(&self) -> (usize, usize) {
        let size = self.recipe.batch_size;
        let extra = self.recipe.mix.as_ref().map_or(0, |mix| mix.extra(size));
        (size - extra, extra)
    }

    /// Steps of an epoch.
    fn steps(&self) -> u64 {
        let batches = self.data.labels.len().div_ceil(self.shares().0) as u64;
        batches * u64::from(self.objective.replays().max(1))
    }

    /// Runs the steps of an epoch that are left.
    fn epoch(&mut self, mut state: State<M>) -> Result<State<M>> {
        let (epoch, steps) = (state.at.epoch, self.steps());
        let order = order(self.recipe, self.data, epoch);
        let progress = self.run.progress;
        progress.begin(&format!("epoch {} of {}", epoch + 1, self.recipe.epochs), steps);
        progress.advance(state.at.step);
        let extra = self.run.extra.map_or(0, |extra| extra.labels.len());
        let order = (order, mix::order(self.recipe.seed, extra, epoch));
        let (mut pending, mut begun) = (Pending::from(state.at.step), Instant::now());
        while state.at.step < steps {
            let batch = self.batch(&order, state.at);
            let learnt = if progress.cancelled() {
                Err(duress_core::Error::Cancelled.into())
            } else {
                self.learn(&state, &batch)
            };
            let learnt = match learnt {
                Err(error) if is_cancelled(&error) => {
                    pending.settle(&mut state.at)?;
                    state.at.seconds += begun.elapsed().as_secs_f64();
                    self.save(&state)?;
                    progress.end();
                    return Err(error);
                }
                other => other?,
            };
            let output = &learnt.output;
            pending.push(&output.loss, output.logits.clone(), batch.targets());
            state = self.descend(state, learnt)?;
            if pending.len() == READ_EVERY {
                pending.settle(&mut state.at)?;
                state.at.seconds += begun.elapsed().as_secs_f64();
                begun = Instant::now();
            }
            progress.advance(1);
        }
        pending.settle(&mut state.at)?;
        state.at.seconds += begun.elapsed().as_secs_f64();
        progress.end();
        Ok(state)
    }

    /// What the objective is told of the step at `at`.
    fn step(&self, at: Position) -> Step<'_> {
        Step {
            epoch: at.epoch,
            step: at.step,
            steps: self.steps(),
            epochs: self.recipe.epochs,
            seed: self.recipe.seed,
            label_smoothing: self.recipe.label_smoothing,
            domain: self.data.domain,
            classes: self.data.classes,
            passes: self.run.passes,
            progress: self.run.progress,
        }
    }

    /// The gradient of the next step, from all its backward passes.
    fn learn(&self, state: &State<M>, batch: &Batch) -> Result<Learnt<M>> {
        let (step, objective) = (self.step(state.at), self.objective);
        let mut memory = state.memory.clone();
        let mut pass = |pass| -> Result<(GradientsParams, LossOutput)> {
            let traced = objective.loss_by(&state.network, batch, &step, &mut memory)?;
            let output = traced.output;
            if !(output.loss.is_autodiff() && output.loss.is_tracked()) {
                return Err(Error::LossDetached { objective: objective.name().into() });
            }
            let mut gradients = output.loss.backward();
            let slope = traced.leaf.and_then(|leaf| leaf.grad_remove(&mut gradients));
            let feedback = Feedback { pass, slope, logits: output.logits.clone() };
            objective.remember(&mut memory, batch, &step, feedback)?;
            Ok((GradientsParams::from_grads(gradients, &state.network), output))
        };
        let (mut gradients, mut output) = pass(0)?;
        for index in 1..objective.backward_passes() {
            let (more, latest) = pass(index)?;
            gradients = sum(gradients, more, &state.network);
            output = latest;
        }
        Ok(Learnt { gradients, memory, output })
    }

    /// One step against the gradient.
    fn descend(&self, mut state: State<M>, learnt: Learnt<M>) -> Result<State<M>> {
        let mut gradients = learnt.gradients;
        if let Some(most) = self.recipe.gradient_clipping {
            gradients = clip(gradients, &state.network, most);
        }
        let rate = self.rate(state.at.epoch, state.at.step);
        let network = state.optimizer.step(rate, state.network, gradients);
        state.network = self.objective.after_step(network, &self.step(state.at))?;
        state.memory = learnt.memory;
        state.average = state.average.map(|average| average.update(&state.network));
        state.at.step += 1;
        Ok(state)
    }

    /// The learning rate of a step.
    fn rate(&self, epoch: u32, step: u64) -> f64 {
        let (steps, recipe) = (self.steps(), self.recipe);
        let step = u64::from(epoch) * steps + step;
        recipe.optimizer.learning_rate() * recipe.schedule.factor(step, steps, recipe.epochs)
    }

    /// The samples of the next step, augmented: those of the first set, then those of the second.
    fn batch(&self, (order, extra_order): &(Vec<usize>, Vec<usize>), at: Position) -> Batch {
        let (own, extra) = self.shares();
        let number = (at.step / u64::from(self.objective.replays().max(1))) as usize;
        let first = number * own;
        let positions = &order[first..order.len().min(first + own)];
        let mut batch = Assembled::default();
        for &position in positions {
            batch.push(self.data, position, self.data.ids[position], self.recipe, at.epoch);
        }
        if let Some(second) = &self.run.extra {
            // The last batch of an epoch keeps the share.
            let count = (positions.len() * extra).div_ceil(own);
            for index in number * extra..number * extra + count {
                let position = extra_order[index % extra_order.len()];
                let id = mix::apart(second.ids[position]);
                batch.push(second, position, id, self.recipe, at.epoch);
            }
        }
        batch.on(self.run.passes.device(), self.data.domain.features())
    }

    /// Ends an epoch: reports it, asks the watch, keeps the best weights, decides on stopping.
    fn judge(&mut self, state: &mut State<M>) -> Result<()> {
        let at = state.at;
        let rule = self.recipe.early_stop.as_ref();
        let last = at.epoch + 1 == self.recipe.epochs;
        let due = last || rule.is_none_or(|rule| (at.epoch + 1).is_multiple_of(rule.every));
        state.history.push(EpochReport {
            epoch: at.epoch,
            loss: at.loss / at.samples.max(1) as f64,
            correct: (at.judged > 0).then_some(at.correct),
            samples: at.samples,
            learning_rate: self.rate(at.epoch, self.steps() - 1),
            score: None,
            seconds: at.seconds,
        });
        state.at = Position { epoch: at.epoch + 1, waited: at.waited, ..Position::default() };
        let Some(watch) = &mut self.run.watch else { return Ok(()) };
        let network = state.evaluation();
        let verdict = watch.epoch(&network, &state.history, due).inspect_err(|_| {
            // The epoch is judged again when the training is resumed.
            state.history.pop();
            state.at = at;
        })?;
        state.stopped = verdict.stop;
        let Some(score) = verdict.score else { return Ok(()) };
        if let Some(report) = state.history.last_mut() {
            report.score = Some(score);
        }
        let better = score.is_finite() && state.best.as_ref().is_none_or(|kept| score > kept.score);
        if better {
            state.best = Some(Kept { network, epoch: at.epoch, score });
            state.at.waited = 0;
        } else {
            state.at.waited += 1;
        }
        if let Some(rule) = rule
            && state.at.waited >= rule.patience
            && state.stopped.is_none()
            && !last
        {
            let waited = state.at.waited;
            state.stopped = Some(format!("no better score in {waited} measurements"));
        }
        Ok(())
    }
}

/// What a step has learnt from its batch.
struct Learnt<M> {
    gradients: GradientsParams,
    memory: Memory<M>,
    output: LossOutput,
}
