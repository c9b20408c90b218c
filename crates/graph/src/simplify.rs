//! Fewer operations with the same result: scales and shifts move into the layer before them, and
//! of several changes of shape the last one stays.
use crate::graph::Builder;
use crate::{Array, Binary, Graph, Node, Op, Operand, Result};

/// The graph with each `layer · scale + shift`, as a batch normalisation leaves it, as one layer.
/// Weights are multiplied in f64.
///
/// # Errors
/// Those of [`Builder::push`]; none for a graph that was checked.
pub(crate) fn simplify(graph: Graph) -> Result<Graph> {
    let uses = uses(&graph);
    let input = &graph.nodes()[0];
    let mut builder = Builder::new(&input.name, input.shape.clone());
    let constants: Vec<Operand> =
        graph.constants().iter().map(|array| builder.constant(array.clone())).collect();
    let mut places: Vec<Operand> = vec![builder.input()];
    for node in &graph.nodes()[1..] {
        let operands: Vec<Operand> = node
            .operands
            .iter()
            .map(|operand| match *operand {
                Operand::Node(node) => places[node],
                Operand::Constant(constant) => constants[constant],
            })
            .collect();
        let merged = match absorbable(&graph, node, &uses) {
            Some((layer, affine)) => absorb(&mut builder, places[layer], &affine, &node.shape)?,
            None => None,
        };
        places.push(match merged {
            Some(operand) => operand,
            None if node.op == Op::Reshape => {
                // Of two changes of shape only the last counts.
                let before = builder.node(operands[0]).filter(|node| node.op == Op::Reshape);
                let operand = before.map_or(operands[0], |node| node.operands[0]);
                builder.shaped(&node.name, Op::Reshape, operand, node.shape.clone())?
            }
            None => builder.repeat(node, operands)?,
        });
    }
    builder.finish(places[graph.output()])
}

/// How often each node is needed.
fn uses(graph: &Graph) -> Vec<usize> {
    let mut uses = vec![0; graph.nodes().len()];
    uses[graph.output()] += 1;
    for operand in graph.nodes().iter().flat_map(|node| &node.operands) {
        if let Operand::Node(node) = operand {
            uses[*node] += 1;
        }
    }
    uses
}

/// What a node does to the result of a layer.
enum Affine<'a> {
    Scale(&'a Array),
    Shift(&'a Array, f64),
}

/// The layer that only this node needs, and what the node does to it.
fn absorbable<'a>(graph: &'a Graph, node: &Node, uses: &[usize]) -> Option<(usize, Affine<'a>)> {
    let Op::Binary(function) = node.op else { return None };
    let (layer, constant, first) = match node.operands[..] {
        [Operand::Node(layer), Operand::Constant(constant)] => (layer, constant, true),
        [Operand::Constant(constant), Operand::Node(layer)] => (layer, constant, false),
        _ => return None,
    };
    let array = &graph.constants()[constant];
    let affine = match function {
        Binary::Add => Affine::Shift(array, 1.0),
        Binary::Sub if first => Affine::Shift(array, -1.0),
        Binary::Mul => Affine::Scale(array),
        _ => return None,
    };
    // The layer may itself have absorbed nodes: what counts is who needs the last of them.
    (uses[layer] == 1 && node.shape == graph.nodes()[layer].shape).then_some((layer, affine))
}

/// The layer at `place` with the scale or shift in its weights; `None` if it is no layer or the
/// constant is not one number a channel.
fn absorb(
    builder: &mut Builder,
    place: Operand,
    affine: &Affine<'_>,
    shape: &[usize],
) -> Result<Option<Operand>> {
    let Some(layer) = builder.node(place).cloned() else { return Ok(None) };
    let axis = match layer.op {
        Op::Linear => shape.len() - 1,
        Op::Convolution(_) => 0,
        _ => return Ok(None),
    };
    let (array, sign) = match affine {
        Affine::Scale(array) => (*array, 1.0),
        Affine::Shift(array, sign) => (*array, *sign),
    };
    let Some(channels) = per_channel(array, axis, shape) else { return Ok(None) };
    let outputs = shape[axis];
    let bias = layer.operands.get(2).and_then(|&bias| builder.value(bias)).cloned();
    let bias = bias.map_or_else(|| vec![0.0; outputs], |bias| bias.values().to_vec());
    let weight = layer.operands[1];
    let Some(old) = builder.value(weight).cloned() else { return Ok(None) };
    let mut operands = vec![layer.operands[0]];
    match affine {
        Affine::Scale(_) => {
            // Outputs are the first axis of a convolution's weight, the last of a matrix.
            let each = old.len() / outputs;
            let scaled = Array::from_fn(old.shape(), |at| {
                let output = if matches!(layer.op, Op::Linear) { at % outputs } else { at / each };
                old.values()[at] * channels[output]
            })?;
            operands.push(builder.constant(scaled));
            if layer.operands.len() > 2 {
                let scaled = bias.iter().zip(&channels).map(|(bias, scale)| bias * scale).collect();
                operands.push(builder.constant(Array::vector(scaled)));
            }
        }
        Affine::Shift(..) => {
            operands.push(weight);
            let shifted = bias.iter().zip(&channels).map(|(bias, shift)| bias + sign * shift);
            operands.push(builder.constant(Array::vector(shifted.collect())));
        }
    }
    builder.push(&layer.name, layer.op.clone(), operands).map(Some)
}

/// One value a channel, if the constant does not differ along the other axes.
fn per_channel(array: &Array, axis: usize, shape: &[usize]) -> Option<Vec<f64>> {
    let outputs = shape[axis];
    if array.len() == 1 {
        return Some(vec![array.values()[0]; outputs]);
    }
    let behind = shape.len() - 1 - axis;
    let own = array.shape();
    let place = own.len().checked_sub(behind + 1)?;
    let elsewhere = own.iter().enumerate().all(|(at, &length)| at == place || length == 1);
    (elsewhere && own[place] == outputs).then(|| array.values().to_vec())
}
