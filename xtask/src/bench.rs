//! The main job, by the command line of the workspace, the timings and the other toolkits.
mod peers;

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use cargo_metadata::Metadata;
use clap::ValueEnum;

use crate::run::{call, cargo, forward, metadata};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A smaller version of the experiment, for a look.
    #[arg(long, conflicts_with = "micro")]
    quick: bool,
    /// Where to compute; anything but `flex` is compiled in first.
    #[arg(long, value_name = "NAME", value_enum, default_value = "flex", conflicts_with = "micro")]
    device: DeviceName,
    /// The experiment: a file of `experiments/` without its ending.
    #[arg(long, value_name = "NAME", default_value = SUITE, conflicts_with = "micro")]
    suite: String,
    /// Runs the timings of `benches/` instead.
    #[arg(long)]
    micro: bool,
    #[command(flatten)]
    comparison: peers::Comparison,
    /// Handed on to `duress run`, with `--micro` to criterion, with `--peers` to `compare.py`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    more: Vec<String>,
}

/// What runs without arguments.
const SUITE: &str = "compare-defenses-digits";

/// Where runs are kept, relative to the root, whatever the target folder is.
const RUNS: &str = "target/duress";

/// Whether what is handed on says itself where the run is kept.
fn names_a_folder(more: &[String]) -> bool {
    let mut flags = more.iter().map(|word| word.split('=').next().unwrap_or_default());
    flags.any(|flag| flag == "--out" || flag == "--runs")
}

/// The devices by name; each but `flex`, which is always there, is a feature of the command line.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DeviceName {
    Flex,
    Ndarray,
    Wgpu,
    Vulkan,
    Metal,
    Cuda,
}

impl DeviceName {
    fn name(self) -> &'static str {
        match self {
            DeviceName::Flex => "flex",
            DeviceName::Ndarray => "ndarray",
            DeviceName::Wgpu => "wgpu",
            DeviceName::Vulkan => "vulkan",
            DeviceName::Metal => "metal",
            DeviceName::Cuda => "cuda",
        }
    }
}

/// Builds and runs; the code is that of the program run.
///
/// # Errors
/// If the build fails or there is no such experiment.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let metadata = metadata()?;
    if arguments.comparison.peers {
        return peers::run(&metadata, &arguments.comparison, &arguments.more);
    }
    if arguments.micro {
        // The profile of the tests is optimised; a second one would compile burn again.
        let timings = ["bench", "--profile", "dev", "-p", "duress-benches", "--"];
        return forward(cargo(&metadata, timings).args(&arguments.more));
    }
    let experiment = experiment(&metadata, &arguments.suite, arguments.quick)?;
    let mut command = binary(&metadata, Some(arguments.device))?;
    command.args(["run", &experiment, "--device", arguments.device.name()]);
    if !names_a_folder(&arguments.more) {
        command.args(["--runs", RUNS]);
    }
    forward(command.args(&arguments.more))
}

/// Builds the command line with a device and returns it, to run in the workspace's root.
///
/// # Errors
/// If the build fails.
pub(crate) fn binary(metadata: &Metadata, device: Option<DeviceName>) -> Result<Command> {
    // `workspace-features` keeps the features, and with them the objects, those of the tests.
    let mut build =
        cargo(metadata, ["build", "--quiet", "-p", "duress-cli", "-p", "workspace-features"]);
    if let Some(device) = device.filter(|&device| device != DeviceName::Flex) {
        build.args(["--features", &format!("duress-cli/{}", device.name())]);
    }
    call(&mut build).context("building the command line")?;
    let file = format!("duress{}", std::env::consts::EXE_SUFFIX);
    let mut command = Command::new(metadata.target_directory.join("debug").join(file));
    command.current_dir(&metadata.workspace_root);
    Ok(command)
}

/// The experiment's file, relative to the root.
fn experiment(metadata: &Metadata, suite: &str, quick: bool) -> Result<String> {
    let folder = metadata.workspace_root.join("experiments");
    find(folder.as_std_path(), suite, quick)
}

fn find(folder: &Path, suite: &str, quick: bool) -> Result<String> {
    let name = format!("{suite}{}", if quick { "-quick" } else { "" });
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("reading the folder {}", folder.display()))?;
    let mut known: Vec<String> = entries
        .filter_map(|entry| Some(entry.ok()?.file_name().to_str()?.strip_suffix(".toml")?.into()))
        .collect();
    known.sort();
    if !known.contains(&name) {
        bail!("no experiment `{name}` in experiments/; there are: {}", known.join(", "));
    }
    Ok(format!("experiments/{name}.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_experiment_is_found_by_name_and_an_unknown_one_lists_the_known() {
        let folder = std::env::temp_dir().join(format!("xtask-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for name in ["one.toml", "one-quick.toml", "two.toml", "README.md"] {
            std::fs::write(folder.join(name), "").unwrap();
        }
        assert_eq!(find(&folder, "one", false).unwrap(), "experiments/one.toml");
        assert_eq!(find(&folder, "one", true).unwrap(), "experiments/one-quick.toml");
        let error = find(&folder, "two", true).unwrap_err().to_string();
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(
            error,
            "no experiment `two-quick` in experiments/; there are: one, one-quick, two"
        );
    }

    #[test]
    fn what_is_handed_on_may_name_the_folder() {
        let given = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(ToString::to_string).collect();
            names_a_folder(&words)
        };
        assert!(!given(&["--fresh", "--output"]));
        assert!(given(&["--fresh", "--out", "a"]) && given(&["--runs=a"]));
    }

    #[test]
    fn a_name_on_the_command_line_is_the_name_of_the_device() {
        for device in DeviceName::value_variants() {
            assert_eq!(device.to_possible_value().unwrap().get_name(), device.name());
        }
    }
}
