//! Bars on a terminal, plain lines elsewhere; rows as they come; Ctrl-C.
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

use console::Term;
use duress_evaluation::core::Progress;
use duress_evaluation::{Experiment, Observer, Row, comparison};
use indicatif::{ProgressBar, ProgressStyle};

use crate::commands::Result;
use crate::output;
use crate::table::Table;

/// Set by Ctrl-C.
static STOP: AtomicBool = AtomicBool::new(false);
static INTERRUPTS: AtomicU32 = AtomicU32::new(0);

/// Lets a first Ctrl-C end the run at its next safe place, and a second one at once.
pub(crate) fn watch_interrupts() -> Result<()> {
    ctrlc::set_handler(|| {
        STOP.store(true, Ordering::Relaxed);
        if INTERRUPTS.fetch_add(1, Ordering::Relaxed) > 0 {
            std::process::exit(130);
        }
        output::remark("stopping at the next safe place; once more to stop at once");
    })?;
    Ok(())
}

/// Whether there was a Ctrl-C.
pub(crate) fn interrupted() -> bool {
    STOP.load(Ordering::Relaxed)
}

/// How long plain output stays silent.
const QUIET: Duration = Duration::from_secs(10);

/// Shows a run: results on standard output, how far it is on standard error.
pub(crate) struct Screen {
    shows: Shows,
    head: Once,
    terminal: bool,
    phase: Mutex<Phase>,
}

/// What stands on standard output.
enum Shows {
    Table(Table),
    Rows,
    Nothing,
}

/// What is being done.
#[derive(Default)]
struct Phase {
    what: String,
    total: u64,
    done: u64,
    /// When plain output last spoke.
    last: Option<Instant>,
    /// On a terminal.
    bar: Option<ProgressBar>,
}

impl Screen {
    /// A screen for `experiment`; `json` replaces the table by rows.
    pub(crate) fn new(experiment: &Experiment, json: bool) -> Self {
        let terminal = Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
        Self::showing(if json {
            Shows::Rows
        } else {
            Shows::Table(Table::new(experiment, terminal))
        })
    }

    /// A screen without a table.
    pub(crate) fn bare() -> Self {
        Self::showing(Shows::Nothing)
    }

    fn showing(shows: Shows) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { shows, head: Once::new(), terminal, phase: Mutex::default() }
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prints without disturbing the bar.
    fn undisturbed(&self, print: impl FnOnce()) {
        match &self.phase().bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    fn print(&self, text: &str) {
        self.undisturbed(|| {
            // The run goes on although nobody reads: its rows are in the files.
            let _ = output::line(text);
        });
    }
}

/// A bar of its own for each phase: it leaves nothing behind.
fn bar(what: &str, total: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {percent:>3} % {eta:>4} left");
    ProgressBar::new(total)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_message(what.to_owned())
}

impl Progress for Screen {
    fn begin(&self, what: &str, total: u64) {
        let mut phase = self.phase();
        if let Some(bar) = phase.bar.take() {
            bar.finish_and_clear();
        }
        let bar = self.terminal.then(|| bar(what, total));
        let last = phase.last;
        *phase = Phase { what: what.into(), total, done: 0, last, bar };
    }

    fn advance(&self, units: u64) {
        let mut phase = self.phase();
        phase.done += units;
        if let Some(bar) = &phase.bar {
            bar.inc(units);
            return;
        }
        let now = Instant::now();
        if phase.last.get_or_insert(now).elapsed() >= QUIET {
            phase.last = Some(now);
            output::remark(&format!("{}: {} of {}", phase.what, phase.done, phase.total));
        }
    }

    fn note(&self, message: &str) {
        self.undisturbed(|| output::remark(message));
    }

    fn end(&self) {
        if let Some(bar) = self.phase().bar.take() {
            bar.finish_and_clear();
        }
    }

    fn cancelled(&self) -> bool {
        interrupted()
    }
}

impl Observer for Screen {
    fn row(&self, row: &Row) {
        if let Shows::Rows = self.shows
            && let Ok(text) = serde_json::to_string(row)
        {
            self.print(&text);
        }
    }

    fn model_done(&self, rows: &[Row], model: &str) {
        if let Shows::Table(table) = &self.shows
            && let Some(found) = comparison(rows).iter().find(|found| found.model == model)
        {
            self.head.call_once(|| {
                if let Some(head) = table.head() {
                    self.print(&head);
                }
            });
            self.print(&table.model(found));
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.end();
    }
}
