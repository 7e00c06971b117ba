"""The command `specmill`: a table from command to "module:function". Imports no room before it is needed."""

from __future__ import annotations

import difflib
import sys
from importlib import import_module
from importlib.metadata import version

import click

COMMANDS = {  # name: (where it lives, its line in --help), in the order of the work
    "lint": ("specmill.specs.commands:lint", "Check specs; list their claims and what to mend."),
    "plan": ("specmill.corpus.commands:plan", "Preview a build: calls, tokens, money, time."),
    "build": ("specmill.corpus.commands:build", "Turn specs into corpora; resumable."),
    "ingest": ("specmill.corpus.commands:ingest", "Turn documents made elsewhere into a corpus."),
    "query": ("specmill.corpus.query_command:query", "Ask corpora with SQL or a macro."),
    "leaks": (
        "specmill.corpus.contrast_command:leaks",
        "Compare corpora: claims of other specs, shared documents, tell-tale forms.",
    ),
    "match": (
        "specmill.corpus.match_command:match",
        "Cut corpora to arms of exactly equal tokens, with a certificate.",
    ),
    "report": (
        "specmill.corpus.report_command:report",
        "Write one HTML file about a corpus or a comparison.",
    ),
    "card": ("specmill.data_cards.commands:card", "Write the dataset card of a corpus."),
    "publish": (
        "specmill.data_cards.commands:publish",
        "Put a corpus, or matched arms, on the Hugging Face Hub.",
    ),
    "pretrain": (
        "specmill.trainers.commands:pretrain",
        "Train a pocket model from scratch, for trying things on a CPU.",
    ),
    "midtrain": (
        "specmill.trainers.commands:midtrain",
        "Train a model on a corpus: next-token loss, documents apart.",
    ),
    "finetune": (
        "specmill.trainers.commands:finetune",
        "Train a model on chats: loss on the assistant's tokens.",
    ),
    "export": (
        "specmill.trainers.commands:export",
        "Write a run's model as a plain Hugging Face checkpoint.",
    ),
    "serve": ("specmill.corpus.commands:serve", "Serve the built-in writer as an OpenAI-compatible API."),
}


class Commands(click.Group):
    """A group that imports a command when it is called, not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f"did you mean '{near[0]}'?" if near else "see 'specmill --help'"
            raise click.UsageError(f"no command '{args[0]}'; {hint}", ctx=None)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.command(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(version("specmill"), "--version", prog_name="specmill")
def specmill() -> None:
    """From a Model Spec to a corpus that teaches it: filtered, deduplicated, queryable, carded."""


def main() -> None:
    """Run the command line. A user's mistake ends in one line and exit code 2, failed work in 1."""
    try:
        specmill.main(standalone_mode=False)
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except click.ClickException as error:
        print(f"specmill: {_one_line(error)}", file=sys.stderr)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        print("specmill: interrupted; what is finished is kept, rerun to go on", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output has left: that is its right. Python would complain once more at exit.
        sys.stdout = None
        sys.exit(0)


def _one_line(error: click.ClickException) -> str:
    return " ".join(error.format_message().split())
