//! Attacks that perturb the input of a fixed model.
pub mod apgd;
pub mod corruption;
pub mod decision;
pub mod gradient;
pub mod minimum;
pub mod noise;
pub mod physical;
pub mod score;
pub mod suites;
pub mod universal;
mod vectors;

pub use apgd::{Apgd, ApgdT};
pub use corruption::{Corruption, CorruptionKind};
pub use decision::{Boundary, Geoda, HopSkipJump, Pointwise, Rays, SignOpt, Start, SurFree};
pub use gradient::{
    Component, Composite, Fgm, FgsmRs, IterativeFgsm, JointPgd, KlPgd, Order, OrthogonalPgd, Pgd,
    RFgsm, SelectivePgd,
};
pub use minimum::{
    BrendelBethge, CarliniWagnerL0, CarliniWagnerL2, CarliniWagnerLinf, Ddn, Decision, DeepFool,
    Ead, Fab, FabT, Fmn, Jsma, SigmaZero, SmallestRadius, SparseFool, SuperDeepFool,
};
pub use noise::{GaussianNoise, UniformNoise};
pub use physical::{AdversarialPatch, Elastic, Flow, PatchShape, Spatial, SpatialSearch, Sticker};
pub use score::{
    Bandits, GenAttack, Nes, OnePixel, Simba, SimbaBasis, SparseRs, SparseRsPatch, Spsa, Square,
    Zoo,
};
pub use universal::{UniversalDeepFool, UniversalSgd};
