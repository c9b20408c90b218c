//! The one place that turns "these rows, this loss" into forward and input-backward passes.
//!
//! On a CPU a batch is cut into sub-batches of [`SUB_BATCH`] rows, which worker threads compute,
//! each with its own tape; the last one is padded. The fixed size makes a row's bits independent of
//! who else is in the batch: matrix products choose their kernel by the number of rows. It also fits
//! caches, and keeps all cores busy in the backward pass. For a model whose bits are the same in
//! smaller sub-batches ([`Passes::cut_for`] tries) these save the padding. On a GPU a batch runs whole.
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use burn::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::classifier::{Evaluation, input_gradient};
use crate::{Aim, Classifier, Error, Goal, Loss, Result, device, host};

/// Rows of a padded sub-batch on a CPU.
pub const SUB_BATCH: usize = 32;

/// The least multiple of rows that sub-batches may have.
const LEAST_GRAIN: usize = 8;

/// Rows of a pass on a GPU, unless set otherwise.
pub const GPU_BATCH: usize = 1024;

/// A smaller sub-batch must be this much faster a row to be preferred.
const CLEARLY_FASTER: f64 = 0.95;

/// How a batch is cut on a CPU. The cut changes the cost, never the bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Rows of a sub-batch are a multiple of this, by padding: dropping fewer saves nothing.
    pub grain: usize,
    /// Most rows of a sub-batch.
    pub most: usize,
}

impl Cut {
    /// Full sub-batches, right for every model.
    pub const FULL: Self = Self { grain: SUB_BATCH, most: SUB_BATCH };
}

/// Computes passes of any classifier on one device.
pub struct Passes {
    device: Device,
    schedule: Schedule,
}

enum Schedule {
    /// One single-threaded pool a worker: work inside a sub-batch never waits for another core.
    Workers(Vec<ThreadPool>),
    /// Whole batches of at most so many rows.
    Whole(usize),
}

impl Passes {
    /// Passes on `device`: one worker a core on a CPU, batches of [`GPU_BATCH`] on a GPU.
    ///
    /// # Errors
    /// [`Error::Device`] if the worker threads cannot be started.
    pub fn new(device: &Device) -> Result<Self> {
        if device::is_cpu(device) {
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            Self::with_workers(device, cores)
        } else {
            Ok(Self::with_batch(device, GPU_BATCH))
        }
    }

    /// Padded sub-batches over `workers` threads (at least one).
    ///
    /// # Errors
    /// [`Error::Device`] if the threads cannot be started.
    pub fn with_workers(device: &Device, workers: usize) -> Result<Self> {
        let pool = |_| ThreadPoolBuilder::new().num_threads(1).build();
        let workers = (0..workers.max(1))
            .map(pool)
            .collect::<Result<_, _>>()
            .map_err(|error| Error::Device(error.to_string()))?;
        Ok(Self { device: device.clone().inner(), schedule: Schedule::Workers(workers) })
    }

    /// Whole batches of at most `rows` rows (at least one).
    #[must_use]
    pub fn with_batch(device: &Device, rows: usize) -> Self {
        Self { device: device.clone().inner(), schedule: Schedule::Whole(rows.max(1)) }
    }

    /// Where the passes run.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// How to cut batches of this model: the smallest multiple of rows whose bits are those of a
    /// full sub-batch, and of its multiples the one that runs fastest.
    ///
    /// Found by passes over a few made-up rows: a kernel is chosen by the shape, not by the values.
    /// What cannot be tried keeps the full size, and so does a model of which a made-up row says
    /// nothing because its gradient is zero: such bits are the same by any kernel.
    #[must_use]
    pub fn cut_for(&self, model: &dyn Classifier) -> Cut {
        let Schedule::Workers(pools) = &self.schedule else {
            return Cut { grain: 1, ..Cut::FULL };
        };
        let try_all = || -> Result<Cut> {
            let (full, slowest) = probe(model, &self.device, SUB_BATCH)?;
            let [_, slopes] = &full;
            let silent = |row: &[u32]| row.iter().all(|&bits| f32::from_bits(bits) == 0.0);
            if slopes.chunks_exact(slopes.len() / SUB_BATCH).any(silent) {
                return Ok(Cut::FULL);
            }
            for grain in [LEAST_GRAIN, SUB_BATCH / 2] {
                let mut best = (slowest * CLEARLY_FASTER, SUB_BATCH);
                let mut same = true;
                for size in (grain..SUB_BATCH).step_by(grain) {
                    let (part, time) = probe(model, &self.device, size)?;
                    same &= full.iter().zip(&part).all(|(full, part)| full.starts_with(part));
                    if SUB_BATCH.is_multiple_of(size) && time < best.0 {
                        best = (time, size);
                    }
                }
                if same {
                    return Ok(Cut { grain, most: best.1 });
                }
            }
            Ok(Cut::FULL)
        };
        // On a worker, as the passes themselves.
        pools[0].install(try_all).unwrap_or(Cut::FULL)
    }

