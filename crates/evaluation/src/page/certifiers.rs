//! One line a model, certifier and radius: what is certified, what it costs, how far the attacks are.
use duress_core::Norm;
use duress_metrics::Proportion;

use super::comparison::{percent, short};
use crate::report::{Cell, Table};
use crate::row::{Measured, Row};

/// What a certifier found about one model at one radius.
#[derive(Clone, Debug, PartialEq)]
pub struct Certified {
    /// Name of the model.
    pub model: String,
    /// Name of the certifier.
    pub certifier: String,
    /// Norm of the ball.
    pub norm: Norm,
    /// Its radius.
    pub radius: f64,
    /// Samples that are correct and certified there.
    pub certified: Proportion,
    /// Seconds a sample, over all radii.
    pub seconds: f64,
    /// Samples that no attack broke, of those that the certifier was given; `None` where nothing was
    /// attacked there or the statement is about another classifier, a smoothed one.
    pub survived: Option<Proportion>,
    /// Samples that are neither broken nor proved.
    pub open: Option<Proportion>,
}

impl Certified {
    /// Norm and radius, as in `linf 0.1`.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{} {}", self.norm, short(self.radius))
    }
}

/// What all certifiers of a run found.
#[must_use]
pub fn certified(rows: &[Row]) -> Vec<Certified> {
    let mut found = Vec::new();
    for row in rows {
        let Measured::Certified { certifier, norm, radii, certified_correct, .. } = &row.measured
        else {
            continue;
        };
        for (&radius, &count) in radii.iter().zip(certified_correct) {
            let both = sides(rows, row, radius);
            found.push(Certified {
                model: row.model.clone(),
                certifier: certifier.clone(),
                norm: *norm,
                radius,
                certified: Proportion::new(count, row.samples).unwrap_or_default(),
                seconds: row.seconds / row.samples.max(1) as f64,
                survived: both.map(|(survived, _)| survived),
                open: both.map(|(_, open)| open),
            });
        }
    }
    found
}

/// The samples that survived and those that are open, if attacks ran at this radius.
fn sides(rows: &[Row], certified: &Row, radius: f64) -> Option<(Proportion, Proportion)> {
    // The key of a two-sided row begins with that of the certificates.
    let of = format!("{}/two-sided/", certified.key);
    rows.iter().filter(|row| row.key.starts_with(&of)).find_map(|row| match &row.measured {
        Measured::TwoSided { epsilon, proved, open, .. }
            if epsilon.to_bits() == radius.to_bits() =>
        {
            let share = |count| Proportion::new(count, row.samples).ok();
            Some((share(proved + open)?, share(*open)?))
        }
        _ => None,
    })
}

/// The table of the report; `None` without certifiers.
pub(super) fn table(found: &[Certified]) -> Option<Table> {
    if found.is_empty() {
        return None;
    }
    let columns =
        ["model", "certifier", "ball", "certified", "survived attacks", "neither", "s a sample"];
    let rows = found.iter().map(|one| {
        let rate = |share: Option<Proportion>| share.map_or_else(|| Cell::text("–"), Cell::rate);
        vec![
            Cell::text(&one.model),
            Cell::text(&one.certifier),
            Cell::text(one.place()),
            Cell::rate(one.certified),
            rate(one.survived),
            rate(one.open),
            Cell::text(seconds(one.seconds)),
        ]
    });
    Some(Table {
        caption: "What is certified is a lower bound of the true robust accuracy, what survived \
                  the attacks an upper one; neither broken nor proved is the gap. Certificates of \
                  randomized smoothing are about the smoothed classifier, which was not attacked."
            .into(),
        columns: columns.map(str::to_owned).to_vec(),
        rows: rows.collect(),
    })
}

/// Seconds with three digits that count.
fn seconds(seconds: f64) -> String {
    match seconds {
        s if s >= 100.0 => format!("{s:.0}"),
        s if s >= 1.0 => format!("{s:.1}"),
        s if s >= 0.01 => format!("{s:.3}"),
        s => format!("{s:.5}"),
    }
}

impl std::fmt::Display for Certified {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let share = |share: Option<Proportion>| share.map_or_else(|| "–".into(), percent);
        write!(
            formatter,
            "{}  {:<19}  {:<12}  certified {:<22}  survived {:<22}  neither {:<22}  {} s a sample",
            self.model,
            self.certifier,
            self.place(),
            percent(self.certified),
            share(self.survived),
            share(self.open),
            seconds(self.seconds)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{certified as certificates, two_sided};

    #[test]
    fn the_gap_is_that_of_the_same_certifier_and_radius() {
        let proof = certificates("m", Norm::Linf, 0.0);
        let mut sides = two_sided("m", 0.1, [10, 20, 50, 20]);
        sides.key = format!("{}/two-sided/linf/0.1", proof.key);
        let found = certified(&[proof, sides]);
        let [near, far] = &found[..] else { panic!("{found:?}") };
        let share = |count| Proportion::new(count, 100).unwrap();
        assert_eq!(
            (near.certified, near.survived, near.open),
            (share(50), Some(share(70)), Some(share(20)))
        );
        assert_eq!((far.certified, far.survived, far.open), (share(40), None, None));
        assert!((near.seconds - 0.005).abs() < 1e-12);
        let line = near.to_string();
        assert!(line.contains("linf 0.1") && line.contains("neither 20.0 %"), "{line}");
        assert!(table(&found).is_some() && table(&[]).is_none());
    }

    #[test]
    fn seconds_have_three_digits_that_count() {
        assert_eq!(
            [120.0, 1.234, 0.1234, 0.001_234].map(seconds),
            ["120", "1.2", "0.123", "0.00123"]
        );
    }
}
