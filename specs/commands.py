"""The command `specmill lint`."""

import csv
import io
import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from .lint import LintReport
    from .text import Note

CLAIM_COLUMNS = (
    "spec",
    "claim_id",
    "start_char",
    "end_char",
    "line",
    "heading_path",
    "kind",
    "rule_id",
    "gives_reason",
    "text",
)
PROBLEM_COLUMNS = ("spec", "line", "level", "what", "mend")

Row = dict[str, object]


@click.command()
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...")
@click.option("--claims/--no-claims", default=True, help="List the claims, or only the problems.")
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True
)
@click.pass_context
def lint(ctx: click.Context, specs: tuple[str, ...], claims: bool, form: str) -> None:
    """Check specs; list their claims and what to mend."""
    from .errors import BadInput
    from .lint import lint as lint_spec

    reports, refusals = [], []
    for path in specs:
        try:
            reports.append(lint_spec(path))
        except BadInput as error:
            refusals.append(error)
    if form == "table":
        for report in reports:
            click.echo("\n".join(_table(report, with_claims=claims)))
    else:
        _print_rows(reports, form, with_claims=claims)
    for refusal in refusals:
        refusal.show()
    if refusals:
        ctx.exit(BadInput.exit_code)
    ctx.exit(int(any(report.has_error for report in reports)))


def _table(report: "LintReport", *, with_claims: bool) -> Iterator[str]:
    spec = report.spec
    kinds = ", ".join(_counted(n, kind) for kind, n in Counter(claim.kind for claim in spec.claims).items())
    identity = f"assistant {spec.assistant or '-'}, provider {spec.provider or '-'}"
    yield f"{report.path}: {spec.name}, mode {spec.mode}, {identity}, {spec.encoding}"
    yield f"{_counted(len(spec.claims), 'claim')} ({kinds}) in {_counted(len(spec.sections), 'section')}"
    if with_claims:
        for section in spec.sections:
            path = " > ".join(section.heading_path) or "(no heading)"
            yield f"\n{path} ({len(section.claims)})"
            for claim in section.claims:
                span = f"{claim.start_char}-{claim.end_char}"
                plain = claim.plain if len(claim.plain) <= 100 else f"{claim.plain[:97]}..."
                yield f"  {claim.claim_id:<13} {span:>13} {claim.kind:<8} {claim.rule_id:<6} {plain}"
        yield ""
    for problem in report.problems:
        yield _problem_line(report.path, problem)
    levels = Counter(problem.level for problem in report.problems)
    yield ", ".join(f"{level}s: {levels[level]}" for level in ("error", "warning", "note")) + "\n"


def _counted(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def _problem_line(path: str, problem: "Note") -> str:
    where = f"{path}:{problem.line}" if problem.line else path
    return f"{where}: {problem.level}: {problem.what}" + (f"; {problem.mend}" if problem.mend else "")


def _print_rows(reports: "list[LintReport]", form: str, *, with_claims: bool) -> None:
    """Rows of claims, with the problems on stderr; or rows of problems."""
    columns = CLAIM_COLUMNS if with_claims else PROBLEM_COLUMNS
    make = _claim_rows if with_claims else _problem_rows
    rows = [row for report in reports for row in make(report)]
    if form == "json":
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
    else:
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
        click.echo(buffer.getvalue(), nl=False)
    if with_claims:
        for report in reports:
            for problem in report.problems:
                click.echo(_problem_line(report.path, problem), err=True)


def _cell(value: object) -> object:
    return " > ".join(value) if isinstance(value, list) else value


def _claim_rows(report: "LintReport") -> Iterator[Row]:
    from .text import line_starts

    starts = line_starts(report.spec.text)
    for claim in report.spec.claims:
        yield {
            "spec": report.spec.name,
            "claim_id": claim.claim_id,
            "start_char": claim.start_char,
            "end_char": claim.end_char,
            "line": bisect_right(starts, claim.start_char),
            "heading_path": list(claim.heading_path),
            "kind": claim.kind,
            "rule_id": claim.rule_id,
            "gives_reason": claim.gives_reason,
            "text": claim.text,
        }


def _problem_rows(report: "LintReport") -> Iterator[Row]:
    for problem in report.problems:
        yield {
            "spec": report.spec.name,
            "line": problem.line,
            "level": problem.level,
            "what": problem.what,
            "mend": problem.mend,
        }
