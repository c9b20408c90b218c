//! Chores of the workspace: `cargo xtask check | test | bench | tidy | tables | package | data`.
#![expect(clippy::print_stderr, clippy::print_stdout, reason = "a program for people")]
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod check;
mod data;
mod package;
mod run;
mod tables;
mod test;
mod tidy;

/// Chores of the workspace. Nothing is installed and nothing is published.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Format, clippy with warnings denied, tidy: the fast part of `test`.
    Check,
    /// Everything that must hold before a change is taken.
    Test(test::Arguments),
    /// The comparison of defences by `duress run`, the timings of `benches/` or other toolkits.
    Bench(bench::Arguments),
    /// The rules of the house that no compiler checks.
    Tidy,
    /// Writes the table of attacks into the README of their crate.
    Tables,
    /// Whether each crate's package is whole. Publishes nothing.
    Package,
    /// Lists data sets and fetches remote ones (`duress data`).
    Data(data::Arguments),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().chore {
        Chore::Check => check::run().map(|()| ExitCode::SUCCESS),
        Chore::Test(arguments) => test::run(&arguments).map(|()| ExitCode::SUCCESS),
        Chore::Bench(arguments) => bench::run(&arguments),
        Chore::Tidy => check::tidy().map(|()| ExitCode::SUCCESS),
        Chore::Tables => tables::run().map(|()| ExitCode::SUCCESS),
        Chore::Package => test::packages().map(|()| ExitCode::SUCCESS),
        Chore::Data(arguments) => data::run(&arguments),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
