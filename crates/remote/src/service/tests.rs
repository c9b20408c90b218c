use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use duress_core::{LabelOracle, ScoreOracle};

use super::*;
use crate::clock::Fake;
use crate::settings::Retry;

/// Plays back failures and answers every other question with `[x₀, x₁, x₀ − x₁]`.
struct Script {
    faults: VecDeque<Fault>,
    rows: Arc<Mutex<Vec<usize>>>,
}

impl Endpoint for Script {
    fn name(&self) -> &'static str {
        "script"
    }

    fn ask(&mut self, batch: &Batch<'_>, _: &dyn Fn() -> bool) -> Result<Array, Fault> {
        if let Some(fault) = self.faults.pop_front() {
            return Err(fault);
        }
        self.rows.lock().unwrap().push(batch.shape[0]);
        let scores = batch.values.chunks(2).flat_map(|row| [row[0], row[1], row[0] - row[1]]);
        Ok(Array { shape: vec![batch.shape[0], 3], values: scores.map(f64::from).collect() })
    }
}

/// A clock that the test and the model both hold.
#[derive(Clone, Default)]
struct Shared(Arc<Fake>);

impl Clock for Shared {
    fn now(&self) -> Duration {
        self.0.now()
    }

    fn sleep(&self, duration: Duration) {
        self.0.sleep(duration);
    }
}

fn domain() -> Domain {
    Domain::table(vec![0.0; 2], vec![1.0; 2]).unwrap()
}

fn busy(wait: Option<u64>) -> Fault {
    let error = RemoteError::Status { endpoint: "script".into(), status: 503, body: String::new() };
    Fault::Transient { error, wait: wait.map(Duration::from_secs) }
}

fn script(faults: impl Into<VecDeque<Fault>>) -> (Script, Arc<Mutex<Vec<usize>>>) {
    let rows = Arc::default();
    (Script { faults: faults.into(), rows: Arc::clone(&rows) }, rows)
}

fn remote(script: Script, settings: Settings) -> (Remote, Shared) {
    let clock = Shared::default();
    let remote = Remote::new(script, domain(), &Device::flex(), settings).unwrap();
    (remote.with_clock(clock.clone()), clock)
}

fn rows(count: usize) -> Tensor<2> {
    let values: Vec<f32> = (0..2 * count).map(|value| value as f32).collect();
    Tensor::from_data(TensorData::new(values, [count, 2]), &Device::flex())
}

#[test]
fn a_batch_is_cut_and_its_answers_are_joined_in_order() {
    let (script, seen) = script([]);
    let settings = Settings { rows_per_request: 2, ..Settings::default() };
    let model = remote(script, settings).0.scores().unwrap();
    assert_eq!(model.classes(), 3);
    let logits = model.logits(rows(5)).unwrap();
    assert_eq!(logits.dims(), [5, 3]);
    let expected = [0., 1., -1., 2., 3., -1., 4., 5., -1., 6., 7., -1., 8., 9., -1.];
    assert_eq!(host::floats(logits).unwrap(), expected);
    assert_eq!(host::labels(model.labels(rows(2)).unwrap()).unwrap(), [1, 1]);
    assert_eq!(*seen.lock().unwrap(), [1, 2, 2, 1, 2]);
    assert_eq!(model.totals(), Totals { queries: 8, requests: 5, retried: 0 });
    assert_eq!(model.logits(rows(0)).unwrap().dims(), [0, 3]);
}

#[test]
fn a_failure_that_may_pass_is_repeated_after_waits_that_double_and_counts_its_rows_once() {
    let (script, _) = script([busy(None), busy(None), busy(Some(7))]);
    let settings = Settings { classes: Some(3), ..Settings::default() };
    let (remote, clock) = remote(script, settings);
    let model = remote.scores().unwrap();
    model.logits(rows(4)).unwrap();
    assert_eq!(model.totals(), Totals { queries: 4, requests: 4, retried: 3 });
    assert_eq!(clock.now(), Duration::from_millis(500 + 1000 + 7000));
}

