"""Bounds of the margins of small networks in duress and auto_LiRPA: values and times, as a table.

    python bounds.py --duress target/debug/duress-peers --models DIR [--threads 1] [--batch 64]

needs `torch` and `auto_LiRPA` (0.7, from its repository). Both bound all margins of the predicted
class on Linf balls cut by [0, 1], auto_LiRPA in f32 as it comes, duress in f64 with an account of
rounding. Times are processor time of the whole batch, one warm-up before.
"""

import argparse
import json
import pathlib
import shlex
import subprocess
import tempfile
import warnings

from timing import fix_threads, timed

parser = argparse.ArgumentParser()
parser.add_argument("--duress", required=True)
parser.add_argument("--models", required=True, type=pathlib.Path)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--seconds", type=float, default=2.0)
parser.add_argument("--batch", type=int, default=64)
parser.add_argument("--methods", default="ibp,crown-ibp,crown,alpha-crown")
options = parser.parse_args()
fix_threads(options.threads)
warnings.filterwarnings("ignore")

import numpy as np  # noqa: E402
import torch  # noqa: E402
from auto_LiRPA import BoundedModule, BoundedTensor, PerturbationLpNorm  # noqa: E402
from torch import nn  # noqa: E402

torch.set_num_threads(options.threads)
NAMES = {"ibp": "IBP", "crown-ibp": "CROWN-IBP", "crown": "CROWN", "alpha-crown": "CROWN-Optimized"}


def small(channels, sizes, hidden, kernel, stride, padding, side):
    first, second = sizes
    after = side
    for _ in range(2):
        after = (after + 2 * padding - kernel) // stride + 1
    return nn.Sequential(
        nn.Conv2d(channels, first, kernel, stride, padding), nn.ReLU(),
        nn.Conv2d(first, second, kernel, stride, padding), nn.ReLU(), nn.Flatten(),
        nn.Linear(second * after * after, hidden), nn.ReLU(), nn.Linear(hidden, 10))


def dense():
    layers = [nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(64, 10))


# Name, network, data, channels and side of its pictures, radius.
CASES = [
    ("kw_mnist", small(1, (16, 32), 100, 4, 2, 1, 28), "mnist", 1, 28, 0.1),
    ("mnist_cnn_small", small(1, (8, 16), 256, 4, 2, 1, 28), "mnist", 1, 28, 0.02),
    ("mnist_fc_3layer", dense(), "mnist", 1, 28, 0.01),
    ("cifar_2c2f", small(3, (4, 4), 32, 3, 1, 0, 32), "cifar10", 3, 32, 1 / 255),
]


def load(net, path):
    """The file's tensors in the order of the layers."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    state = state.get("state_dict", state) if isinstance(state, dict) else state
    with torch.no_grad():
        for own, given in zip(net.parameters(), state.values(), strict=True):
            own.copy_(given)
    return net.eval()


def pictures(data, channels, side):
    table = np.loadtxt(options.models / "first100_images" / f"{data}_test_first100.csv",
                       delimiter=",", dtype=np.float32)[: options.batch]
    rows = table[:, 1:] / np.float32(255.0)
    if channels == 3:
        rows = rows.reshape(-1, side, side, 3).transpose(0, 3, 1, 2).reshape(len(rows), -1)
    return np.ascontiguousarray(rows)


def mean(work):
    """What `work` returns and its mean processor time, after one run."""
    result = work()
    total, runs, spent = 0.0, 0, 0.0
    while spent < options.seconds or runs < 3:
        _, span = timed(work)
        total, spent, runs = total + span.cpu_seconds, spent + span.seconds, runs + 1
    return result, total / runs


def theirs(net, rows, channels, side, epsilon, method):
    x = torch.tensor(rows).reshape(-1, channels, side, side)
    lower, upper = (x - epsilon).clamp(0, 1), (x + epsilon).clamp(0, 1)
    bounded = BoundedModule(net, x[:1], device="cpu",
                            bound_opts={"optimize_bound_args": {"iteration": 20}})
    label = net(x).argmax(1)
    eye = torch.eye(10)
    others = torch.tensor([[c for c in range(10) if c != y] for y in label.tolist()])
    matrix = eye[label].unsqueeze(1) - eye[others]
    ball = PerturbationLpNorm(norm=np.inf, x_L=lower, x_U=upper)

    def work():
        return bounded.compute_bounds(x=(BoundedTensor(x, ball),), C=matrix, method=method,
                                      bound_upper=False)[0].detach()

    found, seconds = mean(work)
    full = torch.zeros(len(rows), 10).scatter(1, others, found)
    return full.numpy(), seconds


def ours(folder, name, rows, epsilon, method):
    given, out = folder / "rows.npy", folder / "lower.npy"
    np.save(given, rows)
    words = [*shlex.split(options.duress), "bounds",
             str(options.models / "pretrained_mnist_cifar" / f"{name}.onnx"), "--rows", str(given),
             "--epsilon", str(epsilon), "--method", method, "--out", str(out),
             "--threads", str(options.threads), "--seconds", str(options.seconds)]
    line = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    return np.load(out), line["cpu_seconds"]


print("| network | radius | method | certified, duress | auto_LiRPA | least difference | s, duress "
      "| auto_LiRPA | ratio |")
print("|---|---|---|---|---|---|---|---|---|")
with tempfile.TemporaryDirectory() as folder:
    for name, net, data, channels, side, epsilon in CASES:
        net = load(net, options.models / "pretrained_mnist_cifar" / f"{name}.pth")
        rows = pictures(data, channels, side)
        for method in options.methods.split(","):
            own, cost = ours(pathlib.Path(folder), name, rows, epsilon, method)
            other, theirs_cost = theirs(net, rows, channels, side, epsilon, NAMES[method])
            # The label's own margin is 0 in both.
            proved = [int(((b > 0).sum(1) == 9).sum()) for b in (own, other)]
            least = float((own - other).min())
            print(f"| {name} | {epsilon:.4g} | {method} | {proved[0]} | {proved[1]} | {least:.1e} "
                  f"| {cost:.3f} | {theirs_cost:.3f} | {cost / theirs_cost:.2f} |", flush=True)
