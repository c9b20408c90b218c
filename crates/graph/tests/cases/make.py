"""Makes cases.json: small networks of each operator and what onnxruntime computes with them.

Run by hand when an operator is added: `pip install onnx onnxruntime numpy`, then
`python make.py` beside this file. Inputs are drawn by a fixed seed; a batch of 2 is stored.
"""

import base64
import json
import pathlib

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

RNG = np.random.default_rng(20240229)
CASES = []


def draw(*shape, low=-1.5, high=1.5):
    return RNG.uniform(low, high, shape).astype(np.float32)


def case(name, shape, nodes, weights=None, opset=17, low=-1.5, high=1.5, batch="N", output="y"):
    """A network of `nodes` (from `x` to `y`) on samples of `shape`."""
    initial = [numpy_helper.from_array(np.asarray(v), k) for k, v in (weights or {}).items()]
    made = [n if isinstance(n, onnx.NodeProto) else helper.make_node(*n[:3], **n[3]) for n in nodes]
    graph = helper.make_graph(
        made,
        name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, *shape])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
        initial,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    count = 2 if batch == "N" else batch
    x = draw(count, *shape, low=low, high=high)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    y = session.run([output], {"x": x})[0]
    CASES.append(
        {
            "name": name,
            "model": base64.b64encode(model.SerializeToString()).decode(),
            "shape": list(x.shape),
            "x": [float(v) for v in x.ravel()],
            "y": [float(v) for v in np.asarray(y, np.float32).ravel()],
        }
    )


def one(op, shape, weights=None, opset=17, inputs=None, suffix="", **kw):
    attributes = {k: v for k, v in kw.items() if k not in ("low", "high")}
    limits = {k: v for k, v in kw.items() if k in ("low", "high")}
    names = inputs or ["x", *(weights or {})]
    case(op + suffix, shape, [(op, names, ["y"], attributes)], weights, opset, **limits)


def i64(*values):
    return np.array(values, dtype=np.int64)


# Functions of one value.
for op in ["Relu", "Elu", "Selu", "Sigmoid", "Tanh", "Erf", "HardSigmoid", "HardSwish", "Softplus",
           "Softsign", "Exp", "Abs", "Neg", "Reciprocal", "Sin", "Cos", "Floor", "Ceil", "Round",
           "Sign", "LeakyRelu"]:
    one(op, (7,), low=-3, high=3)
one("Sqrt", (7,), low=0.1, high=4)
one("Log", (7,), low=0.1, high=4)
one("Mish", (7,), opset=18)
one("Gelu", (7,), opset=20)
one("Gelu", (7,), opset=20, suffix=" tanh", approximate="tanh")
one("Elu", (7,), suffix=" alpha", alpha=0.3)
one("Clip", (7,), {"low": np.float32(-0.4), "high": np.float32(0.7)})
one("Clip", (7,), {"high": np.float32(0.7)}, inputs=["x", "", "high"], suffix=" above")
one("Clip", (7,), opset=10, suffix=" opset 10", min=-0.2, max=0.3)
one("PRelu", (3, 4, 4), {"s": draw(3, 1, 1)})
one("PRelu", (3, 4), {"s": draw(1)}, suffix=" one")
# Pairs.
for op in ["Add", "Sub", "Mul", "Div", "Max", "Min"]:
    one(op, (3, 4, 5), {"w": draw(3, 1, 5, low=0.5)}, suffix=" constant")
    case(op + " samples", (3, 4, 5), [("Relu", ["x"], ["r"], {}), (op, ["x", "r"] if op != "Div" else ["r", "x"], ["y"], {})])
