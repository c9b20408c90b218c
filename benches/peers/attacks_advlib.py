"""adv-lib."""

import importlib
import sys
import types
from importlib.metadata import version

from toolkits import Job, Prepared, Toolkit


def _library() -> types.ModuleType:
    """`adv_lib.attacks`, whose import asks for a plotting client that no attack here plots with.

    That client cannot be built with current setuptools; where it is absent, an empty module takes
    its place.
    """
    try:
        importlib.import_module("visdom")
    except ImportError:
        sys.modules["visdom"] = types.ModuleType("visdom")
    return importlib.import_module("adv_lib.attacks")


al = _library()


def toolkit() -> Toolkit:
    """Its attacks; the minimal ones return the clean image where they find nothing."""
    attacks = {
        "pgd": pgd,
        "apgd": apgd,
        "fab-t": fab,
        "deepfool": deepfool,
        "ddn": ddn,
        "carlini-wagner": carlini_wagner,
        "fmn": fmn,
    }
    return Toolkit("adv-lib", version("adv-lib"), attacks)


def pgd(job: Job) -> Prepared:
    """Returns the last misclassified point among the start and all iterates but the final one."""
    config = job.config
    return lambda: al.pgd_linf(
        job.net,
        job.x,
        job.y,
        job.epsilon,
        steps=config["steps"],
        random_init=config["random_start"],
        restarts=config["restarts"],
        relative_step_size=config["step_size"],
    )


def apgd(job: Job) -> Prepared:
    """On the cross-entropy."""
    return lambda: al.apgd(
        job.net,
        job.x,
        job.y,
        eps=job.epsilon,
        norm=float("inf"),
        n_iter=job.config["steps"],
        n_restarts=job.config["restarts"],
        loss_function="ce",
    )


def fab(job: Job) -> Prepared:
    """Once for each of the other classes; minimal, judged at the radius."""
    return lambda: al.fab(
        job.net,
        job.x,
        job.y,
        norm=float("inf"),
        n_iter=job.config["steps"],
        restarts=job.config["targets"],
        targeted_restarts=True,
    )


def deepfool(job: Job) -> Prepared:
    """Overshoots each step; looks at every class."""
    config = job.config
    return lambda: al.df(
        job.net, job.x, job.y, steps=config["steps"], overshoot=config["overshoot"], norm=2
    )


def ddn(job: Job) -> Prepared:
    """Rounds each iterate to levels."""
    config = job.config
    return lambda: al.ddn(
        job.net,
        job.x,
        job.y,
        steps=config["steps"],
        γ=config["gamma"],
        init_norm=config["initial_norm"],
        levels=config["levels"],
    )


def fmn(job: Job) -> Prepared:
    """Steps and radius changes follow a cosine."""
    steps = job.config["steps"]
    return lambda: al.fmn(job.net, job.x, job.y, norm=float("inf"), steps=steps)


def carlini_wagner(job: Job) -> Prepared:
    """Stops early when every sample's loss has stopped falling."""
    config = job.config
    return lambda: al.carlini_wagner_l2(
        job.net,
        job.x,
        job.y,
        confidence=config["confidence"],
        learning_rate=config["learning_rate"],
        initial_const=config["initial_constant"],
        binary_search_steps=config["search_steps"],
        max_iterations=config["steps"],
        abort_early=config["abort_early"],
    )
