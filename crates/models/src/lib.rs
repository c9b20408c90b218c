//! Networks, decorators, checkpoints and the training loop of duress.
