//! Small networks that are one linear map and one rectifier after the other, as dense matrices.
//!
//! The same bounds as CROWN's, with the same account of rounding, where they are needed for
//! thousands of small boxes: nothing is asked of a map row by row, and coefficients that are zero,
//! those of rectifiers that are off, cost nothing.
mod pass;

use super::network::{Function, Map, Network, Step};

/// Most weights of a network that are stored as matrices.
const MOST_WEIGHTS: usize = 1 << 20;

/// A linear map, and kinks after it.
#[derive(Clone, Debug)]
struct Layer {
    inputs: usize,
    /// `[outputs, inputs]`.
    weights: Vec<f64>,
    bias: Vec<f64>,
    /// Slopes below and above 0, the first not the larger; none after the last map.
    kink: Option<[f64; 2]>,
}

impl Layer {
    /// Whether the results are the operands.
    fn is_identity(&self) -> bool {
        let unit = |(at, &weight): (usize, &f64)| {
            weight == if at % self.inputs == at / self.inputs { 1.0 } else { 0.0 }
        };
        self.kink.is_none()
            && self.bias.len() == self.inputs
            && self.bias.iter().all(|&bias| bias == 0.0)
            && self.weights.iter().enumerate().all(unit)
    }
}

/// A network as layers.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    layers: Vec<Layer>,
    gamma: f64,
}

impl Chain {
    /// The layers of a network, if it is such a chain and small.
    ///
    /// Maps that only move values are merged with the one before, and so is a bias with a map that
    /// has none: neither rounds anything.
    pub(crate) fn new(network: &Network) -> Option<Self> {
        let mut layers: Vec<Layer> = Vec::new();
        let mut size = 0;
        for (index, step) in network.steps.iter().enumerate().skip(1) {
            // The next to read a step is the one after it.
            if index > network.output {
                return None;
            }
            match step {
                Step::Affine { parts, bias } => {
                    let [(source, map)] = parts.as_slice() else { return None };
                    if *source + 1 != index {
                        return None;
                    }
                    let outputs = network.sizes[index];
                    let open = layers.last_mut().filter(|layer| layer.kink.is_none());
                    if let Some(before) = open
                        && merge(before, map, bias, outputs)
                    {
                        continue;
                    }
                    // A first step that changes nothing, such as a mean of 0 taken off.
                    if layers.last().is_some_and(Layer::is_identity) {
                        layers.pop();
                    }
                    let inputs = network.sizes[*source];
                    size += inputs.saturating_mul(outputs);
                    if size > MOST_WEIGHTS {
                        return None;
                    }
                    let mut weights = vec![0.0; inputs * outputs];
                    let mut terms = Vec::new();
                    for (at, row) in weights.chunks_exact_mut(inputs.max(1)).enumerate() {
                        map.row(at, &mut terms);
                        for &(place, weight) in &terms {
                            if row[place] != 0.0 {
                                return None;
                            }
                            row[place] = weight;
                        }
                    }
                    let bias = (0..outputs).map(|at| bias.get(at).copied().unwrap_or(0.0));
                    let bias = bias.collect();
                    layers.push(Layer { inputs, weights, bias, kink: None });
                }
                Step::Curve { source, function: Function::Kink { negative, positive } } => {
                    let layer = layers.last_mut()?;
                    let first = negative.at(0);
                    let same = (0..network.sizes[index]).all(|at| negative.at(at) == first);
                    if *source + 1 != index || layer.kink.is_some() || !same || first > *positive {
                        return None;
                    }
                    layer.kink = Some([first, *positive]);
                }
                _ => return None,
            }
        }
        layers.last().filter(|layer| layer.kink.is_none())?;
        let gamma = super::rounding::gamma(network.terms());
        Some(Self { layers, gamma })
    }
}

