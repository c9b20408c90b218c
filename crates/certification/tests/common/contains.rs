//! The check of all checks: values of nodes against their bounds.
use duress_certification::bounds::{InputSet, Intervals, Method, Network, Options};
use duress_graph::Graph;

/// Optimisers may stop anywhere: a few steps are as sound as many.
fn options() -> Options {
    Options { iterations: 3, intermediate_iterations: 2, ..Options::default() }
}

/// What f64 may lose in evaluating a node of this size.
fn slack(value: f64) -> f64 {
    1e-11 * (1.0 + value.abs())
}

/// Bounds of all nodes by each method: no value of any point is outside, and no method is looser
/// than one that it contains. Gives the bounds of the result by CROWN.
pub(crate) fn check(
    name: &str,
    graph: &Graph,
    network: &Network,
    set: &InputSet,
    points: &[Vec<f64>],
) -> Intervals {
    let bounds: Vec<Vec<Intervals>> = Method::ALL
        .iter()
        .map(|&method| network.node_bounds(set, method, &options()).unwrap())
        .collect();
    for point in points {
        let values = graph.evaluate_all(point).unwrap();
        for (bounds, method) in bounds.iter().zip(Method::ALL) {
            for ((values, bounds), node) in values.iter().zip(bounds).zip(graph.nodes()) {
                for (at, &value) in values.values().iter().enumerate() {
                    let (low, high) = (bounds.lower[at], bounds.upper[at]);
                    let inside = low - slack(value) <= value && value <= high + slack(value);
                    assert!(
                        inside || value.is_nan(),
                        "{name}: {method:?}: {} {at}: {value} outside [{low}, {high}] at {point:?}",
                        node.op.name(),
                    );
                }
            }
        }
    }
    // Each method is within the intervals, and optimised slopes are within those of CROWN.
    for (tighter, looser) in [(1, 0), (2, 0), (3, 0), (4, 0), (5, 4)] {
        let methods = [Method::ALL[tighter], Method::ALL[looser]];
        for (node, (tighter, looser)) in bounds[tighter].iter().zip(&bounds[looser]).enumerate() {
            for at in 0..looser.len() {
                let size = 1e-9 * (1.0 + looser.lower[at].abs() + looser.upper[at].abs());
                let within = tighter.lower[at] >= looser.lower[at] - size
                    && tighter.upper[at] <= looser.upper[at] + size;
                assert!(
                    within || !size.is_finite(),
                    "{name} {methods:?}: {} {at}: {:?} outside {:?}",
                    graph.nodes()[node].op.name(),
                    (tighter.lower[at], tighter.upper[at]),
                    (looser.lower[at], looser.upper[at]),
                );
            }
        }
    }
    bounds[4][graph.output()].clone()
}
