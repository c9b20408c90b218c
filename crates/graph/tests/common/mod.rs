//! Third-party networks, where they are on this machine.
use std::path::{Path, PathBuf};

/// The folder of third-party networks: `DURESS_MODELS`, else `../shared/models` beside the
/// workspace. `None`, and a line that says so, where there is none.
pub(crate) fn models() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/models");
    let folder = std::env::var_os("DURESS_MODELS").map_or(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("SKIPPED: no third-party networks in {}", folder.display());
    None
}

/// All ONNX files below the folder, in order.
pub(crate) fn networks() -> Vec<PathBuf> {
    let mut open: Vec<PathBuf> = models().into_iter().collect();
    let mut files = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|kind| kind == "onnx") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}
