//! What a run cost the other side.
use std::sync::atomic::{AtomicU64, Ordering};

/// Totals since the start.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    queries: AtomicU64,
    requests: AtomicU64,
    retried: AtomicU64,
}

impl Counters {
    pub(crate) fn sent(&self, again: bool) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if again {
            self.retried.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn answered(&self, rows: usize) {
        self.queries.fetch_add(rows as u64, Ordering::Relaxed);
    }

    pub(crate) fn totals(&self) -> Totals {
        Totals {
            queries: self.queries.load(Ordering::Relaxed),
            requests: self.requests.load(Ordering::Relaxed),
            retried: self.retried.load(Ordering::Relaxed),
        }
    }
}

/// Totals for a report. A row counts once, however many attempts its answer took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Totals {
    /// Rows answered, the one that finds the number of classes included.
    pub queries: u64,
    /// Requests sent, the repeated ones and questions about the model included.
    pub requests: u64,
    /// Requests that repeated one that failed.
    pub retried: u64,
}
