//! `duress list` through the real binary, and the table that is made of it.
#![expect(clippy::unwrap_used, reason = "a test may panic")]
mod common;

use common::World;
use serde_json::Value;

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_list_parses_and_names_every_attack() {
    let world = World::new();
    let entries = lines(&world.duress("list --json").succeeded().stdout);
    let names = |kind: &str| -> Vec<&str> {
        let of_kind = entries.iter().filter(|entry| entry["kind"] == kind);
        of_kind.map(|entry| entry["name"].as_str().unwrap()).collect()
    };
    let known: Vec<&str> =
        duress_evaluation::attacks::ATTACKS.iter().map(|entry| entry.name).collect();
    assert_eq!(names("attacks"), known);
    let known: Vec<&str> =
        duress_evaluation::defenses::DEFENSES.iter().map(|entry| entry.name).collect();
    assert_eq!(names("defenses"), known);
    let known: Vec<&str> =
        duress_evaluation::defenses::DETECTORS.iter().map(|entry| entry.name).collect();
    assert_eq!(names("detectors"), known);
    assert!(entries.iter().all(|entry| entry["kind"] != "detectors" || entry["slope"].is_string()));
    assert!(names("datasets").contains(&"digits") && names("devices").contains(&"flex"));
    assert!(!names("certifiers").is_empty() && !names("models").is_empty());
    let data = lines(&world.duress("data list --json").succeeded().stdout);
    assert!(data.iter().any(|set| set["name"] == "mnist" && set["state"] == "to fetch"));
}

#[test]
fn an_attack_is_listed_with_all_that_decides_whether_it_fits() {
    let world = World::new();
    let entries = lines(&world.duress("list attacks --json").succeeded().stdout);
    let of = |name: &str| entries.iter().find(|entry| entry["name"] == name).unwrap();
    for (name, norms, access, goal, searches) in [
        ("pgd", "l1 l2 linf", "gradients", "both", "ball"),
        ("square", "l1 l2 linf", "scores", "both", "ball"),
        ("ddn", "l2", "gradients", "both", "nearest"),
        ("fab", "l1 l2 linf", "gradients", "untargeted", "nearest"),
        ("hop-skip-jump", "l2 linf", "labels", "both", "nearest"),
        ("spatial", "l0 l1 l2 linf", "labels", "both", "box"),
        ("autoattack-standard", "l1 l2 linf", "gradients", "untargeted", "ball"),
    ] {
        let entry = of(name);
        assert_eq!(entry["norms"], norms, "{entry}");
        assert_eq!(entry["access"], access, "{entry}");
        assert_eq!(entry["goal"], goal, "{entry}");
        assert_eq!(entry["searches"], searches, "{entry}");
    }
    assert_eq!(of("pgd")["reference"], "arXiv:1706.06083, arXiv:1710.06081");
}

#[test]
fn the_listing_of_attacks_is_aligned_and_fits_140_columns() {
    let world = World::new();
    let plain = world.duress("list attacks").succeeded().stdout;
    let head = plain.lines().next().unwrap();
    let titles = ["NAME", "NORMS", "ACCESS", "GOAL", "SEARCHES", "REFERENCE", "SUMMARY"];
    assert_eq!(head.split_whitespace().collect::<Vec<_>>(), titles);
    let places: Vec<usize> = titles.iter().map(|title| head.find(title).unwrap()).collect();
    let mut summaries: Vec<(String, String)> = Vec::new();
    for line in plain.lines().skip(1) {
        assert!(line.is_ascii() && line.len() <= 140, "{line}");
        // Between two columns there are two spaces, on each line.
        for &place in &places[1..] {
            let gap = line.get(place.saturating_sub(2)..place.min(line.len()));
            assert!(gap.is_none_or(|gap| gap.trim().is_empty()), "{line}");
        }
        let cell = line.get(places[6]..).unwrap_or_default();
        let name = line[..places[1].min(line.len())].trim();
        if name.is_empty() {
            let (_, summary) = summaries.last_mut().unwrap();
            *summary = format!("{summary} {cell}").trim().to_owned();
        } else {
            summaries.push((name.to_owned(), cell.to_owned()));
        }
    }
    let known = duress_evaluation::attacks::ATTACKS.iter();
    let known: Vec<_> =
        known.map(|entry| (entry.name.to_owned(), entry.summary.to_owned())).collect();
    assert_eq!(summaries, known);
}

#[test]
fn the_table_in_the_readme_of_the_attacks_is_that_of_the_listing() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../attacks/README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let (_, rest) = readme.split_once("<!-- attacks: begin.").unwrap();
    let (_, rest) = rest.split_once("-->\n").unwrap();
    let (table, _) = rest.split_once("<!-- attacks: end -->").unwrap();
    let listed = World::new().duress("list attacks --markdown").succeeded().stdout;
    assert_eq!(listed.lines().count(), 2 + duress_evaluation::attacks::ATTACKS.len());
    assert!(table == listed, "crates/attacks/README.md: run `cargo xtask tables`");
}
