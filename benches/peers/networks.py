"""Networks of ONNX files in duress, onnxruntime and PyTorch: answers and times, as a table.

    python networks.py --duress target/debug/duress-peers --models DIR [--threads 1]

needs `onnx`, `onnxruntime` and `torch`. PyTorch runs the file's operators one by one through its
own functions; a network with another operator than those below has no time there.
"""

import argparse
import json
import pathlib
import shlex
import subprocess
import tempfile

from timing import fix_threads, timed

parser = argparse.ArgumentParser()
parser.add_argument("--duress", required=True)
parser.add_argument("--models", required=True, type=pathlib.Path)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--seconds", type=float, default=1.0)
parser.add_argument("--batch", type=int, default=128)
options = parser.parse_args()
fix_threads(options.threads)

import numpy as np  # noqa: E402
import onnx  # noqa: E402
import onnxruntime  # noqa: E402
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from onnx import numpy_helper  # noqa: E402

torch.set_num_threads(options.threads)


def rows(count, features):
    """The inputs that the Rust program uses: the same f32 operations."""
    at = np.arange(count * features, dtype=np.float32) * np.float32(0.618034)
    return (at - np.floor(at)).reshape(count, features)


def mean(work):
    """Mean processor time of `work`, after one run."""
    work()
    total, runs = 0.0, 0
    spent = 0.0
    while spent < options.seconds or runs < 3:
        _, span = timed(work)
        total, spent, runs = total + span.cpu_seconds, spent + span.seconds, runs + 1
    return total / runs


class Torch:
    """A network as calls of PyTorch."""

    def __init__(self, model, shape):
        graph = model.graph
        self.shape, self.nodes = shape, graph.node
        self.constants = {w.name: torch.tensor(numpy_helper.to_array(w)) for w in graph.initializer}
        own = [i.name for i in graph.input if i.name not in self.constants]
        self.input, self.output = own[0], graph.output[0].name

    def __call__(self, x):
        values = dict(self.constants)
        values[self.input] = x.reshape(-1, *self.shape)
        for node in self.nodes:
            a = {k.name: onnx.helper.get_attribute_value(k) for k in node.attribute}
            values[node.output[0]] = run(node.op_type, a, [values[i] for i in node.input if i])
        return values[self.output].flatten(1)


def run(op, a, v):
    pads = a.get("pads", [0, 0, 0, 0])
    sides = [pads[1], pads[3], pads[0], pads[2]] if len(pads) == 4 else pads
    if op == "Gemm":
        weight = v[1].T if a.get("transB", 0) else v[1]
        return torch.addmm(v[2], v[0], weight)
    if op == "MatMul":
        return v[0] @ v[1]
    if op in ("Add", "Sub", "Mul", "Div"):
        return getattr(torch, op.lower())(v[0], v[1])
    if op in ("Relu", "Sigmoid", "Tanh"):
        return getattr(torch, op.lower())(v[0])
    if op == "Flatten":
        return v[0].flatten(1)
    if op == "Conv":
        same = sides[0] == sides[1] and sides[2] == sides[3]
        x = v[0] if same else F.pad(v[0], sides)
        padding = (sides[2], sides[0]) if same else 0
        bias = v[2] if len(v) > 2 else None
        return F.conv2d(x, v[1], bias, a.get("strides", [1, 1]), padding, 1, a.get("group", 1))
    if op == "BatchNormalization":
        return F.batch_norm(v[0], v[3], v[4], v[1], v[2], False, 0.0, a.get("epsilon", 1e-5))
    if op == "MaxPool":
        return F.max_pool2d(v[0], a["kernel_shape"], a["strides"])
    if op == "AveragePool" and not any(pads):
        return F.avg_pool2d(v[0], a["kernel_shape"], a["strides"])
    if op == "Pad" and not any(int(p) for p in (v[1].tolist() if len(v) > 1 else pads)):
        return v[0]
    raise NotImplementedError(op)


def torch_times(model, shape, x):
    try:
        network, x = Torch(model, shape), torch.tensor(x)
        answer = network(x).detach().numpy()

        def gradient():
            leaf = x.clone().requires_grad_()
            scores = network(leaf)
            F.cross_entropy(scores, torch.zeros(len(x), dtype=torch.long), reduction="sum").backward()

        with torch.no_grad():
            forward = mean(lambda: network(x))
        return answer, forward, mean(gradient)
    except (NotImplementedError, RuntimeError):
        # Another operator, or a network of one sample a call.
        return None, None, None


def main():
    files = sorted(options.models.rglob("*.onnx"))
    # Of networks that differ by their weights alone one stands for all.
    files = [f for f in files if "ACASXU" not in f.name or f.name.endswith("1_1_batch_2000.onnx")]
    with tempfile.TemporaryDirectory() as folder:
        words = [*shlex.split(options.duress), "networks", *map(str, files), "--out", folder]
        words += ["--threads", str(options.threads), "--seconds", str(options.seconds)]
        words += ["--batch", str(options.batch)]
        out = subprocess.run(words, check=True, capture_output=True, text=True).stdout
        print("| network | operators | difference | forward, ms | of onnxruntime | gradient, ms | of PyTorch |")
        print("|---|---|---|---|---|---|---|")
        for file, line in zip(files, out.splitlines(), strict=True):
            measured = json.loads(line)
            model = onnx.load(file)
            settings = onnxruntime.SessionOptions()
            settings.intra_op_num_threads = options.threads
            settings.inter_op_num_threads = 1
            session = onnxruntime.InferenceSession(str(file), settings)
            info = session.get_inputs()[0]
            fixed = [side for side in info.shape if isinstance(side, int)]
            single = isinstance(info.shape[0], int)
            features = int(np.prod(info.shape if single else info.shape[1:]))
            own = info.shape[1:] if len(info.shape) > 1 else info.shape
            x = rows(options.batch, features)
            if single:
                # A network of one sample a call.
                expected = np.stack([session.run(None, {info.name: r.reshape(fixed)})[0].ravel() for r in x])
                peer = None
            else:
                batch = x.reshape(-1, *own)
                expected = session.run(None, {info.name: batch})[0]
                peer = mean(lambda: session.run(None, {info.name: batch}))
            got = np.load(measured["logits"]).reshape(len(x), -1)
            if got.shape[1] != expected.reshape(len(x), -1).shape[1]:
                # One result became the log-odds of two classes.
                got = got[:, 1:]
            expected = expected.reshape(got.shape)
            scale = max(float(np.abs(expected).max()), 1e-6)
            difference = float(np.abs(got - expected).max()) / scale
            _, _, gradient = torch_times(model, list(own), x)
            cell = lambda ours, theirs: f"{ours / theirs:.2f}" if theirs else "-"  # noqa: E731
            print(
                f"| {file.parent.name}/{file.stem} | {measured['operators']} | {difference:.1e}"
                f" | {1e3 * measured['forward']:.2f} | {cell(measured['forward'], peer)}"
                f" | {1e3 * measured['gradient']:.2f} | {cell(measured['gradient'], gradient)} |"
            )


main()
