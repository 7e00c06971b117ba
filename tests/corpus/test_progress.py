"""Plain lines of progress: what is told of a stage is told of the time it was at work."""

import pytest

from specmill.corpus import progress as module
from specmill.corpus.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is set."""
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_the_rate_of_a_stage_is_that_of_its_own_time(clock, capsys):
    with Progress() as progress:
        progress.update("write", 0, 50)
        clock[0] += 5
        progress.update("write", 50, 50)
        clock[0] += 95  # other stages' time
    assert capsys.readouterr().err == "  write                        50 of 50  10/s\n"


def test_a_line_now_and_then_says_what_is_left(clock, capsys):
    with Progress() as progress:
        progress.update("train", 0, 3_000)
        clock[0] += 10
        progress.update("train", 1_000, 3_000, "loss 2.0000")
        assert (
            capsys.readouterr().err
            == "  train                     1,000 of 3,000  100/s, 20 s left  loss 2.0000\n"
        )


def test_nothing_is_made_up_about_a_stage_that_is_told_of_once(clock, capsys):
    with Progress() as progress:
        progress.update("publish", 1, 1)
    assert capsys.readouterr().err == "  publish                       1 of 1\n"
    with Progress(quiet=True) as progress:
        progress.update("publish", 1, 1)
        progress.say("talk")
    assert capsys.readouterr().err == ""
