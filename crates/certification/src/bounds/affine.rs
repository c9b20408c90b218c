//! Intervals through linear steps.
//!
//! `b + Σ w x` lies between the sums that take the lower or the upper bound of each x by the sign
//! of its weight. Rounding costs at most `γ (|b| + Σ |w| max|x|)` in either; the same number, per
//! unit of a coefficient, is what going back through the step can lose (see `backward`).
//!
//! Products and convolutions take intervals as centres c and half widths r, `b + Σ w c ± Σ |w| r`: the
//! same bounds without a choice for each weight. A half width is rounded up, so that the interval of
//! c and r holds the given one, whatever c was rounded to, and `|c| + r` is `max|x|` but for a few
//! roundings, which γ covers.
use rayon::prelude::*;

use super::interval::Intervals;
use super::kernel::Sums;
use super::network::{Map, Network, Step, Weight};
use super::rounding::{TINY, down, gamma, up};

/// What is known of a linear step.
#[derive(Clone, Debug)]
pub(super) struct Forward {
    /// Bounds of its results.
    pub(super) intervals: Intervals,
    /// What rounding can cost, for each result, where it is multiplied by 1 on its way back.
    pub(super) weights: Vec<f64>,
    /// What underflow can cost on the way back, whatever the coefficients.
    pub(super) underflow: f64,
}

/// Bounds of step `index`, which is linear, from those of the steps before it.
pub(super) fn forward(network: &Network, index: usize, known: &[Intervals]) -> Forward {
    let Step::Affine { parts, bias } = &network.steps[index] else {
        return unknown(network, index);
    };
    if let [(source, Map::Select { sources, weight: Weight::Uniform(1.0) })] = parts.as_slice()
        && bias.is_empty()
        && let Some(moved) = moved(network, &known[*source], sources)
    {
        return moved;
    }
    centred(network, parts, bias, known).unwrap_or_else(|| by_rows(network, index, known))
}

/// Values moved, each from somewhere: nothing is rounded.
fn moved(network: &Network, x: &Intervals, sources: &[u32]) -> Option<Forward> {
    let gamma = gamma(network.terms());
    let mut intervals = Intervals::unknown(sources.len());
    let mut weights = Vec::with_capacity(sources.len());
    let mut underflow = 0.0;
    for (at, &source) in sources.iter().enumerate() {
        let source = source as usize;
        let (low, high) = (*x.lower.get(source)?, *x.upper.get(source)?);
        intervals.tighten(at, low, high);
        let magnitude = low.abs().max(high.abs());
        weights.push(gamma * magnitude + TINY);
        underflow += TINY * (magnitude + 1.0);
    }
    Some(Forward { intervals, weights, underflow })
}

/// By centres and half widths; `None` where a map has no loop for them or an interval no end.
fn centred(
    network: &Network,
    parts: &[(usize, Map)],
    bias: &[f64],
    known: &[Intervals],
) -> Option<Forward> {
    let size = parts.iter().map(|(_, map)| map.results()).collect::<Option<Vec<_>>>()?;
    let size = *size.first()?;
    let mut sums = Sums::zeros(size);
    let mut reach = 0.0;
    for (source, map) in parts {
        let values = balls(&known[*source])?;
        reach += values.size.iter().map(|magnitude| magnitude + 1.0).sum::<f64>();
        if !map.forward(&values, &mut sums) {
            return None;
        }
    }
    let Sums { mut center, radius, size: mut sizes } = sums;
    for ((center, size), bias) in center.iter_mut().zip(&mut sizes).zip(bias) {
        *center += bias;
        *size += bias.abs();
    }
    let (gamma, error) = (gamma(network.terms()), TINY * reach);
    let [mut lower, mut upper, mut weights] = [(); 3].map(|()| vec![0.0; size]);
    let results = lower.iter_mut().zip(&mut upper).zip(&mut weights);
    let sums = center.iter().zip(&radius).zip(&sizes);
    for (((low, high), weight), ((center, radius), size)) in results.zip(sums) {
        let size = gamma * size;
        // The roundings of these sums are two of the sixteen more that γ has.
        let radius = radius + (1.01 * size + error);
        let (below, above) = (center - radius, center + radius);
        // False for what is no number.
        let bounded = below.abs() < f64::INFINITY && above.abs() < f64::INFINITY;
        *low = if bounded { below } else { f64::NEG_INFINITY };
        *high = if bounded { above } else { f64::INFINITY };
        *weight = size + TINY;
    }
    let underflow = error * size as f64;
    Some(Forward { intervals: Intervals { lower, upper }, weights, underflow })
}

/// Centres, half widths and magnitudes of intervals that have ends.
fn balls(x: &Intervals) -> Option<Sums> {
    let mut balls = Sums::zeros(x.len());
    let mut finite = true;
    let results = balls.center.iter_mut().zip(&mut balls.radius).zip(&mut balls.size);
    for (((center, radius), size), (low, high)) in results.zip(x.lower.iter().zip(&x.upper)) {
        *center = 0.5 * low + 0.5 * high;
        let (above, below) = (high - *center, *center - low);
        let half = if above > below { above } else { below };
        *radius = half * (1.0 + 2.0 * f64::EPSILON);
        let (one, other) = (low.abs(), high.abs());
        *size = if one > other { one } else { other };
        // False for what is no number.
        finite &= *radius < f64::INFINITY && *size < f64::INFINITY;
    }
    finite.then_some(balls)
}

