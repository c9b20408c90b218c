//! No value of any node ever leaves its bounds, and tighter methods are tighter.
#![allow(clippy::print_stdout, clippy::unwrap_used)]
mod common;
#[path = "common/contains.rs"]
mod contains;
#[path = "common/random.rs"]
mod random;

use common::{Draws, ball, graph, json, models, network, numbers};
use contains::check;
use duress_certification::bounds::{InputSet, Method, Network, Options, Specification};
use duress_core::{Domain, Norm};
use duress_graph::{Array, Binary, Builder, Graph, Op, Unary};

/// How many networks have a result without finite bounds.
fn stress(seeds: std::ops::Range<u64>, points: usize) -> usize {
    let mut open = 0;
    for seed in seeds {
        let graph = random::network(seed);
        let draws = &mut Draws(!seed);
        let features: usize = graph.input_shape().iter().product();
        let center: Vec<f64> = (0..features).map(|_| draws.between(-1.0, 1.0)).collect();
        let radius = [1e-6, 0.01, 0.1, 0.5, 2.0][(draws.next() * 5.0) as usize];
        let lower: Vec<f64> = center.iter().map(|x| x - radius * draws.next()).collect();
        let upper: Vec<f64> = center.iter().map(|x| x + radius * draws.next()).collect();
        let set = InputSet::sides(lower.clone(), upper.clone()).unwrap();
        let points: Vec<_> = (0..points).map(|_| draws.point(&lower, &upper)).collect();
        let network = Network::new(&graph).unwrap();
        let result = check(&format!("network {seed}"), &graph, &network, &set, &points);
        let finite = result.lower.iter().chain(&result.upper).all(|bound| bound.is_finite());
        open += usize::from(!finite);
    }
    open
}

#[test]
fn no_point_of_a_box_leaves_the_bounds_of_any_node_of_random_networks() {
    assert_eq!(stress(0..120, 200), 0);
}

#[test]
#[ignore = "takes minutes"]
fn no_point_of_a_box_leaves_the_bounds_of_any_node_of_many_random_networks() {
    // An exponential of a wide interval overflows.
    assert!(stress(1000..6000, 2000) < 50);
}

#[test]
fn no_point_of_a_ball_leaves_the_bounds_of_any_node_of_random_networks() {
    for seed in 200..230 {
        let graph = random::network(seed);
        let draws = &mut Draws(!seed);
        let features: usize = graph.input_shape().iter().product();
        let center: Vec<f64> = (0..features).map(|_| draws.between(-1.0, 1.0)).collect();
        let domain = Domain::table(vec![-1.0; features], vec![1.0; features]).unwrap();
        for (norm, cut) in
            [(Norm::L1, false), (Norm::L2, false), (Norm::L1, true), (Norm::L2, true)]
        {
            let set = InputSet::ball(&center, norm, 0.3, cut.then_some(&domain)).unwrap();
            let points: Vec<Vec<f64>> = (0..100)
                .map(|_| {
                    let step = draws.point(&vec![-1.0; features], &vec![1.0; features]);
                    let scale = 0.3 * (1.0 - 1e-12) / norm.of_slice(&step);
                    let moved = center.iter().zip(step).map(|(x, step)| x + step * scale);
                    // Nearer to the centre, which is inside.
                    moved.map(|x| if cut { x.clamp(-1.0, 1.0) } else { x }).collect()
                })
                .collect();
            let network = Network::new(&graph).unwrap();
            check(&format!("{norm} {seed}"), &graph, &network, &set, &points);
        }
    }
}

/// Each margin at each vertex of each linear region of two inputs: their least is the minimum.
fn exact_minimum(graph: &Graph, low: [f64; 2], high: [f64; 2]) -> Vec<f64> {
    let mut cells = vec![vec![low, [high[0], low[1]], high, [low[0], high[1]]]];
    let hidden =
        graph.nodes().iter().enumerate().filter(|(_, node)| node.op == Op::Unary(Unary::Relu));
    for (at, node) in hidden {
        for neuron in 0..node.shape[0] {
            // Linear on each cell so far.
            let value = |x: &[f64; 2]| graph.evaluate_all(x).unwrap()[at - 1].values()[neuron];
            cells = cells.iter().flat_map(|cell| split(cell, value)).collect();
        }
    }
    let mut least = vec![f64::INFINITY; graph.output_shape()[0]];
    for vertex in cells.iter().flatten() {
        let result = graph.evaluate(vertex).unwrap();
        for (least, value) in least.iter_mut().zip(result.values()) {
            *least = least.min(result.values()[0] - value);
        }
    }
    least
}

