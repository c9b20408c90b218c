//! One stream of bytes with a name for errors, a limit, and gzip taken off.
use std::{
    fmt,
    fs::File,
    io::{self, BufReader, Cursor, Read},
    path::Path,
};

use flate2::read::MultiGzDecoder;

use crate::{Error, Result};

/// Bytes that an [`Input`] hands out at most unless told otherwise: 4 GiB, counted after
/// unpacking.
pub const DEFAULT_LIMIT: u64 = 4 << 30;

/// A named stream of bytes, unpacked if it is a gzip stream.
///
/// Gzip is recognised by the first bytes (`1f 8b 08` and flags without a reserved bit), never by
/// the name. No reader of this crate takes more memory than a small multiple of the bytes that
/// truly come, and at most a small multiple of [the limit](Self::with_limit).
pub struct Input<'a> {
    name: String,
    reader: Box<dyn Read + 'a>,
    limit: u64,
    count: u64,
}

impl<'a> Input<'a> {
    /// A stream; `name` stands for it in errors.
    ///
    /// # Errors
    /// [`Error::Io`] if the first bytes cannot be read.
    pub fn new(name: impl Into<String>, mut reader: impl Read + 'a) -> Result<Self> {
        let name = name.into();
        let mut head = Vec::with_capacity(4);
        (&mut reader)
            .take(4)
            .read_to_end(&mut head)
            .map_err(|source| Error::Io { file: name.clone(), source })?;
        let packed = matches!(head[..], [0x1f, 0x8b, 8, flags] if flags & 0xe0 == 0);
        let whole = Cursor::new(head).chain(reader);
        let reader: Box<dyn Read + 'a> =
            if packed { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) };
        Ok(Self { name, reader, limit: DEFAULT_LIMIT, count: 0 })
    }

    /// A file.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be opened.
    pub fn open(path: &Path) -> Result<Input<'static>> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|source| Error::Io { file: name.clone(), source })?;
        Input::new(name, BufReader::with_capacity(1 << 16, file))
    }

    /// The same stream, which fails with [`Error::TooLarge`] past `bytes` unpacked bytes.
    #[must_use]
    pub fn with_limit(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self
    }

    /// What errors call this stream.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// Fills `buffer` as far as the stream goes: the number of bytes read.
    pub(crate) fn fill(&mut self, buffer: &mut [u8], at: &str) -> Result<usize> {
        let mut got = 0;
        while got < buffer.len() {
            match self.read(&mut buffer[got..]) {
                Ok(0) => break,
                Ok(read) => got += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.fault(at, error)),
            }
        }
        Ok(got)
    }

    /// Fills all of `buffer`.
    pub(crate) fn exact(&mut self, buffer: &mut [u8], at: &str) -> Result<()> {
        let (got, expected) = (self.fill(buffer, at)?, buffer.len());
        if got < expected { Err(self.cut(at, expected as u64, got as u64)) } else { Ok(()) }
    }

    /// The next `count` bytes. Memory grows with the bytes that come, not with `count`.
    pub(crate) fn take_exactly(&mut self, count: u64, at: &str) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = self.by_ref().take(count).read_to_end(&mut bytes);
        let got = read.map_err(|error| self.fault(at, error))? as u64;
        if got < count { Err(self.cut(at, count, got)) } else { Ok(bytes) }
    }

    /// All that is left.
    pub(crate) fn rest(&mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = self.read_to_end(&mut bytes);
        read.map_err(|error| self.fault("content", error))?;
        Ok(bytes)
    }

    /// Checks that the stream ends here.
    pub(crate) fn finish(&mut self, after: &str) -> Result<()> {
        match self.fill(&mut [0], after)? {
            0 => Ok(()),
            _ => Err(Error::Trailing { file: self.name.clone(), after: after.into() }),
        }
    }

    /// Translates what [`Read`] reported.
    pub(crate) fn fault(&self, at: &str, error: io::Error) -> Error {
        translate(&self.name, at, error)
    }

    fn cut(&self, at: &str, expected: u64, got: u64) -> Error {
        Error::Truncated { file: self.name.clone(), at: at.into(), expected, got }
    }
}

impl Read for Input<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // One byte more than is left, so that a stream of just the limit passes.
        let room = self.limit.saturating_sub(self.count).saturating_add(1);
        let room = usize::try_from(room).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.reader.read(&mut buffer[..room])?;
        self.count = self.count.saturating_add(read as u64);
        if self.count > self.limit {
            return Err(io::Error::other(OverLimit(self.limit)));
        }
        Ok(read)
    }
}

impl fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").field("name", &self.name).field("limit", &self.limit).finish()
    }
}

/// The limit, on its way through readers that only know [`io::Error`].
#[derive(Debug, thiserror::Error)]
#[error("more than {0} bytes")]
struct OverLimit(u64);

pub(crate) fn translate(file: &str, at: &str, error: io::Error) -> Error {
    if let Some(OverLimit(limit)) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
        return Error::TooLarge { file: file.into(), limit: *limit };
    }
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => {
            Error::format(file, at, "a whole, undamaged stream", error.to_string())
        }
        _ => Error::Io { file: file.into(), source: error },
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn gzip_is_taken_off_and_plain_bytes_pass() {
        for bytes in [&b""[..], b"a", b"\x1f\x8b", b"some longer content"] {
            let mut plain = Input::new("plain", bytes).unwrap();
            assert_eq!(plain.rest().unwrap(), bytes);
            let file = packed(bytes);
            let mut gzip = Input::new("gzip", file.as_slice()).unwrap();
            assert_eq!(gzip.rest().unwrap(), bytes);
        }
    }

    #[test]
    fn the_limit_counts_unpacked_bytes_and_is_inclusive() {
        let file = packed(&[7; 1000]);
        let read = |limit| Input::new("f", file.as_slice()).unwrap().with_limit(limit).rest();
        assert_eq!(read(1000).unwrap().len(), 1000);
        assert!(matches!(read(999), Err(Error::TooLarge { limit: 999, .. })));
    }

    #[test]
    fn a_cut_or_damaged_gzip_stream_is_named() {
        let file = packed(b"some longer content");
        let mut cut = Input::new("cut.gz", &file[..file.len() - 9]).unwrap();
        let message = cut.rest().unwrap_err().to_string();
        assert!(message.starts_with("cut.gz: content: expected a whole"), "{message}");
        let mut damaged = file.clone();
        damaged[14] ^= 0xff;
        assert!(Input::new("damaged", damaged.as_slice()).unwrap().rest().is_err());
    }

    #[test]
    fn a_claim_that_the_bytes_do_not_keep_takes_no_memory() {
        let mut input = Input::new("claim", &b"abc"[..]).unwrap();
        let error = input.take_exactly(1 << 40, "pixels").unwrap_err();
        assert!(matches!(error, Error::Truncated { got: 3, expected, .. } if expected == 1 << 40));
    }
}
