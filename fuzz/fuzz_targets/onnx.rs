//! Whatever bytes come as an ONNX file: a network or an error, in bounded memory, never a panic.
#![no_main]
use duress_graph::onnx::{Options, decode};

/// Values of a network that is small enough to be run.
const SMALL: usize = 1 << 16;

libfuzzer_sys::fuzz_target!(|file: &[u8]| {
    let Ok(imported) = decode(file, None, &Options::default()) else { return };
    let graph = imported.graph;
    let size = |shape: &[usize]| shape.iter().product::<usize>();
    let total: usize = graph.nodes().iter().map(|node| size(&node.shape)).sum();
    if total <= SMALL {
        let _ = graph.evaluate(&vec![0.5; size(graph.input_shape())]);
    }
});
