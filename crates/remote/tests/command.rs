//! Models in a process of their own: Python programs that behave in all the ways programs do.
#![allow(clippy::unwrap_used)]
#![allow(clippy::print_stdout, reason = "a skipped test says so")]
use std::path::Path;
use std::process::Command;

use burn::prelude::*;
use duress_core::{Domain, LabelOracle, ScoreOracle, host};
use duress_remote::{
    CommandEndpoint, CommandSettings, OutputKind, Remote, RemoteScores, Retry, Settings, Totals,
};

/// Reads and writes arrays with nothing but the standard library; scores are
/// `[x0, x1, x0 - x1]`.
const HELPERS: &str = r#"
import os, struct, sys, time
i, o = sys.stdin.buffer, sys.stdout.buffer
place = sys.argv[1] if len(sys.argv) > 1 else ''

def batch():
    head = i.read(10)
    if len(head) < 10: sys.exit(0)
    text = i.read(struct.unpack('<H', head[8:])[0]).decode()
    shape = eval(text)['shape']
    count = 1
    for side in shape: count *= side
    return shape, struct.unpack('<%df' % count, i.read(4 * count))

def send(shape, values, kind='<f4', code='f'):
    text = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (kind, shape)
    text += ' ' * (63 - (10 + len(text)) % 64) + '\n'
    o.write(b'\x93NUMPY\x01\x00' + struct.pack('<H', len(text)) + text.encode())
    o.write(struct.pack('<%d%s' % (len(values), code), *values))
    o.flush()

def scores(shape, values):
    rows = [values[at:at + 2] for at in range(0, len(values), 2)]
    send((len(rows), 3), [score for a, b in rows for score in (a, b, a - b)])

def first_time():
    # Whether this is the first process: the file is there for those that follow.
    first = not os.path.exists(place)
    open(place, 'a').close()
    return first
"#;

/// The interpreter, or a line that says why the test does nothing.
fn python() -> Option<&'static str> {
    let there = Command::new("python3").arg("--version").output();
    if there.is_ok_and(|output| output.status.success()) {
        return Some("python3");
    }
    println!("SKIPPED: there is no python3 on this machine");
    None
}

fn settings() -> Settings {
    let retry = Retry { retries: 2, first_wait_seconds: 0.001, longest_wait_seconds: 1.0 };
    Settings { classes: Some(3), retry, ..Settings::default() }
}

/// A command that runs `program` from a folder with a space in its name.
fn command(folder: &Path, program: &str) -> Option<CommandSettings> {
    let python = python()?;
    let folder = folder.join("a model");
    std::fs::create_dir_all(&folder).unwrap();
    let (script, place) = (folder.join("my predict.py"), folder.join("started"));
    std::fs::write(&script, format!("{HELPERS}\n{program}")).unwrap();
    let line = format!("{python} '{}' \"{}\"", script.display(), place.display());
    Some(CommandSettings { timeout_seconds: 20.0, ..CommandSettings::new(line) })
}

fn remote(command: &CommandSettings, settings: Settings) -> Remote {
    let endpoint = CommandEndpoint::new(command).unwrap();
    let domain = Domain::table(vec![0.0; 2], vec![1.0; 2]).unwrap();
    Remote::new(endpoint, domain, &Device::flex(), settings).unwrap()
}

fn model(command: &CommandSettings) -> RemoteScores {
    remote(command, settings()).scores().unwrap()
}

fn rows() -> Tensor<2> {
    Tensor::from_floats([[0.5, 0.25], [0.125, 1.0]], &Device::flex())
}

fn assert_answers(model: &RemoteScores) {
    let logits = host::floats(model.logits(rows()).unwrap()).unwrap();
    assert_eq!(logits, [0.5, 0.25, 0.25, 0.125, 1.0, -0.875]);
}

#[test]
fn a_program_lives_on_from_batch_to_batch() {
    let folder = tempfile::tempdir().unwrap();
    let program = "assert first_time()\nwhile True: scores(*batch())";
    let Some(command) = command(folder.path(), program) else { return };
    let model = model(&command);
    for _ in 0..3 {
        assert_answers(&model);
    }
    assert_eq!(model.totals(), Totals { queries: 6, requests: 3, retried: 0 });
}

#[test]
fn a_batch_larger_than_a_pipe_holds_goes_through() {
    let folder = tempfile::tempdir().unwrap();
    let Some(command) = command(folder.path(), "while True: scores(*batch())") else { return };
    let settings = Settings { rows_per_request: 100_000, ..settings() };
    let model = remote(&command, settings).scores().unwrap();
    let values: Vec<f32> = (0..80_000_u32).map(|value| value as f32).collect();
    let rows = Tensor::from_data(TensorData::new(values, [40_000, 2]), &Device::flex());
    let logits = host::floats(model.logits(rows).unwrap()).unwrap();
    assert_eq!(logits[119_997..], [79_998.0, 79_999.0, -1.0]);
}

#[test]
fn a_program_that_ends_after_each_answer_is_started_again_without_a_retry() {
    let folder = tempfile::tempdir().unwrap();
    let Some(command) = command(folder.path(), "scores(*batch())") else { return };
    let model = model(&command);
    for _ in 0..3 {
        assert_answers(&model);
    }
    assert_eq!(model.totals(), Totals { queries: 6, requests: 3, retried: 0 });
}