/// A convex polygon cut where a linear function changes its sign.
fn split(cell: &[[f64; 2]], value: impl Fn(&[f64; 2]) -> f64) -> Vec<Vec<[f64; 2]>> {
    let (mut above, mut below) = (Vec::new(), Vec::new());
    for (at, first) in cell.iter().enumerate() {
        let second = &cell[(at + 1) % cell.len()];
        let (a, b) = (value(first), value(second));
        if a >= 0.0 {
            above.push(*first);
        }
        if a <= 0.0 {
            below.push(*first);
        }
        if a * b < 0.0 {
            let share = a / (a - b);
            let cut = [0, 1].map(|axis| first[axis] + share * (second[axis] - first[axis]));
            above.push(cut);
            below.push(cut);
        }
    }
    [above, below].into_iter().filter(|cell| !cell.is_empty()).collect()
}

#[test]
fn bounds_of_tiny_networks_are_below_the_minimum_over_all_activation_patterns() {
    let mut gaps = [0.0; 6];
    for seed in 0..20 {
        let draws = &mut Draws(seed);
        let mut builder = Builder::new("x", vec![2]);
        let mut x = builder.input();
        for (inputs, outputs, last) in [(2, 5, false), (5, 4, false), (4, 3, true)] {
            let mut array = |shape: &[usize]| {
                let count = shape.iter().product();
                let values = (0..count).map(|_| draws.between(-1.0, 1.0)).collect();
                builder.constant(Array::new(shape.to_vec(), values).unwrap())
            };
            let (weight, bias) = (array(&[inputs, outputs]), array(&[outputs]));
            x = builder.push("linear", Op::Linear, vec![x, weight, bias]).unwrap();
            if !last {
                x = builder.push("relu", Op::Unary(Unary::Relu), vec![x]).unwrap();
            }
        }
        let graph = builder.finish(x).unwrap();
        let (low, high) = ([-0.5, -0.25], [0.5, 1.0]);
        let exact = exact_minimum(&graph, low, high);
        let network = Network::new(&graph).unwrap();
        let set = InputSet::sides(low.to_vec(), high.to_vec()).unwrap();
        for (method, gap) in Method::ALL.into_iter().zip(&mut gaps) {
            let margins = network.margins(&set, 0, method, &Options::default()).unwrap();
            for (bound, exact) in margins.lower.iter().zip(&exact).skip(1) {
                assert!(*bound <= exact + 1e-12, "{seed} {method:?}: {bound} above {exact}");
                *gap += exact - bound;
            }
        }
    }
    let [ibp, zonotope, forward, _, crown, alpha] = gaps;
    assert!(
        alpha < 0.8 * crown && crown < 0.5 * ibp && zonotope < 0.8 * ibp && forward < 0.8 * ibp,
        "{gaps:?}"
    );
}

#[test]
fn a_hidden_counterexample_is_never_certified_away() {
    let Some(models) = models() else { return };
    let cases = json(&models.join("dev_soundness/soundness.json"));
    for case in cases["planted"].as_array().unwrap() {
        let folder = models.join("dev_soundness");
        let network = network(&folder.join(case["model"].as_str().unwrap()));
        let center = numbers(&case["input"]);
        let radius = case["eps"].as_f64().unwrap();
        let set = InputSet::ball(&center, Norm::Linf, radius, None).unwrap();
        let label = case["label"].as_u64().unwrap() as usize;
        for method in Method::ALL {
            let margins = network.margins(&set, label, method, &Options::default()).unwrap();
            let robust = case["robust"].as_bool().unwrap();
            assert_eq!(margins.is_certified(), robust, "{method:?}: {margins:?}");
            if case["hidden_counterexample_inside_box"].as_bool().unwrap() {
                let most = case["margin_at_counterexample"].as_f64().unwrap();
                assert!(margins.worst() <= most, "{method:?}: {margins:?}");
            }
        }
    }
}

/// The certificate speaks of real arithmetic; f32 and f64 answer something else near 2²⁶.
#[test]
fn a_network_that_rounds_differently_is_bounded_in_real_arithmetic() {
    let Some(models) = models() else { return };
    let cases = json(&models.join("dev_soundness/soundness.json"));
    for case in cases["float_semantics"].as_array().unwrap() {
        let file = models.join("dev_soundness").join(case["model"].as_str().unwrap());
        let sides = numbers(&case["box"][0]);
        let set = InputSet::sides(vec![sides[0]], vec![sides[1]]).unwrap();
        let label = case["label"].as_u64().unwrap() as usize;
        let exact = case["exact_real_min_margin"].as_f64().unwrap();
        for method in Method::ALL {
            let network = Network::new(&graph(&file)).unwrap();
            let margins = network.margins(&set, label, method, &Options::default()).unwrap();
            assert!(margins.worst() <= exact + 1e-12, "{method:?}: {margins:?}");
            assert!(margins.worst() >= exact - 1e-5, "{method:?}: {margins:?}");
        }
    }
}

