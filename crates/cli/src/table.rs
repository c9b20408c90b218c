//! The comparison of a run on the screen: one line a model, or one block where lines are too long.
use duress_evaluation::certification::Certification;
use duress_evaluation::{
    CertifierPlan, Column, Comparison, Experiment, certified_by, percent, short,
};

/// The columns of an experiment.
pub(crate) struct Table {
    unaware: Vec<String>,
    robust: Vec<String>,
    certified: Vec<String>,
    /// Widths of name and defence.
    names: [usize; 2],
    /// Columns of the terminal, if it is one.
    terminal: Option<usize>,
}

/// Room for `100.0 % [100.0, 100.0]`.
const RATE: usize = 22;

/// Room for the seconds of a training.
const SECONDS: usize = 10;

impl Table {
    /// The columns that `experiment` will fill, for a terminal of so many columns.
    pub(crate) fn new(experiment: &Experiment, terminal: Option<usize>) -> Self {
        let threats = experiment.threats.iter();
        let mut certified = Vec::new();
        // Proofs stand in lines of their own, below the table.
        let sampled = |plan: &&CertifierPlan| matches!(plan.certifier, Certification::Sampled(_));
        for plan in experiment.certifiers.iter().filter(sampled) {
            for radius in &plan.radii {
                let place = format!("{} {}", plan.certifier.norm(), short(radius.get()));
                let title = certified_by(&place, plan.name);
                if !certified.contains(&title) {
                    certified.push(title);
                }
            }
        }
        let models = &experiment.models;
        let longest = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or(0);
        let name = longest(&mut models.iter().map(|model| model.name.chars().count()));
        let defense = longest(&mut models.iter().map(|model| model.defense.len()));
        let naive = experiment.attacks.iter().any(|plan| !plan.aware);
        let headlines: Vec<String> =
            threats.map(|t| format!("{} {}", t.norm, short(t.headline()))).collect();
        Self {
            unaware: if naive { headlines.clone() } else { Vec::new() },
            robust: headlines,
            certified,
            names: [name.max("model".len()), defense.max("defence".len())],
            terminal,
        }
    }

    /// Titles of all rates: kind and place.
    fn titles(&self) -> impl Iterator<Item = String> {
        let unaware = self.unaware.iter().map(|title| format!("unaware {title}"));
        let robust = self.robust.iter().map(|title| format!("robust {title}"));
        let certified = self.certified.iter().map(|title| format!("certified {title}"));
        std::iter::once("clean".to_owned()).chain(unaware).chain(robust).chain(certified)
    }

    fn is_block(&self) -> bool {
        let names = self.names[0] + self.names[1] + 4;
        let rates: usize = self.titles().map(|title| width(&title) + 2).sum();
        self.terminal.is_some_and(|most| names + rates + SECONDS > most)
    }

    /// The head above the first model; none over blocks.
    pub(crate) fn head(&self) -> Option<String> {
        if self.is_block() {
            return None;
        }
        let titles = self.titles().map(|title| format!("{title:<0$}  ", width(&title)));
        Some(self.names(["model", "defence"]) + &titles.collect::<String>() + "training")
    }

    /// What a run found about one model.
    pub(crate) fn model(&self, model: &Comparison) -> String {
        let rates = std::iter::once(percent(model.clean))
            .chain(self.unaware.iter().map(|title| rate(&model.unaware, title)))
            .chain(self.robust.iter().map(|title| rate(&model.robust, title)))
            .chain(self.certified.iter().map(|title| rate(&model.certified, title)));
        let seconds = format!("{:.1} s", model.training_seconds);
        if self.is_block() {
            let widest = self.titles().map(|title| title.chars().count()).max().unwrap_or(0);
            let mut lines = vec![format!("{} ({})", model.model, model.defense)];
            let cells = self.titles().chain(["training".into()]).zip(rates.chain([seconds]));
            lines.extend(cells.map(|(title, cell)| format!("  {title:<widest$}  {cell}")));
            return lines.join("\n");
        }
        let mut cells = vec![self.names([&model.model, &model.defense])];
        let padded = |(title, rate): (String, String)| format!("{rate:<0$}  ", width(&title));
        cells.extend(self.titles().zip(rates).map(padded));
        cells.concat() + &seconds
    }

    fn names(&self, [name, defense]: [&str; 2]) -> String {
        let [first, second] = self.names;
        format!("{name:<first$}  {defense:<second$}  ")
    }
}

fn width(title: &str) -> usize {
    title.chars().count().max(RATE)
}

fn rate(columns: &[Column], title: &str) -> String {
    let own = columns.iter().find(|column| column.title() == title);
    own.map_or_else(|| "–".into(), |column| percent(column.accuracy))
}

#[cfg(test)]
mod tests {
    use duress_evaluation::core::Norm;
    use duress_evaluation::metrics::Proportion;

    use super::*;

    fn experiment() -> Experiment {
        Experiment::parse(
            "name = \"e\"\n[data]\nname = \"digits\"\n[[model]]\nname = \"standard\"\n\
             architecture = { name = \"small_cnn\" }\n[[threat]]\nnorm = \"linf\"\n\
             epsilons = [0.1]\n[[attack]]\nname = \"fgm\"\n",
        )
        .unwrap()
    }

    fn model() -> Comparison {
        let of = |count| Proportion::new(count, 1000).unwrap();
        Comparison {
            model: "standard".into(),
            defense: "none".into(),
            clean: of(1000),
            unaware: Vec::new(),
            robust: vec![Column { norm: Norm::Linf, radius: 0.1, by: None, accuracy: of(500) }],
            certified: Vec::new(),
            training_seconds: 12.34,
            attack_seconds: 0.0,
            passes: 0.0,
        }
    }

    #[test]
    fn columns_stand_below_their_titles() {
        let table = Table::new(&experiment(), None);
        let (head, line) = (table.head().unwrap(), table.model(&model()));
        for (title, cell) in [
            ("clean", "100.0 % [99.6, 100.0]"),
            ("robust linf 0.1", "50.0 % [46.9, 53.1]"),
            ("training", "12.3 s"),
        ] {
            assert_eq!(head.find(title).unwrap(), line.find(cell).unwrap(), "{head}\n{line}");
        }
    }

    #[test]
    fn a_terminal_that_is_too_narrow_gets_blocks_that_fit() {
        let whole = Table::new(&experiment(), None);
        let needed = whole.head().unwrap().chars().count();
        assert!(Table::new(&experiment(), Some(needed + 2)).head().is_some());
        let narrow = Table::new(&experiment(), Some(40));
        assert_eq!(narrow.head(), None);
        let block = narrow.model(&model());
        assert!(block.lines().all(|line| line.chars().count() <= 40), "{block}");
        assert_eq!(block.lines().nth(2), Some("  robust linf 0.1  50.0 % [46.9, 53.1]"));
    }
}
