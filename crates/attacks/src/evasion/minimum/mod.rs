//! Attacks that look for the nearest point that meets the goal.
mod boundary;
mod carlini_wagner;
mod constant;
mod ddn;
mod deepfool;
mod ead;
mod fmn;
mod nearest;
mod smallest_radius;
mod superdeepfool;

pub(crate) use carlini_wagner::{CARLINI_WAGNER_L0, CARLINI_WAGNER_L2, CARLINI_WAGNER_LINF};
pub use carlini_wagner::{CarliniWagnerL0, CarliniWagnerL2, CarliniWagnerLinf};
pub use ddn::Ddn;
pub(crate) use ddn::ENTRY as DDN;
pub use deepfool::DeepFool;
pub(crate) use deepfool::ENTRY as DEEPFOOL;
pub(crate) use ead::ENTRY as EAD;
pub use ead::{Decision, Ead};
pub(crate) use fmn::ENTRY as FMN;
pub use fmn::Fmn;
pub(crate) use smallest_radius::ENTRY as SMALLEST_RADIUS;
pub use smallest_radius::SmallestRadius;
pub(crate) use superdeepfool::ENTRY as SUPERDEEPFOOL;
pub use superdeepfool::SuperDeepFool;
