//! How much a network can stretch Euclidean distances, from above.
//!
//! [`LipschitzBound::of`] walks through a graph and multiplies proven bounds of its operations: of a
//! weight an upper bound of its spectral norm by the Gram iteration ([`Kernel`]; power iteration
//! would give a lower one, which proves nothing), of a function of one value its largest slope; it
//! adds over sums of branches. The residual layers of SLL networks and `MaxMin` are recognised.
//!
//! Tsuzuku, Sato, Sugiyama. *Lipschitz-Margin Training: Scalable Certification of Perturbation
//! Invariance for Deep Neural Networks.* `NeurIPS` 2018. <https://arxiv.org/abs/1802.04034>
mod gram;
mod graph;
mod local;
mod patterns;
mod slope_interval;
mod slopes;

pub use gram::Kernel;
pub use graph::LipschitzBound;
pub(crate) use local::steepest;
