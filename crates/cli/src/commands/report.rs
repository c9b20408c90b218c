//! `duress report`: the page of a run, from its rows.
use duress_evaluation::{Journal, write_report};

use super::Result;
use crate::arguments::Report;
use crate::output;

pub(super) fn report(arguments: &Report) -> Result<()> {
    let page = write_report(&Journal::read(&arguments.run)?)?;
    output::line(&format!("report  {}", page.display()))
}
