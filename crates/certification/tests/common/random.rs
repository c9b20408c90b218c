//! Random small networks over the operations that bounds understand.
use duress_graph::{
    Array, Binary, Builder, Convolution, Graph, Op, Operand, Reduction, TransposedConvolution,
    Unary, Window,
};

use crate::common::Draws;

fn array(draws: &mut Draws, shape: &[usize], size: f64) -> Array {
    let count = shape.iter().product();
    let values = (0..count).map(|_| draws.between(-size, size)).collect();
    Array::new(shape.to_vec(), values).unwrap()
}

fn window(kernel: usize, stride: usize, padding: usize) -> Window {
    Window {
        kernel: vec![kernel; 2],
        stride: vec![stride; 2],
        dilation: vec![1; 2],
        padding: vec![(padding, padding); 2],
    }
}

/// Functions that are defined everywhere.
const CURVES: [Unary; 16] = [
    Unary::Relu,
    Unary::Elu { alpha: 0.8 },
    Unary::Selu { alpha: 1.673, gamma: 1.05 },
    Unary::Sigmoid,
    Unary::Tanh,
    Unary::Gelu,
    Unary::GeluTanh,
    Unary::Silu,
    Unary::Erf,
    Unary::HardSigmoid { alpha: 0.2, beta: 0.5 },
    Unary::HardSwish,
    Unary::Softplus,
    Unary::Softsign,
    Unary::Mish,
    Unary::Abs,
    Unary::Sin,
];

fn activation(builder: &mut Builder, x: Operand, draws: &mut Draws) -> Operand {
    let which = (draws.next() * (CURVES.len() + 8) as f64) as usize;
    let (op, operands) = match CURVES.get(which) {
        Some(&curve) => (Op::Unary(curve), vec![x]),
        None if which == CURVES.len() => {
            let low = draws.between(-1.0, 0.0);
            (Op::Clip { low, high: draws.between(0.0, 1.0) }, vec![x])
        }
        None if which == CURVES.len() + 1 => {
            let slope = builder.constant(Array::scalar(draws.between(-0.5, 1.5)));
            (Op::ParametricRelu, vec![x, slope])
        }
        // A ReLU is what most networks have.
        None => (Op::Unary(Unary::Relu), vec![x]),
    };
    builder.push("activation", op, operands).unwrap()
}

fn linear(builder: &mut Builder, x: Operand, outputs: usize, draws: &mut Draws) -> Operand {
    let inputs = *builder.shape(x).last().unwrap();
    let size = 2.0 / (inputs as f64).sqrt();
    let weight = array(draws, &[inputs, outputs], size);
    let bias = array(draws, &[outputs], 0.5);
    let operands = vec![x, builder.constant(weight), builder.constant(bias)];
    builder.push("linear", Op::Linear, operands).unwrap()
}

/// A node that joins two of one shape.
fn join(builder: &mut Builder, x: Operand, y: Operand, draws: &mut Draws) -> Operand {
    let functions = [Binary::Add, Binary::Sub, Binary::Mul, Binary::Max, Binary::Min];
    let function = functions[(draws.next() * 5.0) as usize];
    builder.push("join", Op::Binary(function), vec![x, y]).unwrap()
}

/// A picture through convolutions and pools to a vector.
fn picture(builder: &mut Builder, mut x: Operand, draws: &mut Draws) -> Operand {
    for _ in 0..2 {
        let channels = builder.shape(x)[0];
        let (op, operands) = if draws.next() < 0.7 {
            let weight = builder.constant(array(draws, &[3, channels, 3, 3], 0.5));
            let bias = builder.constant(array(draws, &[3], 0.5));
            (
                Op::Convolution(Convolution { window: window(3, 1, 1), groups: 1 }),
                vec![x, weight, bias],
            )
        } else {
            let weight = builder.constant(array(draws, &[channels, 2, 2, 2], 0.5));
            let window = window(2, 1, 0);
            let output_padding = vec![0; 2];
            let op = TransposedConvolution { window, output_padding, groups: 1 };
            (Op::TransposedConvolution(op), vec![x, weight])
        };
        x = builder.push("convolution", op, operands).unwrap();
        x = activation(builder, x, draws);
    }
    let pool = window(2, 2, 0);
    let pool = if draws.next() < 0.5 { Op::MaxPool(pool) } else { Op::AveragePool(pool) };
    x = builder.push("pool", pool, vec![x]).unwrap();
    let length = builder.shape(x).iter().product();
    builder.shaped("flatten", Op::Reshape, x, vec![length]).unwrap()
}

/// A network of `[1, 4, 4]` or `[5]` and three results.
pub(crate) fn network(seed: u64) -> Graph {
    let draws = &mut Draws(seed);
    let image = draws.next() < 0.4;
    let mut builder = Builder::new("x", if image { vec![1, 4, 4] } else { vec![5] });
    let mut x = builder.input();
    if image {
        x = picture(&mut builder, x, draws);
    }
    for _ in 0..=(draws.next() * 3.0) as usize {
        let before = linear(&mut builder, x, 6, draws);
        x = activation(&mut builder, before, draws);
        if draws.next() < 0.5 {
            let other = linear(&mut builder, x, 6, draws);
            x = join(&mut builder, before, other, draws);
        }
        match (draws.next() * 6.0) as usize {
            0 => x = builder.push("norm", Op::Softmax { axis: 0 }, vec![x]).unwrap(),
            1 => {
                let slice = Op::Slice { axis: 0, start: 1, end: 4 };
                let part = builder.push("slice", slice, vec![x]).unwrap();
                x = builder.push("concat", Op::Concat { axis: 0 }, vec![x, part]).unwrap();
            }
            2 => {
                let by = [Reduction::Sum, Reduction::Mean, Reduction::Max, Reduction::Min];
                let by = by[(draws.next() * 4.0) as usize];
                let one =
                    builder.push("reduce", Op::Reduce { by, axes: vec![0] }, vec![x]).unwrap();
                x = builder.push("subtract", Op::Binary(Binary::Sub), vec![x, one]).unwrap();
            }
            _ => {}
        }
    }
    let output = linear(&mut builder, x, 3, draws);
    builder.finish(output).unwrap()
}
