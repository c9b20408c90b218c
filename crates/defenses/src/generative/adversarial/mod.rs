//! Generative adversarial networks on small pictures and on rows of any kind.
mod critic;
mod generator;
mod objective;
mod plan;
mod players;

pub use critic::Critic;
pub use generator::{Generator, LatentMap};
pub use objective::Game;
pub use plan::GanPlan;
pub use players::Players;
