//! NPY files as one archive.
use std::io::{self, Cursor, Write};

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
            zip.start_file(member, FileOptions::default()).map_err(io::Error::other)?;
            zip.write_all(content)?;
        }
    }
    Ok(bytes.into_inner())
}
