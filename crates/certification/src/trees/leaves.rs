//! The leaves of a tree that inputs of a box reach, with the inputs that reach them.
use super::ensemble::{Node, Tree};
use super::{FeatureBox, TreeEnsemble};

/// A box of inputs: `[low, high)` for the features that are cut, ascending; the rest are free. Over
/// f32 values such an interval is empty exactly if `low ≥ high`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Region(Vec<(usize, f32, f32)>);

impl Region {
    /// What both hold, `None` if nothing.
    pub(super) fn meet(&self, other: &Region) -> Option<Region> {
        let (mut left, mut right) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut met = Vec::with_capacity(self.0.len() + other.0.len());
        loop {
            let next = match (left.peek(), right.peek()) {
                (None, None) => return Some(Region(met)),
                (Some(a), Some(b)) if a.0 == b.0 => {
                    let cut = (a.0, a.1.max(b.1), a.2.min(b.2));
                    if cut.1 >= cut.2 {
                        return None;
                    }
                    left.next();
                    right.next();
                    cut
                }
                (Some(a), Some(b)) if a.0 > b.0 => {
                    let cut = **b;
                    right.next();
                    cut
                }
                (Some(a), _) => {
                    let cut = **a;
                    left.next();
                    cut
                }
                (None, Some(b)) => {
                    let cut = **b;
                    right.next();
                    cut
                }
            };
            met.push(next);
        }
    }

    /// Whether both hold an input: as [`Region::meet`], without building what they share.
    pub(super) fn meets(&self, other: &Region) -> bool {
        let (mut left, mut right) = (0, 0);
        while let (Some(a), Some(b)) = (self.0.get(left), other.0.get(right)) {
            if a.0 == b.0 && a.1.max(b.1) >= a.2.min(b.2) {
                return false;
            }
            left += usize::from(a.0 <= b.0);
            right += usize::from(b.0 <= a.0);
        }
        true
    }

    /// The part below (`left`) or from `threshold` on of `feature`, starting from all of the box;
    /// `None` if nothing is left.
    fn cut(&self, feature: usize, threshold: f32, left: bool, all: &FeatureBox) -> Option<Region> {
        let position = self.0.binary_search_by_key(&feature, |cut| cut.0);
        let (low, high) = match position {
            Ok(at) => (self.0[at].1, self.0[at].2),
            Err(_) => (all.lower()[feature], all.upper()[feature].next_up()),
        };
        let (low, high) =
            if left { (low, high.min(threshold)) } else { (low.max(threshold), high) };
        if low >= high {
            return None;
        }
        let mut cuts = self.0.clone();
        match position {
            Ok(at) => cuts[at] = (feature, low, high),
            Err(at) => cuts.insert(at, (feature, low, high)),
        }
        Some(Region(cuts))
    }

    /// The nearest input of the region to `row`, feature by feature.
    pub(super) fn nearest(&self, row: &[f32]) -> Vec<f32> {
        let mut nearest = row.to_vec();
        for &(feature, low, high) in &self.0 {
            nearest[feature] = nearest[feature].clamp(low, high.next_down());
        }
        nearest
    }
}

/// Inputs that reach a leaf, or a leaf of each of several trees, and what these add to a margin.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Piece {
    pub(super) region: Region,
    pub(super) value: f64,
}

/// For each tree the leaves that inputs of `all` reach, valued at what they add to the score of
/// `class` over that of `other`.
pub(super) fn reachable(
    ensemble: &TreeEnsemble,
    all: &FeatureBox,
    (class, other): (usize, usize),
) -> Vec<Vec<Piece>> {
    let worth = |scores: &[(usize, f64)]| {
        let of = |wanted| scores.iter().filter(move |score| score.0 == wanted).map(|score| score.1);
        of(class).sum::<f64>() - of(other).sum::<f64>()
    };
    let of_tree = |tree: &Tree| {
        let (mut pieces, mut open) = (Vec::new(), vec![(0, Region::default())]);
        while let Some((index, region)) = open.pop() {
            match &tree.nodes()[index] {
                Node::Leaf { scores } => pieces.push(Piece { region, value: worth(scores) }),
                Node::Split { feature, threshold, left, right } => {
                    for (child, is_left) in [(*right, false), (*left, true)] {
                        if let Some(part) = region.cut(*feature, *threshold, is_left, all) {
                            open.push((child, part));
                        }
                    }
                }
            }
        }
        pieces
    };
    ensemble.trees().iter().map(of_tree).collect()
}

/// The smallest value of a list of pieces; there always is one, since every input reaches a leaf.
pub(super) fn least(pieces: &[Piece]) -> f64 {
    pieces.iter().map(|piece| piece.value).fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_meet_feature_by_feature() {
        let one = Region(vec![(0, 0.0, 0.5), (2, 0.0, 1.0)]);
        let two = Region(vec![(1, 0.0, 0.1), (2, 0.5, 2.0)]);
        let both = Region(vec![(0, 0.0, 0.5), (1, 0.0, 0.1), (2, 0.5, 1.0)]);
        assert_eq!(one.meet(&two).unwrap(), both);
        assert_eq!(two.meet(&one).unwrap(), both);
        assert!(one.meets(&two) && two.meets(&one));
        // Half open: [0, 0.5) and [0.5, 1) share nothing.
        let apart = Region(vec![(0, 0.5, 1.0)]);
        assert!(one.meet(&apart).is_none() && !one.meets(&apart) && !apart.meets(&one));
        assert_eq!(both.nearest(&[0.7, -1.0, 0.6]), [0.5_f32.next_down(), 0.0, 0.6]);
    }
}
