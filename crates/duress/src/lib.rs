//! Adversarial robustness of machine-learning models: attack, defend, certify and compare, on any device.
