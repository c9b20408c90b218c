"""The tables, as Markdown and as JSON."""

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

from duress import NAME
from measure import Result

TIMES = ("attack", "samples", "toolkit", "wall s", "CPU s", "wall / duress", "CPU / duress")

FINDINGS = ("attack", "toolkit", "robust", "median distance", "queries", "gradients")


@dataclass
class Entry:
    """Every run of one attack by one toolkit on one model."""

    model: str
    attack: str
    norm: str
    minimal: bool
    samples: int
    toolkit: str
    runs: list[Result] = field(default_factory=list)
    failure: str | None = None
    """Why there are no runs, or no more."""


def markdown(entries: list[Entry], missing: dict[str, str]) -> str:
    """Times and findings of each model, and the list of what is not there."""
    parts = []
    for model in dict.fromkeys(entry.model for entry in entries):
        rows = [entry for entry in entries if entry.model == model and entry.runs]
        parts += [f"## {model}: time", "", *_head(TIMES)]
        parts += [_line(_times(entry, _duress(entry, rows))) for entry in rows]
        parts += ["", f"## {model}: what was found", "", *_head(FINDINGS)]
        parts += [_line(_findings(entry)) for entry in rows]
        parts.append("")
    parts += _absent(entries, missing)
    return "\n".join(parts)


def write_json(path: Path, about: dict, entries: list[Entry], missing: dict[str, str]) -> None:
    """Every single run; numbers that are not finite are null."""
    text = {
        "about": about,
        "missing": missing,
        "entries": [_finite(asdict(entry)) for entry in entries],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(text, indent=1, allow_nan=False) + "\n")


def _duress(entry: Entry, rows: list[Entry]) -> Entry | None:
    same = (row for row in rows if row.toolkit == NAME and row.attack == entry.attack)
    return next(same, None)


def _times(entry: Entry, duress: Entry | None) -> list[str]:
    return [
        f"{entry.attack} {entry.norm}",
        str(entry.samples),
        entry.toolkit,
        _spread([run.seconds for run in entry.runs]),
        _spread([run.cpu_seconds for run in entry.runs]),
        _ratio(entry, duress, "seconds"),
        _ratio(entry, duress, "cpu_seconds"),
    ]


def _findings(entry: Entry) -> list[str]:
    queries = median(run.queries for run in entry.runs)
    gradients = median(run.gradients for run in entry.runs)
    robust = [round(run.robust * entry.samples) for run in entry.runs]
    return [
        f"{entry.attack} {entry.norm}",
        entry.toolkit,
        f"{_range(robust)} of {entry.samples}",
        f"{median(run.median_distance for run in entry.runs):.4f}" if entry.minimal else "",
        "" if math.isnan(queries) else f"{queries:.0f}",
        "" if math.isnan(gradients) else f"{gradients:.0f}",
    ]


def _ratio(entry: Entry, duress: Entry | None, clock: str) -> str:
    """The median of the quotients of runs of the same round, and their range."""
    if duress is None:
        return ""
    pairs = zip(entry.runs, duress.runs, strict=False)
    quotients = [getattr(peer, clock) / getattr(ours, clock) for peer, ours in pairs]
    return _spread(quotients)


def _spread(values: list[float]) -> str:
    middle, low, high = (_short(pick(values)) for pick in (median, min, max))
    return middle if len(values) == 1 else f"{middle} ({low} to {high})"


def _range(counts: list[int]) -> str:
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} to {high}"


def _head(titles: tuple[str, ...]) -> list[str]:
    return [_line(titles), _line("---" for _ in titles)]


def _short(value: float) -> str:
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"


def _absent(entries: list[Entry], missing: dict[str, str]) -> list[str]:
    failed = {f"{e.toolkit}, {e.attack} on {e.model}": e.failure for e in entries if e.failure}
    lines = [f"- {what}: {why}" for what, why in (missing | failed).items()]
    return ["Not compared:", "", *lines, ""] if lines else []


def _line(cells: object) -> str:
    return "| " + " | ".join(cells) + " |"


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
