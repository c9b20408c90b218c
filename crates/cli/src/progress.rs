//! Bars on a terminal, plain lines elsewhere; rows as they come; Ctrl-C.
use std::io::IsTerminal;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use duress_evaluation::core::Progress;
use duress_evaluation::{Comparison, Experiment, Observer, Row, comparison, percent, short};
use indicatif::{ProgressBar, ProgressStyle};

use crate::commands::Result;
use crate::output;

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

/// How long plain output stays silent.
const QUIET: Duration = Duration::from_secs(10);

/// Shows a run.
pub(crate) struct Screen {
    json: bool,
    bar: Option<ProgressBar>,
    plain: Mutex<Plain>,
    table: Option<Table>,
}

#[derive(Default)]
struct Plain {
    what: String,
    total: u64,
    done: u64,
    last: Option<Instant>,
}

/// The comparison table, printed line by line.
struct Table {
    robust: Vec<String>,
    certified: Vec<String>,
    name: usize,
    defense: usize,
}

impl Screen {
    /// A screen for `experiment`; `json` replaces the table by rows.
    pub(crate) fn new(experiment: &Experiment, json: bool) -> Result<Self> {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{msg:40!} {wide_bar} {pos}/{len} {eta}");
            let bar = ProgressBar::no_length();
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        let longest = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or(0);
        let table = Table {
            robust: experiment
                .threats
                .iter()
                .map(|threat| format!("{} {}", threat.norm, short(threat.headline())))
                .collect(),
            certified: experiment
                .certifiers
                .iter()
                .flat_map(|plan| {
                    let norm = plan.certifier.norm();
                    plan.radii.iter().map(move |radius| format!("{norm} {}", short(radius.get())))
                })
                .collect(),
            name: longest(&mut experiment.models.iter().map(|m| m.name.chars().count())).max(5),
            defense: longest(&mut experiment.models.iter().map(|m| m.defense.len())).max(7),
        };
        if !json {
            output::line(&table.head())?;
        }
        Ok(Self { json, bar, plain: Mutex::default(), table: Some(table) })
    }

    /// A screen without a table.
    pub(crate) fn bare() -> Self {
        Self { json: true, bar: None, plain: Mutex::default(), table: None }
    }

    /// Prints without disturbing the bar.
    fn print(&self, text: &str) {
        let print = || {
            // The run goes on although nobody reads: its rows are in the files.
            let _ = output::line(text);
        };
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    fn plain(&self) -> std::sync::MutexGuard<'_, Plain> {
        self.plain.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Progress for Screen {
    fn begin(&self, what: &str, total: u64) {
        if let Some(bar) = &self.bar {
            bar.reset();
            bar.set_length(total);
            bar.set_message(what.to_owned());
        }
        let mut plain = self.plain();
        let last = plain.last;
        *plain = Plain { what: what.into(), total, done: 0, last };
    }

    fn advance(&self, units: u64) {
        if let Some(bar) = &self.bar {
            bar.inc(units);
            return;
        }
        let mut plain = self.plain();
        plain.done += units;
        let now = Instant::now();
        let since = plain.last.get_or_insert(now).elapsed();
        if since >= QUIET {
            plain.last = Some(now);
            output::remark(&format!("{}: {} of {}", plain.what, plain.done, plain.total));
        }
    }

    fn note(&self, message: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(message.to_owned()),
            None => output::remark(message),
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.reset();
        }
    }

    fn cancelled(&self) -> bool {
        STOP.load(Ordering::Relaxed)
    }
}

impl Observer for Screen {
    fn row(&self, row: &Row) {
        if self.json
            && self.table.is_some()
            && let Ok(text) = serde_json::to_string(row)
        {
            self.print(&text);
        }
    }

    fn model_done(&self, rows: &[Row], model: &str) {
        if let (false, Some(table)) = (self.json, &self.table)
            && let Some(line) = comparison(rows).iter().find(|line| line.model == model)
        {
            self.print(&table.line(line));
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Room for `100.0 % [99.9, 100.0]`.
const RATE: usize = 23;

impl Table {
    fn head(&self) -> String {
        let mut text = format!(
            "{:<name$}  {:<defense$}  {:<RATE$}",
            "model",
            "defence",
            "clean",
            name = self.name,
            defense = self.defense
        );
        for (kind, titles) in [("robust", &self.robust), ("certified", &self.certified)] {
            for title in titles {
                text.push_str(&format!("{:<RATE$}", format!("{kind} {title}")));
            }
        }
        text.push_str("training");
        text
    }

    fn line(&self, model: &Comparison) -> String {
        let mut text = format!(
            "{:<name$}  {:<defense$}  {:<RATE$}",
            model.model,
            model.defense,
            percent(model.clean),
            name = self.name,
            defense = self.defense
        );
        for (titles, columns) in
            [(&self.robust, &model.robust), (&self.certified, &model.certified)]
        {
            for title in titles {
                let own = columns.iter().find(|column| column.title() == *title);
                let rate = own.map_or_else(|| "–".into(), |column| percent(column.accuracy));
                text.push_str(&format!("{rate:<RATE$}"));
            }
        }
        text.push_str(&format!("{:.1} s", model.training_seconds));
        text
    }
}
