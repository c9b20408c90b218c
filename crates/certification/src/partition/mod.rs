//! Certificates against poisoning: whoever adds, removes or alters a few training samples.
//!
//! Levine, Feizi. *Deep Partition Aggregation: Provable Defense against General Poisoning Attacks.*
//! ICLR 2021, theorem 1. <https://arxiv.org/abs/2006.14768>
//!
//! The training set is cut into parts by a hash of each sample alone ([`assign`]); each part trains one
//! base classifier; these vote ([`PoisoningCertificate`]). Exact: no sampling, no failure probability.
//!
//! The certificate stands or falls with two things that it cannot check: that the training of a part
//! is deterministic, and that it depends on nothing but the samples of that part (not on the index of
//! a sample in the whole set, on statistics of the whole set, or on a choice made by looking at it).
//! A part may be empty: its classifier then is one that was fixed beforehand.
//! Draw what training draws from the number of the part and from [`Member::id`].
mod assignment;
mod certificate;

pub use assignment::{Member, assign};
pub use certificate::PoisoningCertificate;
