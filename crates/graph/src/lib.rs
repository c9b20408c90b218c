//! Networks as graphs of typed operations: read from ONNX, recorded from burn modules, run, differentiated, bounded, exported.
