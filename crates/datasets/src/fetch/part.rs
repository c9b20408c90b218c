//! The file that a download grows in.
use std::{
    fs::{self, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::{Error, Result, dataset::hex, manifest::File};

/// `<target>.part`, locked, with the running checksum of what it holds.
pub(super) struct PartFile<'a> {
    target: &'a Path,
    path: PathBuf,
    handle: fs::File,
    hash: Sha256,
    len: u64,
    file: &'a File,
}

impl<'a> PartFile<'a> {
    /// Opens or creates the file and hashes what an earlier call left.
    pub(super) fn open(target: &'a Path, file: &'a File) -> Result<Self> {
        let folder = target.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(|source| failed(folder, source, file.bytes))?;
        let mut path = target.as_os_str().to_owned();
        path.push(".part");
        let path = PathBuf::from(path);
        let mut options = OpenOptions::new();
        let handle = options.read(true).write(true).create(true).truncate(false).open(&path);
        let handle = handle.map_err(|source| failed(&path, source, file.bytes))?;
        match handle.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Busy { file: path }),
            // A file system without locks: then the checksum alone guards against two writers.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(source)) => return Err(failed(&path, source, file.bytes)),
        }
        let mut part = Self { target, path, handle, hash: Sha256::new(), len: 0, file };
        part.len = hash_into(&mut part.handle, &mut part.hash)
            .map_err(|source| failed(&part.path, source, file.bytes))?;
        if part.len > file.bytes {
            part.clear()?;
        }
        Ok(part)
    }

    /// Bytes held.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Drops what it holds.
    pub(super) fn clear(&mut self) -> Result<()> {
        if self.len > 0 {
            let emptied =
                self.handle.set_len(0).and_then(|()| self.handle.seek(SeekFrom::Start(0)));
            emptied.map_err(|source| failed(&self.path, source, self.file.bytes))?;
            (self.hash, self.len) = (Sha256::new(), 0);
        }
        Ok(())
    }

    /// Writes at the end.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let needed = self.file.bytes.saturating_sub(self.len);
        if let Err(source) = self.handle.write_all(bytes) {
            // Keep the file and the count in step, so that a later call continues at the right
            // byte.
            let _ = self.handle.set_len(self.len);
            return Err(failed(&self.path, source, needed));
        }
        self.hash.update(bytes);
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Verifies the checksum and gives the file its name; a wrong file is deleted.
    pub(super) fn finish(self) -> Result<()> {
        let got = hex(&self.hash.finalize());
        if got != self.file.sha256 {
            drop(self.handle);
            let _ = fs::remove_file(&self.path);
            let expected = self.file.sha256.clone();
            return Err(Error::Checksum { file: self.target.display().to_string(), expected, got });
        }
        self.handle.sync_all().map_err(|source| failed(&self.path, source, 0))?;
        drop(self.handle);
        fs::rename(&self.path, self.target).map_err(|source| failed(self.target, source, 0))
    }

    /// Gives up: keeps what is worth continuing.
    pub(super) fn close(self, keep: bool) {
        let full = self.len > 0 && keep;
        drop(self.handle);
        if !full {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether the file is there with the right size and checksum.
pub(super) fn verified(target: &Path, file: &File) -> Result<bool> {
    let io = |source| failed(target, source, 0);
    let mut handle = match fs::File::open(target) {
        Ok(handle) => handle,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(io(error)),
    };
    if handle.metadata().map_err(io)?.len() != file.bytes {
        return Ok(false);
    }
    let mut hash = Sha256::new();
    hash_into(&mut handle, &mut hash).map_err(io)?;
    Ok(hex(&hash.finalize()) == file.sha256)
}

fn hash_into(handle: &mut fs::File, hash: &mut Sha256) -> io::Result<u64> {
    let (mut buffer, mut total) = (vec![0; 1 << 16], 0);
    loop {
        match handle.read(&mut buffer) {
            Ok(0) => return Ok(total),
            Ok(read) => {
                hash.update(&buffer[..read]);
                total += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn failed(path: &Path, source: io::Error, needed: u64) -> Error {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Error::DiskFull { file: path.into(), needed }
        }
        _ => Error::Io { file: path.display().to_string(), source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: &[u8]) -> File {
        let sha256 = hex(&Sha256::digest(content));
        File { path: "f".into(), url: "http://x".into(), bytes: content.len() as u64, sha256 }
    }

    #[test]
    fn what_an_earlier_call_left_is_continued() {
        let folder = tempfile::tempdir().unwrap();
        let (target, file) = (folder.path().join("deep/f"), file(b"hello"));
        let mut part = PartFile::open(&target, &file).unwrap();
        part.append(b"he").unwrap();
        part.close(true);
        let mut part = PartFile::open(&target, &file).unwrap();
        assert_eq!(part.len(), 2);
        part.append(b"llo").unwrap();
        part.finish().unwrap();
        assert!(verified(&target, &file).unwrap());
        assert_eq!(fs::read_dir(target.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_longer_leftover_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let (target, file) = (folder.path().join("f"), file(b"hello"));
        fs::write(folder.path().join("f.part"), b"hello and more").unwrap();
        assert_eq!(PartFile::open(&target, &file).unwrap().len(), 0);
    }

    #[test]
    fn two_writers_exclude_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let (target, file) = (folder.path().join("f"), file(b"hello"));
        let first = PartFile::open(&target, &file).unwrap();
        assert!(matches!(PartFile::open(&target, &file), Err(Error::Busy { .. })));
        drop(first);
        assert!(PartFile::open(&target, &file).is_ok());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_told_as_such() {
        let folder = tempfile::tempdir().unwrap();
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let (target, file) = (folder.path().join("f"), file(b"hello"));
        let mut part = PartFile::open(&target, &file).unwrap();
        part.append(b"he").unwrap();
        part.handle = full;
        let error = part.append(b"llo").unwrap_err();
        assert!(matches!(error, Error::DiskFull { needed: 3, .. }), "{error}");
    }
}
