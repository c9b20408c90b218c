//! Attacks one after the other, each on the samples that the ones before it left standing.
use crate::attack::{Algorithm, Attack, Reach, Setting};
use crate::oracle::Access;
use crate::{Norm, Result};

/// The worst case over a list of attacks, sample by sample.
#[derive(Debug)]
pub struct WorstOf {
    name: &'static str,
    members: Vec<(String, Attack)>,
    norms: Vec<Norm>,
}

impl WorstOf {
    /// `members` with a label each, in the order in which they run; suites among them are replaced
    /// by their own members.
    ///
    /// ```
    /// # use duress_core::WorstOf;
    /// assert!(WorstOf::new("worst-of", Vec::new()).is_empty());
    /// ```
    #[must_use]
    pub fn new(name: &'static str, members: Vec<(String, Attack)>) -> Self {
        let mut flat = Vec::new();
        for (label, attack) in members {
            match attack {
                Attack::Suite(suite) => flat.extend(
                    suite
                        .members
                        .into_iter()
                        .map(|(own, attack)| (format!("{label}/{own}"), attack)),
                ),
                attack => flat.push((label, attack)),
            }
        }
        let all = |norm: &Norm| flat.iter().all(|(_, one)| one.algorithm().norms().contains(norm));
        let norms = Norm::ALL.into_iter().filter(all).collect();
        Self { name, members: flat, norms }
    }

    /// The attacks with their labels.
    #[must_use]
    pub fn members(&self) -> Vec<(&str, &Attack)> {
        self.members.iter().map(|(label, attack)| (label.as_str(), attack)).collect()
    }

    /// Whether there is no attack.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// What the most demanding member needs to see.
    #[must_use]
    pub fn access(&self) -> Access {
        self.members.iter().map(|(_, attack)| attack.access()).max().unwrap_or(Access::Labels)
    }
}

impl Algorithm for WorstOf {
    fn name(&self) -> &'static str {
        self.name
    }

    fn norms(&self) -> &[Norm] {
        &self.norms
    }

    fn reach(&self) -> Reach {
        let nearest = |(_, attack): &(String, Attack)| attack.algorithm().reach() == Reach::Nearest;
        if self.members.iter().all(nearest) { Reach::Nearest } else { Reach::Ball }
    }

    fn joint(&self) -> bool {
        self.members.iter().any(|(_, attack)| attack.algorithm().joint())
    }

    fn check(&self, setting: &Setting<'_>) -> Result<()> {
        self.members.iter().try_for_each(|(_, attack)| attack.algorithm().check(setting))
    }
}
