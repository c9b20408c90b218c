//! Messages in one line.

/// The message with its line breaks and runs of spaces folded.
pub(crate) fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The message of a TOML error with its line, without the excerpt of the source.
pub(super) fn located(error: &toml::de::Error, text: &str) -> String {
    let message = one_line(error.message());
    match error.span() {
        Some(span) => {
            let start = span.start.min(text.len());
            let line = text.as_bytes()[..start].split(|&byte| byte == b'\n').count();
            format!("line {line}: {message}")
        }
        None => message,
    }
}

/// Takes the string under `key` out of a table.
pub(super) fn take_name(table: &mut toml::Table, kind: &str) -> Result<String, String> {
    match table.remove("name") {
        Some(toml::Value::String(name)) => Ok(name),
        Some(other) => Err(format!("{kind}: `name` must be a string, got {other}")),
        None => Err(format!("{kind}: a `name` is missing")),
    }
}

/// A table of hyperparameters as JSON, for rows.
pub(super) fn json(table: &toml::Table) -> serde_json::Value {
    serde_json::to_value(table).unwrap_or_default()
}

/// `defaults` with the values of `given` in their place: what really runs.
pub(super) fn effective(defaults: toml::Table, given: &toml::Table) -> serde_json::Value {
    let mut all = defaults;
    all.extend(given.clone());
    json(&all)
}

/// Checks a name that becomes part of keys, whose parts are separated by `/`.
pub(super) fn check_part(what: &str, name: &str) -> Result<(), String> {
    if name.is_empty() || name.contains(|c: char| c == '/' || c.is_control()) {
        let got = name.escape_debug();
        return Err(format!("{what} must be a text without `/` and line breaks, got `{got}`"));
    }
    Ok(())
}
