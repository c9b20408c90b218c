//! The Open Inference Protocol, version 2, in JSON (`KServe` v2).
//!
//! <https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md>
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::array::{Array, Batch};
use crate::error::{RemoteError, Result, excerpt};

/// The tensors to write and to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) input: String,
    /// `None`: the first of the answer.
    pub(super) output: Option<String>,
}

impl Default for Names {
    fn default() -> Self {
        Self { input: "input-0".into(), output: None }
    }
}

#[derive(Serialize)]
struct Question<'a> {
    inputs: [Input<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    outputs: Option<[Wanted<'a>; 1]>,
}

#[derive(Serialize)]
struct Input<'a> {
    name: &'a str,
    shape: &'a [usize],
    datatype: &'static str,
    data: &'a [f32],
}

#[derive(Serialize)]
struct Wanted<'a> {
    name: &'a str,
}

/// The body of a request.
pub(super) fn question(
    batch: &Batch<'_>,
    input: &str,
    output: Option<&str>,
) -> serde_json::Result<Vec<u8>> {
    let input = Input { name: input, shape: batch.shape, datatype: "FP32", data: batch.values };
    let outputs = output.map(|name| [Wanted { name }]);
    serde_json::to_vec(&Question { inputs: [input], outputs })
}

#[derive(Deserialize)]
struct Answer {
    outputs: Vec<Output>,
}

#[derive(Deserialize)]
struct Output {
    name: String,
    shape: Vec<usize>,
    datatype: String,
    data: Option<Vec<Value>>,
}

/// The wanted tensor of an answer, or the first.
pub(super) fn answer(body: &[u8], wanted: Option<&str>, endpoint: &str) -> Result<Array> {
    let fault = |what, expected: &str, got: String| RemoteError::Format {
        endpoint: endpoint.into(),
        what,
        expected: expected.into(),
        got,
    };
    let answer: Answer = serde_json::from_slice(body).map_err(|error| {
        let expected = "JSON of the inference protocol, `outputs` with name, shape, datatype, data";
        fault("answer", expected, format!("{error}: `{}`", excerpt(body, 120)))
    })?;
    let names: Vec<&str> = answer.outputs.iter().map(|output| output.name.as_str()).collect();
    let names = names.join(", ");
    let output = match wanted {
        Some(wanted) => answer.outputs.into_iter().find(|output| output.name == wanted),
        None => answer.outputs.into_iter().next(),
    };
    let Some(Output { shape, datatype, data, .. }) = output else {
        let expected = format!("one named `{}`", wanted.unwrap_or("(any)"));
        return Err(fault("outputs of the answer", &expected, format!("[{names}]")));
    };
    let number = datatype.strip_prefix("BF").or_else(|| datatype.strip_prefix("FP"));
    let number = number.or_else(|| datatype.strip_prefix("UINT"));
    let number = number.or_else(|| datatype.strip_prefix("INT"));
    if !number.is_some_and(|bits| matches!(bits, "8" | "16" | "32" | "64")) {
        return Err(fault(
            "datatype of the output",
            "a type of numbers",
            excerpt(datatype.as_bytes(), 40),
        ));
    }
    let Some(data) = data else {
        return Err(fault("output", "`data` in JSON", "an output without it".into()));
    };
    let mut values = Vec::with_capacity(data.len());
    flatten(&data, &mut values)
        .map_err(|got| fault("data of the output", "numbers", excerpt(got.as_bytes(), 40)))?;
    Ok(Array { shape, values })
}

