//! Which weights of a training an experiment asks for.
use serde::{Deserialize, Serialize};

/// Which weights of a training are evaluated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Checkpoint {
    /// Those after the epoch that was measured best; the last ones where nothing was measured.
    #[default]
    Best,
    /// Those after the last epoch.
    Last,
}
