//! Downloads: resumable, verified, and never a half file under the final name.
mod part;

use std::{path::Path, thread, time::Duration};

use ureq::{Agent, Proxy, http::StatusCode};

use crate::{Error, Manifest, Result, manifest::File};
use part::{PartFile, verified};

/// How to download. The environment is not read: a proxy must be given here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// A mirror: files come from `<base_url>/<name of the set>/<path of the file>` instead of
    /// the address in the manifest. Sizes and checksums stay those of the manifest.
    pub base_url: Option<String>,
    /// A proxy such as `http://host:port`.
    pub proxy: Option<String>,
    /// Further attempts after one that broke or that the server could not serve.
    pub retries: u32,
    /// Wait before the first further attempt; each next one waits twice as long.
    pub backoff: Duration,
    /// Longest wait for an address, and again for a connection.
    pub connect_timeout: Duration,
    /// Longest wait for the next bytes.
    pub read_timeout: Duration,
}

impl Default for Fetch {
    fn default() -> Self {
        Self {
            base_url: None,
            proxy: None,
            retries: 4,
            backoff: Duration::from_secs(1),
            connect_timeout: Duration::from_secs(20),
            read_timeout: Duration::from_mins(1),
        }
    }
}

impl Fetch {
    /// Brings all files of a manifest into `folder/<name of the set>/`.
    ///
    /// A file that is there with the right checksum is left alone. Another is written to
    /// `<file>.part`, continued from there by the next attempt or the next call, and renamed
    /// once size and SHA-256 are right. `progress` hears `(bytes done, bytes of all files)`.
    ///
    /// # Errors
    /// [`Error::Checksum`] and [`Error::Size`], which drop the partial file; the others keep it:
    /// [`Error::Interrupted`], [`Error::Status`], [`Error::DiskFull`], [`Error::Busy`],
    /// [`Error::Io`], and [`Error::Parameter`] for a bad manifest or proxy.
    pub fn fetch(
        &self,
        manifest: &Manifest,
        folder: &Path,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<()> {
        manifest.check()?;
        let agent = self.agent()?;
        let (mut before, total) = (0, manifest.bytes());
        for file in &manifest.files {
            let url = match &self.base_url {
                Some(base) => {
                    format!("{}/{}/{}", base.trim_end_matches('/'), manifest.name, file.path)
                }
                None => file.url.clone(),
            };
            let target = folder.join(&manifest.name).join(&file.path);
            let job = Job { agent: &agent, file, url, target: &target };
            self.fetch_file(&job, &mut |done| progress(before + done, total))?;
            before += file.bytes;
            progress(before, total);
        }
        Ok(())
    }

    fn fetch_file(&self, job: &Job<'_>, progress: &mut dyn FnMut(u64)) -> Result<()> {
        if verified(job.target, job.file)? {
            return Ok(());
        }
        let mut part = PartFile::open(job.target, job.file)?;
        // Another process may have finished it while this one waited for the lock.
        if verified(job.target, job.file)? {
            part.close(false);
            return Ok(());
        }
        let mut wait = self.backoff;
        for retry in 0.. {
            match job.attempt(&mut part, progress) {
                Err(error) if retry < self.retries && is_transient(&error) => {
                    thread::sleep(wait);
                    wait = wait.saturating_mul(2);
                }
                Err(error) => {
                    // What came is of no use only if the server has another file.
                    part.close(!matches!(error, Error::Size { .. }));
                    return Err(error);
                }
                Ok(()) => break,
            }
        }
        part.finish()
    }

    fn agent(&self) -> Result<Agent> {
        let proxy = self.proxy.as_deref().map(Proxy::new).transpose();
        let proxy = proxy.map_err(|error| {
            let expected = format!("a proxy address ({error})");
            Error::parameter("proxy", expected, self.proxy.clone().unwrap_or_default())
        })?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(proxy)
            .accept_encoding("identity")
            .timeout_resolve(Some(self.connect_timeout))
            .timeout_connect(Some(self.connect_timeout))
            .timeout_per_read(Some(self.read_timeout))
            .timeout_per_write(Some(self.read_timeout));
        Ok(config.build().new_agent())
    }
}

/// One file on its way.
struct Job<'a> {
    agent: &'a Agent,
    file: &'a File,
    url: String,
    target: &'a Path,
}

