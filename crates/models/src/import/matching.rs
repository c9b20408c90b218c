//! Which tensor of a file belongs where.
use std::collections::BTreeMap;

use super::foreign::{Content, ForeignWeights, leaf};
use super::key_map::{KeyMap, WeightLayout};
use super::rename;
use super::targets::Target;
use crate::weights::{Values, Weights};
use crate::{Error, Result, WeightFault};

/// Names of the file by ours.
type Places<'a> = BTreeMap<&'a str, &'a str>;

/// Puts each tensor of the file in its place.
///
/// # Errors
/// [`Error::Weights`] with all that does not fit.
pub(super) fn place(
    foreign: ForeignWeights,
    targets: &[Target],
    keys: Option<&KeyMap>,
) -> Result<Weights> {
    let layout = keys.and_then(|keys| keys.layout).unwrap_or(foreign.layout);
    let places = match keys {
        Some(keys) => by_name(&foreign, targets, layout, |name| keys.rename(name))?,
        None => without_map(&foreign, targets, layout)?,
    };
    let (mut weights, mut faults) = (BTreeMap::new(), Vec::new());
    for target in targets {
        // Each target has a place, or the search for places had failed.
        let Some(tensor) = places.get(target.name.as_str()).map(|name| &foreign.tensors[*name])
        else {
            continue;
        };
        let name = target.name.clone();
        let values = match &tensor.content {
            Content::Other(kind) => {
                faults.push(WeightFault::Kind { name, got: kind.clone() });
                continue;
            }
            Content::Floats(values) => values,
        };
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            faults.push(WeightFault::NotFinite { name, index });
            continue;
        }
        let values = match (target.is_linear && layout == WeightLayout::Pytorch, &*target.shape) {
            (true, &[inputs, outputs]) => transposed(values, inputs, outputs),
            _ => values.clone(),
        };
        weights.insert(name, Values { shape: target.shape.clone(), values });
    }
    if faults.is_empty() {
        Ok(Weights { tensors: weights })
    } else {
        Err(Error::Weights { faults })
    }
}

/// By name, by the usual names, by shapes; if nothing fits, the differences from the usual names.
fn without_map<'a>(
    foreign: &'a ForeignWeights,
    targets: &'a [Target],
    layout: WeightLayout,
) -> Result<Places<'a>> {
    if let Ok(places) = by_name(foreign, targets, layout, |name| Some(name.to_owned())) {
        return Ok(places);
    }
    let usual = rename::usual(foreign.tensors.keys().map(String::as_str));
    let named = by_name(foreign, targets, layout, |name| usual.get(name).cloned());
    named.or_else(|error| by_shape(foreign, targets, layout).ok_or(error))
}

/// A place for each tensor by what `rename` makes of its name, or all differences.
fn by_name<'a>(
    foreign: &'a ForeignWeights,
    targets: &'a [Target],
    layout: WeightLayout,
    rename: impl Fn(&str) -> Option<String>,
) -> Result<Places<'a>> {
    let (mut places, mut faults) = (Places::new(), Vec::new());
    for (theirs, tensor) in &foreign.tensors {
        let Some(ours) = rename(theirs) else { continue };
        let target =
            targets.iter().find(|target| target.name == ours || common_name(target) == ours);
        let Some(target) = target else {
            faults.push(WeightFault::Unexpected(theirs.clone()));
            continue;
        };
        let expected = shape_in(target, layout);
        if tensor.shape != expected {
            let (name, got) = (theirs.clone(), tensor.shape.clone());
            faults.push(WeightFault::Shape { name, expected, got });
        }
        if places.insert(target.name.as_str(), theirs.as_str()).is_some() {
            faults.push(WeightFault::Unexpected(theirs.clone()));
        }
    }
    let missing = targets.iter().filter(|target| !places.contains_key(target.name.as_str()));
    faults.extend(missing.map(|target| WeightFault::Missing(target.name.clone())));
    if faults.is_empty() { Ok(places) } else { Err(Error::Weights { faults }) }
}

