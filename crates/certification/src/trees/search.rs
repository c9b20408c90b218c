//! The exact minimum of a margin: a depth-first search over the leaves that some input reaches.
use std::rc::Rc;

use super::leaves::{Piece, Region, least};

/// What a search found.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Found {
    /// No input has a sum below the cutoff.
    Nothing,
    /// The smallest sum below the cutoff, or any if any will do, and inputs that have it.
    Below(f64, Region),
    /// The search ran out of steps.
    OutOfSteps,
}

/// The pieces of each undecided list that the inputs so far still reach, by their place.
type Alive = Vec<(usize, Vec<usize>)>;

/// A branch: the inputs that reach the pieces decided so far, their sum, and a lower bound of what it
/// can become. What is alive is told by the branch above and filtered when this one is entered.
struct Branch {
    above: Rc<Alive>,
    region: Region,
    sum: f64,
    bound: f64,
}

/// Looks for the smallest sum of one piece of each list that one input reaches, if it is below
/// `cutoff`, in at most `steps` steps. With `any` the first sum below the cutoff will do.
///
/// Every choice strikes out the pieces of the other lists that no longer meet it; a branch whose
/// smallest pieces add up to the best sum so far or more is left.
pub(super) fn search(lists: &[Vec<Piece>], cutoff: f64, any: bool, steps: u64) -> Found {
    let mut order: Vec<usize> = (0..lists.len()).collect();
    // The list that moves the sum most is decided first: it is taken from the end.
    order.sort_by(|&a, &b| spread(&lists[a]).total_cmp(&spread(&lists[b])));
    let all: Alive =
        order.into_iter().map(|list| (list, (0..lists[list].len()).collect())).collect();
    let bound = lists.iter().map(|list| least(list)).sum();
    let mut open = vec![Branch { above: Rc::new(all), region: Region::default(), sum: 0.0, bound }];
    let (mut best, mut found, mut taken) = (cutoff, None, 0);
    while let Some(branch) = open.pop() {
        // Also left if the bound is no number.
        if branch.bound.partial_cmp(&best) != Some(std::cmp::Ordering::Less) {
            continue;
        }
        if taken == steps {
            return Found::OutOfSteps;
        }
        taken += 1;
        let meets = |list: usize| {
            let region = &branch.region;
            move |&place: &usize| lists[list][place].region.meets(region)
        };
        let mut alive: Alive = branch
            .above
            .iter()
            .map(|(list, places)| (*list, places.iter().copied().filter(meets(*list)).collect()))
            .collect();
        let Some((list, places)) = alive.pop() else {
            best = branch.sum;
            found = Some(branch.region);
            if any {
                break;
            }
            continue;
        };
        let alive = Rc::new(alive);
        let mut children: Vec<Branch> = places
            .into_iter()
            .filter_map(|place| enter(lists, &alive, &branch, &lists[list][place], best))
            .collect();
        // The most promising is popped first.
        children.sort_by(|a, b| b.bound.total_cmp(&a.bound));
        open.extend(children);
    }
    found.map_or(Found::Nothing, |region| Found::Below(best, region))
}

fn enter(
    lists: &[Vec<Piece>],
    alive: &Rc<Alive>,
    branch: &Branch,
    piece: &Piece,
    best: f64,
) -> Option<Branch> {
    let region = branch.region.meet(&piece.region)?;
    let sum = branch.sum + piece.value;
    let smallest = |(list, places): &(usize, Vec<usize>)| {
        let pieces = places.iter().map(|&place| &lists[*list][place]);
        let met = pieces.filter(|other| other.region.meets(&region));
        met.map(|other| other.value).fold(f64::INFINITY, f64::min)
    };
    let bound = sum + alive.iter().map(smallest).sum::<f64>();
    (bound < best).then(|| Branch { above: Rc::clone(alive), region, sum, bound })
}

fn spread(list: &[Piece]) -> f64 {
    list.iter().map(|piece| piece.value).fold(f64::NEG_INFINITY, f64::max) - least(list)
}
