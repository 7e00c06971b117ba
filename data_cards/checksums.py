"""SHA256SUMS: what `sha256sum -c SHA256SUMS` checks in a downloaded copy.

The card is not in it, since people edit it; nor the catalogue, which holds no data and can be written anew.
"""

from specmill.corpus.shards import hash_file

from .folder import CARD_NAME, CATALOGUE, CHECKSUMS_NAME, Dataset

_LEFT_OUT = {CARD_NAME, CHECKSUMS_NAME, *CATALOGUE}


def render_checksums(dataset: Dataset) -> str:
    """One line a file, sorted by path; the data's hashes are those of the manifests."""
    known = {path: entry["sha256"] for path, entry in dataset.listed_files()}
    paths = [path for path in dataset.files() if path.rpartition("/")[2] not in _LEFT_OUT]
    return "".join(f"{known.get(path) or hash_file(dataset.folder / path)}  {path}\n" for path in paths)
