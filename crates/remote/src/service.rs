//! A remote model that is asked with patience: cut into requests, paced, repeated, checked.
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn::prelude::*;
use duress_core::{Domain, host};

use crate::array::{Array, Batch};
use crate::clock::{Clock, Monotonic, pause};
use crate::counters::{Counters, Totals};
use crate::endpoint::Endpoint;
use crate::error::{Fault, RemoteError, Result};
use crate::oracle::{RemoteLabels, RemoteScores};
use crate::output::{self, OutputKind};
use crate::rate::TokenBucket;
use crate::sample::Sampler;
use crate::settings::Settings;

/// A model behind an endpoint, before it is known what may be asked of it.
pub struct Remote(Service);

/// Asked from one thread at a time; a second waits.
pub(crate) struct Service {
    pub(crate) domain: Domain,
    pub(crate) device: Device,
    pub(crate) endpoint_name: String,
    settings: Settings,
    sampler: Sampler,
    line: Mutex<Line>,
    counters: Counters,
    stop: Arc<dyn Fn() -> bool + Send + Sync>,
    clock: Arc<dyn Clock>,
}

/// What one request at a time may use.
struct Line {
    endpoint: Box<dyn Endpoint>,
    bucket: Option<TokenBucket>,
}

impl Remote {
    /// A model that takes rows of `domain`, which come from `device` and whose answers go there.
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// [`RemoteError::Setting`] for a setting outside its range or a sample that does not fit the
    /// domain.
    pub fn new(
        endpoint: impl Endpoint + 'static,
        domain: Domain,
        device: &Device,
        settings: Settings,
    ) -> Result<Self> {
        settings.check()?;
        let sampler = settings.sample.sampler(&domain)?;
        Ok(Self(Service {
            domain,
            device: device.clone().inner(),
            endpoint_name: endpoint.name().to_owned(),
            settings,
            sampler,
            line: Mutex::new(Line { endpoint: Box::new(endpoint), bucket: None }),
            counters: Counters::default(),
            stop: Arc::new(|| false),
            clock: Arc::new(Monotonic::default()),
        })
        .with_bucket())
    }

    /// Ends waits once `stop` says so: the answer is then [`RemoteError::Stopped`].
    #[must_use]
    pub fn with_stop(mut self, stop: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.0.stop = Arc::new(stop);
        self
    }

    /// Waits by another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        self.0.clock = Arc::new(clock);
        self.with_bucket()
    }

    /// Fills the bucket at the time of the clock.
    fn with_bucket(mut self) -> Self {
        let Settings { requests_per_second, burst, .. } = self.0.settings;
        let now = self.0.clock.now();
        let line = self.0.line.get_mut().unwrap_or_else(PoisonError::into_inner);
        line.bucket = requests_per_second.map(|rate| TokenBucket::new(rate, burst, now));
        self
    }

    /// The model as an oracle of scores. Where the number of classes is not set, one query at the
    /// lower corner of the domain finds it.
    ///
    /// # Errors
    /// [`RemoteError::LabelsOnly`], and those of the query.
    pub fn scores(self) -> Result<RemoteScores> {
        let service = self.0;
        if service.settings.output == OutputKind::Labels {
            return Err(RemoteError::LabelsOnly { endpoint: service.endpoint_name });
        }
        let classes = service.find_classes()?;
        Ok(RemoteScores { service, classes })
    }

    /// The model as an oracle of labels, whatever it answers with.
    ///
    /// # Errors
    /// [`RemoteError::ClassesUnknown`] if it answers with labels and the settings do not say how
    /// many classes there are, and those of a first query as in [`Remote::scores`].
    pub fn labels(self) -> Result<RemoteLabels> {
        let service = self.0;
        if service.settings.output == OutputKind::Labels && service.settings.classes.is_none() {
            return Err(RemoteError::ClassesUnknown { endpoint: service.endpoint_name });
        }
        let classes = service.find_classes()?;
        Ok(RemoteLabels { service, classes })
    }
}

impl Service {
    pub(crate) fn totals(&self) -> Totals {
        self.counters.totals()
    }

