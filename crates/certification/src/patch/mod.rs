//! Certificates against patches: whoever repaints one rectangle of a picture, however it likes.
//!
//! `window` says which pieces of a picture the voters see and how many of them a patch touches;
//! `smoothing` lets the base classifier vote and certifies. Exact: no sampling, no failure
//! probability.
mod smoothing;
mod window;

pub use smoothing::{PatchCertificate, PatchSmoothing};
pub use window::Window;
