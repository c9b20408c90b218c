//! The attacks of Carlini and Wagner: Adam in a space whose `tanh` is the box.
//!
//! Carlini, Wagner. *Towards Evaluating the Robustness of Neural Networks.* S&P 2017.
//! <https://arxiv.org/abs/1608.04644>
mod l0;
mod l2;
mod linf;
mod space;

pub use l0::CarliniWagnerL0;
pub(crate) use l0::ENTRY as CARLINI_WAGNER_L0;
pub use l2::CarliniWagnerL2;
pub(crate) use l2::ENTRY as CARLINI_WAGNER_L2;
pub use linf::CarliniWagnerLinf;
pub(crate) use linf::ENTRY as CARLINI_WAGNER_LINF;
