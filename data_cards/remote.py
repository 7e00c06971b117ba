"""A revision on the Hub beside a local folder: what differs, what is gone, whether it reads back the same."""

import hashlib
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from specmill.corpus.manifest import MANIFEST_NAME
from specmill.corpus.shards import hash_file

from .card import check_card
from .folder import COMPANIONS

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

Remote = dict[str, "RepoFile"]  # path -> what the Hub says of the file

_SHARD = re.compile(r"(?:[^/]+/)?data/train-\d+-of-\d+\.parquet")


@dataclass(frozen=True, slots=True)
class LocalFile:
    path: str  # in the repository
    source: Path
    bytes: int
    sha256: str


def list_remote(api: "HfApi", repo: str, commit: str) -> Remote:
    from huggingface_hub.hf_api import RepoFile

    entries = api.list_repo_tree(repo, repo_type="dataset", revision=commit, recursive=True)
    return {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}


def is_same(file: LocalFile, found: "RepoFile | None") -> bool:
    """By SHA-256 for large files, by git's hash for small ones."""
    if found is None or found.size != file.bytes:
        return False
    if found.lfs is not None:
        return found.lfs.sha256 == file.sha256
    return found.blob_id == _git_oid(file)


def _git_oid(file: LocalFile) -> str:
    data = file.source.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def stale_paths(remote: Remote, files: Sequence[LocalFile]) -> list[str]:
    """Files of ours that the folder has no more; what people put there otherwise stays."""
    here = {file.path for file in files}
    was_corpus = {path.rpartition("/")[0] for path in remote if path.rpartition("/")[2] == MANIFEST_NAME}
    return sorted(path for path in remote.keys() - here if _is_ours(path, was_corpus))


def _is_ours(path: str, was_corpus: set[str]) -> bool:
    parent, _, name = path.rpartition("/")
    return bool(_SHARD.fullmatch(path)) or (name in COMPANIONS and parent in {"", *was_corpus})


def compare(api: "HfApi", repo: str, commit: str, files: Sequence[LocalFile], *, full: bool) -> Iterator[str]:
    """What the revision holds otherwise than the folder, one line each.

    Sizes and hashes of all files are asked for; small ones, card and manifests among them, are downloaded too.
    `full` downloads the shards too, and computes every number of the card from what came back.
    """
    remote = list_remote(api, repo, commit)
    differing = [file.path for file in files if not is_same(file, remote.get(file.path))]
    yield from (f"{path} differs from the local file" for path in differing)
    yield from (f"{path} is still there" for path in stale_paths(remote, files))
    with tempfile.TemporaryDirectory(prefix="specmill-publish-") as scratch:
        for file in files:
            if file.path not in differing and (full or remote[file.path].lfs is None):
                copy = api.hf_hub_download(
                    repo, file.path, repo_type="dataset", revision=commit, local_dir=scratch
                )
                if hash_file(Path(copy)) != file.sha256:
                    differing.append(file.path)
                    yield f"{file.path} reads back otherwise"
        if full and not differing:
            yield from check_card(Path(scratch))
