"""Running the attacks of duress through its command."""

import json
import math
import shlex
import subprocess

from measure import LEAST_SECONDS, Result
from nets import Case, InputError
from plan import Plan

NAME = "duress"


class Duress:
    """A command that runs one attack and prints one line of JSON.

    It is called as `COMMAND attack --folder DIR --attack NAME --norm NORM --epsilon E --samples N
    --threads T --least-seconds S --seed ROUND --config JSON`, with `--nearest` where the smallest
    perturbation is looked for. It warms up, measures the attack alone, and prints `seconds`,
    `cpu_seconds` (null where the system does not tell), `robust` (share of the samples),
    `median_distance` (of the samples that are right when clean; null if more than half were not
    fooled), `queries` (forward rows per attacked sample) and `gradients` (those with one).
    """

    def __init__(self, command: str, threads: int) -> None:
        self.command = shlex.split(command)
        self.threads = threads
        if not self.command:
            raise InputError("--duress: an empty command")

    def run(self, case: Case, attack: str, plan: Plan, samples: int, seed: int) -> Result:
        """One call; an error of the command is raised with its last line."""
        options = {
            "--folder": str(case.folder),
            "--attack": plan.duress or attack,
            "--norm": plan.norm,
            "--epsilon": repr(case.epsilon[plan.norm]),
            "--samples": str(samples),
            "--threads": str(self.threads),
            "--least-seconds": repr(LEAST_SECONDS),
            "--seed": str(seed),
            "--config": json.dumps(plan.config),
        }
        line = [*self.command, "attack", *(word for pair in options.items() for word in pair)]
        if plan.minimal:
            line.append("--nearest")
        try:
            done = subprocess.run(line, capture_output=True, text=True, check=False)
        except OSError as error:
            raise InputError(f"--duress: {self.command[0]}: {error.strerror}") from error
        if done.returncode != 0:
            raise RuntimeError(f"exit code {done.returncode}: {_last_line(done.stderr)}")
        return _result(_last_line(done.stdout))


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "nothing was printed"


def _result(line: str) -> Result:
    try:
        said = json.loads(line)
        return Result(
            seconds=_positive(said["seconds"]),
            cpu_seconds=_number(said["cpu_seconds"]),
            robust=_number(said["robust"]),
            median_distance=_number(said["median_distance"], math.inf),
            queries=_number(said["queries"]),
            gradients=_number(said["gradients"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise RuntimeError(f"not the line that was agreed on: {line[:120]}") from error


def _positive(value: float) -> float:
    if not value > 0:
        raise ValueError(f"{value} is no duration")
    return float(value)


def _number(value: float | None, absent: float = math.nan) -> float:
    return absent if value is None else float(value)
