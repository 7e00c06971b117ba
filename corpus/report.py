"""`specmill report`: one HTML file about a corpus, or about the arms of a comparison, that needs no network.

Figures are queries of the catalogue (`report_figures.py`); texts are read for a sample only (`report_texts.py`);
`report_between.py` has what a comparison adds. The page's template, style and scripts lie in report_page/; its data
are JSON in a script element. The same inputs give the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

from specmill.specs.errors import BadInput

from .catalogue import open_catalogue
from .manifest import MANIFEST_NAME, read_manifest, write_durably
from .report_between import (
    CERTIFICATE_NAME,
    between_parts,
    certificate_section,
    difference_table,
    find_between,
    find_certificate,
    repeats_section,
)
from .report_figures import (
    USED_MACROS,
    claim_rows,
    coverage_section,
    funnel_section,
    head_figures,
    lengths_section,
    own_repeats,
    provenance_section,
    silent_documents,
    spend_section,
)
from .report_parts import Row, Section, Table, number, of_corpus, printable
from .report_texts import diversity_section, draw_documents, reader_data, with_context
from .shards import hash_file

if TYPE_CHECKING:
    import duckdb

    from .progress import Progress

PAGE = Path(__file__).with_name("report_page")
_SCRIPTS = ("d3.min.js", "charts.js", "page.js")
_N_STEPS = 8


@dataclass(frozen=True, slots=True)
class ReportSettings:
    """`n_documents` to read, of all corpora together; `leaks`: what `specmill leaks --format json` printed."""

    n_documents: int = 300
    reference: str | None = None
    leaks: Path | None = None
    seed: int = 0


def write_report(folders: Sequence[Path], out: Path, settings: ReportSettings, progress: Progress) -> Path:
    """Write the page. Raises BadInput where a folder is no corpus."""
    if not out.parent.is_dir():
        raise BadInput(f"{out.parent}: no such folder; make it or choose another --out")
    text = render_report(find_corpora(folders), settings, progress)
    write_durably(out, text.encode("utf-8", "replace"))
    return out


def find_corpora(folders: Sequence[Path]) -> list[Path]:
    """The corpora named; a folder of arms stands for all of them."""
    found: list[Path] = []
    for folder in folders:
        arms = sorted(path.parent for path in folder.glob(f"*/{MANIFEST_NAME}"))
        is_of_arms = arms and (folder / CERTIFICATE_NAME).is_file() and not (folder / MANIFEST_NAME).is_file()
        found += arms if is_of_arms else [folder]
    return list(dict.fromkeys(found))


def render_report(folders: Sequence[Path], settings: ReportSettings, progress: Progress) -> str:
    """The page as text."""
    with closing(open_catalogue(folders, for_sql=USED_MACROS)) as connection:
        rows = connection.execute("SELECT corpus FROM manifests ORDER BY n_corpus").fetchall()
        names = [name for (name,) in rows]
        return _Telling(dict(zip(names, folders, strict=True)), settings, progress, connection).page()


@dataclass(frozen=True, slots=True)
class _Telling:
    """One report on its way: the corpora by the catalogue's names, and the connection to it."""

    folders: Mapping[str, Path]
    settings: ReportSettings
    progress: Progress
    connection: duckdb.DuckDBPyConnection

    def page(self) -> str:
        names = list(self.folders)
        sections = {section.name: section for section in self._sections()}
        corpora = self._corpora()
        self._done(_N_STEPS)
        self.progress.close()
        return _render(
            name=" and ".join(filter(None, [", ".join(names[:-1]), names[-1]])),
            across=len(names) if len(names) < 4 else 2 + len(names) % 2,  # drawings in a row
            heads=head_figures(self.connection),
            sections=sections,
            charts={
                chart.name: {"kind": chart.kind, "says": chart.says, **chart.data}
                for section in sections.values()
                for chart in section.charts
            },
            corpora=corpora,
        )

    def _sections(self) -> list[Section]:
        connection, names, settings = self.connection, list(self.folders), self.settings
        found = self._certificate()
        for done, section in enumerate((funnel_section, lengths_section, coverage_section, spend_section)):
            self._done(done)
            found.append(section(connection, names))
        self._done(4)
        found.append(diversity_section(connection, self.folders, settings.reference, settings.seed))
        self._done(5)
        found.append(self._repeats())
        self._done(6)
        found.append(provenance_section(connection, _unlike(self.folders)))
        return found

    def _certificate(self) -> list[Section]:
        if certificate := find_certificate(list(self.folders.values())):
            return [certificate_section(certificate)]
        return [_uncertified(difference_table(self.connection))] if len(self.folders) > 1 else []

    def _repeats(self) -> Section:
        own = own_repeats(self.connection)
        if len(self.folders) < 2:
            return repeats_section(own, None, ())
        found = find_between(
            self.connection,
            list(self.folders.values()),
            self.settings.reference,
            self.settings.seed,
            self.settings.leaks,
            self.progress,
        )
        if isinstance(found, str):
            return repeats_section(own, None, [found])
        return repeats_section(own, between_parts(self.connection, found), ())

    def _corpora(self) -> list[dict[str, Any]]:
        """What the page's script shows on demand, per corpus: claims in their spec, documents to read."""
        self._done(7)
        claims = with_context(claim_rows(self.connection), self.folders)
        silent = silent_documents(self.connection)
        documents = draw_documents(self.connection, self.settings.n_documents, self.settings.seed)
        return [
            _corpus_data(name, of_corpus(claims, name), documents.get(name, []), silent.get(name, 0))
            for name in self.folders
        ]

    def _done(self, n_steps: int) -> None:
        self.progress.update("report", n_steps, _N_STEPS)


