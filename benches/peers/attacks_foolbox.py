"""Foolbox."""

import logging
from importlib.metadata import version

import foolbox
from foolbox import attacks as fb

from toolkits import Job, Prepared, Toolkit


def toolkit() -> Toolkit:
    """Its attacks; minimal ones return the smallest perturbation that they saw."""
    logging.getLogger("foolbox").setLevel(logging.ERROR)
    attacks = {
        "fgsm": lambda job: _within(job, fb.LinfFastGradientAttack()),
        "pgd": pgd,
        "deepfool": deepfool,
        "ddn": ddn,
        "carlini-wagner": carlini_wagner,
        "fmn": lambda job: _minimal(job, fb.LInfFMNAttack(steps=job.config["steps"])),
        "hop-skip-jump": hop_skip_jump,
        "boundary": boundary,
    }
    return Toolkit("foolbox", version("foolbox"), attacks)


def _within(job: Job, attack: fb.Attack) -> Prepared:
    model = foolbox.PyTorchModel(job.net, bounds=(0, 1), device="cpu")
    return lambda: attack(model, job.x, job.y, epsilons=job.epsilon)[0]


def _minimal(job: Job, attack: fb.Attack, **options: object) -> Prepared:
    model = foolbox.PyTorchModel(job.net, bounds=(0, 1), device="cpu")
    return lambda: attack(model, job.x, job.y, epsilons=None, **options)[0]


def pgd(job: Job) -> Prepared:
    """Returns the last iterate."""
    config = job.config
    attack = fb.LinfPGD(
        rel_stepsize=config["step_size"],
        steps=config["steps"],
        random_start=config["random_start"],
    )
    return _within(job, attack)


def deepfool(job: Job) -> Prepared:
    """Overshoots the sum of the steps."""
    config = job.config
    attack = fb.L2DeepFoolAttack(
        steps=config["steps"], candidates=config["candidates"], overshoot=config["overshoot"]
    )
    return _minimal(job, attack)


def ddn(job: Job) -> Prepared:
    """Does not round to levels."""
    config = job.config
    attack = fb.DDNAttack(
        init_epsilon=config["initial_norm"], steps=config["steps"], gamma=config["gamma"]
    )
    return _minimal(job, attack)


def carlini_wagner(job: Job) -> Prepared:
    """Stops early when the sum of the batch's losses stops falling."""
    config = job.config
    attack = fb.L2CarliniWagnerAttack(
        binary_search_steps=config["search_steps"],
        steps=config["steps"],
        stepsize=config["learning_rate"],
        confidence=config["confidence"],
        initial_const=config["initial_constant"],
        abort_early=config["abort_early"],
    )
    return _minimal(job, attack)


def hop_skip_jump(job: Job) -> Prepared:
    """Divides directions by their norm over the whole batch: its steps shrink with the batch."""
    config = job.config
    attack = fb.HopSkipJumpAttack(
        steps=config["steps"],
        initial_gradient_eval_steps=config["initial_evaluations"],
        max_gradient_eval_steps=config["max_evaluations"],
    )
    return _minimal(job, attack, starting_points=job.starts)


def boundary(job: Job) -> Prepared:
    """One proposal a step for all samples."""
    config = job.config
    attack = fb.BoundaryAttack(
        steps=config["steps"],
        spherical_step=config["spherical_step"],
        source_step=config["source_step"],
    )
    return _minimal(job, attack, starting_points=job.starts)