    /// Whether the model answers with labels.
    pub(crate) fn answers_labels(&self) -> bool {
        self.settings.output == OutputKind::Labels
    }

    fn find_classes(&self) -> Result<usize> {
        if let Some(classes) = self.settings.classes {
            return Ok(classes);
        }
        let corner = (0..self.domain.features()).map(|index| self.domain.lower().at(index));
        let answer = self.ask(&self.sampler.samples(corner.collect()), 1)?;
        let kind = self.settings.output;
        let (_, classes) = output::logits(&answer, (1, None), kind, &self.endpoint_name)?;
        self.counters.answered(1);
        Ok(classes)
    }

    /// Logits of the rows `[N, F]`, row-major.
    pub(crate) fn logits(&self, rows: Tensor<2>, classes: usize) -> Result<Vec<f32>> {
        self.each_request(rows, |answer, count| {
            let about = (count, Some(classes));
            let kind = self.settings.output;
            Ok(output::logits(answer, about, kind, &self.endpoint_name)?.0)
        })
    }

    /// Labels of the rows `[N, F]` as the model itself gives them.
    pub(crate) fn labels(&self, rows: Tensor<2>, classes: usize) -> Result<Vec<usize>> {
        self.each_request(rows, |answer, count| {
            output::labels(answer, count, classes, &self.endpoint_name)
        })
    }

    /// Cuts the rows into requests and joins the checked answers.
    fn each_request<T>(
        &self,
        rows: Tensor<2>,
        check: impl Fn(&Array, usize) -> Result<Vec<T>>,
    ) -> Result<Vec<T>> {
        let (features, got) = (self.domain.features(), rows.dims()[1]);
        if got != features {
            let endpoint = self.endpoint_name.clone();
            return Err(RemoteError::Rows { endpoint, expected: features, got });
        }
        let samples = self.sampler.samples(host::floats(rows)?);
        if let Some(index) = samples.iter().position(|value| !value.is_finite()) {
            return Err(RemoteError::Input {
                endpoint: self.endpoint_name.clone(),
                row: index / features,
                feature: index % features,
                value: samples[index],
            });
        }
        let mut answers = Vec::new();
        for piece in samples.chunks(self.settings.rows_per_request.saturating_mul(features)) {
            let count = piece.len() / features;
            answers.extend(check(&self.ask(piece, count)?, count)?);
            self.counters.answered(count);
        }
        Ok(answers)
    }

    /// One request about `count` samples, repeated until it is answered.
    fn ask(&self, samples: &[f32], count: usize) -> Result<Array> {
        let mut shape = vec![count];
        shape.extend(&self.sampler.shape);
        let batch = Batch { shape: &shape, values: samples };
        let mut line = self.line();
        if !line.endpoint.is_ready() {
            self.repeat(&mut line, |endpoint| endpoint.prepare())?;
        }
        self.repeat(&mut line, |endpoint| endpoint.ask(&batch, &*self.stop))
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Attempts until one succeeds, fails for good, or there were enough.
    fn repeat<T>(
        &self,
        line: &mut Line,
        attempt: impl Fn(&mut dyn Endpoint) -> Result<T, Fault>,
    ) -> Result<T> {
        let retry = &self.settings.retry;
        for failed in 0.. {
            let turn = line.bucket.as_mut().map(|bucket| bucket.take(self.clock.now()));
            pause(&*self.clock, turn.unwrap_or_default(), &*self.stop)?;
            self.counters.sent(failed > 0);
            let (error, asked) = match attempt(&mut *line.endpoint) {
                Ok(answer) => return Ok(answer),
                Err(Fault::Final(error)) => return Err(error),
                Err(Fault::Transient { error, wait }) => (error, wait),
            };
            let last = Box::new(error);
            if failed >= retry.retries {
                return Err(RemoteError::GaveUp { attempts: failed.saturating_add(1), last });
            }
            let wait = retry.wait(failed, asked);
            let longest = retry.longest();
            let wait = wait.map_err(|asked| RemoteError::WaitTooLong { asked, longest, last })?;
            pause(&*self.clock, wait, &*self.stop)?;
        }
        unreachable!("an attempt succeeds, fails for good or is the last")
    }
}

#[cfg(test)]
mod tests;
