//! The comparison with other toolkits: their environment, our program, the networks, the tables.
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use cargo_metadata::Metadata;

use crate::run::{call, cargo, forward, line};

#[derive(clap::Args)]
pub(crate) struct Comparison {
    /// Times duress beside other attack libraries, which come from a package index the first time.
    #[arg(long, conflicts_with_all = ["quick", "device", "suite", "micro"])]
    pub(crate) peers: bool,
    /// Attacks of `benches/peers/plan.py`, separated by commas; all of them unless some are named.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "peers")]
    only: Vec<String>,
    /// Attacks so many images instead of each attack's own number.
    #[arg(long, value_name = "N", requires = "peers")]
    samples: Option<u32>,
    /// Threads of each toolkit.
    #[arg(long, value_name = "T", default_value_t = 1, requires = "peers")]
    threads: u32,
    /// Rounds from toolkit to toolkit.
    #[arg(long, value_name = "R", default_value_t = 3, requires = "peers")]
    rounds: u32,
    /// Folders with a network; without any, two are trained, on MNIST or on the embedded digits.
    #[arg(long, value_name = "DIR", num_args = 1.., requires = "peers")]
    models: Vec<PathBuf>,
    /// The Python that has the toolkits; without it, an environment is made once.
    #[arg(long, value_name = "PATH", requires = "peers")]
    python: Option<PathBuf>,
    /// A checkout of the official `AutoAttack`, which is no package.
    #[arg(long, value_name = "CHECKOUT", requires = "peers")]
    autoattack: Option<PathBuf>,
}

/// Where the comparison keeps what it makes, in the target folder.
const KEPT: &str = "peers";

/// In an environment: the requirements it was made of, then a line for each that is missing.
const MARK: &str = "duress-installed.txt";

/// Builds, gets what is missing and compares; the code is that of `compare.py`.
///
/// # Errors
/// If the build fails, no Python is found or a network cannot be trained.
pub(crate) fn run(metadata: &Metadata, peers: &Comparison, more: &[String]) -> Result<ExitCode> {
    let program = program(metadata)?;
    let kept = metadata.target_directory.join(KEPT).into_std_path_buf();
    let models = match &peers.models[..] {
        [] => own_models(metadata, &program, &kept)?,
        given => given.iter().map(|path| absolute(path)).collect::<Result<_>>()?,
    };
    let scripts = metadata.workspace_root.join("benches/peers").into_std_path_buf();
    let (python, missing) = match &peers.python {
        Some(python) => (python.clone(), Vec::new()),
        None => environment(&kept.join("environment"), &scripts.join("requirements.txt"))?,
    };
    let mut command = Command::new(python);
    command.arg(scripts.join("compare.py"));
    command.args(options(peers, &program, &models)?);
    command.arg("--out").arg(kept.join("peers.json")).args(more);
    let code = forward(&mut command)?;
    for missing in missing {
        println!("Not installed: {missing}");
    }
    Ok(code)
}

