//! Trees of XGBoost: the JSON that `Booster.dump_model(…, dump_format="json")` writes.
//!
//! Chen, Guestrin. *XGBoost: A Scalable Tree Boosting System.* KDD 2016.
//! <https://arxiv.org/abs/1603.02754>
use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Node, TreeEnsemble, TreeError};

/// What a dump does not say of its model.
#[derive(Clone, Debug, PartialEq)]
pub struct XgboostShape {
    /// Number of features.
    pub features: usize,
    /// Number of classes. With two, every tree adds to the margin of class 1 over class 0; with more,
    /// tree `i` adds to the score of class `i mod classes`.
    pub classes: usize,
    /// Added to the margin of class 1, with two classes: `ln(b / (1 − b))` for a logistic model of
    /// `base_score = b`, so 0 for the usual 0.5. More classes share their base score: it decides
    /// nothing.
    pub base_margin: f64,
    /// Names of the features in the dump; empty if they are the usual `f0`, `f1`, …
    pub feature_names: Vec<String>,
}

/// Reads a JSON dump.
///
/// A split goes left (`yes`) where the feature, as f32, is less than the f32 nearest to the condition
/// in the file. A dump with a feature map that calls features integers rounds their conditions up: it
/// is the model for whole numbers only. The direction of missing values is read and not used: an input here has none.
///
/// # Errors
/// [`TreeError::Format`] for text that is no dump (also one whose trees are nested more than some 60
/// levels deep), a number of trees that the classes do not divide, or names that do not fit;
/// [`TreeError::Node`] for a split on categories or on an unknown feature, a leaf that holds a
/// vector, children that do not match.
pub fn xgboost_ensemble(text: &str, shape: &XgboostShape) -> Result<TreeEnsemble, TreeError> {
    let format = |told: String| Err(TreeError::Format(told));
    let raw: Vec<RawNode> =
        serde_json::from_str(text).map_err(|error| TreeError::Format(error.to_string()))?;
    if shape.classes < 2 {
        return format(format!("a model has at least two classes, got {}", shape.classes));
    }
    if shape.classes > 2 && !raw.len().is_multiple_of(shape.classes) {
        let told = format!("{} trees do not divide among {} classes", raw.len(), shape.classes);
        return format(told);
    }
    if !shape.feature_names.is_empty() && shape.feature_names.len() != shape.features {
        let (names, features) = (shape.feature_names.len(), shape.features);
        return format(format!("{names} names for {features} features"));
    }
    let names = shape.feature_names.iter().enumerate();
    let names: HashMap<&str, usize> = names.map(|(index, name)| (name.as_str(), index)).collect();
    let trees = raw.into_iter().enumerate().map(|(tree, root)| {
        let class = if shape.classes == 2 { 1 } else { tree % shape.classes };
        flatten(tree, root, class, &names)
    });
    let trees = trees.collect::<Result<Vec<Vec<Node>>, TreeError>>()?;
    let mut base = vec![0.0; shape.classes];
    if shape.classes == 2 {
        base[1] = shape.base_margin;
    }
    TreeEnsemble::new(shape.features, base, trees)
}

/// A node of the dump. Statistics (`gain`, `cover`, `depth`) come along and are not used.
#[derive(Deserialize)]
struct RawNode {
    nodeid: usize,
    leaf: Option<Value>,
    split: Option<Value>,
    split_condition: Option<Value>,
    yes: Option<usize>,
    no: Option<usize>,
    #[serde(default)]
    children: Vec<RawNode>,
}

/// The nodes of one tree, parents first.
fn flatten(
    tree: usize,
    root: RawNode,
    class: usize,
    names: &HashMap<&str, usize>,
) -> Result<Vec<Node>, TreeError> {
    let mut nodes: Vec<Node> = Vec::new();
    // A node, and where its parent waits for its index.
    let mut open: Vec<(RawNode, Option<(usize, bool)>)> = vec![(root, None)];
    while let Some((raw, parent)) = open.pop() {
        let fault = |fault: String| TreeError::Node { tree, node: raw.nodeid, fault };
        let index = nodes.len();
        if let Some((parent, is_left)) = parent
            && let Some(Node::Split { left, right, .. }) = nodes.get_mut(parent)
        {
            *(if is_left { left } else { right }) = index;
        }
        if let Some(leaf) = &raw.leaf {
            let value = leaf.as_f64().ok_or_else(|| fault(format!("a leaf of `{leaf}`")))?;
            nodes.push(Node::Leaf { scores: vec![(class, value)] });
            continue;
        }
        let split = raw.split.as_ref().ok_or_else(|| fault("neither leaf nor split".into()))?;
        let feature = feature(split, names)
            .ok_or_else(|| fault(format!("a split on the unknown feature {split}")))?;
        let condition = raw.split_condition.as_ref().and_then(Value::as_f64).ok_or_else(|| {
            fault("a split without a threshold (on categories or an indicator)".into())
        })?;
        nodes.push(Node::Split { feature, threshold: condition as f32, left: 0, right: 0 });
        let (yes, no) = (raw.yes, raw.no);
        let found = raw.children.len();
        let mismatch = TreeError::Node {
            tree,
            node: raw.nodeid,
            fault: format!("expected the children {yes:?} and {no:?}, got {found} others"),
        };
        let [first, second]: [RawNode; 2] = match raw.children.try_into() {
            Ok(children) => children,
            Err(_) => return Err(mismatch),
        };
        let ids = (Some(first.nodeid), Some(second.nodeid));
        let (left, right) = if ids == (yes, no) && yes != no {
            (first, second)
        } else if ids == (no, yes) && yes != no {
            (second, first)
        } else {
            return Err(mismatch);
        };
        open.push((right, Some((index, false))));
        open.push((left, Some((index, true))));
    }
    Ok(nodes)
}

