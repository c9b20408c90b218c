//! The shape of a result from the shapes of the operands.
use crate::array::{broadcast, product};
use crate::op::{Convolution, TransposedConvolution, Window};
use crate::{Error, Op, Result};

/// The shape of what `op` makes of operands of these shapes.
///
/// # Errors
/// [`Error::Shape`] if they do not fit; [`Op::Reshape`] and [`Op::Expand`] have no shape of their
/// own.
pub(crate) fn infer(op: &Op, shapes: &[&[usize]]) -> Result<Vec<usize>> {
    let x = *shapes.first().ok_or_else(|| Error::Shape("an operand is missing".into()))?;
    check_count(op, shapes.len())?;
    match op {
        Op::Input | Op::Reshape | Op::Expand => {
            Err(Error::Shape("the shape has to be given".into()))
        }
        Op::Unary(_) | Op::Clip { .. } => Ok(x.to_vec()),
        Op::Binary(_) => broadcast(x, shapes[1]),
        Op::ParametricRelu | Op::FakeQuantize { .. } => {
            for other in &shapes[1..] {
                if broadcast(x, other)? != x {
                    return Err(Error::Shape(format!("{other:?} does not broadcast to {x:?}")));
                }
            }
            Ok(x.to_vec())
        }
        Op::Linear => linear(x, shapes[1], shapes.get(2).copied()),
        Op::MatMul => mat_mul(x, shapes[1]),
        Op::Convolution(conv) => convolution(conv, x, shapes[1], shapes.get(2).copied()),
        Op::TransposedConvolution(conv) => {
            transposed_convolution(conv, x, shapes[1], shapes.get(2).copied())
        }
        Op::MaxPool(window) | Op::AveragePool(window) => windows(window, x.first().copied(), x),
        Op::Reduce { axes, .. } => {
            let mut shape = x.to_vec();
            for &axis in axes {
                *side(&mut shape, axis)? = 1;
            }
            Ok(shape)
        }
        Op::Softmax { axis } | Op::LogSoftmax { axis } => {
            length(x, *axis)?;
            Ok(x.to_vec())
        }
        Op::Transpose { axes } => {
            let mut sorted = axes.clone();
            sorted.sort_unstable();
            if sorted != (0..x.len()).collect::<Vec<_>>() {
                return Err(Error::Shape(format!("{axes:?} is no permutation of {x:?}")));
            }
            Ok(axes.iter().map(|&axis| x[axis]).collect())
        }
        Op::Slice { axis, start, end } => {
            let own = length(x, *axis)?;
            if !(start < end && *end <= own) {
                return Err(Error::Shape(format!("no {start}..{end} in axis {axis} of {x:?}")));
            }
            replaced(x, *axis, end - start)
        }
        Op::Gather { axis, indices } => {
            let own = length(x, *axis)?;
            match indices.iter().find(|&&index| index >= own) {
                Some(index) => Err(Error::Shape(format!("no {index} in axis {axis} of {x:?}"))),
                None if indices.is_empty() => Err(Error::Shape("no index".into())),
                None => replaced(x, *axis, indices.len()),
            }
        }
        Op::Concat { axis } => {
            let mut total = 0_usize;
            for shape in shapes {
                let same = shape.len() == x.len()
                    && (0..x.len()).all(|other| other == *axis || shape[other] == x[other]);
                if !same {
                    let reason = format!("{x:?} and {shape:?} do not join along axis {axis}");
                    return Err(Error::Shape(reason));
                }
                total = total.saturating_add(length(shape, *axis)?);
            }
            replaced(x, *axis, total)
        }
        Op::Pad { sides, .. } => {
            if sides.len() != x.len() {
                return Err(Error::Shape(format!("{} paddings for {x:?}", sides.len())));
            }
            let padded = |(&own, (before, after)): (&usize, &(usize, usize))| {
                own.saturating_add(*before).saturating_add(*after)
            };
            Ok(x.iter().zip(sides).map(padded).collect())
        }
    }
}

/// Checks that x can take the shape of a node that has to be given one.
pub(crate) fn check_target(op: &Op, x: &[usize], target: &[usize]) -> Result<()> {
    let fits = match op {
        Op::Expand => target.len() >= x.len() && broadcast(x, target)? == target,
        _ => product(x).is_some() && product(x) == product(target),
    };
    if fits { Ok(()) } else { Err(Error::Shape(format!("{x:?} does not fit into {target:?}"))) }
}

/// How many operands an operation takes.
fn check_count(op: &Op, count: usize) -> Result<()> {
    let range = match op {
        Op::Concat { .. } => 1..=usize::MAX,
        Op::Linear | Op::Convolution(_) | Op::TransposedConvolution(_) => 2..=3,
        Op::FakeQuantize { .. } => 3..=3,
        Op::Binary(_) | Op::MatMul | Op::ParametricRelu => 2..=2,
        _ => 1..=1,
    };
    if range.contains(&count) {
        return Ok(());
    }
    Err(Error::Shape(format!("{} to {} operands, got {count}", range.start(), range.end())))
}

fn length(shape: &[usize], axis: usize) -> Result<usize> {
    shape.get(axis).copied().ok_or_else(|| Error::Shape(format!("no axis {axis} in {shape:?}")))
}

fn side(shape: &mut [usize], axis: usize) -> Result<&mut usize> {
    let text = format!("no axis {axis} in {shape:?}");
    shape.get_mut(axis).ok_or(Error::Shape(text))
}

fn replaced(shape: &[usize], axis: usize, length: usize) -> Result<Vec<usize>> {
    let mut shape = shape.to_vec();
    *side(&mut shape, axis)? = length;
    Ok(shape)
}

