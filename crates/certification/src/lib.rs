//! Certified robustness: randomized smoothing with exact confidence bounds.
