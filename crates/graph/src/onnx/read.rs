//! Reads a file: bytes, messages, a graph.
use std::fmt::Write;
use std::fs;
use std::path::Path;

use prost::Message;
use sha2::{Digest, Sha256};

use super::import::{Source, import};
use super::interface::{self, Batch};
use super::proto::Model;
use super::scan;
use crate::{Error, Graph, Result, simplify};

/// Largest file that is read: the most that the format allows, 2 GiB.
pub const LARGEST_FILE: u64 = 1 << 31;

/// Versions of ONNX's operators that are understood.
const OPSETS: std::ops::RangeInclusive<i64> = 7..=22;

/// What a file leaves open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Name of the input; the only one if `None`.
    pub input: Option<String>,
    /// Name of the output; the only one if `None`.
    pub output: Option<String>,
}

/// A network of a file.
#[derive(Clone, Debug)]
pub struct Imported {
    /// What it computes of each sample.
    pub graph: Graph,
    /// Name of the input.
    pub input: String,
    /// Name of the output.
    pub output: String,
    /// SHA-256 of the file, and of what of its weights lies in other files, in hexadecimal.
    pub digest: String,
    /// Version of ONNX's operators.
    pub opset: i64,
    /// Who wrote the file, in its own words.
    pub producer: String,
    /// Operators of the file and how often they occur.
    pub operators: Vec<(String, usize)>,
}

/// The network of the file at `path`.
///
/// # Errors
/// A file that cannot be read, does not follow the format, asks for more than any network needs,
/// or holds what is not understood: [`Error::Unsupported`] lists all such nodes.
pub fn read(path: &Path, options: &Options) -> Result<Imported> {
    let about = fs::metadata(path).map_err(Error::io(path))?;
    if about.len() > LARGEST_FILE {
        let (bytes, limit) = (about.len(), LARGEST_FILE);
        return Err(Error::FileTooLarge { path: path.to_owned(), bytes, limit });
    }
    let file = fs::read(path).map_err(Error::io(path))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    decode(&file, Some(folder.unwrap_or(Path::new("."))), options)
}

/// The network of the bytes of a file; weights in other files are looked for in `folder` only.
///
/// # Errors
/// As [`read`].
pub fn decode(file: &[u8], folder: Option<&Path>, options: &Options) -> Result<Imported> {
    if file.is_empty() {
        return Err(Error::format("the file", "an ONNX model", "an empty file"));
    }
    scan::check(file)?;
    let model = Model::decode(file)
        .map_err(|error| Error::format("the file", "an ONNX model", error.to_string()))?;
    let graph = model.graph.as_ref().filter(|graph| !graph.node.is_empty());
    let Some(graph) = graph else {
        return Err(Error::format("the file", "an ONNX model", "a file without nodes"));
    };
    let own = |domain: &Option<String>| matches!(domain.as_deref(), None | Some("" | "ai.onnx"));
    let opset = model.opset_import.iter().find(|set| own(&set.domain));
    let opset = opset.and_then(|set| set.version).unwrap_or(1);
    if !OPSETS.contains(&opset) {
        let expected = format!("operators of version {} to {}", OPSETS.start(), OPSETS.end());
        return Err(Error::format("the file", expected, format!("version {opset}")));
    }
    if !graph.sparse_initializer.is_empty() {
        return Err(Error::format("the file", "dense weights", "sparse ones"));
    }
    let input = interface::input(graph, options.input.as_deref())?;
    let output = interface::output(graph, options.output.as_deref())?;
    let at = |batch: Option<usize>| {
        import(&Source {
            graph,
            opset,
            folder,
            input: input.name,
            shape: batch.into_iter().chain(input.shape.iter().copied()).collect(),
            batched: batch.is_some(),
            output,
        })
    };
    let raw = match input.batch {
        Batch::None => at(None)?,
        Batch::Fixed(batch) => at(Some(batch))?,
        Batch::Open => {
            let single = at(Some(1))?;
            let several = at(Some(3)).map_err(|error| match error {
                Error::Unsupported { nodes } => {
                    let first = nodes.first().map(ToString::to_string);
                    Error::Mixes(first.unwrap_or_default())
                }
                other => other,
            })?;
            if single != several {
                let reason = "what it computes of a sample depends on the size of the batch";
                return Err(Error::Mixes(reason.into()));
            }
            single
        }
    };
    let mut operators: Vec<(String, usize)> = Vec::new();
    for node in &graph.node {
        let name = node.op_type.clone().unwrap_or_default();
        match operators.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => operators.push((name, 1)),
        }
    }
    let words = [&model.producer_name, &model.producer_version];
    let words: Vec<&str> = words.into_iter().flatten().map(String::as_str).collect();
    Ok(Imported {
        graph: simplify::simplify(raw)?,
        input: input.name.into(),
        output: output.into(),
        digest: digest(file, graph, folder)?,
        opset,
        producer: words.join(" "),
        operators,
    })
}

/// SHA-256 of the file and of the files its weights lie in.
fn digest(file: &[u8], graph: &super::proto::GraphProto, folder: Option<&Path>) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update(file);
    for tensor in graph.initializer.iter().filter(|tensor| tensor.data_location == Some(1)) {
        for value in super::tensor::read(tensor, folder)?.array.values() {
            hash.update(value.to_le_bytes());
        }
    }
    Ok(hash.finalize().iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    }))
}
