//! Where a model is, and what of the address may be shown.
use ureq::http::Uri;

use super::Protocol;
use crate::error::{RemoteError, Result};

/// The addresses of one model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// Where batches go.
    pub(super) ask: String,
    /// Where the model describes itself.
    pub(super) model: String,
    /// For messages: without the query, which may hold a key.
    pub(super) shown: String,
}

impl Address {
    /// Reads an address; for the inference protocol, that of a model or its `/infer`.
    pub(super) fn new(url: &str, protocol: Protocol) -> Result<Self> {
        let url = url.trim().split('#').next().unwrap_or_default();
        let (path, query) = match url.split_once('?') {
            Some((path, query)) => (path, format!("?{query}")),
            None => (url, String::new()),
        };
        let wrong = |got: &str| RemoteError::Setting {
            field: "url",
            expected: "an address such as http://host:port/v2/models/name".into(),
            got: format!("`{got}`"),
        };
        if path.split('/').nth(2).is_some_and(|host| host.contains('@')) {
            return Err(RemoteError::Setting {
                field: "url",
                expected: "an address without a name or password (give a token)".into(),
                got: "one with an `@` (not shown)".into(),
            });
        }
        let uri: Uri = url.parse().map_err(|_| wrong(path))?;
        let host = uri.host().is_some_and(|host| !host.is_empty());
        if !(matches!(uri.scheme_str(), Some("http" | "https")) && host) {
            return Err(wrong(path));
        }
        if protocol == Protocol::Npy {
            let (model, shown) = (url.to_owned(), path.to_owned());
            return Ok(Self { ask: url.to_owned(), model, shown });
        }
        let path = path.trim_end_matches('/');
        let model = path.strip_suffix("/infer").unwrap_or(path).trim_end_matches('/');
        Ok(Self {
            ask: format!("{model}/infer{query}"),
            model: format!("{model}{query}"),
            shown: format!("{model}/infer"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_given_by_itself_or_by_where_it_infers() {
        let address = |url: &str| Address::new(url, Protocol::Kserve).unwrap();
        let model = "http://a:8000/v2/models/net";
        for url in ["", "/", "/infer", "/infer/"].map(|end| format!("{model}{end}")) {
            let found = address(&url);
            assert_eq!((found.ask, found.model), (format!("{model}/infer"), model.to_owned()));
        }
        let keyed = address("https://a/v2/models/net/infer?key=s3cret#part");
        assert_eq!(keyed.ask, "https://a/v2/models/net/infer?key=s3cret");
        assert_eq!(keyed.model, "https://a/v2/models/net?key=s3cret");
        assert_eq!(keyed.shown, "https://a/v2/models/net/infer");
        let plain = Address::new("http://a/predict/?b=c", Protocol::Npy).unwrap();
        assert_eq!((&*plain.ask, &*plain.shown), ("http://a/predict/?b=c", "http://a/predict/"));
    }

    #[test]
    fn what_is_no_address_is_refused_and_a_password_is_not_shown() {
        for url in ["", "host/path", "ftp://a/b", "http://", "http:///x", "http://a b/c"] {
            let told = Address::new(url, Protocol::Npy).unwrap_err().to_string();
            assert!(told.contains("`url` must be an address"), "{url}: {told}");
        }
        let told = Address::new("http://me:s3cret@a/b", Protocol::Npy).unwrap_err().to_string();
        assert!(told.contains("token") && !told.contains("s3cret"), "{told}");
    }
}
