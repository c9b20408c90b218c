//! Attacks one after the other, each on what the ones before it left standing.
mod autoattack;
mod frozen;
mod worst_of;

pub(crate) use autoattack::{PLUS, RAND, STANDARD};
pub use autoattack::{plus, rand, standard};
pub(crate) use worst_of::ENTRY as WORST_OF;
