//! Robustness metrics with confidence intervals: pure functions on outcomes.