/// `(x + 2⁶⁰) − 100 − 2⁶⁰` is `x − 100` in real arithmetic; f64 answers a multiple of 128, forward and
/// backward.
fn cancelling(relu: bool) -> Graph {
    let mut builder = Builder::new("x", vec![1]);
    let large = builder.constant(Array::vector(vec![2.0_f64.powi(60)]));
    let x = builder.input();
    let mut y = builder.push("up", Op::Binary(Binary::Add), vec![x, large]).unwrap();
    if relu {
        y = builder.push("relu", Op::Unary(Unary::Relu), vec![y]).unwrap();
    }
    let shift = builder.constant(Array::vector(vec![100.0]));
    let y = builder.push("shift", Op::Binary(Binary::Sub), vec![y, shift]).unwrap();
    let y = builder.push("down", Op::Binary(Binary::Sub), vec![y, large]).unwrap();
    let zero = builder.constant(Array::vector(vec![0.0]));
    let y = builder.push("pair", Op::Concat { axis: 0 }, vec![y, zero]).unwrap();
    builder.finish(y).unwrap()
}

#[test]
fn what_f64_loses_is_subtracted() {
    for (relu, value) in [true, false]
        .into_iter()
        .flat_map(|relu| [-100.0, -1.0, 0.3, 77.0, 200.0].map(|value| (relu, value)))
    {
        let graph = cancelling(relu);
        let network = Network::new(&graph).unwrap();
        let set = InputSet::sides(vec![value], vec![value]).unwrap();
        let exact = value - 100.0;
        for method in Method::ALL {
            let margins = network.margins(&set, 0, method, &Options::default()).unwrap();
            assert!(margins.lower[1] <= exact, "{method:?}: {margins:?} for {value}");
            assert!(margins.lower[1] > exact - 1e6, "{method:?}: {margins:?} for {value}");
            let bounds = network.node_bounds(&set, method, &Options::default()).unwrap();
            let bounds = &bounds[graph.output()];
            let (low, high) = (bounds.lower[0], bounds.upper[0]);
            assert!(low <= exact && exact <= high, "{method:?}: {low} {high} for {value}");
        }
    }
}

/// `2⁶⁰ + 100 − 2⁶⁰` of the results themselves.
#[test]
fn what_f64_loses_in_a_specification_is_subtracted() {
    let mut builder = Builder::new("x", vec![3]);
    let x = builder.input();
    let y = builder.push("relu", Op::Unary(Unary::Relu), vec![x]).unwrap();
    let network = Network::new(&builder.finish(y).unwrap()).unwrap();
    let point = vec![2.0_f64.powi(60), 100.0, 2.0_f64.powi(60)];
    let set = InputSet::sides(point.clone(), point).unwrap();
    let specification = Specification::new(3, vec![1.0, 1.0, -1.0], vec![0.0]).unwrap();
    for method in Method::ALL {
        let options = Options::default();
        let bound = network.lower_bounds(&set, &specification, method, &options).unwrap()[0];
        assert!(bound <= 100.0 && bound > -1e6, "{method:?}: {bound}");
    }
}

/// The same sum inside one linear layer, by intervals alone and by all methods.
#[test]
fn what_f64_loses_in_a_layer_is_subtracted() {
    let mut builder = Builder::new("x", vec![3]);
    let weight = builder.constant(Array::new(vec![3, 1], vec![1.0, 1.0, -1.0]).unwrap());
    let x = builder.input();
    let y = builder.push("linear", Op::Linear, vec![x, weight]).unwrap();
    let graph = builder.finish(y).unwrap();
    let network = Network::new(&graph).unwrap();
    let point = vec![2.0_f64.powi(60), 100.0, 2.0_f64.powi(60)];
    let set = InputSet::sides(point.clone(), point).unwrap();
    for method in Method::ALL {
        let bounds = network.node_bounds(&set, method, &Options::default()).unwrap();
        let (low, high) = (bounds[1].lower[0], bounds[1].upper[0]);
        assert!(low <= 100.0 && 100.0 <= high && high - low < 1e6, "{method:?}: {low} {high}");
    }
}

#[test]
fn a_network_that_overflows_is_not_certified_and_not_a_number_is_not_a_bound() {
    let mut builder = Builder::new("x", vec![2]);
    let huge = builder.constant(Array::vector(vec![1e300, 1e300]));
    let mut x = builder.input();
    for _ in 0..2 {
        x = builder.push("scale", Op::Binary(Binary::Mul), vec![x, huge]).unwrap();
        x = builder.push("relu", Op::Unary(Unary::Relu), vec![x]).unwrap();
    }
    let graph = builder.finish(x).unwrap();
    let network = Network::new(&graph).unwrap();
    for method in Method::ALL {
        let margins =
            network.margins(&ball(&[0.9, 0.1], 0.05), 0, method, &Options::default()).unwrap();
        assert_eq!(margins.lower, [0.0, f64::NEG_INFINITY], "{method:?}");
        assert!(!margins.is_certified());
    }
}
