"""Progress on stderr: one line per stage with rate and ETA, a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from tqdm import tqdm

PLAIN_LINE_EVERY_SECONDS = 10.0


class Progress:
    """Shows stages as they go. `update(stage, done, total)` may be called as often as one likes."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bars: dict[str, tqdm[Any]] = {}
        self._started: dict[str, float] = {}
        self._shown: dict[str, float] = {}
        self._last: dict[str, tuple[int, int, str, float]] = {}

    def update(self, stage: str, done: int, total: int, note: str = "") -> None:
        if self._quiet:
            return
        if sys.stderr.isatty():
            self._update_bar(stage, done, total, note)
        else:
            self._update_line(stage, done, total, note)

    def say(self, line: str) -> None:
        """Print one line of talk between the stages."""
        if self._quiet:
            return
        if self._bars:
            tqdm.write(line, file=sys.stderr)
        else:
            print(line, file=sys.stderr, flush=True)

    def close(self) -> None:
        """End the stages shown so far: the next ones start on new lines."""
        for bar in self._bars.values():
            bar.close()
        for stage, (done, total, note, at) in self._last.items():
            self._print_line(stage, done, total, note, at)
        for state in (self._bars, self._started, self._shown, self._last):
            state.clear()

    def _update_bar(self, stage: str, done: int, total: int, note: str) -> None:
        bar = self._bars.get(stage)
        if bar is None:
            bar = self._bars[stage] = tqdm(
                desc=f"{stage:<22}", total=total, unit="", dynamic_ncols=True, leave=True, file=sys.stderr
            )
        bar.total = total
        if note:
            bar.set_postfix_str(note, refresh=False)
        bar.update(done - bar.n)

    def _update_line(self, stage: str, done: int, total: int, note: str) -> None:
        now = time.monotonic()
        self._started.setdefault(stage, now)
        self._last[stage] = (done, total, note, now)
        if now - self._shown.get(stage, self._started[stage]) >= PLAIN_LINE_EVERY_SECONDS:
            self._shown[stage] = now
            self._print_line(stage, done, total, note, now)

    def _print_line(self, stage: str, done: int, total: int, note: str, at: float) -> None:
        seconds = at - self._started[stage]
        rate = done / seconds if seconds else 0.0  # of a stage that was told of once nothing is known
        told = [f"{rate:,.0f}/s"] if rate else []
        told += [f"{(total - done) / rate:,.0f} s left"] if rate and done < total else []
        parts = (f"{stage:<22}{done:>9,} of {total:,}", ", ".join(told), note)
        print("  " + "  ".join(part for part in parts if part), file=sys.stderr, flush=True)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def named(progress: Progress, prefix: str) -> Callable[[str, int, int], None]:
    """Return a reporter (stage, done, total) whose lines begin with `prefix`."""
    return lambda stage, done, total: progress.update(f"{prefix} {stage.removesuffix('_0')}", done, total)
