//! Certificates of decision-tree ensembles: boosted trees and random forests, over boxes of inputs.
//!
//! - [`TreeEnsemble`] holds the trees; [`xgboost_ensemble`] and [`ensemble_from_json`] read them.
//! - [`FeatureBox`] is the set of inputs: an L∞ ball, or one interval a feature.
//! - [`TreeCertifier`] bounds the margins over it, by cliques of leaves that meet and by an exact
//!   search.
//!
//! Chen, Zhang, Si, Li, Boning, Hsieh. *Robustness Verification of Tree-based Models.* `NeurIPS` 2019.
//! <https://arxiv.org/abs/1906.03849>
//!
//! A verdict is about every f32 input of the box and about sums of leaf values in f64, whose rounding
//! is allowed for. A library that adds the same leaves in f32 may predict otherwise where two classes
//! all but tie. Missing values (NaN) are no inputs here.
mod boxes;
mod certify;
mod clique;
mod ensemble;
mod error;
mod format;
mod leaves;
mod search;
mod xgboost;

pub use boxes::FeatureBox;
pub use certify::{LinfCertificate, TreeCertifier, Verdict};
pub use ensemble::{Node, Tree, TreeEnsemble};
pub use error::TreeError;
pub use format::{ensemble_from_json, ensemble_from_toml};
pub use xgboost::{XgboostShape, xgboost_ensemble};
