"""Steps of adversarial training in duress and in PyTorch, as a table.

    python training.py --duress target/debug/duress-peers [--threads 2] [--seconds 5] [--rounds 3]

needs `torch`. Both train the same layers on the same made-up samples with the same recipes: SGD
with momentum 0.9 and weight decay 5e-4, PGD of 7 steps of 2/255 at 8/255 from a uniform start on
the network in evaluation mode. The toolkits take turns; the fastest round counts.
"""

import argparse
import json
import subprocess

from timing import fix_threads, timed

parser = argparse.ArgumentParser()
parser.add_argument("--duress", required=True)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--seconds", type=float, default=5.0)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--batch", type=int, default=128)
options = parser.parse_args()
fix_threads(options.threads)

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402

torch.set_num_threads(options.threads)

EPSILON = 8 / 255


def network():
    """The small CNN of the certified-defence literature on 1 x 28 x 28, as duress has it."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(1568, 100),
        nn.ReLU(),
        nn.Linear(100, 10),
    )


def ascend(net, x, y, steps, step_size, start):
    """PGD on the network in evaluation mode; only the input's gradient is asked for."""
    net.eval()
    adversarial = (x + start).clamp(0, 1)
    for _ in range(steps):
        adversarial.requires_grad_()
        loss = F.cross_entropy(net(adversarial), y, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, adversarial)
        adversarial = adversarial.detach() + step_size * gradient.sign()
        adversarial = torch.min(torch.max(adversarial, x - EPSILON), x + EPSILON).clamp(0, 1)
    net.train()
    return adversarial.detach()


def uniform(x):
    return torch.empty_like(x).uniform_(-EPSILON, EPSILON)


def standard(net, optimizer, x, y):
    optimizer.zero_grad()
    F.cross_entropy(net(x), y).backward()
    optimizer.step()


def pgd_training(net, optimizer, x, y):
    standard(net, optimizer, ascend(net, x, y, 7, 2 / 255, uniform(x)), y)


def fgsm_training(net, optimizer, x, y):
    standard(net, optimizer, ascend(net, x, y, 1, 1.25 * EPSILON, uniform(x)), y)


def trades(net, optimizer, x, y):
    net.eval()
    with torch.no_grad():
        clean = F.softmax(net(x), dim=1)
    adversarial = x + 0.001 * torch.randn_like(x)
    for _ in range(10):
        adversarial.requires_grad_()
        moved = F.log_softmax(net(adversarial), dim=1)
        loss = F.kl_div(moved, clean, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, adversarial)
        adversarial = adversarial.detach() + 0.007 * gradient.sign()
        adversarial = torch.min(torch.max(adversarial, x - EPSILON), x + EPSILON).clamp(0, 1)
    net.train()
    optimizer.zero_grad()
    logits, moved = net(x), net(adversarial.detach())
    robust = F.kl_div(F.log_softmax(moved, dim=1), F.softmax(logits, dim=1), reduction="batchmean")
    (F.cross_entropy(logits, y) + 6 * robust).backward()
    optimizer.step()


class Free:
    """One backward pass for the weights and the perturbation; eight steps a batch."""

    def __init__(self):
        self.delta = None

    def __call__(self, net, optimizer, x, y):
        if self.delta is None:
            self.delta = torch.zeros_like(x)
        point = (x + self.delta).clamp(0, 1).requires_grad_()
        optimizer.zero_grad()
        F.cross_entropy(net(point), y).backward()
        self.delta = (self.delta + EPSILON * point.grad.sign()).clamp(-EPSILON, EPSILON)
        optimizer.step()


def speed(step):
    """Milliseconds a step: wall and processor time."""
    net = network()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    at = torch.arange(options.batch * 784, dtype=torch.float32) * 0.618034
    x = (at - at.floor()).reshape(options.batch, 1, 28, 28)
    y = torch.arange(options.batch) % 10
    for _ in range(3):
        step(net, optimizer, x, y)
    steps, wall, cpu = 0, 0.0, 0.0
    while wall < options.seconds:
        _, span = timed(lambda: step(net, optimizer, x, y))
        steps, wall, cpu = steps + 1, wall + span.seconds, cpu + span.cpu_seconds
    return 1e3 * wall / steps, 1e3 * cpu / steps


RECIPES = {
    "standard": lambda: standard,
    "fgsm-training": lambda: fgsm_training,
    "free-training": Free,
    "pgd-training": lambda: pgd_training,
    "trades": lambda: trades,
}


def duress():
    command = [options.duress, "train"]
    for name in ("batch", "threads", "seconds"):
        command += [f"--{name}", str(getattr(options, name))]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lines = [json.loads(line) for line in said.splitlines()]
    return {line["recipe"]: (line["wall"], line["cpu"]) for line in lines}


best: dict[tuple[str, str], tuple[float, float]] = {}


def keep(toolkit, recipe, times):
    old = best.get((toolkit, recipe), times)
    best[toolkit, recipe] = tuple(min(pair) for pair in zip(old, times))


for _ in range(options.rounds):
    for recipe, times in duress().items():
        keep("duress", recipe, times)
    for recipe, make in RECIPES.items():
        keep("torch", recipe, speed(make()))

print("| recipe | duress, ms a step | PyTorch, ms a step | speed over PyTorch's | cpu over PyTorch's |")
print("|---|---|---|---|---|")
for recipe in RECIPES:
    own, other = best["duress", recipe], best["torch", recipe]
    print(
        f"| {recipe} | {own[0]:.2f} | {other[0]:.2f} | {other[0] / own[0]:.2f} "
        f"| {other[1] / own[1]:.2f} |"
    )