/// Numbers, in nested lists or not. The depth is bounded by the JSON parser's own limit.
fn flatten(data: &[Value], into: &mut Vec<f64>) -> Result<(), String> {
    for value in data {
        match value {
            Value::Array(inner) => flatten(inner, into)?,
            Value::Number(number) => {
                into.push(number.as_f64().ok_or_else(|| number.to_string())?);
            }
            other => return Err(other.to_string()),
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    inputs: Vec<Described>,
    #[serde(default)]
    outputs: Vec<Described>,
}

#[derive(Deserialize)]
struct Described {
    name: String,
}

/// The tensors that a model's metadata names; the defaults where it names none.
pub(super) fn names(metadata: &[u8], endpoint: &str) -> Result<Names> {
    let fault = |expected: &str, got: String| RemoteError::Format {
        endpoint: endpoint.into(),
        what: "metadata of the model",
        expected: expected.into(),
        got,
    };
    let Metadata { inputs, outputs } = serde_json::from_slice(metadata).map_err(|error| {
        let expected = "JSON with `inputs` and `outputs` (or set the `input` name)";
        fault(expected, format!("{error}: `{}`", excerpt(metadata, 120)))
    })?;
    if inputs.len() > 1 {
        let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
        return Err(fault(
            "one input (or set the `input` name)",
            format!("[{}]", names.join(", ")),
        ));
    }
    let first = |list: Vec<Described>| list.into_iter().next().map(|described| described.name);
    let default = Names::default();
    Ok(Names { input: first(inputs).unwrap_or(default.input), output: first(outputs) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_what_the_protocol_says() {
        let batch = Batch { shape: &[1, 3], values: &[0.1, -2.0, 1e-30] };
        let text = String::from_utf8(question(&batch, "x", Some("y")).unwrap()).unwrap();
        assert_eq!(
            text,
            r#"{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP32","data":[0.1,-2.0,1e-30]}],"outputs":[{"name":"y"}]}"#
        );
        assert!(!question(&batch, "x", None).unwrap().windows(7).any(|part| part == b"outputs"));
    }

    #[test]
    fn the_wanted_output_is_read_flat_or_nested() {
        let body = br#"{"model_name":"m","outputs":[
            {"name":"a","shape":[1],"datatype":"INT64","data":[7]},
            {"name":"b","shape":[1,2],"datatype":"FP32","data":[[0.5,-1e3]],"parameters":{}}]}"#;
        assert_eq!(answer(body, None, "e").unwrap().values, [7.0]);
        let array = answer(body, Some("b"), "e").unwrap();
        assert_eq!((array.shape, array.values), (vec![1, 2], vec![0.5, -1000.0]));
        let told = answer(body, Some("c"), "e").unwrap_err().to_string();
        assert_eq!(told, "e: outputs of the answer: expected one named `c`, got [a, b]");
    }

    #[test]
    fn an_answer_that_is_no_numbers_is_named() {
        let told = |body: &str| answer(body.as_bytes(), None, "e").unwrap_err().to_string();
        let output = |kind: &str, data: &str| {
            format!(r#"{{"outputs":[{{"name":"a","shape":[1],"datatype":"{kind}"{data}}}]}}"#)
        };
        assert!(told("<html>").contains("<html>"));
        assert!(told(r#"{"error":"no such model"}"#).contains("no such model"));
        assert!(told(r#"{"outputs":[]}"#).contains("got []"));
        assert!(told(&output("FP32", ",\"data\":[NaN]")).contains("NaN"));
        assert!(told(&output("FP32", ",\"data\":[null]")).contains("got null"));
        assert!(told(&output("FP32", "")).contains("without it"));
        assert!(told(&output("BYTES", ",\"data\":[\"a\"]")).contains("BYTES"));
        assert!(told(&output("FP32", &format!(",\"data\":{}", "[".repeat(500)))).contains("JSON"));
    }

    #[test]
    fn metadata_names_the_tensors() {
        let body = br#"{"name":"m","inputs":[{"name":"x","datatype":"FP32","shape":[-1,2]}],
            "outputs":[{"name":"y","datatype":"FP32","shape":[-1,3]},{"name":"z"}]}"#;
        let expected = Names { input: "x".into(), output: Some("y".into()) };
        assert_eq!(names(body, "e").unwrap(), expected);
        assert_eq!(names(b"{\"name\":\"m\"}", "e").unwrap(), Names::default());
        let two = br#"{"inputs":[{"name":"x"},{"name":"mask"}]}"#;
        assert!(names(two, "e").unwrap_err().to_string().contains("[x, mask]"));
        assert!(names(b"<html>", "e").is_err());
    }
}
