//! The same values in another shape, order or type.
use super::Handler;
use super::call::{Call, integer};
use crate::lift::{Imported, Importer, Reason, Value, normal, one, refuse};
use crate::onnx::proto::element;
use crate::product;

pub(super) const OPERATORS: &[(&str, Handler)] = &[
    ("Cast", cast),
    ("DepthToSpace", depth_to_space),
    ("Dropout", dropout),
    ("Expand", expand),
    ("Flatten", flatten),
    ("Identity", |_, c| one(c.operand(0)?.clone())),
    ("Reshape", reshape),
    ("SpaceToDepth", space_to_depth),
    ("Squeeze", squeeze),
    ("Transpose", transpose),
    ("Unsqueeze", unsqueeze),
];

fn dropout(_: &mut Importer, call: &Call<'_>) -> Imported {
    call.ignore("ratio");
    call.ignore("seed");
    call.ignore("is_test");
    if call.optional_constant(2)?.is_some_and(|training| training.values() != [0.0]) {
        return refuse("the network is in training mode: export it in evaluation mode");
    }
    one(call.operand(0)?.clone())
}

fn cast(_: &mut Importer, call: &Call<'_>) -> Imported {
    call.ignore("saturate");
    let to = call.int("to", 0) as i32;
    match call.operand(0)? {
        Value::Constant { array, .. } => {
            let array = match to {
                to if element::is_float(to) => array.clone(),
                element::BOOL => array.clone().map(|value| f64::from(u8::from(value != 0.0))),
                _ if array.values().iter().all(|value| value.is_finite()) => {
                    array.clone().map(f64::trunc)
                }
                _ => return refuse("a cast of NaN or infinity to integers"),
            };
            one(Value::Constant { array, element: to })
        }
        x if element::is_float(to) => one(x.clone()),
        _ => refuse(format!("a cast to {} would round what is attacked", element::name(to))),
    }
}

fn reshape(importer: &mut Importer, call: &Call<'_>) -> Imported {
    let wanted = match call.ints("shape") {
        Some(shape) => shape.to_vec(),
        None => match call.optional_integers(1)? {
            Some(shape) => shape,
            None => return refuse("the shape is missing"),
        },
    };
    let x = call.operand(0)?;
    let full = importer.full_shape(x)?;
    let copies = call.int("allowzero", 0) == 0;
    let total = product(&full).unwrap_or(usize::MAX);
    let mut shape = Vec::with_capacity(wanted.len());
    for (place, &length) in wanted.iter().enumerate() {
        shape.push(match length {
            0 if copies => match full.get(place) {
                Some(&length) => Some(length),
                None => return refuse(format!("no axis {place} of {full:?} to copy")),
            },
            -1 => None,
            _ => match usize::try_from(length) {
                Ok(length) => Some(length),
                Err(_) => return refuse(format!("a length of {length}")),
            },
        });
    }
    let known: Vec<usize> = shape.iter().flatten().copied().collect();
    let known = product(&known).unwrap_or(usize::MAX);
    let open = shape.iter().filter(|length| length.is_none()).count();
    if open > 1 || (open == 1 && (known == 0 || !total.is_multiple_of(known))) {
        return refuse(format!("{full:?} does not fit into {wanted:?}"));
    }
    let shape: Vec<usize> =
        shape.into_iter().map(|length| length.unwrap_or(total / known.max(1))).collect();
    one(importer.with_shape(call, x, &shape)?)
}

fn flatten(importer: &mut Importer, call: &Call<'_>) -> Imported {
    let x = call.operand(0)?;
    let full = importer.full_shape(x)?;
    let axis = call.int("axis", 1);
    let axis = if axis == full.len() as i64 { full.len() } else { normal(axis, full.len())? };
    let sides = [&full[..axis], &full[axis..]].map(|sides| product(sides).unwrap_or(usize::MAX));
    one(importer.with_shape(call, x, &sides)?)
}

fn squeeze(importer: &mut Importer, call: &Call<'_>) -> Imported {
    let x = call.operand(0)?;
    let full = importer.full_shape(x)?;
    let axes = match call.ints("axes") {
        Some(axes) => Some(axes.to_vec()),
        None => call.optional_integers(1)?,
    };
    let axes: Vec<usize> = match axes {
        Some(axes) => axes.iter().map(|&axis| normal(axis, full.len())).collect::<Imported<_>>()?,
        None => (0..full.len()).filter(|&axis| full[axis] == 1).collect(),
    };
    if let Some(axis) = axes.iter().find(|&&axis| full[axis] != 1) {
        return refuse(format!("axis {axis} of {full:?} is not 1 long"));
    }
    let kept = full.iter().enumerate().filter(|(axis, _)| !axes.contains(axis));
    let shape: Vec<usize> = kept.map(|(_, &length)| length).collect();
    one(importer.with_shape(call, x, &shape)?)
}

