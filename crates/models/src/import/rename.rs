//! The names that the field's own implementations of our networks use.
use std::collections::{BTreeMap, BTreeSet};

/// Our name for each of `theirs`, where it has the form of a usual one; the same name elsewhere.
///
/// Blocks are numbered through: `layer2.0` (torchvision and its kin) and `block2.layer.0` (wide
/// residual networks) follow the last block of stage 1.
pub(super) fn usual<'a>(
    theirs: impl Iterator<Item = &'a str> + Clone,
) -> BTreeMap<&'a str, String> {
    let places: BTreeSet<(u32, u32)> =
        theirs.clone().filter_map(|name| block(name).map(|(place, _)| place)).collect();
    let number = |place| places.iter().position(|other| *other == place).unwrap_or_default();
    let renamed = |name: &'a str| match block(name) {
        Some((place, rest)) => format!("blocks.{}.{}", number(place), inner(rest)),
        None if places.is_empty() => outer(name, false),
        None => outer(name, true),
    };
    theirs.map(|name| (name, renamed(name))).collect()
}

/// Stage and number of a block, and the name within it.
fn block(name: &str) -> Option<((u32, u32), &str)> {
    let rest = name.strip_prefix("layer").or_else(|| name.strip_prefix("block"))?;
    let (stage, rest) = rest.split_once('.')?;
    let rest = rest.strip_prefix("layer.").unwrap_or(rest);
    let (index, rest) = rest.split_once('.')?;
    Some(((stage.parse().ok()?, index.parse().ok()?), rest))
}

/// Within a residual block.
fn inner(name: &str) -> String {
    for (theirs, ours) in [
        ("bn", "norm"),
        ("shortcut.0.", "shortcut.conv."),
        ("shortcut.1.", "shortcut.norm."),
        ("downsample.0.", "shortcut.conv."),
        ("downsample.1.", "shortcut.norm."),
        ("convShortcut.", "shortcut."),
    ] {
        if let Some(rest) = name.strip_prefix(theirs) {
            return format!("{ours}{rest}");
        }
    }
    name.to_owned()
}

/// Outside of blocks; a network with blocks has one stem, whose layers have no number here.
fn outer(name: &str, has_blocks: bool) -> String {
    let stem = [("conv1.", "conv."), ("bn1.", "norm."), ("bn.", "norm.")];
    let head = [("linear.", "fc."), ("classifier.", "fc."), ("head.", "fc.")];
    let rules = head.iter().chain(if has_blocks { &stem[..] } else { &[] });
    for (theirs, ours) in rules {
        if let Some(rest) = name.strip_prefix(theirs) {
            return format!("{ours}{rest}");
        }
    }
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(names: &[&'static str]) -> Vec<String> {
        let renamed = usual(names.iter().copied());
        names.iter().map(|name| renamed[name].clone()).collect()
    }

    #[test]
    fn blocks_are_numbered_through_and_their_layers_renamed() {
        assert_eq!(
            ours(&[
                "conv1.weight",
                "bn1.bias",
                "layer1.0.bn1.weight",
                "layer1.10.conv2.weight",
                "layer1.2.conv2.weight",
                "layer2.0.downsample.1.running_mean",
                "linear.bias",
            ]),
            [
                "conv.weight",
                "norm.bias",
                "blocks.0.norm1.weight",
                "blocks.2.conv2.weight",
                "blocks.1.conv2.weight",
                "blocks.3.shortcut.norm.running_mean",
                "fc.bias",
            ]
        );
        assert_eq!(
            ours(&["block1.layer.0.convShortcut.weight", "block2.layer.0.bn2.weight"]),
            ["blocks.0.shortcut.weight", "blocks.1.norm2.weight"]
        );
    }

    #[test]
    fn a_plain_network_keeps_the_numbers_of_its_layers() {
        assert_eq!(ours(&["conv1.weight", "classifier.bias"]), ["conv1.weight", "fc.bias"]);
    }
}
