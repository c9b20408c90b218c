//! Attacks one after the other, each on the samples that the ones before it left standing.
use crate::attack::{Algorithm, Attack, Reach, Setting};
use crate::oracle::Access;
use crate::{Norm, Result};

/// The worst case over a list of attacks, sample by sample.
#[derive(Debug)]
pub struct WorstOf {
    name: &'static str,
    norms: Vec<Norm>,
    members: Vec<Member>,
}

/// One attack of a suite.
#[derive(Debug)]
pub struct Member {
    /// What rows call it.
    pub label: String,
    /// The attack.
    pub attack: Attack,
    /// Norms under which the suite runs it.
    pub norms: Vec<Norm>,
}

impl WorstOf {
    /// Attacks with a label each, in the order in which they run, under the norms that all of them
    /// support.
    ///
    /// ```
    /// # use duress_core::{Norm, WorstOf};
    /// assert!(WorstOf::new("worst-of", Vec::new()).members(Norm::L2).is_empty());
    /// ```
    #[must_use]
    pub fn new(name: &'static str, attacks: Vec<(String, Attack)>) -> Self {
        let all = |norm: &Norm| {
            attacks.iter().all(|(_, attack)| attack.algorithm().norms().contains(norm))
        };
        let norms: Vec<Norm> = Norm::ALL.into_iter().filter(all).collect();
        let members = attacks
            .into_iter()
            .map(|(label, attack)| Member { label, attack, norms: norms.clone() })
            .collect();
        Self { name, norms, members }
    }

    /// A suite with other members under other norms: it supports the norms of its members.
    #[must_use]
    pub fn by_norm(name: &'static str, members: Vec<Member>) -> Self {
        let any = |norm: &Norm| members.iter().any(|member| member.norms.contains(norm));
        Self { name, norms: Norm::ALL.into_iter().filter(any).collect(), members }
    }

    /// The attacks under `norm` with their labels, those of suites within it in their place.
    #[must_use]
    pub fn members(&self, norm: Norm) -> Vec<(String, &Attack)> {
        let mut all = Vec::new();
        for member in self.members.iter().filter(|member| member.norms.contains(&norm)) {
            match &member.attack {
                Attack::Suite(suite) => {
                    let inner = suite.members(norm).into_iter();
                    all.extend(inner.map(|(own, one)| (format!("{}/{own}", member.label), one)));
                }
                attack => all.push((member.label.clone(), attack)),
            }
        }
        all
    }

    /// What the most demanding member needs to see.
    #[must_use]
    pub fn access(&self) -> Access {
        let levels = self.members.iter().map(|member| member.attack.access());
        levels.max().unwrap_or(Access::Labels)
    }
}

impl Algorithm for WorstOf {
    fn name(&self) -> &'static str {
        self.name
    }

    fn norms(&self) -> &[Norm] {
        &self.norms
    }

    /// The narrowest of its members': a suite that holds an attack of a ball needs a radius.
    fn reach(&self) -> Reach {
        let reaches = || self.members.iter().map(|member| member.attack.algorithm().reach());
        if reaches().any(|reach| reach == Reach::Box) {
            Reach::Box
        } else if reaches().all(|reach| reach == Reach::Nearest) {
            Reach::Nearest
        } else {
            Reach::Ball
        }
    }

    fn joint(&self) -> bool {
        self.members.iter().any(|member| member.attack.algorithm().joint())
    }

    fn check(&self, setting: &Setting<'_>) -> Result<()> {
        self.members.iter().try_for_each(|member| member.attack.algorithm().check(setting))
    }
}
