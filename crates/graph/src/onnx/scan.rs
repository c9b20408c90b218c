//! A first look at a file's messages, which takes no memory: how many there are.
//!
//! An empty message is two bytes in a file and hundreds in memory. Counting them first keeps what a
//! file can ask for in proportion to what a network needs.
use prost::encoding::{WireType, decode_key, decode_varint};

use crate::{Error, Result};

/// Most messages and names of a file: a network of hundreds of layers has some thousands.
const MOST: usize = 1 << 20;

/// Deepest nesting: a graph in an attribute of a node of a graph.
const DEEPEST: usize = 32;

#[derive(Clone, Copy)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Leaf,
}

impl Kind {
    /// What a length-delimited field holds; `None` where it is plain data.
    fn field(self, tag: u32) -> Option<Kind> {
        match (self, tag) {
            (Kind::Model, 7) | (Kind::Attribute, 6 | 11) => Some(Kind::Graph),
            (Kind::Graph, 1) => Some(Kind::Node),
            (Kind::Node, 5) => Some(Kind::Attribute),
            (Kind::Model | Kind::Graph | Kind::Node | Kind::Attribute, _) => Some(Kind::Leaf),
            (Kind::Leaf, _) => None,
        }
    }
}

/// Checks that the file is a sequence of fields and holds no more messages than any network has.
///
/// # Errors
/// [`Error::Format`] naming the place.
pub(super) fn check(file: &[u8]) -> Result<()> {
    let mut left = MOST;
    walk(file, Kind::Model, 0, &mut left)
}

fn walk(message: &[u8], kind: Kind, depth: usize, left: &mut usize) -> Result<()> {
    let mut rest = message;
    while !rest.is_empty() {
        let at = || format!("byte {} of a message", message.len());
        let fault = |reason: String| Error::format(at(), "a field of an ONNX model", reason);
        let (tag, wire) = decode_key(&mut rest).map_err(|error| fault(error.to_string()))?;
        let skipped = match wire {
            WireType::Varint => {
                decode_varint(&mut rest).map_err(|error| fault(error.to_string()))?;
                0
            }
            WireType::ThirtyTwoBit => 4,
            WireType::SixtyFourBit => 8,
            WireType::LengthDelimited => {
                decode_varint(&mut rest).map_err(|error| fault(error.to_string()))? as usize
            }
            WireType::StartGroup | WireType::EndGroup => return Err(fault("a group".into())),
        };
        let Some((field, after)) = rest.split_at_checked(skipped) else {
            return Err(fault(format!("{} of {skipped} bytes: the file is cut", rest.len())));
        };
        rest = after;
        if wire != WireType::LengthDelimited {
            continue;
        }
        let Some(inner) = kind.field(tag) else { continue };
        *left = left.checked_sub(1).ok_or_else(|| {
            Error::format("the file", format!("at most {MOST} nodes, names and attributes"), "more")
        })?;
        if !matches!(inner, Kind::Leaf) {
            if depth >= DEEPEST {
                return Err(fault(format!("more than {DEEPEST} graphs in each other")));
            }
            walk(field, inner, depth + 1, left)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_empty_messages_and_cut_files_are_refused_before_memory_is_taken() {
        // A graph (field 7) of 2^20 + 1 empty nodes (field 1), two bytes each.
        let nodes = [0x0a, 0].repeat(MOST + 1);
        let mut file = vec![0x3a];
        prost::encoding::encode_varint(nodes.len() as u64, &mut file);
        file.extend(&nodes);
        assert!(check(&file).unwrap_err().to_string().contains("at most 1048576"));
        assert!(check(&file[..100]).unwrap_err().to_string().contains("the file is cut"));
        assert!(check(&[0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]).is_err());
        assert!(check(&[]).is_ok());
    }

    #[test]
    fn graphs_in_graphs_have_an_end() {
        let mut inner = Vec::new();
        for _ in 0..40 {
            for (tag, wire) in [(6_u8, 2_u8), (5, 2), (1, 2)] {
                let mut outer = vec![tag << 3 | wire];
                prost::encoding::encode_varint(inner.len() as u64, &mut outer);
                outer.extend(&inner);
                inner = outer;
            }
        }
        let mut file = vec![0x3a];
        prost::encoding::encode_varint(inner.len() as u64, &mut file);
        file.extend(&inner);
        assert!(check(&file).unwrap_err().to_string().contains("in each other"));
    }
}
