"""The official AutoAttack, a checkout of its repository."""

try:
    import autoattack
    from autoattack.autopgd_base import APGDAttack
    from autoattack.fab_pt import FABAttack_PT
    from autoattack.square import SquareAttack
except ModuleNotFoundError as error:
    raise ImportError("no package; name a checkout of it with `--autoattack`") from error

from toolkits import Job, Prepared, Toolkit

NORMS = {"linf": "Linf", "l2": "L2"}


def toolkit() -> Toolkit:
    """The standard version and its members by themselves."""
    attacks = {"autoattack": standard, "apgd": apgd, "fab-t": fab, "square": square}
    return Toolkit("autoattack", "checkout", attacks)


def standard(job: Job) -> Prepared:
    """APGD-CE, APGD-T, FAB-T and Square, in batches of 128; a warm-up names fewer members."""
    members = job.config.get("members", [])
    attack = autoattack.AutoAttack(
        job.net,
        norm=NORMS[job.norm],
        eps=job.epsilon,
        seed=job.seed,
        verbose=False,
        attacks_to_run=members,
        version="custom" if members else "standard",
        device="cpu",
    )
    return lambda: attack.run_standard_evaluation(job.x, job.y, bs=128)


def apgd(job: Job) -> Prepared:
    """On the cross-entropy."""
    attack = APGDAttack(
        job.net,
        n_iter=job.config["steps"],
        norm=NORMS[job.norm],
        n_restarts=job.config["restarts"],
        eps=job.epsilon,
        seed=job.seed,
        loss="ce",
        device="cpu",
    )
    return lambda: attack.perturb(job.x, job.y)


def fab(job: Job) -> Prepared:
    """Returns the clean image where nothing is within the radius."""
    attack = FABAttack_PT(
        job.net,
        norm=NORMS[job.norm],
        n_restarts=job.config["restarts"],
        n_iter=job.config["steps"],
        eps=job.epsilon,
        seed=job.seed,
        targeted=True,
        device="cpu",
        n_target_classes=job.config["targets"],
    )
    return lambda: attack.perturb(job.x, job.y)


def square(job: Job) -> Prepared:
    """On the margin, with the schedule that AutoAttack uses."""
    attack = SquareAttack(
        job.net,
        norm=NORMS[job.norm],
        n_queries=job.config["queries"],
        eps=job.epsilon,
        p_init=job.config["p_init"],
        n_restarts=1,
        seed=job.seed,
        device="cpu",
        resc_schedule=job.config["rescale_schedule"],
    )
    return lambda: attack.perturb(job.x, job.y)
