"""What is compared: each attack once, with the numbers that every toolkit gets."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Plan:
    """One attack. The numbers have duress's names; the peers' adapters translate them."""

    norm: str
    minimal: bool
    """Looks for the smallest perturbation, instead of any within the radius."""
    samples: int
    """How many of the evaluation images are attacked unless the user says otherwise."""
    config: dict = field(default_factory=dict)
    warm_up: dict = field(default_factory=dict)
    """What is different in a peer's warm-up call: fewer steps."""
    duress: str | None = None
    """Its name in duress, where that differs."""


PLANS: dict[str, Plan] = {
    "fgsm": Plan("linf", False, 256, duress="fgm"),
    # A step is 2.5 epsilon / 40.
    "pgd": Plan(
        "linf",
        False,
        128,
        {"steps": 40, "step_size": 0.0625, "random_start": True, "restarts": 1},
        {"steps": 2},
    ),
    "apgd": Plan("linf", False, 128, {"steps": 100, "restarts": 1}, {"steps": 10}),
    "autoattack": Plan(
        "linf", False, 64, {}, {"members": ["apgd-ce"]}, duress="autoattack-standard"
    ),
    "fab-t": Plan(
        "linf",
        False,
        64,
        {"steps": 100, "targets": 9, "restarts": 1, "final_search": 0},
        {"steps": 2},
    ),
    # The first half of the schedule for 10,000 queries, as in AutoAttack.
    "square": Plan(
        "linf",
        False,
        64,
        {"queries": 5000, "p_init": 0.8, "rescale_schedule": False},
        {"queries": 5},
    ),
    "deepfool": Plan(
        "l2", True, 128, {"steps": 50, "overshoot": 0.02, "candidates": 10}, {"steps": 2}
    ),
    "ddn": Plan(
        "l2",
        True,
        128,
        {"steps": 100, "gamma": 0.05, "initial_norm": 1.0, "levels": 256},
        {"steps": 2},
    ),
    # 200 instead of 1000 iterations: one call stays under half a minute.
    "carlini-wagner": Plan(
        "l2",
        True,
        32,
        {
            "search_steps": 9,
            "steps": 200,
            "learning_rate": 0.05,
            "initial_constant": 0.01,
            "confidence": 0.0,
            "abort_early": True,
        },
        {"search_steps": 1, "steps": 10},
        duress="carlini-wagner-l2",
    ),
    "fmn": Plan("linf", True, 128, {"steps": 100}, {"steps": 2}),
    "hop-skip-jump": Plan(
        "l2",
        True,
        16,
        {"steps": 20, "initial_evaluations": 100, "max_evaluations": 10000},
        {"steps": 1},
    ),
    # The paper walks until it converges, tens of thousands of steps; here all stop at this many.
    "boundary": Plan(
        "l2",
        True,
        16,
        {"steps": 5000, "spherical_step": 0.01, "source_step": 0.01},
        {"steps": 40},
    ),
    # Each of the 784 pixels once.
    "simba": Plan("l2", True, 16, {"steps": 784, "step_size": 0.2, "basis": "pixel"}, {"steps": 4}),
    "geoda": Plan(
        "l2",
        True,
        16,
        {"queries": 4000, "subspace": 10, "lambda": 0.6, "sigma": 0.0002},
        {"queries": 1000},
    ),
    "sign-opt": Plan(
        "l2",
        True,
        8,
        {
            "steps": 1000,
            "queries": 20000,
            "directions": 200,
            "initial_directions": 100,
            "step_size": 0.2,
            "smoothing": 0.001,
        },
        {"steps": 1, "queries": 300},
    ),
}
"""Every attack by its name for `--only`."""
