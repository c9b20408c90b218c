//! Trainings of the base classifier of randomized smoothing.
//!
//! A smoothed classifier answers what its base answers most often under noise. All of these
//! trainings see the base as the certificate will: at noisy rows. [`super::GaussianAugmentation`],
//! [`DiscreteAugmentation`] and [`AblationAugmentation`] are the plain ones; the others, for Gaussian
//! noise, ask in addition for a large margin of the smoothed answer, or for answers that agree.
mod ablation;
mod consistency;
mod discrete;
mod macer;
mod noise;
mod smooth_adv;
mod stability;

pub use ablation::AblationAugmentation;
pub(crate) use ablation::ENTRY as ABLATION_AUGMENTATION;
pub use consistency::Consistency;
pub(crate) use consistency::ENTRY as CONSISTENCY;
pub use discrete::DiscreteAugmentation;
pub(crate) use discrete::ENTRY as DISCRETE_AUGMENTATION;
pub(crate) use macer::ENTRY as MACER;
pub use macer::Macer;
pub(crate) use smooth_adv::ENTRY as SMOOTH_ADV;
pub use smooth_adv::SmoothAdv;
pub(crate) use stability::ENTRY as STABILITY;
pub use stability::Stability;