/// Applies a map to the results of a layer, if nothing is rounded by that.
fn merge(layer: &mut Layer, map: &Map, bias: &[f64], outputs: usize) -> bool {
    let mut terms = Vec::new();
    let mut picked = Vec::with_capacity(outputs);
    for at in 0..outputs {
        map.row(at, &mut terms);
        match terms[..] {
            [(place, 1.0)] => picked.push(place),
            _ => return false,
        }
    }
    let moved: Vec<f64> = picked.iter().map(|&place| layer.bias[place]).collect();
    let added = |at: usize| bias.get(at).copied().unwrap_or(0.0);
    if (0..outputs).any(|at| moved[at] != 0.0 && added(at) != 0.0) {
        return false;
    }
    let rows = picked
        .iter()
        .flat_map(|&place| layer.weights[place * layer.inputs..][..layer.inputs].iter().copied());
    layer.weights = rows.collect();
    layer.bias = (0..outputs).map(|at| moved[at] + added(at)).collect();
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounds::{InputSet, Method, Options, Specification};
    use duress_graph::{Array, Builder, Op, Unary};

    /// Layers of 3, 4, 4 and 2 values with weights from a small generator; a bias by itself.
    fn network(slope: f64) -> Network {
        let mut state = 7_u32;
        let mut draw = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) / f64::from(1 << 24) * 2.0 - 1.0
        };
        let mut builder = Builder::new("x", vec![3]);
        let input = builder.input();
        let scale = |scale: f64| Array::full(&[3], scale).unwrap();
        let [one, two] = [scale(1.0), scale(2.0)].map(|array| builder.constant(array));
        let product = || Op::Binary(duress_graph::Binary::Mul);
        let same = builder.push("same", product(), vec![input, one]).unwrap();
        let mut value = builder.push("twice", product(), vec![same, two]).unwrap();
        for (layer, (inputs, outputs)) in [(3, 4), (4, 4), (4, 2)].into_iter().enumerate() {
            let weights = (0..inputs * outputs).map(|_| draw()).collect();
            let weights = builder.constant(Array::new(vec![inputs, outputs], weights).unwrap());
            let bias = builder.constant(Array::vector((0..outputs).map(|_| draw()).collect()));
            let name = |what: &str| format!("{what}{layer}");
            value = if layer == 1 {
                let product = builder.push(&name("product"), Op::Linear, vec![value, weights]);
                let sum = Op::Binary(duress_graph::Binary::Add);
                builder.push(&name("sum"), sum, vec![product.unwrap(), bias]).unwrap()
            } else {
                builder.push(&name("linear"), Op::Linear, vec![value, weights, bias]).unwrap()
            };
            if layer < 2 {
                let op = if slope == 0.0 { Unary::Relu } else { Unary::Abs };
                value = builder.push(&name("kink"), Op::Unary(op), vec![value]).unwrap();
            }
        }
        Network::new(&builder.finish(value).unwrap()).unwrap()
    }

    #[test]
    fn a_chain_has_the_bounds_of_crown() {
        for slope in [0.0, -1.0] {
            let network = network(slope);
            let chain = Chain::new(&network).unwrap();
            // The input doubled in place of what would be an identity.
            assert_eq!(chain.layers.len(), 4);
            for width in [0.0, 0.1, 0.7, 3.0] {
                let set = InputSet::sides(vec![-width; 3], vec![width; 3]).unwrap();
                let rows =
                    Specification::new(2, vec![1.0, -1.0, 0.0, 1.0], vec![0.25, 0.0]).unwrap();
                let options = Options::default();
                let expected =
                    network.lower_lines(&set, &rows, (Method::Crown, None), &options).unwrap().0;
                let (got, known) = chain.lower_lines(&set, &rows, None);
                for (got, expected) in got.iter().zip(&expected) {
                    assert!(
                        (got.bound - expected.bound).abs() < 1e-9,
                        "{width}: {got:?} {expected:?}"
                    );
                    assert!(got.point == expected.point || width == 0.0);
                }
                // A part is bounded no looser with what is known of the whole.
                let part = InputSet::sides(vec![-width; 3], vec![width / 2.0; 3]).unwrap();
                let alone = chain.lower_lines(&part, &rows, None).0;
                let within = chain.lower_lines(&part, &rows, Some(&known)).0;
                for (alone, within) in alone.iter().zip(within) {
                    assert!(within.bound >= alone.bound - 0.2 * width - 1e-9);
                    assert!(within.bound <= chain_value(&network, &rows, &within.point) + 1e-9);
                }
            }
        }
    }

    /// A value that the first row of a specification takes, so that no bound of it is above.
    fn chain_value(network: &Network, rows: &Specification, point: &[f64]) -> f64 {
        let set = InputSet::sides(point.to_vec(), point.to_vec()).unwrap();
        let bounds = network.lower_bounds(&set, rows, Method::Crown, &Options::default()).unwrap();
        bounds.into_iter().fold(f64::NEG_INFINITY, f64::max)
    }

    #[test]
    fn what_is_no_chain_is_none() {
        let mut builder = Builder::new("x", vec![2]);
        let input = builder.input();
        let relu = builder.push("relu", Op::Unary(Unary::Relu), vec![input]).unwrap();
        let sum = Op::Binary(duress_graph::Binary::Add);
        let output = builder.push("sum", sum, vec![relu, input]).unwrap();
        let network = Network::new(&builder.finish(output).unwrap()).unwrap();
        assert!(Chain::new(&network).is_none());
    }
}
