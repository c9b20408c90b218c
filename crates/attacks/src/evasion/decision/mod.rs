//! Attacks that see predicted classes only and look for the nearest point that meets the goal.
//!
//! Each is a program about one sample (see [`duress_core::search`]). [`Start`] says where those
//! begin that need a row which meets the goal already; a sample for which none is found survives.
mod boundary;
mod cosine;
mod geoda;
mod hop_skip_jump;
mod path;
mod pointwise;
mod probe;
mod rays;
mod sign_opt;
mod start;
mod surfree;

pub use boundary::Boundary;
pub(crate) use boundary::ENTRY as BOUNDARY;
pub(crate) use geoda::ENTRY as GEODA;
pub use geoda::Geoda;
pub(crate) use hop_skip_jump::ENTRY as HOP_SKIP_JUMP;
pub use hop_skip_jump::HopSkipJump;
pub(crate) use pointwise::ENTRY as POINTWISE;
pub use pointwise::Pointwise;
pub(crate) use rays::ENTRY as RAYS;
pub use rays::Rays;
pub(crate) use sign_opt::ENTRY as SIGN_OPT;
pub use sign_opt::SignOpt;
pub use start::Start;
pub(crate) use surfree::ENTRY as SURFREE;
pub use surfree::SurFree;
