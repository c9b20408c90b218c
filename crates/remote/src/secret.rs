//! A text that no message and no log shows.
use std::fmt;

use crate::error::{RemoteError, Result};

/// A bearer token. `Debug` hides it, and it has no `Display` and no serialisation.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A token; blanks around it, such as the line break at the end of a file, do not belong to it.
    ///
    /// # Errors
    /// [`RemoteError::Setting`] for an empty token or one with characters that no header can hold;
    /// the message does not show it.
    pub fn new(text: &str) -> Result<Self> {
        let text = text.trim();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(RemoteError::Setting {
                field: "token",
                expected: "visible ASCII characters without blanks".into(),
                got: format!("{} characters (not shown)", text.chars().count()),
            });
        }
        Ok(Self(text.to_owned()))
    }

    /// The value of the `Authorization` header.
    pub(crate) fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// `text` without the token, should the other side repeat it.
    pub(crate) fn hide_in(&self, text: &str) -> String {
        text.replace(&self.0, "[token]")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([hidden])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_hidden_and_trimmed() {
        let secret = Secret::new(" s3cret\n").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret([hidden])");
        assert_eq!(secret.bearer(), "Bearer s3cret");
        assert_eq!(secret.hide_in("no s3cret here"), "no [token] here");
    }

    #[test]
    fn what_no_header_can_hold_is_refused_unseen() {
        for wrong in ["", "  ", "to ken", "tok\r\nX-Evil: 1", "t\u{f6}ken"] {
            let told = Secret::new(wrong).unwrap_err().to_string();
            assert!(told.contains("not shown") && !told.contains("ken "), "{told}");
        }
    }
}
