//! Trainings that minimise an upper bound of the worst case on an Linf ball, so that the network
//! can be certified.
//!
//! All of them train on the clean samples first, then let the radius grow, then train at the full
//! one ([`Ramp`]). Bounds are those of [`duress_models::bounds`].
mod crown_ibp;
mod fast_ibp;
mod ibp;
mod loss;
mod mtl_ibp;
mod regularizers;
mod sabr;
mod schedule;

pub use crown_ibp::CrownIbpTraining;
pub(crate) use crown_ibp::ENTRY as CROWN_IBP_TRAINING;
pub(crate) use fast_ibp::ENTRY as FAST_IBP_TRAINING;
pub use fast_ibp::FastIbpTraining;
pub(crate) use ibp::ENTRY as IBP_TRAINING;
pub use ibp::IbpTraining;
pub(crate) use mtl_ibp::ENTRY as MTL_IBP_TRAINING;
pub use mtl_ibp::MtlIbpTraining;
pub(crate) use sabr::ENTRY as SABR_TRAINING;
pub use sabr::SabrTraining;
pub use schedule::Ramp;