/// The shapes of a layer's tensors by their common last names.
type Signature<'a> = BTreeMap<&'a str, Vec<usize>>;

/// A place for each layer by its shapes: no other layer has the same, or those that do are numbered
/// in one series and stand in its order.
fn by_shape<'a>(
    foreign: &'a ForeignWeights,
    targets: &'a [Target],
    layout: WeightLayout,
) -> Option<Places<'a>> {
    let mut ours: Vec<(&str, Signature<'_>)> = Vec::new();
    for target in targets {
        let (layer, leaf) = (stem(&target.name), common_leaf(&target.name));
        let shape = shape_in(target, layout);
        match ours.iter_mut().find(|(name, _)| *name == layer) {
            Some((_, signature)) => drop(signature.insert(leaf, shape)),
            None => ours.push((layer, Signature::from([(leaf, shape)]))),
        }
    }
    let mut theirs: BTreeMap<&str, Signature<'_>> = BTreeMap::new();
    for (name, tensor) in &foreign.tensors {
        let signature = theirs.entry(stem(name)).or_default();
        signature.insert(common_leaf(name), tensor.shape.clone());
    }
    let mut series: BTreeMap<&Signature<'_>, (Vec<&str>, Vec<&str>)> = BTreeMap::new();
    for (layer, signature) in &ours {
        series.entry(signature).or_default().0.push(layer);
    }
    for (layer, signature) in &theirs {
        series.entry(signature).or_default().1.push(layer);
    }
    let mut layers = BTreeMap::new();
    for (ours, mut theirs) in series.into_values() {
        let pattern = |name: &&str| -> String {
            name.split(|it: char| it.is_ascii_digit()).filter(|part| !part.is_empty()).collect()
        };
        let one_series = theirs.iter().all(|name| pattern(name) == pattern(&theirs[0]));
        if ours.len() != theirs.len() || !one_series {
            return None;
        }
        theirs.sort_by_key(|name| numbers(name));
        layers.extend(ours.into_iter().zip(theirs));
    }
    let mut places = Places::new();
    for target in targets {
        let layer = layers.get(stem(&target.name))?;
        let same =
            |name: &&String| stem(name) == *layer && common_leaf(name) == common_leaf(&target.name);
        places.insert(&target.name, foreign.tensors.keys().find(same)?);
    }
    Some(places)
}

/// The numbers in a name; of two names of one series, the smaller list comes first.
fn numbers(name: &str) -> Vec<u64> {
    let parts = name.split(|it: char| !it.is_ascii_digit());
    parts.filter_map(|digits| digits.parse().ok()).collect()
}

/// The name of the layer that a tensor belongs to.
fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(stem, _)| stem)
}

/// The last part of a name, `weight` and `bias` for those of a batch normalisation as well.
fn common_leaf(name: &str) -> &str {
    match leaf(name) {
        "gamma" => "weight",
        "beta" => "bias",
        other => other,
    }
}

fn common_name(target: &Target) -> String {
    match target.name.rsplit_once('.') {
        Some((stem, _)) => format!("{stem}.{}", common_leaf(&target.name)),
        None => target.name.clone(),
    }
}

/// The shape that the tensor must have in the file.
fn shape_in(target: &Target, layout: WeightLayout) -> Vec<usize> {
    let mut shape = target.shape.clone();
    if target.is_linear && layout == WeightLayout::Pytorch {
        shape.reverse();
    }
    shape
}

/// `[out, in]` as `[in, out]`.
fn transposed(values: &[f32], inputs: usize, outputs: usize) -> Vec<f32> {
    let column = |input: usize| (0..outputs).map(move |output| values[output * inputs + input]);
    (0..inputs).flat_map(column).collect()
}

#[cfg(test)]
mod tests;
