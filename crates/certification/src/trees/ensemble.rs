//! Trees, checked once, and what they predict.
use super::TreeError;

/// A node of a tree.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// Goes left where the feature is less than the threshold, else right.
    Split {
        /// The feature that is compared.
        feature: usize,
        /// Left if `x < threshold`. A tree that goes left if `x ≤ t` has the next f32 above `t` here.
        threshold: f32,
        /// Index of the left child, larger than that of the node.
        left: usize,
        /// Index of the right child, larger than that of the node.
        right: usize,
    },
    /// Adds to the scores of some classes.
    Leaf {
        /// `(class, value)`, each class at most once.
        scores: Vec<(usize, f64)>,
    },
}

/// A binary tree: node 0 is the root, each other node the child of exactly one.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    nodes: Vec<Node>,
}

impl Tree {
    /// The nodes, the root first.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    fn leaf(&self, row: &[f32]) -> &[(usize, f64)] {
        let mut at = 0;
        loop {
            match &self.nodes[at] {
                Node::Leaf { scores } => return scores,
                Node::Split { feature, threshold, left, right } => {
                    at = if row[*feature] < *threshold { *left } else { *right };
                }
            }
        }
    }
}

/// An additive ensemble: the score of a class is its base score plus what one leaf of each tree adds;
/// the prediction is the class with the highest score, the lowest of equals.
#[derive(Clone, Debug, PartialEq)]
pub struct TreeEnsemble {
    features: usize,
    base: Vec<f64>,
    trees: Vec<Tree>,
}

impl TreeEnsemble {
    /// An ensemble over `features` features with one base score a class.
    ///
    /// # Errors
    /// [`TreeError::Ensemble`] without a feature, with less than two classes or a base score that is
    /// not finite; [`TreeError::Node`] for the first node that is not part of a tree, names no
    /// feature or class, or holds no number.
    pub fn new(features: usize, base: Vec<f64>, trees: Vec<Vec<Node>>) -> Result<Self, TreeError> {
        if features == 0 || base.len() < 2 {
            return Err(TreeError::Ensemble(format!(
                "needs a feature and two classes, got {features} and {}",
                base.len()
            )));
        }
        if let Some(score) = base.iter().find(|score| !score.is_finite()) {
            return Err(TreeError::Ensemble(format!("a base score must be finite, got {score}")));
        }
        for (tree, nodes) in trees.iter().enumerate() {
            check(tree, nodes, features, base.len())?;
        }
        let trees = trees.into_iter().map(|nodes| Tree { nodes }).collect();
        Ok(Self { features, base, trees })
    }

    /// Number of features of a row.
    #[must_use]
    pub fn features(&self) -> usize {
        self.features
    }

    /// Number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.base.len()
    }

    /// The score of each class before any tree.
    #[must_use]
    pub fn base(&self) -> &[f64] {
        &self.base
    }

    /// The trees.
    #[must_use]
    pub fn trees(&self) -> &[Tree] {
        &self.trees
    }

    /// The score of each class.
    ///
    /// # Errors
    /// [`TreeError::Length`] or [`TreeError::Input`] for a row of another length or with a value that
    /// is not finite.
    pub fn scores(&self, row: &[f32]) -> Result<Vec<f64>, TreeError> {
        self.check_row(row)?;
        let mut scores = self.base.clone();
        for tree in &self.trees {
            for &(class, value) in tree.leaf(row) {
                scores[class] += value;
            }
        }
        Ok(scores)
    }

    /// The predicted class of a row.
    ///
    /// # Errors
    /// As [`TreeEnsemble::scores`].
    pub fn predict(&self, row: &[f32]) -> Result<usize, TreeError> {
        let scores = self.scores(row)?;
        let higher =
            |best: usize, class: usize| if scores[class] > scores[best] { class } else { best };
        Ok((0..scores.len()).fold(0, higher))
    }

    pub(super) fn check_row(&self, row: &[f32]) -> Result<(), TreeError> {
        if row.len() != self.features {
            let (expected, got) = (self.features, row.len());
            return Err(TreeError::Length { what: "the row", expected, got });
        }
        match row.iter().position(|value| !value.is_finite()) {
            Some(feature) => Err(TreeError::Input {
                feature,
                expected: "a finite number".into(),
                got: row[feature].to_string(),
            }),
            None => Ok(()),
        }
    }

    /// A bound of what rounding does to the difference of two scores of [`TreeEnsemble::scores`] and
    /// to any other sum of the same leaf values.
    pub(super) fn rounding(&self) -> f64 {
        let largest = |node: &Node| match node {
            Node::Leaf { scores } => {
                scores.iter().map(|(_, value)| value.abs()).fold(0.0, f64::max)
            }
            Node::Split { .. } => 0.0,
        };
        let of_tree = |tree: &Tree| tree.nodes.iter().map(largest).fold(0.0, f64::max);
        let base = self.base.iter().map(|score| score.abs()).fold(0.0, f64::max);
        let total: f64 = base + self.trees.iter().map(of_tree).sum::<f64>();
        8.0 * (self.trees.len() + 4) as f64 * f64::EPSILON * total
    }
}