one("Sub", (3, 4), {"w": draw(4)}, inputs=["w", "x"], suffix=" reversed")
one("Div", (3, 4), {"w": draw(1, 1, 4)}, inputs=["w", "x"], suffix=" reversed", low=0.5)
one("Pow", (6,), {"w": np.float32(2)})
one("Pow", (6,), {"w": np.float32(2.5)}, suffix=" broken", low=0.1)
one("Pow", (6,), {"w": draw(6, low=0.5, high=2.5)}, suffix=" many", low=0.1)
one("Sum", (4,), {"a": draw(4), "b": draw(1)})
one("Mean", (4,), {"a": draw(4), "b": draw(1)})
# Products.
one("Gemm", (6,), {"w": draw(6, 4), "b": draw(4)}, alpha=0.5, beta=2.0)
one("Gemm", (6,), {"w": draw(4, 6), "b": draw(1, 1)}, suffix=" transposed", transB=1)
one("MatMul", (6,), {"w": draw(6, 4)})
one("MatMul", (3, 6), {"w": draw(6, 4)}, suffix=" rows")
one("MatMul", (6, 3), {"w": draw(4, 6)}, inputs=["w", "x"], suffix=" left")
one("MatMul", (2, 3, 6), {"w": draw(2, 6, 4)}, suffix=" many")
case("MatMul samples", (3, 6), [("Transpose", ["x"], ["t"], {"perm": [0, 2, 1]}), ("MatMul", ["x", "t"], ["y"], {})])
# Convolutions.
one("Conv", (3, 7, 6), {"w": draw(4, 3, 3, 3), "b": draw(4)}, strides=[2, 1], pads=[1, 0, 2, 1])
one("Conv", (4, 7, 6), {"w": draw(6, 2, 3, 2)}, suffix=" groups", group=2, dilations=[2, 1])
one("Conv", (4, 7, 6), {"w": draw(4, 1, 3, 3)}, suffix=" depthwise", group=4, auto_pad="SAME_UPPER", strides=[2, 2])
one("Conv", (3, 7, 6), {"w": draw(2, 3, 2, 4)}, suffix=" same lower", auto_pad="SAME_LOWER", strides=[1, 2])
one("Conv", (3, 7, 6), {"w": draw(2, 3, 2, 4)}, suffix=" valid", auto_pad="VALID")
one("Conv", (3, 11), {"w": draw(4, 3, 3), "b": draw(4)}, suffix=" 1d", strides=[2], pads=[1, 2], dilations=[2])
one("ConvTranspose", (3, 4, 5), {"w": draw(3, 2, 3, 3), "b": draw(2)}, strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 0])
one("ConvTranspose", (4, 4, 5), {"w": draw(4, 3, 2, 3)}, suffix=" groups", group=2, pads=[0, 1, 1, 2], dilations=[2, 1])
one("ConvTranspose", (3, 6), {"w": draw(3, 2, 4)}, suffix=" 1d", strides=[3])
one("ConvTranspose", (3, 4, 5), {"w": draw(3, 2, 3, 3)}, suffix=" same", strides=[2, 2], auto_pad="SAME_UPPER")
one("ConvTranspose", (3, 4, 5), {"w": draw(3, 2, 3, 3)}, suffix=" shape", strides=[2, 2], output_shape=[8, 10])
# Pooling.
one("MaxPool", (3, 7, 6), kernel_shape=[2, 2], strides=[2, 2])
one("MaxPool", (3, 7, 6), suffix=" padded", kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1], low=-3, high=-1)
one("MaxPool", (3, 7, 6), suffix=" ceil", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1, low=-3, high=-1)
one("MaxPool", (3, 7, 6), suffix=" dilated", kernel_shape=[2, 3], dilations=[2, 2])
one("MaxPool", (3, 9), suffix=" 1d", kernel_shape=[3], strides=[2], auto_pad="SAME_UPPER", low=-3, high=-1)
one("AveragePool", (3, 7, 6), kernel_shape=[2, 3], strides=[2, 1])
one("AveragePool", (3, 7, 6), suffix=" padded", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
one("AveragePool", (3, 7, 6), suffix=" counted", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 0, 0, 1], count_include_pad=1)
one("AveragePool", (3, 7, 6), suffix=" ceil", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
one("AveragePool", (3, 9), suffix=" 1d", kernel_shape=[2], strides=[2])
one("GlobalAveragePool", (3, 4, 5))
one("GlobalMaxPool", (3, 4, 5))
# Normalisations.
stats = {"s": draw(3), "b": draw(3), "m": draw(3), "v": draw(3, low=0.2, high=2)}
one("BatchNormalization", (3, 4, 5), stats, epsilon=1e-3)
one("BatchNormalization", (3,), stats, suffix=" table")
case("Conv BatchNormalization", (3, 6, 5), [("Conv", ["x", "w", "c"], ["h"], {}), ("BatchNormalization", ["h", *stats], ["n"], {}), ("Relu", ["n"], ["y"], {})], {"w": draw(3, 3, 2, 2), "c": draw(3), **stats})
case("Gemm BatchNormalization", (5,), [("MatMul", ["x", "w"], ["h"], {}), ("Add", ["h", "c"], ["a"], {}), ("BatchNormalization", ["a", *stats], ["y"], {})], {"w": draw(5, 3), "c": draw(3), **stats})
one("InstanceNormalization", (3, 4, 5), {"s": draw(3), "b": draw(3)})
one("LayerNormalization", (3, 4), {"s": draw(4), "b": draw(4)})
one("LayerNormalization", (3, 4), {"s": draw(3, 4)}, suffix=" two axes", axis=1)
one("LRN", (5, 3, 4), size=3, alpha=0.3, beta=0.6, bias=1.2)
one("LpNormalization", (3, 4), axis=-1, p=2)
one("GroupNormalization", (4, 3, 3), {"s": draw(4), "b": draw(4)}, opset=21, num_groups=2)
# Reductions.
for op in ["ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare"]:
    one(op, (3, 4, 5), axes=[1, 3], keepdims=0)
one("ReduceMean", (3, 4, 5), suffix=" kept", axes=[-2, -1])
one("ReduceSum", (3, 4, 5), {"a": i64(1, 2)}, keepdims=0)
one("ReduceMean", (3, 4, 5), {"a": i64(2)}, opset=18, suffix=" 18", keepdims=0)
one("Softmax", (3, 4), axis=1)
one("Softmax", (3, 4), suffix=" opset 11", opset=11, axis=1)
one("LogSoftmax", (3, 4))
# Shapes.
one("Flatten", (3, 4, 5))
one("Reshape", (3, 4, 5), {"s": i64(0, -1, 10)})
one("Transpose", (3, 4, 5), perm=[0, 2, 3, 1])
one("Transpose", (2, 3, 4, 2), suffix=" four", perm=[0, 4, 1, 3, 2])
one("Squeeze", (3, 1, 4), {"a": i64(2)})
one("Squeeze", (3, 1, 4), suffix=" opset 11", opset=11, axes=[2])
one("Unsqueeze", (3, 4), {"a": i64(1, -1)})
one("Expand", (3, 1, 4), {"s": i64(1, 3, 5, 4)})
one("DepthToSpace", (8, 2, 3), blocksize=2)
one("DepthToSpace", (8, 2, 3), suffix=" crd", blocksize=2, mode="CRD")
one("SpaceToDepth", (2, 4, 6), blocksize=2)
one("Identity", (3,))
one("Dropout", (3,))
one("Cast", (3,), to=TensorProto.FLOAT)
# Parts.
one("Slice", (5, 6), {"s": i64(1, -5), "e": i64(4, 9223372036854775807), "a": i64(1, 2), "t": i64(1, 2)})
one("Slice", (5, 6), suffix=" back", weights={"s": i64(-1), "e": i64(-9223372036854775807), "a": i64(2), "t": i64(-2)})
one("Slice", (5, 6), suffix=" opset 9", opset=9, starts=[0, 1], ends=[2, 3], axes=[1, 2])
one("Gather", (5, 6), {"i": i64(2)}, axis=1)
one("Gather", (5, 6), {"i": np.array([[0, -1], [3, 3]], np.int64)}, suffix=" many", axis=2)
case("Concat", (3, 4), [("Relu", ["x"], ["r"], {}), ("Concat", ["r", "x", "c"], ["y"], {"axis": 2})], {"c": draw(2, 3, 2)[:1].repeat(2, 0)}, batch=2)
case("Split", (3, 6), [("Split", ["x", "s"], ["a", "b"], {"axis": 2}), ("Concat", ["b", "a"], ["y"], {"axis": 2})], {"s": i64(2, 4)})
one("Pad", (3, 4, 5), {"p": i64(0, 0, 1, 2, 0, 0, 0, 1), "v": np.float32(0.5)})
one("Pad", (3, 4, 5), {"p": i64(0, 0, 1, 2, 0, 0, 2, 1)}, suffix=" reflect", mode="reflect")
one("Pad", (3, 4, 5), {"p": i64(0, 0, 1, 2, 0, 0, 2, 1)}, suffix=" edge", mode="edge")
one("Pad", (3, 4, 5), {"p": i64(0, 0, -1, 2, 0, 0, 2, -1)}, suffix=" cut", mode="edge")
one("Pad", (4, 5), suffix=" opset 10", opset=10, pads=[0, 1, 0, 0, 0, 2], value=0.25)
# Resizing.
none = np.array([], np.float32)
for mode in ["nearest", "linear"]:
    for places in ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"]:
        one("Resize", (2, 4, 5), {"r": none, "s": np.array([1, 1, 2, 1.5], np.float32)}, suffix=f" {mode} {places}", mode=mode, coordinate_transformation_mode=places)
for rounding in ["floor", "ceil", "round_prefer_ceil"]:
    case(f"Resize sizes {rounding}", (2, 4, 5), [("Resize", ["x", "r", "r", "s"], ["y"], {"mode": "nearest", "nearest_mode": rounding, "coordinate_transformation_mode": "asymmetric"})], {"r": none, "s": i64(2, 2, 7, 3)}, batch=2)
one("Upsample", (2, 3, 4), {"s": np.array([1, 1, 2, 3], np.float32)}, opset=9, mode="nearest")
one("Upsample", (2, 3, 4), {"s": np.array([1, 1, 2, 3], np.float32)}, opset=9, suffix=" linear", mode="linear")
# Steps.
steps = {"s": np.float32(0.1), "z": np.uint8(100)}
case("QuantizeLinear", (9,), [("QuantizeLinear", ["x", *steps], ["q"], {}), ("DequantizeLinear", ["q", *steps], ["y"], {})], steps, low=-14, high=20)
case("DequantizeLinear weight", (4,), [("DequantizeLinear", ["w", "s", "z"], ["f"], {"axis": 1}), ("MatMul", ["x", "f"], ["y"], {})], {"w": RNG.integers(-128, 127, (4, 3)).astype(np.int8), "s": draw(3, low=0.01, high=0.02), "z": np.zeros(3, np.int8)})
# What frameworks write.
case("view by the batch", (3, 4, 5), [
    ("Shape", ["x"], ["s"], {}), ("Gather", ["s", "zero"], ["n"], {"axis": 0}),
    ("Unsqueeze", ["n", "first"], ["u"], {}), ("Concat", ["u", "rest"], ["t"], {"axis": 0}),
    ("Reshape", ["x", "t"], ["y"], {}),
], {"zero": np.int64(0), "first": i64(0), "rest": i64(-1)})
case("Gelu in parts", (6,), [
    ("Div", ["x", "r"], ["a"], {}), ("Erf", ["a"], ["b"], {}), ("Add", ["b", "o"], ["c"], {}),
    ("Mul", ["x", "c"], ["d"], {}), ("Mul", ["d", "h"], ["y"], {}),
], {"r": np.float32(2**0.5), "o": np.float32(1), "h": np.float32(0.5)})
case("class token", (3, 4), [
    ("Shape", ["x"], ["s"], {"start": 0, "end": 1}), ("Concat", ["s", "rest"], ["t"], {"axis": 0}),
    ("Expand", ["token", "t"], ["e"], {}), ("Concat", ["e", "x"], ["y"], {"axis": 1}),
], {"rest": i64(1, 4), "token": draw(1, 1, 4)})
case("attention", (5, 8), [
    ("MatMul", ["x", "wq"], ["q0"], {}), ("Reshape", ["q0", "heads"], ["q1"], {}), ("Transpose", ["q1"], ["q"], {"perm": [0, 2, 1, 3]}),
    ("MatMul", ["x", "wk"], ["k0"], {}), ("Reshape", ["k0", "heads"], ["k1"], {}), ("Transpose", ["k1"], ["k"], {"perm": [0, 2, 3, 1]}),
    ("MatMul", ["q", "k"], ["s0"], {}), ("Mul", ["s0", "scale"], ["s1"], {}), ("Softmax", ["s1"], ["s"], {"axis": -1}),
    ("MatMul", ["x", "wv"], ["v0"], {}), ("Reshape", ["v0", "heads"], ["v1"], {}), ("Transpose", ["v1"], ["v"], {"perm": [0, 2, 1, 3]}),
    ("MatMul", ["s", "v"], ["o0"], {}), ("Transpose", ["o0"], ["o1"], {"perm": [0, 2, 1, 3]}), ("Reshape", ["o1", "flat"], ["y"], {}),
], {"wq": draw(8, 8), "wk": draw(8, 8), "wv": draw(8, 8), "heads": i64(0, 5, 2, 4), "flat": i64(0, 5, 8), "scale": np.float32(0.5)})

text = "[\n" + ",\n".join(json.dumps(one) for one in CASES) + "\n]\n"
pathlib.Path(__file__).with_name("cases.json").write_text(text)
print(len(CASES), "cases,", len(text), "bytes")
