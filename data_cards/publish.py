"""Publish a corpus or arms to the Hub: one commit on the revision that was looked at, then read back and compared.

A rerun finds what is there: blobs that were uploaded are not uploaded again, nor are files committed that are the
same. The token is huggingface_hub's business (HF_TOKEN or its login); here it is neither read nor written.
"""

import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from specmill.corpus.shards import hash_file
from specmill.corpus.travelling import write_catalogue
from specmill.specs.errors import BadInput, WorkFailed

from .card import check_card
from .folder import CARD_NAME, read_dataset
from .hub_errors import hub_errors
from .keeping import read_earlier
from .keys import find_keys
from .remote import LocalFile, Remote, compare, is_same, list_remote, stale_paths

if TYPE_CHECKING:
    from huggingface_hub import HfApi

Verify = Literal["auto", "full", "hashes"]
FULL_BYTES = 64 << 20  # "auto" reads everything back up to here

_REPO = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True, slots=True)
class Published:
    """`changed` and `deleted`: paths in the commit; both empty when the revision held it all already."""

    repo: str
    commit: str
    url: str
    files: int
    bytes: int
    changed: list[str]
    deleted: list[str]
    read_back: bool  # shards too


def prepare_files(folder: Path) -> list[LocalFile]:
    """What goes, sorted by path; the catalogue is written for it, where what is there does not fit.

    BadInput in one line where a file or the card is not what the manifests say, or a text holds a key.
    """
    dataset = read_dataset(folder)
    dataset.files()  # nothing is written through a path that leads elsewhere
    if problems := check_card(folder):
        raise BadInput(f"{folder}: {_first(problems)}; 'specmill card {folder}' writes the card anew")
    write_catalogue(folder, [inside for inside in dataset.corpora if inside])
    paths = dataset.files()
    if keys := list(find_keys(folder, paths)):
        raise BadInput(f"{folder}: {_first(keys)}")
    return [
        LocalFile(path, folder / path, (folder / path).stat().st_size, hash_file(folder / path))
        for path in paths
    ]


def _first(problems: Sequence[str]) -> str:
    return problems[0] + (f" (and {len(problems) - 1} more)" if len(problems) > 1 else "")


def lacks_licence(folder: Path) -> bool:
    return read_earlier(folder / CARD_NAME)[0].get("license") in (None, "unknown")


def check_repo(repo: str) -> None:
    """BadInput unless it looks like OWNER/NAME."""
    if not _REPO.fullmatch(repo):
        raise BadInput(f"--repo {repo}: give OWNER/NAME, with letters, digits, '-', '_' and '.'")


def publish(
    files: Sequence[LocalFile],
    repo: str,
    *,
    private: bool = True,
    revision: str = "main",
    endpoint: str | None = None,
    message: str = "Publish with specmill",
    verify: Verify = "auto",
    tell: Callable[[str], None] = lambda line: None,
) -> Published:
    """Upload what is new, commit it in one piece on the head of `revision`, read the commit back and compare.

    Raises BadInput where the repository cannot be used, WorkFailed where the network or somebody
    else's commit came between: then a rerun goes on.
    """
    from huggingface_hub import HfApi

    check_repo(repo)
    n_bytes = sum(file.bytes for file in files)
    full = verify == "full" or (verify == "auto" and n_bytes <= FULL_BYTES)
    api = HfApi(endpoint=endpoint, library_name="specmill")
    with hub_errors(repo):
        head = _prepare(api, repo, private, revision)
        remote = list_remote(api, repo, head)
        changed = [file for file in files if not is_same(file, remote.get(file.path))]
        deleted = stale_paths(remote, files)
        _check_card_there(api, repo, head, remote, changed)
        commit = head
        if changed or deleted:
            tell(f"{repo}: {len(changed)} of {len(files)} files to upload, {len(deleted)} to delete")
            commit = _commit(api, repo, revision, head, changed, deleted, message)
        tell(f"{repo}: reading {commit[:12]} back")
        if problems := list(compare(api, repo, commit, files, full=full)):
            raise WorkFailed(f"{repo}@{commit[:12]}: {_first(problems)}; rerun to upload again what differs")
    url = f"{api.endpoint}/datasets/{repo}/tree/{commit}"
    paths = [file.path for file in changed]
    return Published(repo, commit, url, len(files), n_bytes, paths, deleted, full)


def _prepare(api: "HfApi", repo: str, private: bool, revision: str) -> str:
    """Make the repository and the branch where they are not; the commit the branch is at."""
    api.create_repo(repo, repo_type="dataset", private=private, exist_ok=True)
    if private and api.repo_info(repo, repo_type="dataset").private is False:
        raise BadInput(f"{repo}: is public; give --public to publish there, or make it private on the Hub")
    if revision != "main":
        api.create_branch(repo, repo_type="dataset", branch=revision, exist_ok=True)
    head = api.repo_info(repo, repo_type="dataset", revision=revision).sha
    if head is None:
        raise WorkFailed(f"{repo}: the Hub names no commit of {revision!r}; rerun to go on")
    return head


def _check_card_there(
    api: "HfApi", repo: str, head: str, remote: Remote, changed: Sequence[LocalFile]
) -> None:
    """BadInput where the card on the Hub has text of a person's that the local card has nothing in the place of."""
    ours = next((file for file in changed if file.path == CARD_NAME), None)
    if ours is None or CARD_NAME not in remote:
        return
    with tempfile.TemporaryDirectory(prefix="specmill-publish-") as scratch:
        copy = api.hf_hub_download(repo, CARD_NAME, repo_type="dataset", revision=head, local_dir=scratch)
        theirs = read_earlier(Path(copy))[1]
    kept = read_earlier(ours.source)[1]
    lost = [name for name, text in theirs.items() if text.strip() and not kept.get(name, "").strip()]
    if lost:
        raise BadInput(
            f"{repo}: its {CARD_NAME} has text in {', '.join(lost)} that {ours.source} lacks; copy it "
            "there between 'keep:begin' and 'keep:end', then publish"
        )


def _commit(
    api: "HfApi",
    repo: str,
    revision: str,
    head: str,
    changed: Sequence[LocalFile],
    deleted: Sequence[str],
    message: str,
) -> str:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    additions = [CommitOperationAdd(file.path, file.source) for file in changed]
    deletions = [CommitOperationDelete(path, is_folder=False) for path in deleted]
    api.preupload_lfs_files(repo, additions, repo_type="dataset", revision=revision)
    return api.create_commit(
        repo,
        [*additions, *deletions],
        commit_message=message,
        repo_type="dataset",
        revision=revision,
        parent_commit=head,
    ).oid
