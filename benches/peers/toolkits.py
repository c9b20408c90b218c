"""What a toolkit is to the comparison, and which of them are there."""

import contextlib
import importlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from torch import Tensor

from nets import Counted

MODULES = (
    "attacks_autoattack",
    "attacks_torchattacks",
    "attacks_foolbox",
    "attacks_advlib",
    "attacks_art",
)


@dataclass(frozen=True)
class Job:
    """One attack on one batch, all of whose samples the net gets right."""

    net: Counted
    x: Tensor
    y: Tensor
    starts: Tensor
    """For each sample an image that the net calls something else, for walks along a boundary."""
    norm: str
    epsilon: float
    config: dict
    seed: int


Prepared = Callable[[], Tensor]
"""The call that is timed; returns the attacked batch."""


@dataclass(frozen=True)
class Toolkit:
    """A peer: which attacks it has, each as a function that prepares the timed call."""

    name: str
    version: str
    attacks: dict[str, Callable[[Job], Prepared]]
    absent: dict[str, str] = field(default_factory=dict)
    """Attacks that it has under this name but that are something else, with the reason."""


def available() -> tuple[list[Toolkit], dict[str, str]]:
    """The toolkits that can be imported, and for each other one the reason in one line."""
    toolkits, missing = [], {}
    for module in MODULES:
        try:
            with silence():
                toolkits.append(importlib.import_module(module).toolkit())
        except Exception as error:
            # An import runs foreign code: whatever it raises, the other toolkits go on.
            missing[module.removeprefix("attacks_")] = reason(error)
    return toolkits, missing


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Keeps the toolkits' own prints, log lines and warnings out of the table."""
    logging.disable(logging.WARNING)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)


def reason(error: Exception) -> str:
    """An error in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:200]
