//! A running program, its pipes, and the threads that keep them from blocking each other.
use std::io::{BufReader, Write};
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::tail::Tail;
use crate::array::{self, Array, ReadFault};
use crate::clock::SLICE;
use crate::error::{RemoteError, Result};

/// A program with a thread for each of its three pipes. A thread ends with its pipe.
#[derive(Debug)]
pub(super) struct Child {
    process: std::process::Child,
    program: String,
    /// Batches for the standard input, which ends when this is dropped.
    questions: Option<Sender<Vec<u8>>>,
    answers: Receiver<Result<Array, ReadFault>>,
    errors: Tail,
    has_answered: bool,
}

/// How a question ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// With an array.
    Answer(Array),
    /// With the end of the output.
    Ended,
    /// Not in time.
    TimedOut,
    /// By the user.
    Stopped,
    /// With something that is no answer.
    Wrong(RemoteError),
}

impl Child {
    /// Starts the program; no answer may be longer than `limit` bytes.
    ///
    /// # Errors
    /// [`RemoteError::Start`].
    pub(super) fn start(program: &str, arguments: &[String], limit: u64) -> Result<Self> {
        let fault = |error: &dyn std::fmt::Display| RemoteError::Start {
            program: program.into(),
            reason: error.to_string(),
        };
        let mut process = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| fault(&error))?;
        let pipes = (process.stdin.take(), process.stdout.take(), process.stderr.take());
        let (Some(input), Some(output), Some(errors)) = pipes else {
            let _ = process.kill();
            return Err(fault(&"its pipes are not there"));
        };
        let questions = write_to(input);
        let (sender, answers) = channel();
        let name = program.to_owned();
        thread::spawn(move || {
            let mut output = BufReader::new(output);
            loop {
                let answer = array::read(&mut output, limit, &name);
                let over = answer.is_err();
                if sender.send(answer).is_err() || over {
                    break;
                }
            }
        });
        Ok(Self {
            process,
            program: program.into(),
            questions: Some(questions),
            answers,
            errors: Tail::of(errors),
            has_answered: false,
        })
    }

    /// Whether it has answered at all.
    pub(super) fn has_answered(&self) -> bool {
        self.has_answered
    }

    /// Sends one batch, the last one if `last`, and waits for the answer.
    pub(super) fn exchange(
        &mut self,
        question: Vec<u8>,
        last: bool,
        time_out: Duration,
        stop: &dyn Fn() -> bool,
    ) -> Outcome {
        match self.answers.try_recv() {
            // What came before the question answers nothing.
            Ok(Ok(array)) => return Outcome::Wrong(self.unasked(&array)),
            Ok(Err(fault)) => return self.failed(fault),
            Err(TryRecvError::Disconnected) => return Outcome::Ended,
            Err(TryRecvError::Empty) => {}
        }
        // A program that no longer reads is one whose output ends; that is looked at below.
        let _ = self.questions.as_ref().map(|questions| questions.send(question));
        if last {
            self.questions = None;
        }
        let begin = Instant::now();
        loop {
            if stop() {
                return Outcome::Stopped;
            }
            let left = time_out.saturating_sub(begin.elapsed());
            match self.answers.recv_timeout(left.min(SLICE)) {
                Ok(Ok(array)) => {
                    self.has_answered = true;
                    return Outcome::Answer(array);
                }
                Ok(Err(fault)) => return self.failed(fault),
                Err(RecvTimeoutError::Disconnected) => return Outcome::Ended,
                Err(RecvTimeoutError::Timeout) if left.is_zero() => return Outcome::TimedOut,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn failed(&mut self, fault: ReadFault) -> Outcome {
        match fault {
            ReadFault::Wrong(error) => Outcome::Wrong(error),
            // Cut in the middle of an answer: not the way of a program that is done.
            ReadFault::Truncated(..) | ReadFault::Io(_) => {
                self.has_answered = false;
                Outcome::Ended
            }
            ReadFault::Empty => Outcome::Ended,
        }
    }

    fn unasked(&self, array: &Array) -> RemoteError {
        RemoteError::Format {
            endpoint: self.program.clone(),
            what: "standard output",
            expected: "one array for each batch".into(),
            got: format!("another of shape {:?}", array.shape),
        }
    }

    /// Ends the input, gives the program time to end by itself, and kills it if it does not.
    ///
    /// Returns how it ended, `None` if it had to be killed, and `"; it wrote: ..."` with the end of
    /// its standard error, or nothing.
    pub(super) fn end(mut self, grace: Duration) -> (Option<ExitStatus>, String) {
        self.questions = None;
        let begin = Instant::now();
        let status = loop {
            match self.process.try_wait() {
                Ok(Some(status)) => break Some(status),
                Ok(None) if begin.elapsed() < grace => thread::sleep(Duration::from_millis(5)),
                _ => {
                    let _ = self.process.kill();
                    let _ = self.process.wait();
                    break None;
                }
            }
        };
        let wrote = self.errors.text();
        (status, if wrote.is_empty() { wrote } else { format!("; it wrote: {wrote}") })
    }
}

/// A thread that writes what it is sent. A program that has stopped reading gets no more.
fn write_to(mut input: ChildStdin) -> Sender<Vec<u8>> {
    let (sender, questions) = channel::<Vec<u8>>();
    thread::spawn(move || {
        for question in questions {
            if input.write_all(&question).and_then(|()| input.flush()).is_err() {
                break;
            }
        }
    });
    sender
}
