#![doc = include_str!("../README.md")]

pub use duress_attacks as attacks;
pub use duress_certification as certification;
pub use duress_core as core;
pub use duress_datasets as datasets;
pub use duress_defenses as defenses;
pub use duress_evaluation as evaluation;
pub use duress_graph as graph;
pub use duress_metrics as metrics;
pub use duress_models as models;
pub use duress_remote as remote;

/// What most programs need.
pub mod prelude {
    pub use duress_attacks::{Fgm, LossKind, Pgd};
    pub use duress_certification::{Certifier, Smoothing};
    pub use duress_core::{
        Attack, Classifier, Domain, Epsilon, Frozen, Goal, Norm, Oracle, Outcome, Passes, Problem,
        Seed, Silent, Status, Threat, WhiteBox, run,
    };
    pub use duress_metrics::{Confidence, Proportion};
}
