//! Which crate may depend on which, and who may choose a backend.
use cargo_metadata::{Dependency, DependencyKind, Package};

use super::Fault;

/// Every package of the workspace and those of the workspace it may depend on. An edge that is not
/// here is a mistake in the code or a decision to write down, here and in ARCHITECTURE.md.
const LAYERS: &[(&str, &[&str])] = &[
    // 0
    ("duress-core", &[]),
    // 1
    ("duress-attacks", &["duress-core"]),
    ("duress-datasets", &["duress-core"]),
    ("duress-graph", &["duress-core"]),
    ("duress-metrics", &["duress-core"]),
    ("duress-remote", &["duress-core"]),
    // 2
    ("duress-models", &["duress-core", "duress-graph"]),
    // 3
    ("duress-certification", &["duress-core", "duress-graph", "duress-metrics", "duress-models"]),
    ("duress-defenses", &["duress-attacks", "duress-core", "duress-models"]),
    // 4
    ("duress-evaluation", LIBRARIES),
    // 5
    ("duress-cli", &["duress-evaluation"]),
    // Beside the layers.
    (
        "duress",
        &[
            "duress-attacks",
            "duress-certification",
            "duress-core",
            "duress-datasets",
            "duress-defenses",
            "duress-evaluation",
            "duress-graph",
            "duress-metrics",
            "duress-models",
            "duress-remote",
        ],
    ),
    ("duress-benches", TOOLS),
    ("duress-parity", TOOLS),
    ("duress-peers", TOOLS),
    ("workspace-features", &[]),
    ("xtask", &[]),
];

/// Layers 0 to 3.
const LIBRARIES: &[&str] = &[
    "duress-attacks",
    "duress-certification",
    "duress-core",
    "duress-datasets",
    "duress-defenses",
    "duress-graph",
    "duress-metrics",
    "duress-models",
    "duress-remote",
];

/// What measures the workspace may use all of layers 0 to 3.
const TOOLS: &[&str] = &[
    "duress-attacks",
    "duress-certification",
    "duress-core",
    "duress-datasets",
    "duress-defenses",
    "duress-graph",
    "duress-metrics",
    "duress-models",
    "duress-remote",
    "workspace-features",
];

/// Packages that may turn on an execution backend.
const CHOOSERS: &[&str] = &[
    "duress-benches",
    "duress-cli",
    "duress-parity",
    "duress-peers",
    "workspace-features",
    "xtask",
];

/// Features of burn that each compile an execution backend.
const BACKENDS: &[&str] = &[
    "cpu", "cuda", "default", "flex", "metal", "ndarray", "remote", "rocm", "tch", "vulkan",
    "webgpu", "wgpu",
];

/// Where the features of every external dependency come together.
const FEATURES: &str = "workspace-features";

/// All rules about dependencies.
pub(super) fn check(packages: &[Package]) -> Vec<Fault> {
    let members: Vec<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let mut faults = Vec::new();
    for package in packages {
        faults.extend(layers(package, &members));
        faults.extend(backends(package));
        faults.extend(shared_features(package, packages, &members));
    }
    faults
}

/// Edges to crates of the workspace, but for those that only tests use.
fn layers(package: &Package, members: &[&str]) -> Vec<Fault> {
    let name = package.name.as_str();
    let Some((_, allowed)) = LAYERS.iter().find(|(known, _)| *known == name) else {
        return vec![Fault::new(
            name,
            0,
            "is not in the table of layers (xtask/src/tidy/edges.rs)",
        )];
    };
    let edges = package.dependencies.iter().filter(|edge| is_shipped(edge));
    edges
        .filter(|edge| members.contains(&edge.name.as_str()) && !allowed.contains(&&*edge.name))
        .map(|edge| Fault::new(name, 0, format!("must not depend on {}", edge.name)))
        .collect()
}

/// A library leaves the backend to whoever uses it.
fn backends(package: &Package) -> Vec<Fault> {
    let name = package.name.as_str();
    if CHOOSERS.contains(&name) {
        return Vec::new();
    }
    let mut faults = Vec::new();
    for edge in package.dependencies.iter().filter(|edge| is_shipped(edge)) {
        if let Some(backend) = edge.name.strip_prefix("burn-")
            && BACKENDS.contains(&backend)
        {
            faults.push(Fault::new(name, 0, format!("must not depend on {}", edge.name)));
        }
        if !(edge.name == "burn" || edge.name.starts_with("duress-")) {
            continue;
        }
        let chosen = edge.features.iter().filter(|feature| BACKENDS.contains(&feature.as_str()));
        faults.extend(chosen.map(|feature| {
            let told = format!("must not turn on `{feature}` of {}", edge.name);
            Fault::new(name, 0, told)
        }));
        if edge.name == "burn" && edge.uses_default_features {
            faults.push(Fault::new(name, 0, "must not take the default features of burn"));
        }
    }
    faults
}

