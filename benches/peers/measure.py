"""One timed attack of one peer, and what it came to."""

import random
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import torch
from torch import Tensor

from nets import Case, Counted, InputError
from plan import Plan
from timing import Span, timed
from toolkits import Job, Toolkit, silence

TOLERANCE = 1e-5
"""Rounding that a perturbation may exceed the radius by."""

WARM_UP_SAMPLES = 4

LEAST_SECONDS = 0.5
"""A call that takes less is repeated: the mean of so short a time is what can be measured."""


@dataclass(frozen=True)
class Result:
    """One run of one attack."""

    seconds: float
    cpu_seconds: float
    robust: float
    """Share of the samples that are right when clean and stay right within the radius."""
    median_distance: float
    """Over the samples that are right when clean; infinite if most were not fooled."""
    queries: float
    """Forward rows per attacked sample, those of gradients included."""
    gradients: float
    """Of these, rows whose gradient may have been asked for; not a number where unknown."""


def warm_up(toolkit: Toolkit, attack: str, plan: Plan, case: Case, samples: int) -> None:
    """A short untimed call on a few samples, and one gradient of all.

    The first pass of a batch size is several times slower than the later ones.
    """
    chosen = _attacked(case, samples)
    x = case.x[chosen].clone().requires_grad_()
    torch.autograd.grad(case.net(x).sum(), x)
    job = _job(plan, case, chosen[:WARM_UP_SAMPLES], plan.config | plan.warm_up, seed=0)
    with silence():
        toolkit.attacks[attack](job)()


def measure(
    toolkit: Toolkit, attack: str, plan: Plan, case: Case, samples: int, seed: int
) -> Result:
    """Timed calls on the samples among the first `samples` that the net gets right."""
    chosen = _attacked(case, samples)
    spans: list[Span] = []
    while not spans or sum(span.seconds for span in spans) < LEAST_SECONDS:
        job = _job(plan, case, chosen, plan.config, seed)
        for start in (torch.manual_seed, np.random.seed, random.seed):
            start(seed)
        with silence():
            attacked, span = timed(toolkit.attacks[attack](job))
        spans.append(span)
    distances = _distances(case, plan.norm, chosen, attacked)
    standing = int((distances > job.epsilon + TOLERANCE).sum())
    return Result(
        seconds=fmean(span.seconds for span in spans),
        cpu_seconds=fmean(span.cpu_seconds for span in spans),
        robust=standing / samples,
        # As numpy's: the mean of the middle two, where torch takes the lower one.
        median_distance=float(np.median(distances.numpy())),
        queries=job.net.rows / len(chosen),
        gradients=job.net.gradient_rows / len(chosen),
    )


def _attacked(case: Case, samples: int) -> Tensor:
    right = (case.predicted[:samples] == case.y[:samples]).nonzero().flatten()
    if len(right) == 0:
        raise InputError(f"{case.folder}: none of the first {samples} samples is classified right")
    return right


def _job(plan: Plan, case: Case, chosen: Tensor, config: dict, seed: int) -> Job:
    return Job(
        net=Counted(case.net),
        x=case.x[chosen].clone(),
        y=case.y[chosen].clone(),
        starts=_starts(case, chosen),
        norm=plan.norm,
        epsilon=case.epsilon[plan.norm],
        config=config,
        seed=seed,
    )


def _starts(case: Case, chosen: Tensor) -> Tensor:
    """For each sample the first evaluation image that the net calls something else than it is."""
    other = case.predicted.unsqueeze(0) != case.y[chosen].unsqueeze(1)
    if not other.any(1).all():
        raise InputError(f"{case.folder}: the net calls every evaluation image the same")
    return case.x[other.int().argmax(1)].clone()


def _distances(case: Case, norm: str, chosen: Tensor, attacked: Tensor) -> Tensor:
    """How far each attacked sample moved; infinite where the net still gets it right."""
    with torch.no_grad():
        inside = (attacked >= -TOLERANCE) & (attacked <= 1 + TOLERANCE)
        fooled = (case.net(attacked).argmax(1) != case.y[chosen]) & inside.flatten(1).all(1)
        order = float("inf") if norm == "linf" else 2
        moved = (attacked.double() - case.x[chosen].double()).flatten(1).norm(p=order, dim=1)
    return torch.where(fooled, moved, torch.inf)
