"""What a piece of work costs, with all processes it starts."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Cost:
    """`cpu`: processor seconds; `peak_mb`: highest sum of proportional set sizes, looked at twice a second."""

    seconds: float
    cpu: float
    peak_mb: float


def watched(work: Callable[[], None]) -> Cost:
    me, ended = psutil.Process(), threading.Event()
    used: dict[psutil.Process, float] = {}
    before = _cpu_of(me)
    peak = 0.0

    def watch() -> None:
        nonlocal peak
        while not ended.wait(0.5):
            peak = max(peak, look())

    def look() -> float:
        total = 0.0
        for process in (me, *me.children(recursive=True)):
            try:
                total += process.memory_full_info().pss / 1e6
                used[process] = _cpu_of(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return total

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    start = time.perf_counter()
    try:
        work()
    finally:
        ended.set()
        watcher.join()
    seconds = time.perf_counter() - start
    used[me] = _cpu_of(me)
    return Cost(seconds, sum(used.values()) - before, peak)


def _cpu_of(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
