//! Defences of machine-learning models: adversarial training, input transformations, ensembles.