/// One row of the maps after the other.
fn by_rows(network: &Network, index: usize, known: &[Intervals]) -> Forward {
    let Step::Affine { parts, bias } = &network.steps[index] else {
        return unknown(network, index);
    };
    let gamma = gamma(network.terms());
    let result = |terms: &mut Vec<(usize, f64)>, at: usize| {
        let bias = bias.get(at).copied().unwrap_or(0.0);
        let (mut low, mut high, mut size, mut reach) = (bias, bias, bias.abs(), 0.0);
        for (source, map) in parts {
            let x = &known[*source];
            map.row(at, terms);
            for &(place, weight) in terms.iter() {
                let (lower, upper) = x.at(place);
                let (first, last) = if weight > 0.0 { (lower, upper) } else { (upper, lower) };
                low += weight * first;
                high += weight * last;
                let magnitude = x.magnitude(place);
                size += weight.abs() * magnitude;
                reach += magnitude + 1.0;
            }
        }
        let error = gamma * size + TINY * reach;
        let exact = parts.len() == 1 && terms.len() <= 1 && bias == 0.0;
        let exact = exact && terms.first().is_none_or(|(_, weight)| weight.abs() == 1.0);
        let (low, high) = if exact { (low, high) } else { (down(low, error), up(high, error)) };
        (low, high, gamma * size + TINY, reach)
    };
    let results: Vec<(f64, f64, f64, f64)> = (0..network.sizes[index])
        .into_par_iter()
        .with_min_len(64)
        .map_init(Vec::new, result)
        .collect();
    let mut intervals = Intervals::unknown(results.len());
    let mut weights = Vec::with_capacity(results.len());
    let mut underflow = 0.0;
    for (at, (low, high, weight, reach)) in results.into_iter().enumerate() {
        intervals.tighten(at, low, high);
        weights.push(weight);
        underflow += TINY * reach;
    }
    Forward { intervals, weights, underflow }
}

/// What is known of a step that is not linear.
fn unknown(network: &Network, index: usize) -> Forward {
    let intervals = Intervals::unknown(network.sizes[index]);
    let weights = vec![f64::INFINITY; intervals.len()];
    Forward { intervals, weights, underflow: f64::INFINITY }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounds::{InputSet, Method, Options};
    use duress_graph::{Array, Builder, Convolution, Op, Window};

    /// A small generator of numbers between −1 and 1.
    fn draws(seed: u32) -> impl FnMut() -> f64 {
        let mut state = seed;
        move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) / f64::from(1 << 24) * 2.0 - 1.0
        }
    }

    /// A padded convolution with groups, then a product; 18 to 40 to 3 values.
    fn network() -> Network {
        let mut draw = draws(3);
        let mut array = |shape: &[usize]| {
            let values = (0..shape.iter().product()).map(|_| draw()).collect();
            Array::new(shape.to_vec(), values).unwrap()
        };
        let mut builder = Builder::new("x", vec![2, 3, 3]);
        let [kernel, shift] = [array(&[10, 1, 2, 2]), array(&[10])].map(|it| builder.constant(it));
        let [weight, bias] = [array(&[40, 3]), array(&[3])].map(|it| builder.constant(it));
        let window = Window {
            kernel: vec![2, 2],
            stride: vec![2, 2],
            dilation: vec![1, 1],
            padding: vec![(1, 0), (0, 1)],
        };
        let convolution = Op::Convolution(Convolution { window, groups: 2 });
        let input = builder.input();
        let hidden = builder.push("conv", convolution, vec![input, kernel, shift]).unwrap();
        let flat = builder.shaped("flat", Op::Reshape, hidden, vec![40]).unwrap();
        let output = builder.push("linear", Op::Linear, vec![flat, weight, bias]).unwrap();
        Network::new(&builder.finish(output).unwrap()).unwrap()
    }

    #[test]
    fn centres_and_rows_give_the_same_intervals_but_for_rounding() {
        let network = network();
        let mut draw = draws(9);
        let lower: Vec<f64> = (0..18).map(|_| draw()).collect();
        let upper: Vec<f64> = lower.iter().map(|low| low + (draw() + 0.5).max(0.0)).collect();
        let mut known = vec![Intervals { lower, upper }];
        for index in 1..network.steps.len() {
            let (fast, slow) = (forward(&network, index, &known), by_rows(&network, index, &known));
            for at in 0..network.sizes[index] {
                let ((a, b), (c, d)) = (fast.intervals.at(at), slow.intervals.at(at));
                assert!((a - c).abs() < 1e-12 && (b - d).abs() < 1e-12, "{index} {at}");
                assert!((fast.weights[at] / slow.weights[at] - 1.0).abs() < 1e-9);
            }
            known.push(fast.intervals);
        }
        assert_eq!(known.last().unwrap().len(), 3);
    }

    #[test]
    fn intervals_without_an_end_take_the_rows() {
        let network = network();
        let half = Intervals { lower: vec![0.0; 18], upper: vec![f64::INFINITY; 18] };
        assert!(balls(&half).is_none());
        let set = InputSet::sides(vec![-1e308; 18], vec![1e308; 18]).unwrap();
        let bounds = network.node_bounds(&set, Method::Ibp, &Options::default()).unwrap();
        assert!(bounds.last().unwrap().lower.iter().all(|low| !low.is_nan()));
    }

    #[test]
    fn half_widths_reach_the_ends_of_an_interval() {
        let mut draw = draws(5);
        for _ in 0..10_000 {
            let low = draw() * 10.0_f64.powf(20.0 * draw());
            let high = low + draw().abs() * 10.0_f64.powf(20.0 * draw());
            let balls = balls(&Intervals { lower: vec![low], upper: vec![high] }).unwrap();
            let (center, radius) = (balls.center[0], balls.radius[0]);
            assert!(high - center <= radius && center - low <= radius, "{low} {high}");
            assert!(center.abs() + radius <= balls.size[0] * (1.0 + 1e-15), "{low} {high}");
        }
    }
}
