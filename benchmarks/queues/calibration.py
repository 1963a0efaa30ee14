"""How fast the machine is at this moment: it swings, so each record says it."""

import time

_ROUNDS = 200_000


def milliseconds() -> float:
    """Time a fixed piece of pure Python; more means a slower machine."""
    started = time.perf_counter()
    sums = [0] * 64
    for number in range(_ROUNDS):
        sums[number % 64] += number * number
    return (time.perf_counter() - started) * 1_000
