//! Data sets for adversarial robustness: embedded digits and breast cancer, and readers for IDX, CIFAR, npz, CSV and image folders.