fn feature(split: &Value, names: &HashMap<&str, usize>) -> Option<usize> {
    match split {
        Value::Number(number) => number.as_u64().map(|number| number as usize),
        Value::String(name) if names.is_empty() => name.strip_prefix('f')?.parse().ok(),
        Value::String(name) => names.get(name.as_str()).copied(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = r#"[
      { "nodeid": 0, "depth": 0, "split": "f1", "split_condition": 0.3, "yes": 1, "no": 2,
        "missing": 1, "gain": 3.5, "cover": 10, "children": [
          { "nodeid": 2, "leaf": 0.5, "cover": 4 },
          { "nodeid": 1, "depth": 1, "split": "f0", "split_condition": -1.5, "yes": 3, "no": 4,
            "missing": 4, "children": [
              { "nodeid": 3, "leaf": -0.25 }, { "nodeid": 4, "leaf": 0.125 } ] } ] },
      { "nodeid": 0, "leaf": 0.0625 } ]"#;

    fn shape(classes: usize, names: &[&str]) -> XgboostShape {
        let feature_names = names.iter().map(ToString::to_string).collect();
        XgboostShape { features: 2, classes, base_margin: -0.25, feature_names }
    }

    #[test]
    fn a_dump_of_two_classes_adds_to_the_margin_of_the_second() {
        let ensemble = xgboost_ensemble(DUMP, &shape(2, &[])).unwrap();
        let margin = |row: [f32; 2]| {
            let scores = ensemble.scores(&row).unwrap();
            scores[1] - scores[0]
        };
        let close = |got: f64, expected: f64| assert!((got - expected).abs() < 1e-15, "{got}");
        close(margin([-2.0, 0.0]), -0.25 - 0.25 + 0.0625);
        // −1.5 < −1.5 does not hold, nor does 0.3f32 < 0.3f32.
        close(margin([-1.5, 0.0]), -0.25 + 0.125 + 0.0625);
        close(margin([-2.0, 0.3]), -0.25 + 0.5 + 0.0625);
        close(margin([-2.0, 0.3_f32.next_down()]), -0.25 - 0.25 + 0.0625);
        assert_eq!(ensemble.predict(&[-2.0, 0.3]).unwrap(), 1);
    }

    #[test]
    fn features_may_have_names_and_classes_take_turns() {
        let text = DUMP.replace("\"f0\"", "\"age\"").replace("\"f1\"", "\"size in cm\"");
        let named = xgboost_ensemble(&text, &shape(2, &["age", "size in cm"])).unwrap();
        assert_eq!(named, xgboost_ensemble(DUMP, &shape(2, &[])).unwrap());
        let three = format!("{}, {{ \"nodeid\": 0, \"leaf\": 2.0 }} ]", &DUMP[..DUMP.len() - 2]);
        let ensemble = xgboost_ensemble(&three, &shape(3, &[])).unwrap();
        assert_eq!(ensemble.scores(&[0.0, 1.0]).unwrap(), [0.5, 0.0625, 2.0]);
    }

    #[test]
    fn dumps_that_cannot_be_trusted_are_refused() {
        let told = |from: &str, to: &str, classes| {
            let text = DUMP.replace(from, to);
            xgboost_ensemble(&text, &shape(classes, &[])).unwrap_err().to_string()
        };
        assert!(told("", "", 3).contains("2 trees do not divide among 3 classes"));
        assert!(told("", "", 1).contains("two classes"));
        assert!(told("\"f1\"", "\"f7\"", 2).contains("feature 7 of 2"));
        assert!(told("\"f1\"", "\"age\"", 2).contains("unknown feature \"age\""));
        assert!(told("0.3", "[1, 2]", 2).contains("tree 0, node 0: a split without a threshold"));
        assert!(told("\"leaf\": 0.5", "\"leaf\": [0.5, 1]", 2).contains("node 2: a leaf of"));
        assert!(told("\"yes\": 1", "\"yes\": 5", 2).contains("expected the children Some(5)"));
        assert!(told("\"split\": \"f0\",", "", 2).contains("node 1: neither leaf nor split"));
        let deep = "[{\"nodeid\":0,\"children\":".repeat(5000);
        let told = xgboost_ensemble(&deep, &shape(2, &[])).unwrap_err().to_string();
        assert!(told.contains("recursion limit"), "{told}");
    }
}
