//! Parts of values, and values put together.
use super::Handler;
use super::call::Call;
use crate::lift::{Imported, Importer, Reason, Value, normal, one, refuse};
use crate::{Array, Op};

pub(super) const OPERATORS: &[(&str, Handler)] =
    &[("Concat", concat), ("Gather", gather), ("Pad", pad), ("Slice", slice), ("Split", split)];

fn gather(importer: &mut Importer, call: &Call<'_>) -> Imported {
    let x = call.operand(0)?;
    let indices = call.constant(1)?;
    let axis = importer.axis(x, call.int("axis", 0))?;
    let own = importer.own_shape(x)?;
    let length = own[axis];
    let places = super::layout::whole(indices.values())?
        .into_iter()
        .map(|index| normal(index, length))
        .collect::<Imported<Vec<_>>>()?;
    let picked = importer.apply(call, Op::Gather { axis, indices: places }, x, Vec::new())?;
    let shape = [&own[..axis], indices.shape(), &own[axis + 1..]].concat();
    one(importer.shaped(call, Op::Reshape, &picked, shape)?)
}

fn slice(importer: &mut Importer, call: &Call<'_>) -> Imported {
    let mut x = call.operand(0)?.clone();
    let given = |name, index| match call.ints(name) {
        Some(values) => Ok(Some(values.to_vec())),
        None => call.optional_integers(index),
    };
    let (starts, ends) = (given("starts", 1)?, given("ends", 2)?);
    let (Some(starts), Some(ends)) = (starts, ends) else { return refuse("no starts or ends") };
    let numbers = given("axes", 3)?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = call.optional_integers(4)?.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), numbers.len(), steps.len()] != [starts.len(); 3] {
        return refuse("starts, ends, axes and steps differ in number");
    }
    for part in 0..starts.len() {
        let rank = importer.full_shape(&x)?.len();
        let place = normal(numbers[part], rank)?;
        let length = importer.full_shape(&x)?[place] as i64;
        let indices = places(length, [starts[part], ends[part], steps[part]])?;
        if indices.len() == length as usize && steps[part] == 1 {
            // All of an axis, the batch perhaps.
            continue;
        }
        let axis = importer.axis(&x, numbers[part])?;
        let (Some(&first), Some(&last)) = (indices.first(), indices.last()) else {
            if let Value::Constant { array, element } = &x {
                // An empty list of lengths is a legal part of a shape.
                let mut shape = array.shape().to_vec();
                shape[axis] = 0;
                x = Value::Constant { array: Array::new(shape, Vec::new())?, element: *element };
                continue;
            }
            return refuse("nothing is left of an axis");
        };
        let op = match steps[part] {
            1 => Op::Slice { axis, start: first, end: last + 1 },
            _ => Op::Gather { axis, indices },
        };
        x = importer.apply(call, op, &x, Vec::new())?;
    }
    one(x)
}

/// The indices `start..end` in steps, by the rules of ONNX for what is out of range.
fn places(length: i64, [start, end, step]: [i64; 3]) -> Imported<Vec<usize>> {
    let from_front = |index: i64| if index < 0 { index.saturating_add(length) } else { index };
    let (start, end) = (from_front(start), from_front(end));
    if step == 0 {
        return refuse("a step of 0");
    }
    let mut places = Vec::new();
    if step > 0 {
        let (mut at, end) = (start.clamp(0, length), end.clamp(0, length));
        while at < end {
            places.push(at as usize);
            at = at.saturating_add(step);
        }
    } else {
        let (mut at, end) = (start.clamp(-1, length - 1), end.clamp(-1, length - 1));
        while at > end {
            places.push(at as usize);
            at = at.saturating_add(step);
        }
    }
    Ok(places)
}

fn concat(importer: &mut Importer, call: &Call<'_>) -> Imported {
    let values: Vec<&Value> =
        (0..call.operands.len()).map(|index| call.operand(index)).collect::<Imported<_>>()?;
    one(importer.joined(call, &values, call.int("axis", 0))?)
}

