//! Where things are on this machine.
use std::env;
use std::path::PathBuf;

use duress_evaluation::datasets::Folders;

use crate::commands::Result;

/// Overrides the folder of the data sets.
const DATA: &str = "DURESS_DATA";

/// The folder for what can be made or fetched again.
fn cache() -> Result<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(folder) = set("XDG_CACHE_HOME").filter(|folder| folder.is_absolute()) {
        return Ok(folder.join("duress"));
    }
    match set("HOME").or_else(|| set("LOCALAPPDATA")) {
        Some(home) => Ok(home.join(".cache").join("duress")),
        None => anyhow::bail!("no home folder: give --cache and --data-folder"),
    }
}

/// Where trained models are kept.
pub(crate) fn models(given: Option<PathBuf>) -> Result<PathBuf> {
    given.map_or_else(|| Ok(cache()?.join("models")), Ok)
}

/// Where fetched data sets are kept.
pub(crate) fn fetched(given: Option<PathBuf>) -> Result<PathBuf> {
    match given.or_else(|| env::var_os(DATA).map(PathBuf::from)) {
        Some(folder) => Ok(folder),
        None => Ok(cache()?.join("data")),
    }
}

/// Where data sets are looked for: the given folder, `DURESS_DATA`, then the cache.
pub(crate) fn data(given: Option<PathBuf>) -> Folders {
    let mut roots: Vec<PathBuf> = given.into_iter().collect();
    roots.extend(env::var_os(DATA).map(PathBuf::from));
    if let Ok(cache) = cache() {
        roots.push(cache.join("data"));
    }
    Folders::new(roots)
}