/// Each crate by itself must resolve to the features of the whole, or burn compiles again.
fn shared_features(package: &Package, packages: &[Package], members: &[&str]) -> Vec<Fault> {
    let Some(shared) = packages.iter().find(|package| package.name.as_str() == FEATURES) else {
        return vec![Fault::new(FEATURES, 0, "is not a package of the workspace")];
    };
    let mut faults = Vec::new();
    for edge in package.dependencies.iter().filter(|edge| !members.contains(&edge.name.as_str())) {
        let Some(other) = shared.dependencies.iter().find(|other| other.name == edge.name) else {
            let told = format!("{} is not in xtask/features/Cargo.toml", edge.name);
            faults.push(Fault::new(package.name.as_str(), 0, told));
            continue;
        };
        let mut missing: Vec<&str> = edge
            .features
            .iter()
            .filter(|it| !other.features.contains(it))
            .map(|it| &**it)
            .collect();
        if edge.uses_default_features && !other.uses_default_features {
            missing.push("default");
        }
        faults.extend(missing.into_iter().map(|feature| {
            let told = format!("`{feature}` of {} is not in xtask/features/Cargo.toml", edge.name);
            Fault::new(package.name.as_str(), 0, told)
        }));
    }
    faults
}

fn is_shipped(edge: &Dependency) -> bool {
    edge.kind != DependencyKind::Development
}

#[cfg(test)]
mod tests {
    use super::*;
    use cargo_metadata::MetadataCommand;

    /// A dependency: name, kind, features, whether with the default ones.
    type Edge<'a> = (&'a str, Option<&'a str>, &'a [&'a str], bool);

    fn packages(list: &[(&str, &[Edge<'_>])]) -> Vec<Package> {
        let package = |(name, edges): &(&str, &[Edge<'_>])| {
            let edges = edges.iter().map(|(name, kind, features, default)| {
                let kind = kind.map_or("null".into(), |kind| format!("{kind:?}"));
                format!(
                    r#"{{"name":"{name}","req":"*","kind":{kind},"optional":false,
                       "uses_default_features":{default},"features":{features:?},"source":null,
                       "target":null,"rename":null,"registry":null}}"#
                )
            });
            format!(
                r#"{{"name":"{name}","version":"0.1.0","id":"{name}","dependencies":[{}],
                   "targets":[],"features":{{}},"manifest_path":"/Cargo.toml"}}"#,
                edges.collect::<Vec<_>>().join(",")
            )
        };
        let list = list.iter().map(package).collect::<Vec<_>>().join(",");
        let text = format!(
            r#"{{"packages":[{list}],"workspace_members":[],"resolve":null,
               "workspace_root":"/","target_directory":"/","version":1}}"#
        );
        MetadataCommand::parse(text).unwrap().packages
    }

    fn told(list: &[(&str, &[Edge<'_>])]) -> Vec<String> {
        check(&packages(list)).iter().map(ToString::to_string).collect()
    }

    const SHARED: (&str, &[Edge<'_>]) = (FEATURES, &[("burn", None, &["std", "flex"], false)]);

    #[test]
    fn an_edge_that_is_not_in_the_table_is_named_unless_only_tests_use_it() {
        let core = ("duress-core", &[][..]);
        let models = ("duress-models", &[("duress-core", None, &[][..], true)][..]);
        assert!(told(&[SHARED, core, models]).is_empty());
        let upward = ("duress-core", &[("duress-models", Some("build"), &[][..], true)][..]);
        assert_eq!(
            told(&[SHARED, upward, models]),
            ["duress-core: must not depend on duress-models"]
        );
        let tests = ("duress-core", &[("duress-models", Some("dev"), &[][..], true)][..]);
        assert!(told(&[SHARED, tests, models]).is_empty());
    }

    #[test]
    fn a_package_without_a_layer_is_named() {
        assert_eq!(told(&[SHARED, ("duress-magic", &[])]).len(), 1);
    }

    #[test]
    fn only_programs_and_tests_choose_a_backend() {
        let plain: &[Edge<'_>] = &[("burn", None, &["std"], false)];
        let chosen: &[Edge<'_>] = &[("burn", None, &["std", "flex"], false)];
        assert!(told(&[SHARED, ("duress-core", plain)]).is_empty());
        assert!(told(&[SHARED, ("duress-cli", chosen)]).is_empty());
        assert_eq!(
            told(&[SHARED, ("duress-core", chosen)]),
            ["duress-core: must not turn on `flex` of burn"]
        );
        let tests = ("duress-core", &[("burn", Some("dev"), &["flex"][..], false)][..]);
        assert!(told(&[SHARED, tests]).is_empty());
        let through = ("duress-models", &[("duress-core", None, &["wgpu"][..], true)][..]);
        assert_eq!(
            told(&[SHARED, ("duress-core", &[]), through]),
            ["duress-models: must not turn on `wgpu` of duress-core"]
        );
    }

    #[test]
    fn every_outside_dependency_and_its_features_are_shared() {
        let serde = ("duress-core", &[("serde", None, &[][..], true)][..]);
        assert_eq!(
            told(&[SHARED, serde]),
            ["duress-core: serde is not in xtask/features/Cargo.toml"]
        );
        let more = ("duress-cli", &[("burn", None, &["simd"][..], true)][..]);
        assert_eq!(
            told(&[SHARED, more]),
            [
                "duress-cli: `simd` of burn is not in xtask/features/Cargo.toml",
                "duress-cli: `default` of burn is not in xtask/features/Cargo.toml"
            ]
        );
    }

    #[test]
    fn the_table_of_layers_has_no_cycle() {
        // Every package stands after those it may depend on, but for the tools' own features.
        let place = |name: &str| LAYERS.iter().position(|(known, _)| *known == name);
        for (name, allowed) in LAYERS {
            for other in allowed.iter().filter(|other| **other != FEATURES) {
                assert!(place(other) < place(name), "{name} → {other}");
            }
        }
    }
}
