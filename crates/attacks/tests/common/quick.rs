//! Attacks that run in milliseconds.
use duress_attacks::{ATTACKS, Entry, find};
use duress_core::Attack;

/// Hyperparameters with which an attack runs in milliseconds, where its paper's do not. For tests
/// of contracts, which hold for any.
const QUICK: &[(&str, &str)] = &[
    ("adversarial-patch", "steps = 5"),
    ("apgd", "steps = 25"),
    ("apgd-t", "steps = 12"),
    ("bandits", "queries = 60"),
    ("bim", "steps = 4\nstep_size = 0.4"),
    ("boundary", "steps = 30"),
    ("brendel-bethge", "steps = 12\nstart_draws = 60"),
    (
        "carlini-wagner-l0",
        "steps = 30\nlearning_rate = 0.3\ninitial_constant = 1.0\nlargest_constant = 1e3\n\
         constant_factor = 10.0",
    ),
    (
        "carlini-wagner-l2",
        "search_steps = 3\nsteps = 30\nlearning_rate = 0.5\ninitial_constant = 10.0",
    ),
    (
        "carlini-wagner-linf",
        "steps = 30\nlearning_rate = 0.5\ninitial_constant = 1.0\nlargest_constant = 1e3\n\
         constant_factor = 10.0\ndecrease_factor = 0.7\nleast_threshold = 0.1",
    ),
    (
        "composite",
        "rounds = 2\nsteps = 2\ncomponents = ['rotation', 'linf', 'contrast', 'brightness']",
    ),
    ("ddn", "steps = 20"),
    ("di-fgsm", "steps = 4\nstep_size = 0.4"),
    ("ead", "search_steps = 3\nsteps = 30\nlearning_rate = 0.05\ninitial_constant = 1.0"),
    ("elastic", "draws = 3"),
    ("fab", "steps = 10\nrestarts = 2"),
    ("fab-t", "steps = 10\nrestarts = 2\ntargets = 2"),
    ("flow", "steps = 5"),
    ("fmn", "steps = 30"),
    ("gen-attack", "queries = 60"),
    ("geoda", "queries = 150"),
    ("hop-skip-jump", "steps = 2\ninitial_evaluations = 20"),
    ("joint-pgd", "steps = 6\nsearch_steps = 2"),
    ("jsma", "gamma = 1.0"),
    ("mi-fgsm", "steps = 4\nstep_size = 0.4"),
    ("nes", "queries = 60\nsamples = 10"),
    ("ni-fgsm", "steps = 4\nstep_size = 0.4"),
    ("one-pixel", "population = 10\ngenerations = 5"),
    ("orthogonal-pgd", "steps = 8"),
    ("pointwise", "restarts = 2\nbisections = 3"),
    ("rays", "queries = 100"),
    ("selective-pgd", "steps = 8"),
    ("si-ni-fgsm", "steps = 4\nstep_size = 0.4\nscales = 2"),
    ("sigma-zero", "steps = 60"),
    ("sign-opt", "queries = 200\ndirections = 20\ninitial_directions = 10"),
    ("simba", "steps = 30"),
    ("smallest-radius", "bisections = 2\nhyperparameters = { steps = 4, step_size = 0.5 }"),
    ("sparse-rs", "queries = 60"),
    ("sparse-rs-patch", "queries = 60\nsize = 1"),
    ("sparsefool", "steps = 6\nestimate_steps = 10"),
    ("spatial", "angles = 3\nshifts = 3"),
    ("spsa", "steps = 5\nsamples = 6"),
    ("square", "queries = 60"),
    ("sticker", "steps = 10"),
    ("surfree", "queries = 150"),
    ("ti-fgsm", "steps = 4\nstep_size = 0.4\nkernel_size = 3"),
    ("universal-deepfool", "passes = 2"),
    ("universal-sgd", "steps = 10"),
    ("vmi-fgsm", "steps = 3\nstep_size = 0.4\nneighbors = 2"),
    ("vni-fgsm", "steps = 3\nstep_size = 0.4\nneighbors = 2"),
    ("worst-of", "attacks = [{ name = 'fgm' }, { name = 'square', queries = 20 }]"),
    (
        "zoo",
        "iterations = 40\nsearches = 4\ninitial_constant = 1.0\nlearning_rate = 0.05\ncoordinates = 12",
    ),
];

/// The table without the frozen suites, whose members are in it.
pub fn open_entries() -> impl Iterator<Item = &'static Entry> {
    ATTACKS.iter().filter(|entry| !entry.name.starts_with("autoattack"))
}

/// The attack of that name, quick.
pub fn quick(name: &str) -> Attack {
    let text = QUICK.iter().find(|(quick, _)| *quick == name).map_or("", |(_, text)| text);
    (find(name).unwrap().parse)(toml::from_str(text).unwrap()).unwrap()
}
