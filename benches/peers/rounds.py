"""Who runs what when: warm-up calls, then rounds from toolkit to toolkit."""

import os
import platform
import sys
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch

import duress
import report
from duress import Duress
from measure import Result, measure, warm_up
from nets import Case, InputError, load_case
from plan import PLANS
from report import Entry
from toolkits import Toolkit, available, reason

T = TypeVar("T")


@dataclass(frozen=True)
class Player:
    """One toolkit about to run one attack."""

    entry: Entry
    warm_up: Callable[[], object]
    run: Callable[[int], Result]
    """Takes the number of the round, which seeds the peers."""


def compare(options: Namespace) -> str:
    """Every attack on every model; returns the tables."""
    torch.set_num_threads(options.threads)
    if options.autoattack:
        if not (options.autoattack / "autoattack").is_dir():
            raise InputError(f"{options.autoattack}: no folder `autoattack` in it")
        sys.path.insert(0, str(options.autoattack.resolve()))
    cases = [load_case(folder) for folder in options.models]
    ours = Duress(options.duress, options.threads) if options.duress else None
    peers, missing = _peers(options.toolkits)
    about = _about(options, peers)
    entries: list[Entry] = []
    # Now, because a file that cannot be written should not be found out after the measurements.
    report.write_json(options.out, about, entries, missing)
    for case in cases:
        for attack in options.only or PLANS:
            players = _players(case, attack, peers, ours, options.samples)
            _play(players, options.rounds)
            entries += [player.entry for player in players]
            report.write_json(options.out, about, entries, missing)
    about["load_at_end"] = os.getloadavg()
    report.write_json(options.out, about, entries, missing)
    return report.markdown(entries, missing)


def _peers(names: list[str] | None) -> tuple[list[Toolkit], dict[str, str]]:
    """The peers that are asked for, and why others or some of their attacks are missing."""
    peers, missing = available()
    known = {peer.name for peer in peers}
    for name in names or []:
        if name not in known:
            raise InputError(f"--toolkits: {name}: {missing.get(name, 'no such toolkit')}")
    peers = [peer for peer in peers if not names or peer.name in names]
    for peer in peers:
        missing |= {f"{peer.name}, {attack}": why for attack, why in peer.absent.items()}
    return peers, missing


def _players(
    case: Case, attack: str, peers: list[Toolkit], ours: Duress | None, limit: int | None
) -> list[Player]:
    plan = PLANS[attack]
    samples = min(limit or plan.samples, len(case.x))

    def entry(name: str) -> Entry:
        return Entry(case.name, attack, plan.norm, plan.minimal, samples, name)

    def peer_player(peer: Toolkit) -> Player:
        return Player(
            entry(peer.name),
            lambda: warm_up(peer, attack, plan, case, samples),
            lambda seed: measure(peer, attack, plan, case, samples, seed),
        )

    players = [peer_player(peer) for peer in peers if attack in peer.attacks]
    if ours:
        # It warms up by itself before each call: the calls are processes of their own.
        player = Player(
            entry(duress.NAME),
            lambda: None,
            lambda seed: ours.run(case, attack, plan, samples, seed),
        )
        players.insert(0, player)
    return players


def _play(players: list[Player], rounds: int) -> None:
    for player in players:
        _guarded(player.entry, player.warm_up)
    for turn in range(rounds):
        shift = turn % max(len(players), 1)
        for player in players[shift:] + players[:shift]:
            result = _guarded(player.entry, lambda player=player, turn=turn: player.run(turn))
            if result:
                player.entry.runs.append(result)
                _progress(player.entry, result)


def _guarded(entry: Entry, call: Callable[[], T]) -> T | None:
    """Calls what has not failed yet; who fails is not asked again."""
    if entry.failure:
        return None
    try:
        return call()
    except InputError:
        raise
    except Exception as error:
        # Foreign code may raise anything; the others go on and the table says why this one is out.
        entry.failure = reason(error)
        return None


def _progress(entry: Entry, result: Result) -> None:
    text = f"{entry.model} {entry.attack} {entry.toolkit}: {result.seconds:.2f} s"
    print(text, file=sys.stderr, flush=True)


def _about(options: Namespace, peers: list[Toolkit]) -> dict:
    return {
        "threads": options.threads,
        "rounds": options.rounds,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "toolkits": {peer.name: peer.version for peer in peers},
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load_at_start": os.getloadavg(),
    }
