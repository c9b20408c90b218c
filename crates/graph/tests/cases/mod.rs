//! The stored networks of each operator and what onnxruntime computes with them.
use serde::Deserialize;

/// A network, a batch of inputs and its results.
#[derive(Deserialize)]
#[allow(dead_code, reason = "not each test looks at the results")]
pub(crate) struct Case {
    pub(crate) name: String,
    /// The file in base64.
    pub(crate) model: String,
    /// Shape of the batch.
    pub(crate) shape: Vec<usize>,
    pub(crate) x: Vec<f32>,
    pub(crate) y: Vec<f64>,
}

pub(crate) fn all() -> Vec<Case> {
    serde_json::from_str(include_str!("cases.json")).unwrap()
}

/// Base64 of RFC 4648.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    for four in text.trim_end_matches('=').as_bytes().chunks(4) {
        let digit = |sign: &u8| alphabet.iter().position(|known| known == sign).unwrap() as u32;
        let word = four.iter().fold(0, |word, sign| word << 6 | digit(sign));
        let word = word << (6 * (4 - four.len()));
        bytes.extend(word.to_be_bytes()[1..].iter().take(four.len() - 1));
    }
    bytes
}
