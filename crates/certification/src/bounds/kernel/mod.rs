//! The loops in which bounds spend their time, for the vectors that the processor has.
//!
//! The instructions are chosen when the program runs (AVX-512, AVX2, NEON, or whatever there is).
//! Multiplication and addition are fused where the processor fuses them: one rounding in place of two,
//! so that what the errors grant (see [`super::rounding`]) covers both, and the last bits of a bound may
//! differ between processors. They do not depend on what else is computed at the same time: each
//! result is the sum of the same terms in the same order, whichever lane it stands in.
#![expect(clippy::inline_always, reason = "what is not inlined is not compiled for the vectors")]

mod lanes;
mod meet;
mod scatter;
mod three;

pub(super) use meet::{Meeting, cross, meet};
pub(super) use scatter::{Scatter, scatter};
pub(super) use three::{Channels, Sums, add_channels, dots};