/// What `compare.py` is told.
fn options(peers: &Comparison, program: &Path, models: &[PathBuf]) -> Result<Vec<String>> {
    let text = |path: &Path| {
        let text = path.to_str().map(ToOwned::to_owned);
        text.with_context(|| format!("the path {} is not Unicode", path.display()))
    };
    // `compare.py` splits the command as a shell does.
    let quoted = format!("'{}'", text(program)?.replace('\'', r#"'"'"'"#));
    let mut options = vec!["--duress".to_owned(), quoted, "--models".to_owned()];
    for model in models {
        options.push(text(model)?);
    }
    if !peers.only.is_empty() {
        options.push("--only".to_owned());
        options.extend(peers.only.iter().cloned());
    }
    if let Some(checkout) = &peers.autoattack {
        options.extend(["--autoattack".to_owned(), text(&absolute(checkout)?)?]);
    }
    if let Some(samples) = peers.samples {
        options.extend(["--samples".to_owned(), samples.to_string()]);
    }
    options.extend(["--threads".to_owned(), peers.threads.to_string()]);
    options.extend(["--rounds".to_owned(), peers.rounds.to_string()]);
    Ok(options)
}

/// Builds `duress-peers` in the profile and with the features of the tests.
fn program(metadata: &Metadata) -> Result<PathBuf> {
    let build = ["build", "--quiet", "-p", "duress-peers", "-p", "workspace-features"];
    call(&mut cargo(metadata, build)).context("building the program that is timed")?;
    let file = format!("duress-peers{}", std::env::consts::EXE_SUFFIX);
    Ok(metadata.target_directory.join("debug").join(file).into_std_path_buf())
}

/// A standard and a robust network, trained once.
fn own_models(metadata: &Metadata, program: &Path, kept: &Path) -> Result<Vec<PathBuf>> {
    let train = |training: &str| {
        let folder = kept.join("models").join(training);
        let mut command = Command::new(program);
        command.current_dir(&metadata.workspace_root).arg("export").arg(&folder);
        call(command.args(["--training", training])).context("training a network")?;
        Ok(folder)
    };
    ["standard", "robust"].into_iter().map(train).collect()
}

/// The Python of an environment with the requirements, made if it is not there or was made of
/// others; and what could not be installed.
fn environment(folder: &Path, requirements: &Path) -> Result<(PathBuf, Vec<String>)> {
    let wanted = std::fs::read_to_string(requirements)
        .with_context(|| format!("reading {}", requirements.display()))?;
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let mark = folder.join(MARK);
    if let Ok(made) = std::fs::read_to_string(&mark)
        && let Some(missing) = made.strip_prefix(&wanted)
    {
        return Ok((python, missing.lines().map(ToOwned::to_owned).collect()));
    }
    println!("Making {} (several gigabytes, once)", folder.display());
    let base = ["python3.11", "python3", "python"].into_iter().find(|name| {
        Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success())
    });
    let Some(base) = base else { bail!("no Python found; name one with `--python`") };
    call(Command::new(base).args(["-m", "venv", "--clear"]).arg(folder))?;
    let install = |what: &[&str]| {
        let mut command = Command::new(&python);
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"];
        command.args(pip).args(what);
        command
    };
    let all = requirements.to_str().context("the path of the requirements is not Unicode")?;
    let mut missing = Vec::new();
    if call(&mut install(&["-r", all])).is_err() {
        // One that fails must not keep out the others.
        for package in packages(&wanted) {
            let mut command = install(&[package]);
            if call(&mut command).is_err() {
                missing.push(format!("{package}; to see why: {}", line(&command)));
            }
        }
    }
    let made: Vec<String> = missing.iter().map(|missing| format!("{missing}\n")).collect();
    std::fs::write(&mark, format!("{wanted}{}", made.concat()))
        .with_context(|| format!("writing {}", mark.display()))?;
    Ok((python, missing))
}

/// The lines that name a package.
fn packages(requirements: &str) -> Vec<&str> {
    let lines = requirements.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    lines.filter(|line| !line.is_empty()).collect()
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("the path {}", path.display()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        peers: Comparison,
        more: Vec<String>,
    }

    fn parse(words: &[&str]) -> Result<Line, clap::Error> {
        Line::try_parse_from([&["bench"], words].concat())
    }

    #[derive(Parser)]
    struct Bench {
        #[command(flatten)]
        arguments: crate::bench::Arguments,
    }

    #[test]
    fn the_comparison_is_told_what_was_asked_for() {
        let line = parse(&["--peers", "--only", "pgd,ddn", "--samples", "8", "--rounds", "2"]);
        let peers = line.unwrap().peers;
        let options = options(&peers, Path::new("/a b"), &[PathBuf::from("/m")]).unwrap();
        let expected = "--duress|'/a b'|--models|/m|--only|pgd|ddn|--samples|8|--threads|1|\
                        --rounds|2";
        assert_eq!(options.join("|"), expected);
    }

    #[test]
    fn what_belongs_to_the_comparison_needs_it() {
        assert!(parse(&["--only", "pgd"]).is_err() && parse(&["--samples", "3"]).is_err());
        assert!(parse(&[]).is_ok_and(|line| !line.peers.peers && line.more.is_empty()));
        let both = Bench::try_parse_from(["bench", "--peers", "--micro"]);
        assert!(both.is_err());
        let bench = Bench::try_parse_from(["bench", "--peers", "--threads", "2"]).unwrap();
        assert!(bench.arguments.comparison.peers);
    }

    #[test]
    fn comments_are_no_packages() {
        let text = "# a\n\nb==1\nc==2  # why\n   # d\n";
        assert_eq!(packages(text), ["b==1", "c==2"]);
    }

    /// What is missing stands after the requirements and is told again without a second try.
    #[test]
    fn an_environment_is_made_once() {
        let folder = std::env::temp_dir().join(format!("xtask-peers-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let requirements = folder.join("requirements.txt");
        std::fs::write(&requirements, "a==1\n").unwrap();
        std::fs::write(folder.join(MARK), "a==1\na==1; to see why: pip\n").unwrap();
        let (python, missing) = environment(&folder, &requirements).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(python.starts_with(&folder));
        assert_eq!(missing, ["a==1; to see why: pip"]);
    }
}
