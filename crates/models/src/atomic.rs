//! Files that are either whole or not there.
use std::io::Write;
use std::path::Path;

use crate::{Error, Result};

/// Writes `parts` to a temporary file in the folder of `path`, then renames it.
///
/// A crash, a full disk or a second writer leaves the old file or the new one, never half of one.
pub(crate) fn write(path: &Path, parts: &[&[u8]]) -> Result<()> {
    let fault = |source| Error::Io { path: path.into(), source };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(fault)?;
    for part in parts {
        file.write_all(part).map_err(fault)?;
    }
    file.as_file().sync_all().map_err(fault)?;
    file.persist(path).map_err(|error| fault(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model");
        write(&path, &[b"first and long"]).unwrap();
        write(&path, &[b"sec", b"ond"]).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"second");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = write(Path::new("/no/such/folder/model"), &[b""]).unwrap_err();
        assert!(error.to_string().starts_with("/no/such/folder/model: "), "{error}");
    }
}