fn split(importer: &mut Importer, call: &Call<'_>) -> Imported {
    let x = call.operand(0)?;
    let axis = importer.axis(x, call.int("axis", 0))?;
    let length = importer.own_shape(x)?[axis];
    let parts = call.int("num_outputs", call.outputs as i64).max(1) as usize;
    let given = match call.ints("split") {
        Some(lengths) => Some(lengths.to_vec()),
        None => call.optional_integers(1)?,
    };
    let lengths: Vec<usize> = if let Some(lengths) = given {
        lengths
            .iter()
            .map(|&length| usize::try_from(length).map_err(|_| Reason("a length below 0".into())))
            .collect::<Imported<_>>()?
    } else {
        let part = length.div_ceil(parts);
        (0..parts).map(|at| part.min(length.saturating_sub(at * part))).collect()
    };
    if lengths.iter().sum::<usize>() != length || lengths.contains(&0) {
        return refuse(format!("an axis of {length} in parts of {lengths:?}"));
    }
    let mut start = 0;
    let mut results = Vec::with_capacity(lengths.len());
    for length in lengths {
        let op = Op::Slice { axis, start, end: start + length };
        results.push(importer.apply(call, op, x, Vec::new())?);
        start += length;
    }
    Ok(results)
}

fn pad(importer: &mut Importer, call: &Call<'_>) -> Imported {
    let x = call.operand(0)?;
    let rank = importer.full_shape(x)?.len();
    let (sides, value) = if call.opset < 11 {
        (call.ints("pads").map(<[i64]>::to_vec), call.float("value", 0.0))
    } else {
        let value = call.optional_constant(2)?.and_then(|array| array.values().first().copied());
        (call.optional_integers(1)?, value.unwrap_or(0.0))
    };
    let numbers = call.optional_integers(3)?.unwrap_or_else(|| (0..rank as i64).collect());
    let sides = sides.unwrap_or_default();
    if sides.len() != 2 * numbers.len() {
        return refuse(format!("{} paddings for {} axes", sides.len(), numbers.len()));
    }
    let mode = call.text("mode", "constant")?;
    let mut x = x.clone();
    let mut constant = vec![(0_usize, 0_usize); importer.own_shape(&x)?.len()];
    for (place, &number) in numbers.iter().enumerate() {
        let (before, after) = (sides[place], sides[numbers.len() + place]);
        if (before, after) == (0, 0) {
            continue;
        }
        let axis = importer.axis(&x, number)?;
        let length = importer.own_shape(&x)?[axis];
        if mode == "constant" && before >= 0 && after >= 0 {
            constant[axis] = (before as usize, after as usize);
            continue;
        }
        let range = before.saturating_neg()..(length as i64).saturating_add(after);
        if range.end.saturating_sub(range.start) > 1 << 24 {
            return refuse("a padding of millions");
        }
        let indices =
            range.map(|at| mirrored(mode, at, length as i64)).collect::<Imported<Vec<usize>>>()?;
        x = importer.apply(call, Op::Gather { axis, indices }, &x, Vec::new())?;
    }
    if constant.iter().all(|&sides| sides == (0, 0)) {
        return one(x);
    }
    one(importer.apply(call, Op::Pad { sides: constant, value }, &x, Vec::new())?)
}

/// Where the value at `at` comes from.
fn mirrored(mode: &str, at: i64, length: i64) -> Imported<usize> {
    let inside = (0..length).contains(&at);
    let place = match mode {
        _ if inside => at,
        "edge" => at.clamp(0, length - 1),
        "reflect" if length > 1 => {
            let period = 2 * (length - 1);
            let at = at.rem_euclid(period);
            at.min(period - at)
        }
        "wrap" => at.rem_euclid(length),
        "constant" => return refuse("values cut from one side and added at another"),
        other => return refuse(format!("attribute `mode` is {other}")),
    };
    Ok(place as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_follow_the_rules_of_onnx() {
        let at = |parts| places(5, parts).unwrap();
        assert_eq!(at([1, i64::MAX, 1]), [1, 2, 3, 4]);
        assert_eq!(at([-2, 5, 1]), [3, 4]);
        assert_eq!(at([-1, i64::MIN, -2]), [4, 2, 0]);
        assert_eq!(at([0, -1, 2]), [0, 2]);
        assert!(at([4, 2, 1]).is_empty());
        assert!(places(5, [0, 5, 0]).is_err());
    }

    #[test]
    fn paddings_mirror_without_and_repeat_with_the_edge() {
        let all = |mode| (-2..5).map(|at| mirrored(mode, at, 3).unwrap()).collect::<Vec<_>>();
        assert_eq!(all("reflect"), [2, 1, 0, 1, 2, 1, 0]);
        assert_eq!(all("edge"), [0, 0, 0, 1, 2, 2, 2]);
        assert_eq!(all("wrap"), [1, 2, 0, 1, 2, 0, 1]);
    }
}
