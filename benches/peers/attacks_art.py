"""The Adversarial Robustness Toolbox."""

import contextlib
import tempfile
from importlib.metadata import version

import numpy as np
import torch
from art.attacks import EvasionAttack, evasion
from art.estimators.classification import PyTorchClassifier
from torch import nn

from toolkits import Job, Prepared, Toolkit

CANDIDATES = 20
"""Points that its boundary attack asks for in each half of a step."""

SIGN_OPT_EPSILON = 0.001
"""A smoothing that its SignOPT takes besides the other one; its default."""


def toolkit() -> Toolkit:
    """Its attacks; those that ask for labels only go one image at a time."""
    if not hasattr(np, "mat"):
        # GeoDA calls it by the name that numpy 2 dropped.
        np.mat = np.asmatrix
    attacks = {
        "fgsm": fgsm,
        "pgd": pgd,
        "apgd": apgd,
        "square": square,
        "deepfool": deepfool,
        "carlini-wagner": carlini_wagner,
        "hop-skip-jump": hop_skip_jump,
        "boundary": boundary,
        "simba": simba,
        "geoda": geoda,
        "sign-opt": sign_opt,
    }
    absent = {"autoattack": "other members: no targeted losses, no FAB, five restarts"}
    return Toolkit("art", version("adversarial-robustness-toolbox"), attacks, absent)


def _classifier(job: Job, probabilities: bool = False) -> PyTorchClassifier:
    net = nn.Sequential(job.net, nn.Softmax(1)) if probabilities else job.net
    return PyTorchClassifier(
        model=net,
        loss=nn.CrossEntropyLoss(),
        input_shape=tuple(job.x.shape[1:]),
        nb_classes=10,
        clip_values=(0.0, 1.0),
        device_type="cpu",
    )


def _call(job: Job, attack: EvasionAttack, **options: object) -> Prepared:
    x, y = job.x.numpy(), job.y.numpy()
    return lambda: torch.from_numpy(attack.generate(x, y, **options))


def fgsm(job: Job) -> Prepared:
    """One signed step."""
    attack = evasion.FastGradientMethod(_classifier(job), eps=job.epsilon, batch_size=len(job.x))
    return _call(job, attack)


def pgd(job: Job) -> Prepared:
    """Returns the last iterate."""
    config = job.config
    attack = evasion.ProjectedGradientDescent(
        _classifier(job),
        eps=job.epsilon,
        eps_step=config["step_size"] * job.epsilon,
        max_iter=config["steps"],
        num_random_init=int(config["random_start"]),
        batch_size=len(job.x),
        verbose=False,
    )
    return _call(job, attack)


def apgd(job: Job) -> Prepared:
    """Starts with a step of twice the radius, as the paper does."""
    attack = evasion.AutoProjectedGradientDescent(
        _classifier(job),
        eps=job.epsilon,
        eps_step=2 * job.epsilon,
        max_iter=job.config["steps"],
        nb_random_init=job.config["restarts"],
        batch_size=len(job.x),
        loss_type="cross_entropy",
        verbose=False,
    )
    return _call(job, attack)


def square(job: Job) -> Prepared:
    """Predicts three times in each of its iterations."""
    attack = evasion.SquareAttack(
        _classifier(job),
        eps=job.epsilon,
        max_iter=job.config["queries"],
        p_init=job.config["p_init"],
        nb_restarts=1,
        batch_size=len(job.x),
        verbose=False,
    )
    return _call(job, attack)


def deepfool(job: Job) -> Prepared:
    """Overshoots once, at the end."""
    config = job.config
    attack = evasion.DeepFool(
        _classifier(job),
        max_iter=config["steps"],
        epsilon=config["overshoot"],
        nb_grads=config["candidates"],
        batch_size=len(job.x),
        verbose=False,
    )
    # It starts from the predicted classes, which are the labels here.
    return _call(job, attack)


def carlini_wagner(job: Job) -> Prepared:
    """Searches along a line instead of taking Adam's steps."""
    config = job.config
    attack = evasion.CarliniL2Method(
        _classifier(job),
        confidence=config["confidence"],
        learning_rate=config["learning_rate"],
        binary_search_steps=config["search_steps"],
        max_iter=config["steps"],
        initial_const=config["initial_constant"],
        batch_size=len(job.x),
        verbose=False,
    )
    return _call(job, attack)


def hop_skip_jump(job: Job) -> Prepared:
    """One image at a time."""
    config = job.config
    attack = evasion.HopSkipJump(
        _classifier(job),
        batch_size=128,
        norm=2,
        max_iter=config["steps"],
        max_eval=config["max_evaluations"],
        init_eval=config["initial_evaluations"],
        verbose=False,
    )
    return _call(job, attack, x_adv_init=job.starts.numpy())


def boundary(job: Job) -> Prepared:
    """One image at a time, with as many steps as cost the queries of one proposal a step."""
    config = job.config
    attack = evasion.BoundaryAttack(
        _classifier(job),
        batch_size=128,
        targeted=False,
        delta=config["spherical_step"],
        epsilon=config["source_step"],
        max_iter=max(1, config["steps"] // (2 * CANDIDATES)),
        sample_size=CANDIDATES,
        verbose=False,
    )
    return _call(job, attack, x_adv_init=job.starts.numpy())


def simba(job: Job) -> Prepared:
    """Always asks for both signs; wants probabilities."""
    attack = evasion.SimBA(
        _classifier(job, probabilities=True),
        attack="px",
        max_iter=job.config["steps"],
        order="random",
        epsilon=job.config["step_size"],
        verbose=False,
    )
    one_hot = nn.functional.one_hot(job.y, 10).numpy()
    return lambda: torch.from_numpy(attack.generate(job.x.numpy(), one_hot))


def geoda(job: Job) -> Prepared:
    """Writes its basis into the current folder, which is therefore one that goes away."""
    config = job.config
    attack = evasion.GeoDA(
        _classifier(job),
        batch_size=128,
        norm=2,
        sub_dim=config["subspace"],
        max_iter=config["queries"],
        lambda_param=config["lambda"],
        sigma=config["sigma"],
        verbose=False,
    )
    call = _call(job, attack)

    def run() -> torch.Tensor:
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            return call()

    return run


def sign_opt(job: Job) -> Prepared:
    """One image and one query at a time; starts from random directions."""
    config = job.config
    attack = evasion.SignOPTAttack(
        _classifier(job),
        targeted=False,
        epsilon=SIGN_OPT_EPSILON,
        num_trial=config["initial_directions"],
        max_iter=config["steps"],
        query_limit=config["queries"],
        k=config["directions"],
        alpha=config["step_size"],
        beta=config["smoothing"],
    )
    return _call(job, attack)
