//! The end of what a program writes to its standard error.
use std::io::Read;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Reads a pipe to its end and keeps the last [`KEPT`] bytes.
#[derive(Debug)]
pub(super) struct Tail {
    bytes: Arc<Mutex<Vec<u8>>>,
    closed: Receiver<()>,
}

impl Tail {
    /// Starts to read.
    pub(super) fn of(mut pipe: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&bytes);
        let (sender, closed) = channel();
        thread::spawn(move || {
            let mut piece = [0; 1024];
            while let Ok(count @ 1..) = pipe.read(&mut piece) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend(&piece[..count]);
                let surplus = kept.len().saturating_sub(KEPT);
                kept.drain(..surplus);
            }
            drop(sender);
        });
        Self { bytes, closed }
    }

    /// What was kept, as text. Waits a moment for the end of the pipe, which comes with that of the
    /// program, but not for what the program itself started.
    pub(super) fn text(&self) -> String {
        let _ = self.closed.recv_timeout(Duration::from_millis(200));
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&bytes);
        let shown = |it: char| if it.is_control() && it != '\n' { ' ' } else { it };
        text.trim().chars().map(shown).collect()
    }
}

/// Bytes kept.
const KEPT: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept_and_shown_without_escapes() {
        let mut bytes = vec![b'a'; 10_000];
        bytes.extend(b"\x1b[31mlast\nline\n");
        let text = Tail::of(std::io::Cursor::new(bytes)).text();
        assert_eq!(text.len(), KEPT - 1);
        assert!(text.ends_with("a [31mlast\nline"), "{}", &text[text.len() - 20..]);
    }
}