fn linear(x: &[usize], weight: &[usize], bias: Option<&[usize]>) -> Result<Vec<usize>> {
    let fits = weight.len() == 2
        && x.last() == Some(&weight[0])
        && bias.is_none_or(|bias| bias == [weight[1]]);
    if !fits {
        return Err(Error::Shape(format!("x {x:?}, weight {weight:?}, bias {bias:?}")));
    }
    replaced(x, x.len() - 1, weight[1])
}

fn mat_mul(a: &[usize], b: &[usize]) -> Result<Vec<usize>> {
    let reason = || Error::Shape(format!("no product of {a:?} and {b:?}"));
    let ([.., rows, inner], [.., own, columns]) = (a, b) else { return Err(reason()) };
    if inner != own {
        return Err(reason());
    }
    let mut shape = broadcast(&a[..a.len() - 2], &b[..b.len() - 2])?;
    shape.extend([*rows, *columns]);
    Ok(shape)
}

/// `[C', ..]` from the number of windows along each spatial axis.
fn windows(window: &Window, channels: Option<usize>, x: &[usize]) -> Result<Vec<usize>> {
    let axes = window.kernel.len();
    let parts = [window.stride.len(), window.dilation.len(), window.padding.len()];
    let Some(channels) = channels else { return Err(Error::Shape("x has no channels".into())) };
    if x.len() != axes + 1 || parts != [axes; 3] || axes == 0 {
        return Err(Error::Shape(format!("windows {window:?} on {x:?}")));
    }
    if window.stride.contains(&0) || window.dilation.contains(&0) || window.kernel.contains(&0) {
        return Err(Error::Shape(format!("a length of 0 in {window:?}")));
    }
    let mut shape = vec![channels];
    for axis in 0..axes {
        let count = window.count(axis, x[axis + 1]);
        let reason = || Error::Shape(format!("no window of {window:?} fits {x:?}"));
        shape.push(count.ok_or_else(reason)?);
    }
    Ok(shape)
}

fn convolution(
    conv: &Convolution,
    x: &[usize],
    weight: &[usize],
    bias: Option<&[usize]>,
) -> Result<Vec<usize>> {
    let groups = conv.groups;
    let fits = weight.len() == x.len() + 1
        && x.len() >= 2
        && groups > 0
        && weight[1].checked_mul(groups) == Some(x[0])
        && weight[0].is_multiple_of(groups)
        && weight[2..] == conv.window.kernel
        && bias.is_none_or(|bias| bias == [weight[0]]);
    if !fits {
        let parts = format!("x {x:?}, weight {weight:?}, bias {bias:?}, {groups} groups");
        return Err(Error::Shape(parts));
    }
    windows(&conv.window, Some(weight[0]), x)
}

fn transposed_convolution(
    conv: &TransposedConvolution,
    x: &[usize],
    weight: &[usize],
    bias: Option<&[usize]>,
) -> Result<Vec<usize>> {
    let (groups, window) = (conv.groups, &conv.window);
    let axes = window.kernel.len();
    let parts = [window.stride.len(), window.dilation.len(), window.padding.len()];
    let fits = weight.len() == x.len() + 1
        && x.len() == axes + 1
        && parts == [axes; 3]
        && conv.output_padding.len() == axes
        && !window.stride.contains(&0)
        && !window.dilation.contains(&0)
        && groups > 0
        && weight[0] == x[0]
        && x[0].is_multiple_of(groups)
        && weight[2..] == window.kernel
        && bias.is_none_or(|bias| weight[1].checked_mul(groups) == bias.first().copied());
    let reason = || {
        Error::Shape(format!(
            "x {x:?}, weight {weight:?}, bias {bias:?}, {groups} groups, {window:?}"
        ))
    };
    if !fits {
        return Err(reason());
    }
    let mut shape = vec![weight[1].checked_mul(groups).ok_or_else(reason)?];
    for axis in 0..axes {
        shape.push(conv.length(axis, x[axis + 1]).ok_or_else(reason)?);
    }
    Ok(shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(kernel: usize, stride: usize, padding: (usize, usize)) -> Window {
        let [kernel, stride, dilation] = [kernel, stride, 1].map(|value| vec![value; 2]);
        Window { kernel, stride, dilation, padding: vec![padding; 2] }
    }

    #[test]
    fn a_convolution_counts_its_windows() {
        let conv =
            |padding| Op::Convolution(Convolution { window: window(3, 2, padding), groups: 1 });
        let shape = infer(&conv((1, 1)), &[&[3, 8, 7], &[5, 3, 3, 3], &[5]]).unwrap();
        assert_eq!(shape, [5, 4, 4]);
        let shape = infer(&conv((0, 1)), &[&[3, 8, 7], &[5, 3, 3, 3]]).unwrap();
        assert_eq!(shape, [5, 4, 3]);
        assert!(infer(&conv((0, 0)), &[&[3, 2, 7], &[5, 3, 3, 3]]).is_err());
        assert!(infer(&conv((0, 0)), &[&[4, 8, 7], &[5, 3, 3, 3]]).is_err());
    }

    #[test]
    fn products_broadcast_over_the_first_axes_and_reshapes_keep_the_number_of_values() {
        assert_eq!(infer(&Op::MatMul, &[&[5, 2, 3], &[3, 4]]).unwrap(), [5, 2, 4]);
        assert!(infer(&Op::MatMul, &[&[2, 3], &[2, 3]]).is_err());
        assert!(check_target(&Op::Reshape, &[2, 3], &[6]).is_ok());
        assert!(check_target(&Op::Reshape, &[2, 3], &[5]).is_err());
        assert!(check_target(&Op::Expand, &[1, 3], &[2, 4, 3]).is_ok());
        assert!(check_target(&Op::Expand, &[2, 3], &[3]).is_err());
    }
}
