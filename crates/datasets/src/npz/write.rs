//! NPY files as one archive.
use std::io::{self, Cursor, Write};

use npyz::zip::DateTime;
use npyz::zip::write::FileOptions;

/// The bytes of an NPZ archive of named NPY files ([`crate::npy::encode`]).
///
/// # Errors
/// What the zip writer says: a name that occurs twice.
pub fn encode(members: &[(&str, Vec<u8>)]) -> io::Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    {
        let mut writer = npyz::npz::NpzWriter::new(&mut bytes);
        for (name, content) in members {
            let zip = writer.zip_writer();
            let member = npyz::npz::file_name_from_array_name(name);
            // No clock: the same arrays are the same bytes.
            let options = FileOptions::default().last_modified_time(DateTime::default());
            zip.start_file(member, options).map_err(io::Error::other)?;
            zip.write_all(content)?;
        }
    }
    Ok(bytes.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes 10 to 13 of a local header are the time and the date of DOS; 33 is 1980-01-01.
    #[test]
    fn an_archive_does_not_say_when_it_was_written() {
        let bytes = encode(&[("x", vec![1, 2, 3])]).unwrap();
        assert_eq!(bytes[10..14], [0, 0, 33, 0]);
    }
}
