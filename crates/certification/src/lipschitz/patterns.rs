//! Parts of a graph that stretch less than their operations one by one.
use duress_graph::{Binary, Graph, Node, Op, Operand};

use super::gram::{Kernel, frobenius};
use super::slopes::is_slope_of_a_share;

/// The node that a larger and a smaller of two halves were taken of, if `concat` joins these: a
/// sorting of pairs, which stretches nothing.
pub(super) fn sorted_pairs(graph: &Graph, concat: &Node) -> Option<usize> {
    let Op::Concat { axis } = concat.op else { return None };
    let [Operand::Node(larger), Operand::Node(smaller)] = concat.operands[..] else { return None };
    let halves = |position: usize, by: Binary| {
        let node = &graph.nodes()[position];
        let [Operand::Node(left), Operand::Node(right)] = node.operands[..] else { return None };
        (node.op == Op::Binary(by)).then(|| [left.min(right), left.max(right)])
    };
    let pair = halves(larger, Binary::Max)?;
    if halves(smaller, Binary::Min)? != pair {
        return None;
    }
    let slice = |position: usize| match graph.nodes()[position] {
        Node { op: Op::Slice { axis: along, start, end }, ref operands, .. } if along == axis => {
            match operands[..] {
                [Operand::Node(of)] => Some((of, start, end)),
                _ => None,
            }
        }
        _ => None,
    };
    let ((left, begin, end), (right, start, stop)) = (slice(pair[0])?, slice(pair[1])?);
    (left == right && (end <= start || stop <= begin)).then_some(left)
}

/// `x + B σ(A x + b)` as it stands in a graph.
struct Residual<'a> {
    /// The position of x.
    input: usize,
    /// `[F, H]`.
    inward: &'a [f64],
    /// `[H, F]`.
    outward: &'a [f64],
    width: usize,
    hidden: usize,
}

/// The position of x, and an upper bound of how much `x ↦ x + B σ(A x + b)` stretches, if `sum` is
/// such a layer.
///
/// With `B = −A U + E`, `A: F × H`, `U ≥ 0` diagonal and slopes `D` between 0 and 1, a difference of
/// values is that of x times `I − A U D Aᵀ + E D Aᵀ`. With `V = A √U` the second
/// term is `V D Vᵀ`: symmetric, its eigenvalues in `[0, ‖V‖²]`. So the bound is
/// `max(1, ‖V‖² − 1) + ‖E‖ ‖A‖`.
pub(super) fn residual(graph: &Graph, sum: &Node, iterations: u32) -> Option<(usize, f64)> {
    let found = find(graph, sum)?;
    let Residual { input, inward, outward, width, hidden } = found;
    let (mut root, mut rest) = (vec![0.0; width * hidden], vec![0.0; width * hidden]);
    let mut sizes = 0.0_f64;
    for unit in 0..hidden {
        let inward = |at: usize| inward[at * hidden + unit];
        let outward = |at: usize| outward[unit * width + at];
        let square: f64 = (0..width).map(|at| inward(at) * inward(at)).sum();
        let product: f64 = (0..width).map(|at| inward(at) * outward(at)).sum();
        let share = -product / square;
        let share = if share.is_finite() && share > 0.0 { share } else { 0.0 };
        for at in 0..width {
            root[at * hidden + unit] = inward(at) * share.sqrt();
            rest[at * hidden + unit] = outward(at) + share * inward(at);
            sizes = sizes.max((share * inward(at)).abs()).max(outward(at).abs());
        }
    }
    let slack = 8.0 * f64::EPSILON;
    let count = ((width * hidden) as f64).sqrt();
    let root_norm = Kernel::matrix(width, hidden, root.clone()).spectral_bound(iterations);
    let root_norm = root_norm + slack * frobenius(&root) + f64::MIN_POSITIVE * count;
    let rest_norm = frobenius(&rest) + slack * sizes * count + f64::MIN_POSITIVE * count;
    let inward_norm = Kernel::matrix(width, hidden, inward.to_vec()).spectral_bound(iterations);
    let main = (root_norm * root_norm * (1.0 + slack) - 1.0).max(1.0);
    let bound = (main + rest_norm * inward_norm) * (1.0 + slack);
    Some((input, if bound.is_nan() { f64::INFINITY } else { bound }))
}

fn find<'a>(graph: &'a Graph, sum: &Node) -> Option<Residual<'a>> {
    let [Operand::Node(left), Operand::Node(right)] = sum.operands[..] else { return None };
    if sum.op != Op::Binary(Binary::Add) {
        return None;
    }
    [(left, right), (right, left)].into_iter().find_map(|(input, branch)| {
        let (behind, outward) = linear(graph, branch)?;
        let activation = &graph.nodes()[behind];
        let Op::Unary(function) = activation.op else { return None };
        let [Operand::Node(before)] = activation.operands[..] else { return None };
        let (of, inward) = linear(graph, before)?;
        let [width] = graph.nodes()[input].shape[..] else { return None };
        let hidden = *inward.shape().get(1)?;
        let fits = of == input
            && is_slope_of_a_share(function)
            && inward.shape() == [width, hidden]
            && outward.shape() == [hidden, width];
        fits.then(|| Residual {
            input,
            inward: inward.values(),
            outward: outward.values(),
            width,
            hidden,
        })
    })
}

/// The operand and the weight of a linear node, through constants that are added behind it.
fn linear(graph: &Graph, position: usize) -> Option<(usize, &duress_graph::Array)> {
    let node = &graph.nodes()[position];
    match (&node.op, &node.operands[..]) {
        (Op::Linear, [Operand::Node(of), weight, ..]) => Some((*of, graph.constant(*weight)?)),
        (
            Op::Binary(Binary::Add),
            [Operand::Node(of), Operand::Constant(_)] | [Operand::Constant(_), Operand::Node(of)],
        ) if graph.nodes()[*of].shape == node.shape => linear(graph, *of),
        _ => None,
    }
}
