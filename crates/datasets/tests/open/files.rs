//! Writers of small files, each in a folder whose name has spaces.
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use duress_datasets::open::{Opened, Options, open};
use flate2::{Compression, write::GzEncoder};

pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::Builder::new().prefix("a folder with spaces ").tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn picture(&self, name: &str, size: [u32; 2], rgb: [u8; 3]) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        image::RgbImage::from_pixel(size[1], size[0], image::Rgb(rgb)).save(path).unwrap();
    }

    pub(crate) fn grey(&self, name: &str, size: [u32; 2], value: u8) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        image::GrayImage::from_pixel(size[1], size[0], image::Luma([value])).save(path).unwrap();
    }
}

pub(crate) fn read(path: &Path, options: &str) -> Opened {
    open(path, &Options::parse(options).unwrap()).unwrap()
}

pub(crate) fn fault(path: &Path, options: &str) -> String {
    open(path, &Options::parse(options).unwrap()).unwrap_err().to_string()
}

pub(crate) fn npy(descr: &str, shape: &str, bytes: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let length = (header.len() as u16).to_le_bytes();
    [&b"\x93NUMPY\x01\x00"[..], &length, header.as_bytes(), bytes].concat()
}

pub(crate) fn floats(shape: &str, values: &[f32]) -> Vec<u8> {
    npy("<f4", shape, &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>())
}

pub(crate) fn longs(values: &[i64]) -> Vec<u8> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    npy("<i8", &format!("({},)", values.len()), &bytes)
}

#[expect(clippy::default_trait_access, reason = "the type belongs to a crate of a crate")]
pub(crate) fn npz(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    {
        let mut writer = npyz::npz::NpzWriter::new(&mut bytes);
        for (name, content) in members {
            writer.zip_writer().start_file(format!("{name}.npy"), Default::default()).unwrap();
            writer.zip_writer().write_all(content).unwrap();
        }
    }
    bytes.into_inner()
}

pub(crate) fn idx(shape: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, shape.len() as u8];
    file.extend(shape.iter().flat_map(|size| size.to_be_bytes()));
    file.extend(bytes);
    file
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn records(labels: &[&[u8]], byte: u8) -> Vec<u8> {
    labels.iter().flat_map(|label| [label, &vec![byte; 3072][..]].concat()).collect()
}
