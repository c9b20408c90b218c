//! Attacks that look for the nearest point that meets the goal.
mod ddn;
mod fab;
mod fab_t;
mod fab_walk;
mod host_hyperplane;
mod hyperplane;
mod nearest;

pub use ddn::Ddn;
pub(crate) use ddn::ENTRY as DDN;
pub(crate) use fab::ENTRY as FAB;
pub use fab::Fab;
pub(crate) use fab_t::ENTRY as FAB_T;
pub use fab_t::FabT;
