//! Trainings of the base classifier of randomized smoothing.
//!
//! A smoothed classifier answers what its base answers most often under Gaussian noise. All of
//! these trainings see the base as the certificate will: at noisy rows that are not clipped to the
//! box. [`super::GaussianAugmentation`] is the plain one; these ask in addition for a large margin
//! of the smoothed answer, or for answers that agree.
mod consistency;
mod macer;
mod noise;
mod smooth_adv;
mod stability;

pub use consistency::Consistency;
pub(crate) use consistency::ENTRY as CONSISTENCY;
pub(crate) use macer::ENTRY as MACER;
pub use macer::Macer;
pub(crate) use smooth_adv::ENTRY as SMOOTH_ADV;
pub use smooth_adv::SmoothAdv;
pub(crate) use stability::ENTRY as STABILITY;
pub use stability::Stability;