    /// Logits of rows, `[N, F] → [N, K]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the rows do not fit the model or the model not its own description.
    pub fn logits(&self, model: &dyn Classifier, rows: Tensor<2>) -> Result<Tensor<2>> {
        self.logits_by(Cut::FULL, model, rows)
    }

    /// [`Passes::logits`] in sub-batches cut as [`Passes::cut_for`] says.
    pub(crate) fn logits_by(
        &self,
        cut: Cut,
        model: &dyn Classifier,
        rows: Tensor<2>,
    ) -> Result<Tensor<2>> {
        let width = model.classes();
        if check(model, &rows)? == 0 {
            return Ok(Tensor::empty([0, width], &self.device));
        }
        let parts = self.cut(&rows, cut, |rows, _| {
            let [count, _] = rows.dims();
            let logits = model.forward(rows).inner();
            expect_logits(&logits, count, width)?;
            Ok([logits])
        })?;
        let [logits] = join(parts);
        Ok(logits)
    }

    /// Loss, logits and input gradient of rows `[N, F]`.
    ///
    /// # Errors
    /// As [`Passes::logits`]; [`Error::NoGradient`] if no gradient reaches the rows.
    pub fn gradient(
        &self,
        model: &dyn Classifier,
        rows: Tensor<2>,
        aim: &Aim,
        loss: &dyn Loss,
    ) -> Result<Evaluation> {
        self.gradient_by(Cut::FULL, model, rows, aim, loss)
    }

    /// [`Passes::gradient`] in sub-batches cut as [`Passes::cut_for`] says.
    pub(crate) fn gradient_by(
        &self,
        cut: Cut,
        model: &dyn Classifier,
        rows: Tensor<2>,
        aim: &Aim,
        loss: &dyn Loss,
    ) -> Result<Evaluation> {
        let width = model.classes();
        if check(model, &rows)? == 0 {
            return Ok(Evaluation {
                logits: Tensor::empty([0, width], &self.device),
                loss: Tensor::empty([0], &self.device),
                gradient: rows,
            });
        }
        let parts = self.cut(&rows, cut, |rows, range| {
            let [count, _] = rows.dims();
            let aim = aim.slice(range).pad(count);
            let got = input_gradient(model, rows, &aim, loss)?;
            expect_logits(&got.logits, count, width)?;
            Ok([got.logits, got.gradient, got.loss.unsqueeze_dim(1)])
        })?;
        let [logits, gradient, loss] = join(parts);
        Ok(Evaluation { logits, gradient, loss: loss.squeeze_dim(1) })
    }

    /// Any function of rows that treats rows independently, `[N, F] → [N, G]`, computed as the
    /// passes are: `work` gets the rows of a sub-batch and the range they stand for (the rows
    /// beyond it are padding).
    ///
    /// # Errors
    /// The first error of `work`, in the order of the rows.
    pub fn over<const P: usize>(
        &self,
        rows: &Tensor<2>,
        work: impl Fn(Tensor<2>, Range<usize>) -> Result<[Tensor<2>; P]> + Sync,
    ) -> Result<Vec<[Tensor<2>; P]>> {
        self.cut(rows, Cut::FULL, work)
    }

    /// [`Passes::over`] in sub-batches cut so.
    fn cut<const P: usize>(
        &self,
        rows: &Tensor<2>,
        Cut { grain, most }: Cut,
        work: impl Fn(Tensor<2>, Range<usize>) -> Result<[Tensor<2>; P]> + Sync,
    ) -> Result<Vec<[Tensor<2>; P]>> {
        let [count, _] = rows.dims();
        let piece = match &self.schedule {
            // A small batch is shared among the workers.
            Schedule::Workers(pools) => {
                count.div_ceil(pools.len()).next_multiple_of(grain).min(most)
            }
            Schedule::Whole(whole) => *whole,
        };
        let jobs = count.div_ceil(piece);
        let run = |job: usize| {
            let range = job * piece..count.min((job + 1) * piece);
            let have = range.len();
            let part = rows.clone().narrow(0, range.start, have);
            match &self.schedule {
                Schedule::Whole(_) => work(part, range),
                Schedule::Workers(_) if have.is_multiple_of(grain) => work(part, range),
                Schedule::Workers(_) => {
                    let missing = have.next_multiple_of(grain) - have;
                    let last = part.clone().narrow(0, have - 1, 1).repeat_dim(0, missing);
                    let padded = work(Tensor::cat(vec![part, last], 0), range)?;
                    Ok(padded.map(|tensor| tensor.narrow(0, 0, have)))
                }
            }
        };
        match &self.schedule {
            Schedule::Whole(_) => (0..jobs).map(run).collect(),
            Schedule::Workers(pools) => spread(pools, jobs, &run),
        }
    }
}