def _corpus_data(name: str, claims: Sequence[Row], documents: Sequence[Row], silent: int) -> dict[str, Any]:
    columns = ("claim_id", "text", "heading_path", "before", "after")
    figures = ("planned", "expressed", "tokens", "tokens_shared")
    places = {claim["claim_id"]: place for place, claim in enumerate(claims)}
    return {
        "name": name,
        "claims": [{column: claim[column] for column in (*columns, *figures)} for claim in claims],
        "documents": reader_data(documents, places),
        "silent": silent,
    }


def _uncertified(differences: Table) -> Section:
    return Section(
        "certificate",
        "Certificate",
        "These corpora have no certificate: nothing says that they are of equal size. 'specmill match' makes arms"
        " that are.",
        tables=[differences],
    )


def _unlike(folders: Mapping[str, Path]) -> list[str]:
    """Files that are not as the manifest lists them, by hash."""
    return [
        f"{name}: {entry['path']} is not as listed"
        for name, folder in folders.items()
        for entry in read_manifest(folder)["files"]
        if not (folder / entry["path"]).is_file() or hash_file(folder / entry["path"]) != entry["sha256"]
    ]


# --- the page -------------------------------------------------------------------------------------------------


def _render(**values: Any) -> str:
    scripts = [(PAGE / name).read_text("utf-8").strip() for name in _SCRIPTS]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PAGE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    environment.filters |= {"number": number}
    return environment.get_template("page.html.j2").render(
        **values,
        data=as_json({"charts": values["charts"], "corpora": values["corpora"]}),
        style=(PAGE / "page.css").read_text("utf-8"),
        scripts=scripts,
        hashes=[_csp_hash(script) for script in scripts],
        d3_licence=(PAGE / "d3.LICENSE.txt").read_text("utf-8"),
    )


def as_json(value: Any) -> str:
    """JSON that can stand in a script element: nothing in it is markup, whatever the documents say."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)
    for character in "<>&\x7f\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _csp_hash(script: str) -> str:
    """As a Content-Security-Policy names a script: only these may run, whatever else gets into the page."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
