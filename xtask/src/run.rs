//! Stages, and the commands they run.
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, ExitCode, ExitStatus};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use cargo_metadata::{Metadata, MetadataCommand};

/// Runs a part of a chore, telling when it begins and how long it took.
///
/// # Errors
/// That of `work`, with the name of the stage.
pub(crate) fn stage(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("==> {name}");
    let start = Instant::now();
    work().with_context(|| format!("stage `{name}`"))?;
    println!("<== {name} {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// The workspace's packages without what they depend on.
///
/// # Errors
/// If a manifest is wrong.
pub(crate) fn metadata() -> Result<Metadata> {
    // `cargo run` sets the variable; the constant serves an executable that is run by hand.
    let folder = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let mut command = MetadataCommand::new();
    command.manifest_path(folder.join("Cargo.toml")).no_deps();
    command.exec().context("reading the workspace's manifests")
}

/// `cargo` with these arguments, in the workspace's root.
pub(crate) fn cargo<A: AsRef<OsStr>>(
    metadata: &Metadata,
    arguments: impl IntoIterator<Item = A>,
) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(&metadata.workspace_root).args(arguments);
    command
}

/// Runs a command, its output passed through.
///
/// # Errors
/// If it cannot be started or does not succeed, with the line that repeats it.
pub(crate) fn call(command: &mut Command) -> Result<()> {
    let status = status(command)?;
    if status.success() {
        return Ok(());
    }
    bail!("{status}; to repeat it: {}", line(command))
}

/// Runs a command, its output passed through, and hands on the code it ends with.
///
/// # Errors
/// If it cannot be started.
pub(crate) fn forward(command: &mut Command) -> Result<ExitCode> {
    let status = status(command)?;
    // A command ended by a signal has no code.
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

fn status(command: &mut Command) -> Result<ExitStatus> {
    command.status().with_context(|| format!("cannot start `{}`", line(command)))
}

/// The command as one would type it: changed variables, program, arguments.
pub(crate) fn line(command: &Command) -> String {
    let variables = command.get_envs().filter_map(|(name, value)| {
        value.map(|value| format!("{}={}", name.to_string_lossy(), quoted(value)))
    });
    let program = match command.get_program() {
        program if std::env::var_os("CARGO").is_some_and(|cargo| cargo == program) => {
            "cargo".into()
        }
        program => quoted(program),
    };
    let words = variables.chain([program]).chain(command.get_args().map(quoted));
    words.collect::<Vec<_>>().join(" ")
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./=:,+".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.into_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_told_so_that_a_shell_can_repeat_it() {
        let mut command = Command::new("cargo");
        command.env("RUSTDOCFLAGS", "-D warnings").args(["doc", "--lib", "it's"]);
        assert_eq!(line(&command), r"RUSTDOCFLAGS='-D warnings' cargo doc --lib 'it'\''s'");
    }

    #[test]
    fn a_failing_command_is_an_error_with_its_line() {
        let error = call(Command::new("sh").args(["-c", "exit 3"])).unwrap_err().to_string();
        assert_eq!(error, "exit status: 3; to repeat it: sh -c 'exit 3'");
        assert!(call(Command::new("sh").args(["-c", "exit 0"])).is_ok());
    }

    #[test]
    fn a_code_is_handed_on_and_a_missing_program_is_an_error() {
        let code = forward(Command::new("sh").args(["-c", "exit 2"])).unwrap();
        assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(2)));
        let error = forward(&mut Command::new("/no such program")).unwrap_err().to_string();
        assert_eq!(error, "cannot start `'/no such program'`");
    }
}
