//! Trees as JSON or TOML, in a plain format of our own.
//!
//! ```toml
//! features = 2
//! base = [0.0, 0.0]        # one score a class
//! comparison = "<="        # left where x <= threshold (scikit-learn), or "<" (XGBoost)
//!
//! [[trees]]
//! nodes = [
//!     { feature = 0, threshold = 0.5, left = 1, right = 2 },
//!     { scores = [0.9, 0.1] },     # one a class
//!     { scores = [0.2, 0.8] },
//! ]
//! ```
//!
//! Children come after their parents. Thresholds are f64; what f32 inputs they send left is kept
//! exactly.
use serde::Deserialize;

use super::{Node, TreeEnsemble, TreeError};

/// Reads an ensemble from JSON.
///
/// # Errors
/// [`TreeError::Format`] for text that is not in the format, [`TreeError::Node`] and
/// [`TreeError::Ensemble`] for trees that are none.
pub fn ensemble_from_json(text: &str) -> Result<TreeEnsemble, TreeError> {
    let document = serde_json::from_str(text).map_err(|error| TreeError::Format(error.to_string()));
    build(document?)
}

/// Reads an ensemble from TOML.
///
/// # Errors
/// As [`ensemble_from_json`].
pub fn ensemble_from_toml(text: &str) -> Result<TreeEnsemble, TreeError> {
    let document = toml::from_str(text).map_err(|error| TreeError::Format(error.to_string()));
    build(document?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    features: usize,
    base: Vec<f64>,
    comparison: Comparison,
    trees: Vec<RawTree>,
}

#[derive(Clone, Copy, Deserialize)]
enum Comparison {
    #[serde(rename = "<")]
    Less,
    #[serde(rename = "<=")]
    AtMost,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTree {
    nodes: Vec<RawNode>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawNode {
    feature: Option<usize>,
    threshold: Option<f64>,
    left: Option<usize>,
    right: Option<usize>,
    scores: Option<Vec<f64>>,
}

impl Comparison {
    /// The `t` with `x < t` for exactly the f32 `x` that go left.
    fn threshold(self, value: f64) -> f32 {
        let near = value as f32;
        let enough = match self {
            Comparison::Less => f64::from(near) >= value,
            Comparison::AtMost => f64::from(near) > value,
        };
        if enough || value.is_nan() { near } else { near.next_up() }
    }
}

fn build(document: Document) -> Result<TreeEnsemble, TreeError> {
    let classes = document.base.len();
    let node = |(tree, node): (usize, usize), raw: RawNode| {
        let fault = |fault: &str| Err(TreeError::Node { tree, node, fault: fault.into() });
        match raw {
            RawNode {
                feature: Some(feature),
                threshold: Some(threshold),
                left: Some(left),
                right: Some(right),
                scores: None,
            } => {
                let threshold = document.comparison.threshold(threshold);
                Ok(Node::Split { feature, threshold, left, right })
            }
            RawNode {
                feature: None,
                threshold: None,
                left: None,
                right: None,
                scores: Some(scores),
            } => {
                if scores.len() != classes {
                    return fault(&format!("expected {classes} scores, got {}", scores.len()));
                }
                Ok(Node::Leaf { scores: scores.into_iter().enumerate().collect() })
            }
            _ => {
                fault("expected either `scores` or all of `feature`, `threshold`, `left`, `right`")
            }
        }
    };
    let trees = document.trees.into_iter().enumerate().map(|(tree, raw)| {
        let nodes = raw.nodes.into_iter().enumerate();
        nodes.map(|(index, raw)| node((tree, index), raw)).collect()
    });
    let trees = trees.collect::<Result<Vec<Vec<Node>>, TreeError>>()?;
    TreeEnsemble::new(document.features, document.base, trees)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOML: &str = "features = 1\nbase = [0.0, 0.0]\ncomparison = \"<=\"\n[[trees]]\n\
        nodes = [{ feature = 0, threshold = 0.1, left = 1, right = 2 },\
        { scores = [1.0, 0.0] }, { scores = [0.0, 1.0] }]";

    /// 0.1 as f32 is above 0.1 as f64: that f32 goes right under both comparisons. 0.5 is both.
    #[test]
    fn the_comparison_is_kept_exactly_for_f32_inputs() {
        let class = |comparison: &str, threshold: &str, value: f32| {
            let text = TOML.replace("\"<=\"", comparison).replace("threshold = 0.1", threshold);
            ensemble_from_toml(&text).unwrap().predict(&[value]).unwrap()
        };
        for comparison in ["\"<=\"", "\"<\""] {
            assert_eq!(class(comparison, "threshold = 0.1", 0.1), 1);
            assert_eq!(class(comparison, "threshold = 0.1", 0.1_f32.next_down()), 0);
            assert_eq!(class(comparison, "threshold = 1e300", f32::MAX), 0);
            assert_eq!(class(comparison, "threshold = -1e300", f32::MIN), 1);
        }
        assert_eq!(class("\"<=\"", "threshold = 0.5", 0.5), 0);
        assert_eq!(class("\"<\"", "threshold = 0.5", 0.5), 1);
        assert_eq!(class("\"<=\"", "threshold = 0.5", 0.5_f32.next_up()), 1);
    }

    #[test]
    fn json_holds_the_same_trees() {
        let json = r#"{"features": 1, "base": [0.0, 0.0], "comparison": "<=", "trees": [{"nodes": [
            {"feature": 0, "threshold": 0.1, "left": 1, "right": 2},
            {"scores": [1.0, 0.0]}, {"scores": [0.0, 1.0]}]}]}"#;
        assert_eq!(ensemble_from_json(json).unwrap(), ensemble_from_toml(TOML).unwrap());
    }

    #[test]
    fn what_is_wrong_in_a_file_is_named() {
        let told = |from: &str, to: &str| {
            ensemble_from_toml(&TOML.replace(from, to)).unwrap_err().to_string()
        };
        assert!(told("left = 1, ", "").contains("tree 0, node 0: expected either `scores`"));
        assert!(told("[1.0, 0.0]", "[1.0]").contains("node 1: expected 2 scores, got 1"));
        assert!(told("threshold = 0.1", "threshold = nan").contains("no number"));
        assert!(told("\"<=\"", "\">\"").contains("cannot be read"));
        assert!(told("features", "feature").contains("unknown field"));
        assert!(ensemble_from_json("{\"features\": 1").unwrap_err().to_string().contains("EOF"));
    }
}
