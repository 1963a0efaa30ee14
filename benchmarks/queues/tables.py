"""Records as tables: medians with their ranges, and ratios beside the goals."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import median

from benchmarks.queues.measuring import Record
from benchmarks.queues.roster import Contender, Match

RATES = {"one": "one at a time /s", "bulk": "bulk /s", "drain": "drain /s"}
WAITS = {"p50": "idle p50 ms", "p99": "p99 ms"}
_COMPARED = (*RATES, "p50")
_CELL, _NAME = 24, 34

Records = Sequence[Record]


def print_match(match: Match, records: Records) -> None:
    """Print what the contenders reached, how they compare, and how they were set."""
    titles = "".join(f"{title:>{_CELL}}" for title in (*RATES.values(), *WAITS.values()))
    print(f"{'':{_NAME}}{titles}   RSS MB (processes)")
    for contender in match.contenders:
        mine = _of(contender, records)
        if mine:
            _print_row(contender, mine)
    _print_ratios(match, records)
    _print_settings(match, records)


def _print_row(contender: Contender, records: Records) -> None:
    cells = [_cell(_values(records, key), "{:,.0f}") for key in RATES]
    cells += [_cell(_values(records, key), "{:.2f}") for key in WAITS]
    memory = f"{max(_values(records, 'rss'), default=0):.0f} ({max(_values(records, 'processes'), default=0):.0f})"
    print(f"{contender.name:{_NAME}}" + "".join(f"{cell:>{_CELL}}" for cell in cells) + f"   {memory}")


def _cell(values: Sequence[float], form: str) -> str:
    if not values:
        return "-"
    low, high = form.format(min(values)), form.format(max(values))
    return f"{form.format(median(values))} ({low}-{high})" if len(values) > 1 else low


def _print_ratios(match: Match, records: Records) -> None:
    ours = _of(match.contenders[0], records)
    peers = {peer: _of(peer, records) for peer in match.contenders if not peer.is_ours}
    ratios = {peer: _ratios(ours, theirs) for peer, theirs in peers.items() if theirs}
    if not ours or not ratios:
        return
    for peer, compared in ratios.items():
        _print_comparison(f"portico / {peer.name}", compared)
    goals = asdict(match.goal)
    best = _best([compared for peer, compared in ratios.items() if not peer.is_variant])
    _print_comparison("portico / best peer", best)
    _print_comparison("goal", goals)
    verdicts = [_verdict(best[key], goals[key], key) if key in best else "-" for key in _COMPARED]
    print(f"{'':{_NAME}}" + "".join(f"{verdict:>{_CELL}}" for verdict in verdicts))


def _print_comparison(title: str, ratios: Mapping[str, float]) -> None:
    cells = [f"{ratios[key]:.2f}x" if key in ratios else "-" for key in _COMPARED]
    print(f"{title:{_NAME}}" + "".join(f"{cell:>{_CELL}}" for cell in cells))


def _ratios(ours: Records, theirs: Records) -> dict[str, float]:
    """Compare within each repeat, where both met the same machine, and take the median."""
    pairs = [(mine.values, their.values) for mine in ours for their in theirs if mine.repeat == their.repeat]
    found = {
        key: [mine[key] / their[key] for mine, their in pairs if key in mine and key in their] for key in _COMPARED
    }
    return {key: median(ratios) for key, ratios in found.items() if ratios}


def _best(ratios: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Compare with whoever leaves us the least: the lowest ratio of rates, the highest of waiting times."""
    found = {key: [compared[key] for compared in ratios if key in compared] for key in _COMPARED}
    return {key: min(values) if key in RATES else max(values) for key, values in found.items() if values}


def _verdict(ratio: float, goal: float, key: str) -> str:
    is_reached = ratio >= goal if key in RATES else ratio <= goal
    return "reached" if is_reached else "NOT reached"


def _print_settings(match: Match, records: Records) -> None:
    for contender in match.contenders:
        mine = _of(contender, records)
        if not mine:
            continue
        speeds = _cell([record.calibration_ms for record in mine], "{:.0f}")
        print(f"  {contender.name}: {contender.settings}; durability: {contender.durability}; bulk: {contender.bulk};")
        print(f"    {contender.jobs:,} jobs; calibration loop {speeds} ms")
        notes = [note for record in mine for note in record.notes]
        for note in notes or ["no job was lost or ran twice"]:
            print(f"    {note}")


def _of(contender: Contender, records: Records) -> list[Record]:
    return [record for record in records if record.contender is contender]


def _values(records: Records, key: str) -> list[float]:
    return [record.values[key] for record in records if key in record.values]
