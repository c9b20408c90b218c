"""Reading a model folder and building its torch net, with counted forward passes."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn


class InputError(Exception):
    """The user named something that is not there or not what it should be."""


class SmallCnn(nn.Module):
    """Two convolutions of 16 and 32 channels, each pooled, and two linear layers."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.fc1 = nn.Linear(32 * (side // 4) ** 2, 64)
        self.fc2 = nn.Linear(64, 10)
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        """Logits `[n, 10]` of images `[n, 1, side, side]` in [0, 1]."""
        x = self.pool(self.relu(self.conv1(x)))
        x = self.pool(self.relu(self.conv2(x)))
        return self.fc2(self.relu(self.fc1(x.flatten(1))))


NETS: dict[str, Callable[[int], nn.Module]] = {
    "conv1 relu maxpool2 conv2 relu maxpool2 flatten fc1 relu fc2": SmallCnn,
}
"""Architectures by what `meta.json` says in `forward`, for square images of a side."""


class Counted(nn.Module):
    """Counts the rows that pass through a net, and those whose gradient may be asked for."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.rows = 0
        self.gradient_rows = 0

    def forward(self, x: Tensor) -> Tensor:
        """What the net says of `x`, which some toolkits turn into doubles on their way here."""
        self.rows += len(x)
        if x.requires_grad and torch.is_grad_enabled():
            self.gradient_rows += len(x)
        return self.net(x.float())


@dataclass(frozen=True)
class Case:
    """A net and the samples that it is attacked on."""

    name: str
    folder: Path
    net: nn.Module
    x: Tensor
    """Every evaluation image, `[n, 1, side, side]` in [0, 1]."""
    y: Tensor
    """Their labels, `[n]`."""
    predicted: Tensor
    """What the net calls the clean images, `[n]`."""
    epsilon: dict[str, float]
    """The radius that this net is judged at, by norm."""


def load_case(folder: Path) -> Case:
    """Reads `model.safetensors`, `meta.json` and `eval.npz` of a folder."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    meta = _meta(folder / "meta.json")
    shape = tuple(meta["input"]["shape"])
    net = _weights(NETS[meta["forward"]](shape[1]), folder / "model.safetensors")
    x, y = _samples(folder / "eval.npz", shape)
    with torch.no_grad():
        predicted = net(x).argmax(1)
    epsilon = {"linf": float(meta["eps_linf"]), "l2": float(meta["eps_l2"])}
    return Case(meta.get("name", folder.name), folder, net, x, y, predicted, epsilon)


def _meta(path: Path) -> dict:
    try:
        meta = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {_one_line(error)}") from error
    if not isinstance(meta, dict) or meta.get("forward") not in NETS:
        raise InputError(f"{path}: `forward` names no architecture that is known here")
    shape = meta["input"]["shape"] if isinstance(meta.get("input"), dict) else None
    if not (isinstance(shape, list) and len(shape) == 3 and shape == [1, shape[1], shape[1]]):
        raise InputError(f"{path}: `input.shape` is {shape}, not [1, side, side]")
    for key in ("eps_linf", "eps_l2"):
        if not isinstance(meta.get(key), (int, float)) or not meta[key] > 0:
            raise InputError(f"{path}: `{key}` is not a positive number")
    return meta


def _weights(net: nn.Module, path: Path) -> nn.Module:
    try:
        net.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise InputError(f"{path}: {_one_line(error)}") from error
    # Nobody trains here: toolkits that call `backward` need not pay for the gradients of weights.
    return net.eval().requires_grad_(False)


def _samples(path: Path, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    try:
        with np.load(path) as arrays:
            x, y = arrays["x"], arrays["y"]
    except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
        raise InputError(f"{path}: {_one_line(error)}") from error
    if x.shape[1:] != shape or y.shape != x.shape[:1] or len(x) == 0:
        raise InputError(f"{path}: x {x.shape} and y {y.shape}, not (n, {shape}) and (n,)")
    if x.dtype != np.float32 or y.dtype != np.int64 or not (x.min() >= 0 and x.max() <= 1):
        raise InputError(f"{path}: x must be float32 in [0, 1] and y int64")
    if not (y.min() >= 0 and y.max() <= 9):
        raise InputError(f"{path}: y must be classes from 0 to 9")
    return torch.from_numpy(x), torch.from_numpy(y)


def _one_line(error: Exception) -> str:
    said = error.strerror if isinstance(error, OSError) else None
    return " ".join((said or str(error)).split())