#[test]
fn attempts_end_after_the_last_retry_and_unanswered_rows_do_not_count() {
    let (script, _) = script(vec![busy(None); 9]);
    let retry = Retry { retries: 2, ..Retry::default() };
    let model = remote(script, Settings { classes: Some(3), retry, ..Settings::default() })
        .0
        .scores()
        .unwrap();
    let error = model.logits(rows(4)).unwrap_err();
    let told = "the model did not answer: gave up after 3 attempts: script: HTTP status 503";
    assert_eq!(error.to_string(), told);
    assert_eq!(model.totals(), Totals { queries: 0, requests: 3, retried: 2 });
}

#[test]
fn a_failure_for_good_and_a_wait_that_is_too_long_are_not_repeated() {
    let fatal = Fault::Final(RemoteError::LabelsOnly { endpoint: "script".into() });
    let (script, _) = script([fatal, busy(Some(61))]);
    let model =
        remote(script, Settings { classes: Some(3), ..Settings::default() }).0.scores().unwrap();
    assert!(model.logits(rows(1)).is_err());
    let told = model.logits(rows(1)).unwrap_err().to_string();
    assert!(
        told.contains("asks to wait 61.0 s, longer than `longest_wait_seconds`, 60.0"),
        "{told}"
    );
    assert_eq!(model.totals(), Totals { queries: 0, requests: 2, retried: 0 });
}

#[test]
fn requests_keep_to_the_rate_repeated_ones_included() {
    let (script, _) = script([busy(None)]);
    let retry = Retry { first_wait_seconds: 0.0, ..Retry::default() };
    let settings = Settings {
        classes: Some(3),
        rows_per_request: 1,
        requests_per_second: Some(4.0),
        retry,
        ..Settings::default()
    };
    let (remote, clock) = remote(script, settings);
    let model = remote.scores().unwrap();
    model.logits(rows(4)).unwrap();
    assert_eq!(model.totals().requests, 5);
    assert_eq!(clock.now(), Duration::from_secs(1));
}

#[test]
fn a_user_who_stops_ends_a_wait() {
    let (script, _) = script(vec![busy(None); 9]);
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let (remote, clock) = remote(script, Settings { classes: Some(3), ..Settings::default() });
    let model =
        remote.with_stop(move || counter.fetch_add(1, Ordering::Relaxed) >= 3).scores().unwrap();
    assert_eq!(model.logits(rows(1)).unwrap_err(), duress_core::Error::Cancelled);
    assert_eq!(clock.now(), Duration::from_millis(100));
    assert_eq!(model.totals().requests, 1);
}

#[test]
fn rows_that_cannot_be_sent_are_named_and_not_sent() {
    let (script, seen) = script([]);
    let model =
        remote(script, Settings { classes: Some(3), ..Settings::default() }).0.scores().unwrap();
    let wide = Tensor::<2>::zeros([1, 3], &Device::flex());
    assert!(model.logits(wide).unwrap_err().to_string().contains("expected [N, 2], got [N, 3]"));
    let bad = Tensor::<2>::from_floats([[0.0, 1.0], [f32::NAN, 0.0]], &Device::flex());
    assert!(model.logits(bad).unwrap_err().to_string().contains("row 1, feature 0 is NaN"));
    assert!(seen.lock().unwrap().is_empty());
}

#[test]
fn what_only_labels_answer_is_no_oracle_of_scores() {
    let labels = Settings { output: OutputKind::Labels, ..Settings::default() };
    let (first, _) = script([]);
    assert!(matches!(
        remote(first, labels.clone()).0.scores(),
        Err(RemoteError::LabelsOnly { .. })
    ));
    let (second, _) = script([]);
    assert!(matches!(remote(second, labels).0.labels(), Err(RemoteError::ClassesUnknown { .. })));
    let (third, _) = script([]);
    let model = remote(third, Settings::default()).0.labels().unwrap();
    assert_eq!((model.classes(), model.totals().queries), (3, 1));
    assert_eq!(host::labels(model.labels(rows(2)).unwrap()).unwrap(), [1, 1]);
}
