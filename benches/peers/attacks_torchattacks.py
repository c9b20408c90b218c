"""torchattacks."""

from importlib.metadata import version

import torchattacks
from torch import nn

from toolkits import Job, Prepared, Toolkit


def toolkit() -> Toolkit:
    """Its attacks; all return the last iterate unless said otherwise."""
    attacks = {
        "fgsm": fgsm,
        "pgd": pgd,
        "apgd": apgd,
        "fab-t": fab,
        "square": square,
        "deepfool": deepfool,
    }
    absent = {
        "carlini-wagner": "a fixed constant, no search over it",
        "autoattack": "its members take 10 steps, not 100",
    }
    return Toolkit("torchattacks", version("torchattacks"), attacks, absent)


def _call(job: Job, attack: nn.Module) -> Prepared:
    return lambda: attack(job.x, job.y)


def fgsm(job: Job) -> Prepared:
    """One signed step."""
    return _call(job, torchattacks.FGSM(job.net, eps=job.epsilon))


def pgd(job: Job) -> Prepared:
    """The step is a share of the radius."""
    config = job.config
    step = config["step_size"] * job.epsilon
    start = config["random_start"]
    attack = torchattacks.PGD(job.net, job.epsilon, step, config["steps"], random_start=start)
    return _call(job, attack)


def apgd(job: Job) -> Prepared:
    """On the cross-entropy."""
    attack = torchattacks.APGD(
        job.net,
        eps=job.epsilon,
        steps=job.config["steps"],
        n_restarts=job.config["restarts"],
        seed=job.seed,
        loss="ce",
    )
    return _call(job, attack)


def fab(job: Job) -> Prepared:
    """Once for each of the other classes."""
    attack = torchattacks.FAB(
        job.net,
        eps=job.epsilon,
        steps=job.config["steps"],
        n_restarts=job.config["restarts"],
        seed=job.seed,
        multi_targeted=True,
        n_classes=job.config["targets"] + 1,
    )
    return _call(job, attack)


def square(job: Job) -> Prepared:
    """With the schedule of AutoAttack, which is not rescaled to the number of queries."""
    attack = torchattacks.Square(
        job.net,
        eps=job.epsilon,
        n_queries=job.config["queries"],
        p_init=job.config["p_init"],
        resc_schedule=job.config["rescale_schedule"],
        seed=job.seed,
    )
    return _call(job, attack)


def deepfool(job: Job) -> Prepared:
    """Looks at every class, one image after the other.

    Where pixels are clipped its steps may end a hair before the boundary: no success.
    """
    config = job.config
    return _call(job, torchattacks.DeepFool(job.net, config["steps"], config["overshoot"]))
