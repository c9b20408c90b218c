//! Everything that must hold before a change is taken.
use anyhow::Result;
use clap::ValueEnum;

use crate::run::{call, cargo, metadata, stage};
use crate::{check, package};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Also build for a GPU and compare it with the CPU: `wgpu` unless another is named.
    #[arg(long, value_name = "NAME", value_enum, num_args = 0..=1, default_missing_value = "wgpu")]
    gpu: Option<Gpu>,
    /// With `--gpu`: leave out what `cargo xtask test` does without it.
    #[arg(long, requires = "gpu")]
    only: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Gpu {
    Wgpu,
    Vulkan,
    Metal,
    Cuda,
}

/// The checks, all tests, the documentation and the packages; with `--gpu` the parity too.
///
/// # Errors
/// The first stage that fails.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if !arguments.only {
        cpu()?;
    }
    arguments.gpu.map_or(Ok(()), parity)
}

fn cpu() -> Result<()> {
    check::run()?;
    let metadata = metadata()?;
    stage("tests", || call(&mut cargo(&metadata, ["test", "--workspace"])))?;
    stage("documentation", || {
        // Libraries only: the command line shares its name with the facade.
        let arguments = ["doc", "--quiet", "--workspace", "--no-deps", "--lib"];
        call(cargo(&metadata, arguments).env("RUSTDOCFLAGS", "-D warnings"))
    })?;
    packages()
}

/// What would be published.
///
/// # Errors
/// All that is missing.
pub(crate) fn packages() -> Result<()> {
    stage("packages", || package::run(&metadata()?))
}

/// The tests fail, not skip, where there is no GPU.
fn parity(gpu: Gpu) -> Result<()> {
    let metadata = metadata()?;
    let feature = gpu.to_possible_value().map_or_else(String::new, |name| name.get_name().into());
    let build = ["test", "--no-run", "-p", "duress-parity", "--features", &feature];
    stage(&format!("build for {feature}"), || call(&mut cargo(&metadata, build)))?;
    let test = ["test", "-p", "duress-parity", "--features", &feature, "--", "--nocapture"];
    stage(&format!("parity of flex and {feature}"), || call(&mut cargo(&metadata, test)))
}
