//! What every wire has in common.
use crate::array::{Array, Batch};
use crate::error::Fault;

/// The other side of a wire: takes samples, gives numbers. It makes one attempt; limits, repeats
/// and the check of what came are those of [`crate::Remote`].
pub trait Endpoint: Send {
    /// What errors call it.
    fn name(&self) -> &str;

    /// Whether [`Endpoint::prepare`] has nothing to do.
    fn is_ready(&self) -> bool {
        true
    }

    /// Finds out what must be known before the first question: one request.
    ///
    /// # Errors
    /// The failed attempt.
    fn prepare(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    /// Asks about a batch, once. `stop` says that the user asked to stop; an endpoint that waits in
    /// slices looks at it.
    ///
    /// # Errors
    /// The failed attempt.
    fn ask(&mut self, batch: &Batch<'_>, stop: &dyn Fn() -> bool) -> Result<Array, Fault>;
}
