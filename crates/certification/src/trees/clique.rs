//! A lower bound of a margin by cliques of leaves: leaves of several trees that one input reaches.
//!
//! Chen et al., `NeurIPS` 2019, §3: boxes that meet in pairs meet together, so that the sets of leaves
//! which some input reaches are the cliques of a k-partite graph. Enumerated in groups of trees, level
//! by level.
use super::leaves::{Piece, least};

/// At most the sum of one piece of each list, over all inputs that the pieces of all lists share.
///
/// `levels` times, `size` neighbouring lists become one, of all combinations that meet; a group with
/// more than `most` combinations stays as it is. What is left is bounded list by list. Exact if one
/// list is left.
pub(super) fn clique_bound(
    mut lists: Vec<Vec<Piece>>,
    size: usize,
    levels: usize,
    most: usize,
) -> f64 {
    for _ in 0..levels {
        if lists.len() <= 1 {
            break;
        }
        let mut merged = Vec::with_capacity(lists.len().div_ceil(size));
        for group in lists.chunks(size) {
            match merge(group, most) {
                Some(list) => merged.push(list),
                None => merged.extend_from_slice(group),
            }
        }
        if merged.len() == lists.len() {
            break;
        }
        lists = merged;
    }
    lists.iter().map(|list| least(list)).sum()
}

/// All combinations of one piece of each list that meet; `None` if there are more than `most`.
fn merge(group: &[Vec<Piece>], most: usize) -> Option<Vec<Piece>> {
    let (first, rest) = group.split_first()?;
    let mut cliques = first.clone();
    for list in rest {
        let mut longer = Vec::new();
        for clique in &cliques {
            for piece in list {
                if let Some(region) = clique.region.meet(&piece.region) {
                    if longer.len() == most {
                        return None;
                    }
                    longer.push(Piece { region, value: clique.value + piece.value });
                }
            }
        }
        cliques = longer;
    }
    Some(cliques)
}