impl Job<'_> {
    /// One request: appends what comes to the partial file, until all bytes are there.
    fn attempt(&self, part: &mut PartFile<'_>, progress: &mut dyn FnMut(u64)) -> Result<()> {
        let expected = self.file.bytes;
        let interrupted = |part: &PartFile<'_>, cause: String| Error::Interrupted {
            url: self.url.clone(),
            got: part.len(),
            expected,
            cause,
        };
        if part.len() == expected {
            return Ok(());
        }
        let mut request = self.agent.get(&self.url);
        if part.len() > 0 {
            request = request.header("Range", format!("bytes={}-", part.len()));
        }
        let mut response = request.call().map_err(|error| interrupted(part, error.to_string()))?;
        let wrong_size = |got| Error::Size { url: self.url.clone(), expected, got };
        match response.status() {
            StatusCode::PARTIAL_CONTENT if part.len() > 0 => {
                let range = response.headers().get("content-range");
                let range = range.and_then(|range| range.to_str().ok()).and_then(parse_range);
                let Some((_, whole)) = range.filter(|(start, _)| *start == part.len()) else {
                    // It continues elsewhere than asked: start over.
                    part.clear()?;
                    return Err(interrupted(part, "the server sent another range".into()));
                };
                if let Some(whole) = whole.filter(|&whole| whole != expected) {
                    return Err(wrong_size(whole));
                }
            }
            StatusCode::OK => {
                // All of the file, whether or not a part of it was asked for.
                part.clear()?;
                let length = response.body().content_length();
                if let Some(length) = length.filter(|&length| length != expected) {
                    return Err(wrong_size(length));
                }
            }
            StatusCode::RANGE_NOT_SATISFIABLE if part.len() > 0 => {
                part.clear()?;
                return Err(interrupted(part, "the server refused to continue".into()));
            }
            status => {
                return Err(Error::Status { url: self.url.clone(), status: status.as_u16() });
            }
        }
        let mut body = response.body_mut().as_reader();
        let mut buffer = vec![0; 1 << 16];
        loop {
            match std::io::Read::read(&mut body, &mut buffer) {
                Ok(0) if part.len() < expected => {
                    return Err(interrupted(part, "the connection was closed".into()));
                }
                Ok(0) => return Ok(()),
                Ok(read) if part.len() + read as u64 > expected => {
                    return Err(wrong_size(part.len() + read as u64));
                }
                Ok(read) => {
                    part.append(&buffer[..read])?;
                    progress(part.len());
                }
                // All bytes came; how the connection ended does not matter.
                Err(_) if part.len() == expected => return Ok(()),
                Err(error) => return Err(interrupted(part, error.to_string())),
            }
        }
    }
}

/// `bytes 100-199/200` or `bytes 100-199/*`: the first byte and the size of the whole file.
fn parse_range(header: &str) -> Option<(u64, Option<u64>)> {
    let (range, whole) = header.trim().strip_prefix("bytes")?.trim().split_once('/')?;
    let start = range.split_once('-')?.0.trim().parse().ok()?;
    match whole.trim() {
        "*" => Some((start, None)),
        whole => Some((start, Some(whole.parse().ok()?))),
    }
}

/// Whether another attempt may succeed where this one failed.
fn is_transient(error: &Error) -> bool {
    match error {
        Error::Interrupted { .. } => true,
        Error::Status { status, .. } => matches!(status, 408 | 429 | 500..=599),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_range_is_read_in_both_forms() {
        assert_eq!(parse_range("bytes 100-199/200"), Some((100, Some(200))));
        assert_eq!(parse_range("bytes 100-199/*"), Some((100, None)));
        for wrong in ["", "bytes */200", "items 1-2/3", "bytes 1-2", "bytes a-2/3", "bytes 1-2/x"] {
            assert_eq!(parse_range(wrong), None, "{wrong}");
        }
    }
}
