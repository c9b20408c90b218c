//! A training and a test file as two parts of one set.
use duress_core::{Bound, Domain};

use super::Opened;
use crate::{Dataset, Error, Result};

/// Puts `train` and `test` into one domain and gives both the same classes.
///
/// Boxes that were taken from each file become the smallest box that holds both; numbered classes
/// become as many as the longer list has.
///
/// # Errors
/// [`Error::Format`] if rows, columns or named classes differ.
pub fn together(train: &Opened, test: &Opened) -> Result<[Dataset; 2]> {
    let (train, test) = (&train.dataset, &test.dataset);
    let differ = |at: &str, expected: String, got: String| {
        Err(Error::format(test.name(), at, format!("{expected}, as {}", train.name()), got))
    };
    if train.domain().layout() != test.domain().layout() {
        let shown = |set: &Dataset| format!("{:?}", set.domain().layout());
        return differ("rows", shown(train), shown(test));
    }
    if train.feature_names() != test.feature_names() {
        let [train, test] = [train, test].map(|set| set.feature_names().join(", "));
        return differ("columns", train, test);
    }
    let classes = match (train.class_names(), test.class_names()) {
        (a, b) if a == b => a,
        (a, b) if a.starts_with(b) => a,
        (a, b) if b.starts_with(a) => b,
        (a, b) => {
            let expected = format!("the classes {}", a.join(", "));
            let got = format!("{}: give `classes`", b.join(", "));
            return differ("classes", expected, got);
        }
    };
    let domain = union(train.domain(), test.domain())?;
    let part = |set: &Dataset| -> Result<Dataset> {
        set.clone().with_domain(domain.clone())?.with_class_names(classes.to_vec())
    };
    Ok([part(train)?, part(test)?])
}

fn union(a: &Domain, b: &Domain) -> Result<Domain> {
    let features = a.features();
    let side = |a: &Bound, b: &Bound, pick: fn(f32, f32) -> f32| {
        if let (Bound::Uniform(a), Bound::Uniform(b)) = (a, b) {
            return Bound::Uniform(pick(*a, *b));
        }
        Bound::PerFeature((0..features).map(|index| pick(a.at(index), b.at(index))).collect())
    };
    let (lower, upper) =
        (side(a.lower(), b.lower(), f32::min), side(a.upper(), b.upper(), f32::max));
    let immutable = [a.immutable(), b.immutable()].concat();
    Ok(Domain::new(a.layout(), lower, upper)?.with_immutable(immutable)?)
}
