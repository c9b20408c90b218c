//! Remote models as the oracles that attacks ask.
use std::fmt;

use burn::prelude::*;
use duress_core::{Domain, LabelOracle, ScoreOracle, arg_max};

use crate::counters::Totals;
use crate::service::Service;

/// A remote model that answers with scores: label and score attacks may ask it.
pub struct RemoteScores {
    pub(crate) service: Service,
    pub(crate) classes: usize,
}

/// A remote model of which only labels are seen: label attacks may ask it.
pub struct RemoteLabels {
    pub(crate) service: Service,
    pub(crate) classes: usize,
}

impl RemoteScores {
    /// Rows answered, requests sent and repeated so far.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.service.totals()
    }
}

impl RemoteLabels {
    /// Rows answered, requests sent and repeated so far.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.service.totals()
    }
}

impl LabelOracle for RemoteScores {
    fn domain(&self) -> &Domain {
        &self.service.domain
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn device(&self) -> &Device {
        &self.service.device
    }

    fn labels(&self, rows: Tensor<2>) -> duress_core::Result<Tensor<1, Int>> {
        Ok(tensor(best(&self.service.logits(rows, self.classes)?, self.classes), self.device()))
    }
}

impl ScoreOracle for RemoteScores {
    fn logits(&self, rows: Tensor<2>) -> duress_core::Result<Tensor<2>> {
        let logits = self.service.logits(rows, self.classes)?;
        let shape = [logits.len() / self.classes, self.classes];
        Ok(Tensor::from_data(TensorData::new(logits, shape), self.device()))
    }
}

impl LabelOracle for RemoteLabels {
    fn domain(&self) -> &Domain {
        &self.service.domain
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn device(&self) -> &Device {
        &self.service.device
    }

    fn labels(&self, rows: Tensor<2>) -> duress_core::Result<Tensor<1, Int>> {
        let labels = if self.service.answers_labels() {
            self.service.labels(rows, self.classes)?
        } else {
            best(&self.service.logits(rows, self.classes)?, self.classes)
        };
        Ok(tensor(labels, self.device()))
    }
}

/// The class of the largest of each row's scores.
fn best(logits: &[f32], classes: usize) -> Vec<usize> {
    logits.chunks_exact(classes).map(arg_max).collect()
}

fn tensor(labels: Vec<usize>, device: &Device) -> Tensor<1, Int> {
    let labels: Vec<i64> = labels.into_iter().map(|label| label as i64).collect();
    let count = labels.len();
    Tensor::from_data(TensorData::new(labels, [count]), device)
}

impl fmt::Debug for RemoteScores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe(f, "RemoteScores", &self.service, self.classes)
    }
}

impl fmt::Debug for RemoteLabels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe(f, "RemoteLabels", &self.service, self.classes)
    }
}

fn describe(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    service: &Service,
    classes: usize,
) -> fmt::Result {
    f.debug_struct(name)
        .field("endpoint", &service.endpoint_name)
        .field("domain", &service.domain)
        .field("classes", &classes)
        .finish_non_exhaustive()
}
