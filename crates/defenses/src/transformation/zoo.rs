//! Defences that are known not to hold, each with what breaks it.
//!
//! A tool that measures robustness is measured by them: where its attacks leave accuracy high on
//! one of these, it reports a robustness that is not there. Athalye, Carlini, Wagner. *Obfuscated
//! Gradients Give a False Sense of Security.* ICML 2018. <https://arxiv.org/abs/1802.00420>

/// What an unaware adversary runs into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The gradient through the defence is zero ([`super::Defended::naive`]).
    FlatGradient,
    /// The cross-entropy is saturated: its gradient is zero where the model is right.
    Saturation,
    /// The adversary works on the classifier without the defence and hands the examples over.
    Unaware,
}

/// What an adversary who knows the defence does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Differentiates the identity or a stand-in (BPDA).
    PassThrough,
    /// Averages gradients over draws (EOT).
    Expectation,
    /// Raises a margin of logits instead of the cross-entropy.
    MarginLoss,
}

/// One broken defence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Its name in [`crate::DEFENSES`].
    pub name: &'static str,
    /// Why it looks as if it held.
    pub obstacle: Obstacle,
    /// What breaks it.
    pub answer: Answer,
}

/// The zoo. Defensive distillation is a training, not a transformation: what it leaves behind is
/// the saturation of `softmax-temperature`, and the same answer breaks it.
pub const ZOO: &[Broken] = &[
    Broken { name: "distillation", obstacle: Obstacle::Saturation, answer: Answer::MarginLoss },
    Broken { name: "gaussian-noise", obstacle: Obstacle::Unaware, answer: Answer::Expectation },
    Broken { name: "jpeg", obstacle: Obstacle::FlatGradient, answer: Answer::PassThrough },
    Broken { name: "random-resize", obstacle: Obstacle::Unaware, answer: Answer::Expectation },
    Broken {
        name: "sign-quantizer",
        obstacle: Obstacle::FlatGradient,
        answer: Answer::PassThrough,
    },
    Broken {
        name: "softmax-temperature",
        obstacle: Obstacle::Saturation,
        answer: Answer::MarginLoss,
    },
    Broken { name: "thermometer", obstacle: Obstacle::FlatGradient, answer: Answer::PassThrough },
    Broken {
        name: "zeroed-gradient",
        obstacle: Obstacle::FlatGradient,
        answer: Answer::PassThrough,
    },
];
