"""What a folder to card and publish holds: one corpus, or the arms of a comparison with their certificate."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from specmill.corpus.certificate import CERTIFICATE_NAME, read_certificate
from specmill.corpus.manifest import MANIFEST_NAME, Manifest, read_manifest
from specmill.corpus.travelling import DATABASE_FILE, SQL_FILE
from specmill.corpus.views import MARKS_FILE, PAIRS_FILE
from specmill.specs.errors import BadInput

CARD_NAME = "README.md"
CHECKSUMS_NAME = "SHA256SUMS"
CROISSANT_NAME = "croissant.json"
OF_THE_CARD = (CARD_NAME, CHECKSUMS_NAME, CROISSANT_NAME)
CATALOGUE = (SQL_FILE, DATABASE_FILE, MARKS_FILE, PAIRS_FILE)
# What goes along beside the files that a manifest names, where it is there.
COMPANIONS = (*OF_THE_CARD, MANIFEST_NAME, "claims.parquet", "spec.md", CERTIFICATE_NAME, *CATALOGUE)


@dataclass(frozen=True)
class Dataset:
    """A folder as one data set. `corpora`: path inside it -> manifest; the path of a lone corpus is ""."""

    folder: Path
    corpora: dict[str, Manifest]
    certificate: dict[str, Any] | None

    @cached_property
    def names(self) -> list[str]:
        """Names of its configurations."""
        return [inside or "default" for inside in self.corpora]

    def listed_files(self) -> list[tuple[str, dict[str, Any]]]:
        """Every file that a manifest names: its path inside the folder, and the entry."""
        return [
            (f"{inside}/{entry['path']}" if inside else entry["path"], dict(entry))
            for inside, manifest in self.corpora.items()
            for entry in manifest["files"]
        ]

    def files(self) -> list[str]:
        """Paths of everything that belongs to the data set, sorted: what the manifests name, and its companions.

        Raises BadInput at a path that leads out of the folder.
        """
        paths = {path for path, _ in self.listed_files()}
        for inside in {"", *self.corpora}:
            # An arm's own card is left out: its numbers would be one more thing to hold against the shards.
            names = [name for name in COMPANIONS if not inside or name not in OF_THE_CARD]
            start = f"{inside}/" if inside else ""
            paths |= {start + name for name in names if (self.folder / start / name).is_file()}
        for path in sorted(paths):
            _check_inside(self.folder, path)
        return sorted(paths)


def _check_inside(folder: Path, path: str) -> None:
    parts = path.split("/")
    links = [(folder / "/".join(parts[: n + 1])).is_symlink() for n in range(len(parts))]
    if any(part in ("", ".", "..") or part.startswith(".") for part in parts) or any(links):
        raise BadInput(
            f"{folder}: {path} is hidden, a link, or leads elsewhere; name plain files in {MANIFEST_NAME}"
        )


def read_dataset(folder: Path) -> Dataset:
    """The data set in a folder. BadInput where there is neither a corpus nor a certificate of arms."""
    if (folder / MANIFEST_NAME).is_file() or not (folder / CERTIFICATE_NAME).is_file():
        return Dataset(folder, {"": read_manifest(folder)}, None)
    certificate = read_certificate(folder)
    if certificate.get("kind") == "chats":
        raise BadInput(f"{folder}: holds chats, which have no card; name a corpus or a folder of its arms")
    arms = [arm["name"] for arm in certificate["arms"]]
    return Dataset(folder, {arm: read_manifest(folder / arm) for arm in arms}, certificate)
