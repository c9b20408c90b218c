//! `duress generate`, from its words to a training that mixes its samples in.
#![allow(clippy::unwrap_used)]
mod common;

use common::{EXPERIMENT, World};
use duress_evaluation::datasets::{Input, npz};

const GAN: &str = "name = \"gan\"\nlatent = 4\nwidth = 4\nepochs = 1\n";
const DIFFUSION: &str = "name = \"diffusion\"\nsteps = 4\nwidth = 2\nepochs = 1\n";

fn words<'a>(config: &'a str, out: &'a str) -> Vec<&'a str> {
    let place = ["--samples", "30", "--sheet", "a sheet.png"];
    let mut words =
        vec!["generate", "e.toml", "--model", "small", "--config", config, "--out", out];
    words.extend(place);
    words
}

/// Values and labels: an archive also holds when it was written.
fn content(world: &World, name: &str) -> (Vec<f32>, Vec<usize>) {
    let file = Input::open(&world.path(name)).unwrap();
    let read = npz::dataset("made", file, &npz::Options::default()).unwrap();
    (read.values().to_vec(), read.labels().to_vec())
}

#[test]
fn samples_of_either_generator_are_written_and_mixed_into_a_training() {
    let world = World::new();
    world.file("e.toml", EXPERIMENT);
    for (config, text) in [("gan.toml", GAN), ("diffusion.toml", DIFFUSION)] {
        world.file(config, text);
        let said = world.words(words(config, "made samples.npz")).succeeded();
        assert!(said.stdout.contains("30 of 30 drawn  made samples.npz"), "{}", said.stdout);
        let sheet = std::fs::read(world.path("a sheet.png")).unwrap();
        assert!(sheet.starts_with(b"\x89PNG"));
        // The same again, from the cache; another seed draws others.
        let first = content(&world, "made samples.npz");
        let again = world.words(words(config, "again.npz")).succeeded();
        assert!(again.stderr.contains("trained before"), "{}", again.stderr);
        assert_eq!(content(&world, "again.npz"), first);
        assert_eq!(first.0.len(), 30 * 64);
        let mut other = words(config, "other.npz");
        other.extend(["--seed", "1"]);
        world.words(other).succeeded();
        assert_ne!(content(&world, "other.npz").0, first.0);
        let mixed = EXPERIMENT.replacen(
            "epochs = 1\n",
            "epochs = 1\nmix = { file = \"made samples.npz\", share = 0.25 }\n",
            1,
        );
        world.file("mixed.toml", mixed);
        world
            .words(["train", "mixed.toml", "--model", "small", "--out", "m.safetensors"])
            .succeeded();
    }
}

#[test]
fn what_cannot_be_generated_says_why_before_anything_is_trained() {
    let world = World::new();
    world.file("e.toml", EXPERIMENT);
    world.file("gan.toml", GAN);
    world.file("wrong.toml", "name = \"gan\"\nlatnet = 4\n");
    world.file("none.toml", "name = \"vae\"\n");
    world.file("big.toml", "name = \"gan\"\nlatent = 0\n");
    let before = world.listing();
    let refused = |words: &[&str], parts: &[&str]| {
        let said = world.words(words);
        assert_eq!(said.code, Some(2), "{}", said.stderr);
        assert_eq!(said.stderr.lines().count(), 1, "{}", said.stderr);
        assert!(parts.iter().all(|part| said.stderr.contains(part)), "{}", said.stderr);
    };
    refused(&words("gone.toml", "m.npz"), &["gone.toml"]);
    refused(&words("wrong.toml", "m.npz"), &["wrong.toml", "unknown field `latnet`"]);
    refused(&words("none.toml", "m.npz"), &["no generator `vae`; known: gan, diffusion"]);
    refused(&words("gan.toml", "m.zip"), &["--out m.zip", ".npz"]);
    refused(&words("gan.toml", "no/m.npz"), &["no/m.npz"]);
    let mut model = words("gan.toml", "m.npz");
    model[3] = "big";
    refused(&model, &["no model `big`; there are: small"]);
    assert_eq!(world.listing(), before);
    let mut sure = words("gan.toml", "m.npz");
    sure.extend(["--least-confidence", "1"]);
    refused(&sure, &["least_confidence", "in [0, 1)"]);
    refused(&words("big.toml", "m.npz"), &["latent", "between 1 and 4096"]);
    assert!(!world.path("m.npz").exists() && !world.path("a sheet.png").exists());
}
