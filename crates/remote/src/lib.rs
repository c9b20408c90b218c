//! Classifiers behind an HTTP endpoint or in another process: queried, never differentiated.