/// Bits of the logits and of the input gradients of the first `size` made-up rows, and the seconds a
/// row of the second pass.
fn probe(model: &dyn Classifier, device: &Device, size: usize) -> Result<([Vec<u32>; 2], f64)> {
    let (domain, classes) = (model.domain(), model.classes());
    let features = domain.features();
    let value = |index: usize| {
        let (low, high) =
            (domain.lower().at(index % features), domain.upper().at(index % features));
        low + (high - low) * (0.5 + 0.5 * (index as f32 * 0.73).sin())
    };
    let values: Vec<f32> = (0..size * features).map(value).collect();
    let rows = Tensor::from_data(TensorData::new(values, [size, features]), device);
    let aim = Goal::Untargeted((0..size).map(|row| row % classes.max(1)).collect()).aim(device);
    input_gradient(model, rows.clone(), &aim, &Squares)?;
    let begun = Instant::now();
    let at = input_gradient(model, rows, &aim, &Squares)?;
    let seconds = begun.elapsed().as_secs_f64() / size as f64;
    let bits = [at.logits, at.gradient]
        .map(|tensor| host::of_cpu(tensor).into_iter().map(f32::to_bits).collect());
    Ok((bits, seconds))
}

/// `½ Σ zᵢ²`: depends on every logit.
#[derive(Debug)]
struct Squares;

impl Loss for Squares {
    fn name(&self) -> &'static str {
        "squares"
    }

    fn per_sample(&self, logits: Tensor<2>, _: &Aim) -> Tensor<1> {
        (logits.square() * 0.5).sum_dim(1).squeeze_dim(1)
    }
}

fn check(model: &dyn Classifier, rows: &Tensor<2>) -> Result<usize> {
    let ([count, features], expected) = (rows.dims(), model.domain().features());
    if features == expected {
        return Ok(count);
    }
    Err(Error::Shape {
        what: "rows",
        expected: format!("[N, {expected}]"),
        got: format!("[{count}, {features}]"),
    })
}

/// Runs `jobs` jobs over the pools, each pool taking the next job when it is free.
fn spread<T: Send>(
    pools: &[ThreadPool],
    jobs: usize,
    run: &(impl Fn(usize) -> Result<T> + Sync),
) -> Result<Vec<T>> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<Result<T>>>> = Mutex::new((0..jobs).map(|_| None).collect());
    let worker = || {
        loop {
            let job = next.fetch_add(1, Ordering::Relaxed);
            if job >= jobs {
                return;
            }
            let result = run(job);
            let mut results = results.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            results[job] = Some(result);
        }
    };
    nest(&pools[..pools.len().min(jobs)], &worker);
    let results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let unrun = || Error::Device("a worker stopped before its work was done".into());
    results.into_iter().map(|result| result.unwrap_or_else(|| Err(unrun()))).collect()
}

/// Starts `worker` on every pool and waits for all.
fn nest(pools: &[ThreadPool], worker: &(impl Fn() + Sync)) {
    if let Some((pool, rest)) = pools.split_first() {
        pool.in_place_scope(|scope| {
            scope.spawn(|_| worker());
            nest(rest, worker);
        });
    }
}

fn join<const P: usize>(parts: Vec<[Tensor<2>; P]>) -> [Tensor<2>; P] {
    let mut columns: [Vec<Tensor<2>>; P] = std::array::from_fn(|_| Vec::new());
    for part in parts {
        for (column, tensor) in columns.iter_mut().zip(part) {
            column.push(tensor);
        }
    }
    columns.map(|mut column| match column.len() {
        1 => column.remove(0),
        _ => Tensor::cat(column, 0),
    })
}

fn expect_logits(logits: &Tensor<2>, rows: usize, classes: usize) -> Result<()> {
    if logits.dims() == [rows, classes] {
        return Ok(());
    }
    Err(Error::Shape {
        what: "logits",
        expected: format!("[{rows}, {classes}]"),
        got: format!("{:?}", logits.dims()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Domain;

    /// Logits `(relu(Σx − threshold), 0)`, by operations that treat each row alone.
    struct Sum {
        domain: Domain,
        threshold: f32,
    }

    impl Classifier for Sum {
        fn domain(&self) -> &Domain {
            &self.domain
        }

        fn classes(&self) -> usize {
            2
        }

        fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
            let sum = (rows.sum_dim(1) - self.threshold).clamp_min(0.0);
            Tensor::cat(vec![sum.clone(), sum * 0.0], 1)
        }
    }

    #[test]
    fn a_model_that_says_nothing_of_the_made_up_rows_keeps_full_sub_batches() {
        let passes = Passes::with_workers(&Device::flex(), 1).unwrap();
        let of =
            |threshold| passes.cut_for(&Sum { domain: Domain::image(1, 3, 3).unwrap(), threshold });
        assert_eq!(of(-1.0).grain, LEAST_GRAIN);
        assert_eq!(of(100.0), Cut::FULL);
    }
}
