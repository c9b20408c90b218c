//! The dictionary in front of the numbers.
use super::Kind;

/// What the header says of a plain array.
pub(super) struct Header {
    pub(super) descr: String,
    pub(super) fortran: bool,
    pub(super) shape: Vec<u64>,
}

/// The dictionary of a plain array: three keys in any order, blanks anywhere.
pub(super) fn parse(text: &[u8]) -> Option<Header> {
    let mut rest = str::from_utf8(text).ok()?.trim_end().strip_prefix('{')?;
    let (mut descr, mut fortran, mut shape) = (None, None, None);
    loop {
        rest = rest.trim_start();
        if let Some(end) = rest.strip_prefix('}') {
            return if end.is_empty() {
                Some(Header { descr: descr?, fortran: fortran?, shape: shape? })
            } else {
                None
            };
        }
        let (key, value) = quoted(rest)?;
        let value = value.trim_start().strip_prefix(':')?.trim_start();
        rest = match key {
            "descr" if descr.is_none() => {
                let (name, after) = quoted(value)?;
                descr = Some(name.to_owned());
                after
            }
            "fortran_order" if fortran.is_none() => {
                let after = value.strip_prefix("True").or_else(|| value.strip_prefix("False"))?;
                fortran = Some(value.starts_with('T'));
                after
            }
            "shape" if shape.is_none() => {
                let (sizes, after) = value.strip_prefix('(')?.split_once(')')?;
                let sizes = sizes.trim();
                let sizes = sizes.strip_suffix(',').unwrap_or(sizes).split(',').map(str::trim);
                let sizes = sizes.filter(|size| !size.is_empty()).map(str::parse);
                shape = Some(sizes.collect::<Result<_, _>>().ok()?);
                after
            }
            _ => return None,
        };
        rest = rest.trim_start();
        rest = match rest.strip_prefix(',') {
            Some(after) => after,
            None if rest.starts_with('}') => rest,
            None => return None,
        };
    }
}

/// The content of a string literal without escapes, and what follows it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
    let (content, after) = text[1..].split_once(quote)?;
    (!content.contains('\\')).then_some((content, after))
}

/// Kind, bytes and byte order of a type string such as `<f4`.
pub(super) fn number_type(descr: &str) -> Option<(Kind, usize, bool)> {
    let big_endian = match descr.chars().next()? {
        '>' => true,
        '<' | '|' => false,
        _ => return None,
    };
    let (kind, size) = match &descr[1..] {
        "b1" | "u1" => (Kind::Unsigned, 1),
        "u2" => (Kind::Unsigned, 2),
        "u4" => (Kind::Unsigned, 4),
        "u8" => (Kind::Unsigned, 8),
        "i1" => (Kind::Signed, 1),
        "i2" => (Kind::Signed, 2),
        "i4" => (Kind::Signed, 4),
        "i8" => (Kind::Signed, 8),
        "f2" => (Kind::Float, 2),
        "f4" => (Kind::Float, 4),
        "f8" => (Kind::Float, 8),
        _ => return None,
    };
    Some((kind, size, big_endian))
}
