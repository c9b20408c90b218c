//! Which input and which output of a file are meant, and where the batch is.
use super::proto::{GraphProto, ValueInfo, element};
use crate::{Error, Result};

/// The input of a network.
pub(super) struct Input<'a> {
    pub(super) name: &'a str,
    /// Its shape without the batch.
    pub(super) shape: Vec<usize>,
    pub(super) batch: Batch,
}

/// What a file says about the first axis of its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Batch {
    /// Any length.
    Open,
    /// This length.
    Fixed(usize),
    /// There is no batch axis: the input is a vector.
    None,
}

/// The input called `wanted`, or the only one.
///
/// # Errors
/// [`Error::Interface`] if there is not just one, or it is no tensor of numbers of a known shape.
pub(super) fn input<'a>(graph: &'a GraphProto, wanted: Option<&str>) -> Result<Input<'a>> {
    let fault = |expected: &str, got: String| Error::Interface {
        what: "input",
        expected: expected.into(),
        got,
    };
    // Files of IR 3 and before list weights as inputs too.
    let given =
        |info: &&ValueInfo| !graph.initializer.iter().any(|tensor| tensor.name == info.name);
    let info = choose("input", graph.input.iter().filter(given).collect(), wanted)?;
    let name = info.name.as_deref().unwrap_or("");
    let tensor = info.kind.as_ref().and_then(|kind| kind.tensor.as_ref());
    let Some(tensor) = tensor else {
        return Err(fault("a tensor", format!("`{name}`, something else")));
    };
    let kind = tensor.elem_type.unwrap_or(0);
    if !(element::is_float(kind) || element::range(kind).is_some()) {
        return Err(fault("numbers", format!("`{name}` of {}", element::name(kind))));
    }
    let Some(shape) = &tensor.shape else {
        return Err(fault("a shape", format!("`{name}` without one")));
    };
    let sides: Vec<Option<usize>> = shape
        .dim
        .iter()
        .map(|side| side.dim_value.and_then(|length| usize::try_from(length).ok()))
        .map(|length| length.filter(|&length| length > 0))
        .collect();
    let text = || {
        let parts = shape.dim.iter().map(|side| match (side.dim_value, &side.dim_param) {
            (Some(length), _) => length.to_string(),
            (None, Some(name)) => name.clone(),
            (None, None) => "?".into(),
        });
        format!("[{}]", parts.collect::<Vec<_>>().join(", "))
    };
    let (batch, own) = match sides.split_first() {
        None => return Err(fault("at least one axis", format!("`{name}` of shape []"))),
        Some((Some(_), [])) => (Batch::None, sides.as_slice()),
        Some((None, rest)) => (Batch::Open, rest),
        Some((Some(batch), rest)) => (Batch::Fixed(*batch), rest),
    };
    let shape: Option<Vec<usize>> = own.iter().copied().collect();
    if let Some(shape) = shape {
        Ok(Input { name, shape, batch })
    } else {
        let expected = "all lengths known but the first: export with a fixed input size";
        Err(fault(expected, format!("`{name}` of shape {}", text())))
    }
}

/// Name of the output called `wanted`, or of the only one.
///
/// # Errors
/// [`Error::Interface`] if there is not just one.
pub(super) fn output<'a>(graph: &'a GraphProto, wanted: Option<&str>) -> Result<&'a str> {
    let info = choose("output", graph.output.iter().collect(), wanted)?;
    Ok(info.name.as_deref().unwrap_or(""))
}

fn choose<'a>(
    what: &'static str,
    all: Vec<&'a ValueInfo>,
    wanted: Option<&str>,
) -> Result<&'a ValueInfo> {
    let names = || {
        let names: Vec<&str> = all.iter().filter_map(|info| info.name.as_deref()).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    };
    let fault = |expected: String| Error::Interface { what, expected, got: names() };
    match (wanted, &all[..]) {
        (Some(wanted), _) => {
            let found = all.iter().find(|info| info.name.as_deref() == Some(wanted));
            found.copied().ok_or_else(|| fault(format!("one called `{wanted}`")))
        }
        (None, [only]) => Ok(only),
        (None, _) => Err(fault(format!("just one, or the name of the {what}"))),
    }
}
