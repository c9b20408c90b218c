//! How long work reports its progress and learns that it should stop.

/// Listens to a long computation. Libraries never print; the default hears nothing.
pub trait Progress: Send + Sync {
    /// A phase of `total` units begins.
    fn begin(&self, what: &str, total: u64) {
        let _ = (what, total);
    }

    /// `units` more are done.
    fn advance(&self, units: u64) {
        let _ = units;
    }

    /// Something worth a line.
    fn note(&self, message: &str) {
        let _ = message;
    }

    /// The phase is over.
    fn end(&self) {}

    /// Whether the user asked to stop: the computation returns [`crate::Error::Cancelled`].
    fn cancelled(&self) -> bool {
        false
    }
}

/// Hears nothing and never stops.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {}
