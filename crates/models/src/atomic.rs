//! Files that are either whole or not there.
use std::io::{self, Write};
use std::path::Path;

use tempfile::NamedTempFile;

use crate::{Error, Result};

/// A temporary file in the folder of `path`, to be persisted there. Its permissions are those of
/// any new file of the user.
///
/// # Errors
/// What the system says.
pub fn part(path: &Path) -> io::Result<NamedTempFile> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    let builder = {
        use std::os::unix::fs::PermissionsExt;
        // Minus the umask; without this nobody but the user could read the result.
        builder.permissions(std::fs::Permissions::from_mode(0o666))
    };
    builder.tempfile_in(folder)
}

/// Writes `parts` to a temporary file in the folder of `path`, then renames it.
///
/// A crash, a full disk or a second writer leaves the old file or the new one, never half of one.
///
/// # Errors
/// [`Error::Io`].
pub fn write(path: &Path, parts: &[&[u8]]) -> Result<()> {
    let fault = |source| Error::Io { path: path.into(), source };
    let mut file = part(path).map_err(fault)?;
    for bytes in parts {
        file.write_all(bytes).map_err(fault)?;
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
        // As readable as a file that is written plainly.
        let plain = folder.path().join("plain");
        std::fs::write(&plain, b"").unwrap();
        let permissions = |path| std::fs::metadata(path).unwrap().permissions();
        assert_eq!(permissions(&path), permissions(&plain));
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = write(Path::new("/no/such/folder/model"), &[b""]).unwrap_err();
        assert!(error.to_string().starts_with("/no/such/folder/model: "), "{error}");
    }
}