fn unsqueeze(importer: &mut Importer, call: &Call<'_>) -> Imported {
    let x = call.operand(0)?;
    let full = importer.full_shape(x)?;
    let axes = match call.ints("axes") {
        Some(axes) => axes.to_vec(),
        None => call.optional_integers(1)?.ok_or_else(|| Reason("the axes are missing".into()))?,
    };
    let rank = full.len() + axes.len();
    let mut axes = axes.iter().map(|&axis| normal(axis, rank)).collect::<Imported<Vec<_>>>()?;
    axes.sort_unstable();
    axes.dedup();
    let mut shape = full;
    for axis in axes {
        if axis > shape.len() {
            return refuse("an axis is given twice");
        }
        shape.insert(axis, 1);
    }
    one(importer.with_shape(call, x, &shape)?)
}

fn transpose(importer: &mut Importer, call: &Call<'_>) -> Imported {
    let x = call.operand(0)?;
    let rank = importer.full_shape(x)?.len();
    let order = match call.ints("perm") {
        Some(order) => order.iter().map(|&axis| normal(axis, rank)).collect::<Imported<_>>()?,
        None => (0..rank).rev().collect::<Vec<_>>(),
    };
    one(importer.permuted(call, x, &order)?)
}

fn expand(importer: &mut Importer, call: &Call<'_>) -> Imported {
    let x = call.operand(0)?;
    let Some(wanted) = call.optional_integers(1)? else { return refuse("the shape is missing") };
    let lengths: Option<Vec<usize>> =
        wanted.iter().map(|&side| usize::try_from(side).ok()).collect();
    let Some(wanted) = lengths else { return refuse(format!("a shape of {wanted:?}")) };
    let shape = crate::broadcast(&importer.full_shape(x)?, &wanted)?;
    one(importer.expanded(call, x, &shape)?)
}

fn depth_to_space(importer: &mut Importer, call: &Call<'_>) -> Imported {
    let (x, block, [channels, height, width]) = blocks(importer, call)?;
    if !channels.is_multiple_of(block * block) {
        return refuse(format!("{channels} channels in blocks of {block} by {block}"));
    }
    let depth = channels / (block * block);
    let (split, order) = match call.text("mode", "DCR")? {
        "DCR" => ([block, block, depth], [0, 3, 4, 1, 5, 2]),
        "CRD" => ([depth, block, block], [0, 1, 4, 2, 5, 3]),
        other => return refuse(format!("attribute `mode` is {other}")),
    };
    let [a, b, c] = split;
    let batch = importer.batch;
    let parts = importer.with_shape(call, &x, &[batch, a, b, c, height, width])?;
    let moved = importer.permuted(call, &parts, &order)?;
    one(importer.with_shape(call, &moved, &[batch, depth, height * block, width * block])?)
}

fn space_to_depth(importer: &mut Importer, call: &Call<'_>) -> Imported {
    let (x, block, [channels, height, width]) = blocks(importer, call)?;
    if !(height.is_multiple_of(block) && width.is_multiple_of(block)) {
        return refuse(format!("{height} by {width} in blocks of {block} by {block}"));
    }
    let (batch, [height, width]) = (importer.batch, [height / block, width / block]);
    let parts = importer.with_shape(call, &x, &[batch, channels, height, block, width, block])?;
    let moved = importer.permuted(call, &parts, &[0, 3, 5, 1, 2, 4])?;
    one(importer.with_shape(call, &moved, &[batch, channels * block * block, height, width])?)
}

fn blocks(importer: &Importer, call: &Call<'_>) -> Imported<(Value, usize, [usize; 3])> {
    let x = call.operand(0)?;
    let block = usize::try_from(call.int("blocksize", 0)).unwrap_or(0);
    match importer.full_shape(x)?[..] {
        [_, channels, height, width] if block > 0 => {
            Ok((x.clone(), block, [channels, height, width]))
        }
        _ => refuse("images and a `blocksize` above 0 are needed"),
    }
}

/// A list of whole numbers from a constant.
pub(super) fn whole(values: &[f64]) -> Imported<Vec<i64>> {
    values.iter().map(|&value| integer(value)).collect()
}
