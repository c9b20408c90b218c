//! `AutoAttack`: parameter-free attacks, one after the other.
//!
//! Croce, Hein. *Reliable evaluation of adversarial robustness with an ensemble of diverse
//! parameter-free attacks.* ICML 2020, §6. <https://arxiv.org/abs/2003.01690>. In L1: Croce, Hein.
//! *Mind the box.* ICML 2021, §5. <https://arxiv.org/abs/2103.01208>
//!
//! Numbers of iterations, restarts, targets and queries are those of the papers' published code,
//! versions `standard`, `plus` and `rand`.
use duress_core::{Access, Attack, GradientAttack, Norm, ScoreAttack};

use super::frozen::{self, Piece};
use crate::evasion::{Apgd, ApgdT, Fab, FabT, Square};
use crate::losses::LossKind;
use crate::table::Entry;

const ALL: &[Norm] = &[Norm::L1, Norm::L2, Norm::Linf];
const SMOOTH: &[Norm] = &[Norm::L2, Norm::Linf];
const SPARSE: &[Norm] = &[Norm::L1];

pub(crate) const STANDARD: Entry = Entry {
    name: "autoattack-standard",
    summary: "AutoAttack: APGD-CE, APGD-T, FAB-T, Square on what is left",
    reference: "arXiv:2003.01690, arXiv:2103.01208",
    norms: ALL,
    access: Access::Gradients,
    targeted: false,
    defaults: || frozen::table(&standard_pieces()),
    parse: |table| frozen::parse(STANDARD.name, standard_pieces(), &table),
};

pub(crate) const PLUS: Entry = Entry {
    name: "autoattack-plus",
    summary: "AutoAttack plus: six attacks, five restarts of APGD and FAB",
    reference: "arXiv:2003.01690",
    norms: SMOOTH,
    access: Access::Gradients,
    targeted: false,
    defaults: || frozen::table(&plus_pieces()),
    parse: |table| frozen::parse(PLUS.name, plus_pieces(), &table),
};

pub(crate) const RAND: Entry = Entry {
    name: "autoattack-rand",
    summary: "AutoAttack for randomized models: APGD-CE, APGD-DLR over draws",
    reference: "arXiv:2003.01690",
    norms: SMOOTH,
    access: Access::Gradients,
    targeted: false,
    defaults: || frozen::table(&rand_pieces()),
    parse: |table| frozen::parse(RAND.name, rand_pieces(), &table),
};

/// APGD on the cross-entropy, APGD-T, FAB-T (9 targets each, in L1 5 of APGD-T), Square with 5000
/// queries. In L1 APGD has 5 restarts.
#[must_use]
pub fn standard() -> Attack {
    frozen::suite(STANDARD.name, standard_pieces())
}

/// APGD on cross-entropy and DLR and FAB with 5 restarts each, Square, APGD-T, FAB-T.
#[must_use]
pub fn plus() -> Attack {
    frozen::suite(PLUS.name, plus_pieces())
}

/// APGD on cross-entropy and DLR. The paper means the gradients over 20 draws of the model: attack
/// an [`duress_core::Expectation`] of as many.
#[must_use]
pub fn rand() -> Attack {
    frozen::suite(RAND.name, rand_pieces())
}

fn standard_pieces() -> Vec<Piece> {
    let targets = |targets| ApgdT { targets, ..ApgdT::paper() };
    vec![
        apgd("apgd-ce", SMOOTH, LossKind::CrossEntropy, 1),
        apgd("apgd-ce", SPARSE, LossKind::CrossEntropy, 5),
        Piece::new("apgd-t", "apgd-t", SMOOTH, &targets(9), gradient),
        Piece::new("apgd-t", "apgd-t", SPARSE, &targets(5), gradient),
        Piece::new("fab-t", "fab-t", ALL, &FabT::autoattack(9), gradient),
        Piece::new("square", "square", ALL, &Square::autoattack(), score),
    ]
}

fn plus_pieces() -> Vec<Piece> {
    let fab = Fab { restarts: 5, final_search: 0, ..Fab::paper() };
    vec![
        apgd("apgd-ce", SMOOTH, LossKind::CrossEntropy, 5),
        apgd("apgd-dlr", SMOOTH, LossKind::Dlr, 5),
        Piece::new("fab", "fab", SMOOTH, &fab, gradient),
        Piece::new("square", "square", SMOOTH, &Square::autoattack(), score),
        Piece::new("apgd-t", "apgd-t", SMOOTH, &ApgdT::paper(), gradient),
        Piece::new("fab-t", "fab-t", SMOOTH, &FabT::autoattack(9), gradient),
    ]
}

fn rand_pieces() -> Vec<Piece> {
    vec![
        apgd("apgd-ce", SMOOTH, LossKind::CrossEntropy, 1),
        apgd("apgd-dlr", SMOOTH, LossKind::Dlr, 1),
    ]
}

fn apgd(label: &'static str, norms: &'static [Norm], loss: LossKind, restarts: u32) -> Piece {
    Piece::new(label, "apgd", norms, &Apgd { restarts, loss, ..Apgd::paper() }, gradient)
}

fn gradient<A: GradientAttack + 'static>(attack: A) -> Attack {
    Attack::Gradient(Box::new(attack))
}

fn score<A: ScoreAttack + 'static>(attack: A) -> Attack {
    Attack::Score(Box::new(attack))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(suite: &Attack, norm: Norm) -> Vec<String> {
        suite.stages(norm).into_iter().map(|(label, _)| label).collect()
    }

    #[test]
    fn the_order_is_that_of_the_paper() {
        for norm in [Norm::L1, Norm::L2, Norm::Linf] {
            assert_eq!(labels(&standard(), norm), ["apgd-ce", "apgd-t", "fab-t", "square"]);
        }
        let expected = ["apgd-ce", "apgd-dlr", "fab", "square", "apgd-t", "fab-t"];
        assert_eq!(labels(&plus(), Norm::L2), expected);
        assert!(!plus().algorithm().norms().contains(&Norm::L1));
        assert_eq!(labels(&rand(), Norm::Linf), ["apgd-ce", "apgd-dlr"]);
    }

    #[test]
    fn attempts_on_a_sample_that_nothing_breaks() {
        // One start, nine targets, FAB-T's own loop or nine, Square once.
        let suite = standard();
        let restarts = |norm, index: usize| suite.stages(norm)[index].1.algorithm().restarts();
        assert_eq!((restarts(Norm::Linf, 0), restarts(Norm::L1, 0)), (1, 5));
        assert_eq!((restarts(Norm::Linf, 1), restarts(Norm::L1, 1)), (9, 5));
        assert_eq!(restarts(Norm::Linf, 3), 1);
    }

    #[test]
    fn its_parameters_are_frozen_and_their_digest_is_stated() {
        let own = (STANDARD.defaults)();
        assert!((STANDARD.parse)(own.clone()).is_ok());
        assert!((STANDARD.parse)(toml::Table::new()).is_ok());
        let mut other = own.clone();
        other["members"][0]["steps"] = toml::Value::Integer(10);
        let message = (STANDARD.parse)(other).unwrap_err().to_string();
        assert!(message.contains("frozen"), "{message}");
        assert_eq!(own["digest"].as_str().unwrap().len(), 64);
        assert_ne!(own["digest"], (PLUS.defaults)()["digest"]);
    }
}