#[test]
fn a_program_that_reads_to_the_end_of_its_input_gets_one_batch() {
    let folder = tempfile::tempdir().unwrap();
    let program = "import io\ni = io.BytesIO(i.read())\nscores(*batch())";
    let Some(command) = command(folder.path(), program) else { return };
    let model = model(&CommandSettings { one_batch: true, ..command });
    for _ in 0..2 {
        assert_answers(&model);
    }
    assert_eq!(model.totals(), Totals { queries: 4, requests: 2, retried: 0 });
}

#[test]
fn a_program_that_dies_in_the_middle_is_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let program = "shape, values = batch()\n\
                   if first_time():\n    o.write(b'\\x93NUMPY\\x01\\x00v')\n    o.flush()\n    os._exit(3)\n\
                   while True:\n    scores(shape, values)\n    shape, values = batch()\n";
    let Some(command) = command(folder.path(), program) else { return };
    let model = model(&command);
    assert_answers(&model);
    assert_answers(&model);
    assert_eq!(model.totals(), Totals { queries: 4, requests: 3, retried: 1 });
}

#[test]
fn a_program_that_always_fails_is_given_up_with_what_it_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let program = "batch()\nraise ValueError('no weights at ' + 'x' * 5000 + ' END')";
    let Some(command) = command(folder.path(), program) else { return };
    let model = model(&command);
    let text = model.logits(rows()).unwrap_err().to_string();
    assert!(text.contains("gave up after 3 attempts: `python3` ended without an answer"), "{text}");
    assert!(text.contains("exit status: 1") && text.ends_with("xxx END"), "{text}");
    assert!(text.len() < 5000, "{}", text.len());
    assert_eq!(model.totals(), Totals { queries: 0, requests: 3, retried: 2 });
}

#[test]
fn a_program_that_dies_between_batches_counts_as_a_retry() {
    let folder = tempfile::tempdir().unwrap();
    let program = "first = first_time()\nscores(*batch())\nif first: os._exit(7)\n\
                   while True: scores(*batch())";
    let Some(command) = command(folder.path(), program) else { return };
    let model = model(&command);
    assert_answers(&model);
    assert_answers(&model);
    assert_eq!(model.totals(), Totals { queries: 4, requests: 3, retried: 1 });
}

#[test]
fn a_program_that_hangs_is_killed_and_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let program = "if first_time(): time.sleep(60)\nwhile True: scores(*batch())";
    let Some(command) = command(folder.path(), program) else { return };
    let model = model(&CommandSettings { timeout_seconds: 2.0, ..command });
    assert_answers(&model);
    let totals = model.totals();
    assert_eq!((totals.queries, totals.retried), (2, 1));
}

#[test]
fn a_user_who_stops_does_not_wait_for_a_program_that_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let Some(command) = command(folder.path(), "time.sleep(60)") else { return };
    let begin = std::time::Instant::now();
    let stop = move || begin.elapsed().as_millis() > 300;
    let model = remote(&command, settings()).with_stop(stop).scores().unwrap();
    assert_eq!(model.logits(rows()).unwrap_err(), duress_core::Error::Cancelled);
    assert!(begin.elapsed().as_secs() < 15);
}

#[test]
fn garbage_and_wrong_shapes_are_errors_and_never_asked_for_again() {
    let cases = [
        ("batch()\nprint('loading the model')\nsys.stdout.flush()\ntime.sleep(9)", "got `loading"),
        ("batch()\nsend((1, 3), [1, 2, 3])\ntime.sleep(9)", "[2, 3], got [1, 3]"),
        ("batch()\nsend((2, 3), [1, 2, 3, 4, 5, float('nan')])\ntime.sleep(9)", "class 2 is NaN"),
        ("batch()\nsend((10**9, 3), [])\ntime.sleep(9)", "longer than `answer_bytes`"),
    ];
    for (program, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        let Some(command) = command(folder.path(), program) else { return };
        let model = model(&command);
        let text = model.logits(rows()).unwrap_err().to_string();
        assert!(text.contains(expected), "{text}");
        assert_eq!(model.totals(), Totals { queries: 0, requests: 1, retried: 0 });
    }
}

#[test]
fn an_answer_that_nobody_asked_for_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let program = "shape, values = batch()\nscores(shape, values)\nscores(shape, values)\n\
                   open(place, 'w').close()\ntime.sleep(30)";
    let Some(command) = command(folder.path(), program) else { return };
    let model = model(&command);
    assert_answers(&model);
    let place = folder.path().join("a model/started");
    while !place.exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    std::thread::sleep(std::time::Duration::from_millis(100));
    let text = model.logits(rows()).unwrap_err().to_string();
    assert!(text.contains("expected one array for each batch, got another of shape"), "{text}");
}

#[test]
fn labels_may_be_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let program = "while True:\n    shape, values = batch()\n    \
                   send((shape[0],), [2] * shape[0], '|u1', 'B')";
    let Some(command) = command(folder.path(), program) else { return };
    let settings = Settings { output: OutputKind::Labels, ..settings() };
    let model = remote(&command, settings).labels().unwrap();
    assert_eq!(host::labels(model.labels(rows()).unwrap()).unwrap(), [2, 2]);
}