fn check(tree: usize, nodes: &[Node], features: usize, classes: usize) -> Result<(), TreeError> {
    let fault = |node, fault: String| Err(TreeError::Node { tree, node, fault });
    let mut parents = vec![0_u32; nodes.len()];
    for (index, node) in nodes.iter().enumerate() {
        match node {
            Node::Split { feature, threshold, left, right } => {
                if *feature >= features {
                    return fault(index, format!("feature {feature} of {features}"));
                }
                if threshold.is_nan() {
                    return fault(index, "the threshold is no number".into());
                }
                for child in [*left, *right] {
                    if child <= index || child >= nodes.len() {
                        let expected = format!("a child after {index} and below {}", nodes.len());
                        return fault(index, format!("expected {expected}, got {child}"));
                    }
                    parents[child] = parents[child].saturating_add(1);
                }
            }
            Node::Leaf { scores } => {
                for (position, &(class, value)) in scores.iter().enumerate() {
                    if class >= classes || scores[..position].iter().any(|other| other.0 == class) {
                        let told = format!("class {class} of {classes}, each at most once");
                        return fault(index, told);
                    }
                    if !value.is_finite() {
                        return fault(
                            index,
                            format!("a leaf must hold finite values, got {value}"),
                        );
                    }
                }
            }
        }
    }
    if nodes.is_empty() {
        return fault(0, "a tree needs a node".into());
    }
    match parents.iter().enumerate().skip(1).find(|&(_, &parents)| parents != 1) {
        Some((node, parents)) => {
            fault(node, format!("must be the child of one node, is of {parents}"))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stump(threshold: f32) -> Vec<Node> {
        vec![
            Node::Split { feature: 0, threshold, left: 1, right: 2 },
            Node::Leaf { scores: vec![(0, 1.0)] },
            Node::Leaf { scores: vec![(1, 1.0)] },
        ]
    }

    #[test]
    fn a_value_at_the_threshold_goes_right_and_ties_go_to_the_lower_class() {
        let ensemble = TreeEnsemble::new(1, vec![0.0, 0.0], vec![stump(0.5)]).unwrap();
        assert_eq!(ensemble.predict(&[0.5]).unwrap(), 1);
        assert_eq!(ensemble.predict(&[0.5_f32.next_down()]).unwrap(), 0);
        let tie = TreeEnsemble::new(1, vec![0.0, 0.0], vec![stump(0.2), stump(0.8)]).unwrap();
        assert_eq!(tie.scores(&[0.5]).unwrap(), [1.0, 1.0]);
        assert_eq!(tie.predict(&[0.5]).unwrap(), 0);
        assert_eq!(
            TreeEnsemble::new(1, vec![-0.0, 0.0], vec![]).unwrap().predict(&[0.0]).unwrap(),
            0
        );
        assert_eq!(
            TreeEnsemble::new(1, vec![0.0, -0.0], vec![]).unwrap().predict(&[0.0]).unwrap(),
            0
        );
        assert!(tie.scores(&[f32::NAN]).is_err() && tie.scores(&[0.0, 0.0]).is_err());
    }

    #[test]
    fn nodes_that_make_no_tree_are_named() {
        let told = |change: &dyn Fn(&mut Vec<Node>)| {
            let mut nodes = stump(0.5);
            change(&mut nodes);
            let trees = vec![stump(0.1), nodes];
            TreeEnsemble::new(1, vec![0.0, 0.0], trees).unwrap_err().to_string()
        };
        let split = |feature, threshold, left, right| {
            move |nodes: &mut Vec<Node>| nodes[0] = Node::Split { feature, threshold, left, right }
        };
        assert!(told(&split(1, 0.5, 1, 2)).contains("tree 1, node 0: feature 1 of 1"));
        assert!(told(&split(0, f32::NAN, 1, 2)).contains("no number"));
        assert!(told(&split(0, 0.5, 0, 2)).contains("got 0"));
        assert!(told(&split(0, 0.5, 1, 3)).contains("got 3"));
        assert!(
            told(&split(0, 0.5, 1, 1)).contains("node 1: must be the child of one node, is of 2")
        );
        assert!(told(&|nodes| nodes.clear()).contains("needs a node"));
        let leaf = |scores| move |nodes: &mut Vec<Node>| nodes[2] = Node::Leaf { scores };
        assert!(told(&|nodes| leaf(vec![(2, 1.0)])(nodes)).contains("class 2 of 2"));
        assert!(told(&|nodes| leaf(vec![(0, f64::NAN)])(nodes)).contains("finite"));
    }
}
