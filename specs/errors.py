"""The two ways a command ends early. Anything else is our bug and keeps its traceback.

A message is one line, `where: what; how to mend`.
"""

import click


class BadInput(click.ClickException):
    """The user's input cannot be used as it is; nothing was done."""

    exit_code = 2


def reason_of(error: Exception) -> str:
    """What a library's exception says, cut to one short line; its type where it says nothing."""
    lines = (line.strip() for line in str(error).splitlines())
    return next((line[:160] for line in lines if line), type(error).__name__)


class WorkFailed(click.ClickException):
    """The work began and did not end well; says how much failed, why, and the way on."""

    exit_code = 1
