//! The same seeded computation on Flex and on another device.
//!
//! The tolerances are stated where they are used. What is drawn on the host is the same bits
//! everywhere; what is computed differs by rounding; what takes a sign of a number near zero may
//! differ by a whole step there, and is held to the share of features for which that happens and
//! to the loss that is reached.
#![allow(clippy::unwrap_used, clippy::print_stdout)]
use std::sync::LazyLock;

use duress_core::Domain;
use duress_models::Architecture;
use duress_parity::{Missing, Side, others, reference};

mod attacks;
#[path = "../../../../crates/graph/tests/cases/mod.rs"]
mod cases;
mod graphs;
mod passes;
mod regions;
mod smoothing;
mod training;

/// Opened once: a device compiles its kernels on first use.
static SIDES: LazyLock<Result<(Side, Vec<Side>), Missing>> =
    LazyLock::new(|| Ok((reference().unwrap(), others()?)));

/// Compares the reference with every other side.
fn compare(what: &str, test: impl Fn(&Side, &Side) -> Vec<String>) {
    let (reference, others) = match &*SIDES {
        Ok(sides) => sides,
        Err(missing) => panic!("{missing}"),
    };
    for other in others {
        for line in test(reference, other) {
            println!("parity {} | {} | {what}: {line}", reference.name, other.name);
        }
    }
}

const SIDE: usize = 8;
const FEATURES: usize = SIDE * SIDE;
const CLASSES: usize = 10;

fn domain() -> Domain {
    Domain::image(1, SIDE, SIDE).unwrap()
}

/// Strided convolutions and linear layers.
fn small() -> Architecture {
    Architecture::SmallCnn {}
}

/// Convolutions of 3 by 3, batch norms and residual connections.
fn residual() -> Architecture {
    Architecture::ResNet { depth: 8 }
}
