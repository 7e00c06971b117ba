"""Publishing over real HTTP to the Hub of tests/servers: every request fails once, and all arrives byte for byte."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from click.testing import CliRunner, Result
from huggingface_hub import snapshot_download
from huggingface_hub.utils import close_session, disable_progress_bars

from specmill.data_cards import publish as publishing
from specmill.data_cards.card import check_card, write_card
from specmill.data_cards.commands import publish as command
from specmill.data_cards.publish import LocalFile, prepare_files
from specmill.specs.errors import BadInput, WorkFailed
from tests.data_cards.conftest import build_corpus
from tests.data_cards.test_card import run_offline, run_snippets, sql_snippets
from tests.servers.hub import HubServer, serve_hub

REPO = "anna/toy"
CATALOGUE = {"catalogue.sql", "catalogue.duckdb", "catalogue-marks.parquet", "catalogue-pairs.parquet"}
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content:DeprecationWarning")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Path:
    """A copy of the carded corpus: publishing writes a catalogue into it."""
    return Path(shutil.copytree(corpus, tmp_path_factory.mktemp("published") / "toy"))


@pytest.fixture(scope="module")
def arms(tmp_path_factory: pytest.TempPathFactory, arms: Path) -> Path:
    return Path(shutil.copytree(arms, tmp_path_factory.mktemp("published") / "arms"))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    disable_progress_bars()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)  # this hub is on this machine
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)  # between retries
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    close_session()  # one made while offline stays so
    with serve_hub(token="hf_test") as server:
        yield server
    close_session()


def publish(folder: Path, repo: str, **options: Any) -> publishing.Published:
    return publishing.publish(prepare_files(folder), repo, **options)


def local(folder: Path) -> dict[str, bytes]:
    return {file.path: file.source.read_bytes() for file in prepare_files(folder)}


def remote(hub: HubServer, revision: str = "main") -> dict[str, bytes]:
    found: dict[str, bytes] = hub.contents(REPO, revision)
    found.pop(".gitattributes")  # made by the Hub
    return found


def run(hub: HubServer, folder: Path, *options: str) -> Result:
    return CliRunner().invoke(command, [str(folder), "--repo", REPO, "--endpoint", hub.endpoint, *options])


def test_the_remote_equals_the_local_in_one_private_commit(hub: HubServer, corpus: Path) -> None:
    result = run(hub, corpus)
    assert result.exit_code == 0, result.output
    assert remote(hub) == local(corpus)
    beside = {"README.md", "manifest.json", "claims.parquet", "spec.md", "SHA256SUMS", "croissant.json"}
    assert beside | CATALOGUE <= set(remote(hub))
    assert hub.history(REPO) == ["Publish with specmill", "initial commit"]
    assert hub.repos[REPO].private
    assert hub.repos[REPO].branches["main"] in result.stdout
    assert "hf_test" not in result.output


def test_public_only_when_asked(hub: HubServer, corpus: Path) -> None:
    assert run(hub, corpus, "--public").exit_code == 0
    assert not hub.repos[REPO].private
    result = run(hub, corpus)
    assert result.exit_code == 2
    assert "is public; give --public" in result.stderr


def test_a_second_time_there_is_nothing_to_commit(hub: HubServer, corpus: Path) -> None:
    publish(corpus, REPO, endpoint=hub.endpoint)
    result = run(hub, corpus)
    assert "already there" in result.stdout
    assert len(hub.history(REPO)) == 2
    assert set(hub.uploads.values()) == {1}


def test_arms_go_with_a_catalogue_over_all_and_one_in_each_and_only_once(hub: HubServer, arms: Path) -> None:
    assert run(hub, arms).exit_code == 0
    assert remote(hub) == local(arms)
    in_each = {f"{name}/{file}" for name in ("brie", "feta") for file in CATALOGUE}
    assert {"catalogue.sql", "catalogue.duckdb", "certificate.json", "README.md"} | in_each <= set(
        remote(hub)
    )
    assert "already there" in run(hub, arms).stdout
    assert len(hub.history(REPO)) == 2


def test_the_catalogue_is_written_again_when_the_corpus_was(make_corpus: Callable[..., Path]) -> None:
    corpus = make_corpus()
    before = local(corpus)
    assert local(corpus) == before
    build_corpus(corpus, n_documents=20)
    write_card(corpus)
    after = local(corpus)
    assert {name for name in CATALOGUE if after[name] != before[name]} == CATALOGUE
    assert ask_copy(corpus, ["FROM totals()"])[0][0][:2] == ["toy", 20]


def test_a_spoilt_catalogue_is_written_again(make_corpus: Callable[..., Path]) -> None:
    corpus = make_corpus()
    before = local(corpus)
    for name in CATALOGUE:
        (corpus / name).write_bytes(b"spoilt")
    assert {name for name, data in local(corpus).items() if data != before[name]} <= {"catalogue.duckdb"}


def n_requests(hub: HubServer, files: list[LocalFile]) -> int:
    publishing.publish(files, REPO, endpoint=hub.endpoint)
    n = len(hub.requests)
    assert any("/preupload/" in request for request in hub.requests)
    assert any("/commit/" in request for request in hub.requests)
    assert any("/resolve/" in request for request in hub.requests)
    assert any("objects/batch" in request for request in hub.requests)
    return n


def forget(hub: HubServer) -> None:
    hub.repos.clear()
    hub.blobs.clear()
    hub.uploads.clear()
    hub.forget_requests()


@pytest.mark.parametrize("fault", ["500", "drop", "lose", "dead"])
def test_after_any_request_failed_a_rerun_completes_the_same(
    hub: HubServer, corpus: Path, fault: str
) -> None:
    files, expected, n_reruns = prepare_files(corpus), local(corpus), 0
    for number in range(n_requests(hub, files)):
        forget(hub)
        if fault == "dead":
            hub.dead_from = number
        else:
            hub.faults = {number: fault}
        try:
            publishing.publish(files, REPO, endpoint=hub.endpoint)
        except WorkFailed as error:
            assert "rerun to go on" in error.message
            assert "\n" not in error.message
            n_reruns += 1
            hub.forget_requests()
            publishing.publish(files, REPO, endpoint=hub.endpoint)
        assert remote(hub) == expected
        assert hub.history(REPO) == ["Publish with specmill", "initial commit"]
        # A blob goes again only where the reply to its upload was lost
        assert sum(hub.uploads.values()) <= len(hub.uploads) + (fault == "lose")
    assert n_reruns > 0


def test_a_concurrent_commit_is_detected_and_a_rerun_publishes_on_top(hub: HubServer, corpus: Path) -> None:
    hub.on_commit = lambda: hub.commit_file(REPO, "notes.txt", b"mine")
    result = run(hub, corpus)
    assert result.exit_code == 1
    assert "somebody else committed to it meanwhile" in result.stderr
    assert remote(hub) == {"notes.txt": b"mine"}
    assert run(hub, corpus).exit_code == 0
    assert remote(hub) == local(corpus) | {"notes.txt": b"mine"}
    assert set(hub.uploads.values()) == {1}


def test_shards_that_are_no_more_are_deleted_in_the_same_commit(
    hub: HubServer, make_corpus: Callable[..., Path]
) -> None:
    corpus = make_corpus()
    publish(corpus, REPO, endpoint=hub.endpoint)
    hub.commit_file(REPO, "figure.png", b"a person's")
    before = set(remote(hub))
    shutil.rmtree(corpus)
    build_corpus(corpus, n_documents=20, shard_bytes=10**6)
    write_card(corpus)
    done = publish(corpus, REPO, endpoint=hub.endpoint)
    assert done.deleted == sorted(path for path in before if path.startswith("data/"))
    assert remote(hub) == local(corpus) | {"figure.png": b"a person's"}
    assert len(hub.history(REPO)) == 4


def test_another_branch_leaves_main_alone(hub: HubServer, corpus: Path) -> None:
    publish(corpus, REPO, endpoint=hub.endpoint, revision="v2")
    assert remote(hub, "v2") == local(corpus)
    assert remote(hub) == {}


def test_what_the_hub_stored_otherwise_is_found(hub: HubServer, corpus: Path) -> None:
    done = publish(corpus, REPO, endpoint=hub.endpoint)
    sha, _ = hub.repos[REPO].find(done.commit).files["manifest.json"]
    hub.blobs[sha] = hub.blobs[sha].replace(b"7770", b"7771")
    tampered = run(hub, corpus)
    assert remote(hub) == local(corpus)  # seen as changed, and uploaded again
    assert tampered.exit_code == 0


def test_a_small_file_that_reads_back_otherwise_fails(
    hub: HubServer, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve = hub._resolve

    def spoilt(repo: Any, revision: str, path: str) -> Any:
        reply = resolve(repo, revision, path)
        if path == "spec.md":
            reply.body = bytes(reply.body).replace(b"Brie", b"Feta")
        return reply

    monkeypatch.setattr(hub, "_resolve", spoilt)
    with pytest.raises(WorkFailed, match=r"spec\.md reads back otherwise"):
        publish(corpus, REPO, endpoint=hub.endpoint)


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (
            lambda folder: (folder / "claims.parquet").write_bytes(b"x"),
            "claims.parquet: 1 bytes, the manifest",
        ),
        (lambda folder: (folder / "README.md").unlink(), "README.md: missing"),
        (lambda folder: (folder / "SHA256SUMS").unlink(), "SHA256SUMS: missing"),
        (lambda folder: (folder / "manifest.json").unlink(), "not a corpus"),
    ],
)
def test_a_folder_that_is_not_what_it_says_is_refused_before_any_request(
    hub: HubServer, make_corpus: Callable[..., Path], spoil: Callable[[Path], None], complaint: str
) -> None:
    corpus = make_corpus()
    spoil(corpus)
    result = run(hub, corpus)
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert hub.requests == []


def test_a_dry_run_lists_what_would_go_without_a_network(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    (corpus / ".secret").write_text("no")
    result = CliRunner().invoke(command, [str(corpus), "--repo", REPO, "--dry-run"])
    (corpus / ".secret").unlink()
    *lines, last = result.stdout.splitlines()
    assert [line.split()[-1] for line in lines] == sorted(local(corpus))
    assert last.startswith(f"{len(lines)} files, ")
    assert last.endswith(f"would go to {REPO} (private, main)")
    assert "secret" not in result.stdout
    assert check_card(corpus) == []
    assert CliRunner().invoke(command, [str(corpus), "--repo", REPO, "--dry-run"]).stdout == result.stdout


@pytest.mark.parametrize("token", ["", "hf_wrong"])
def test_without_a_right_token_one_line_says_so(
    hub: HubServer, corpus: Path, token: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    result = run(hub, corpus)
    assert result.exit_code == 2
    assert "set HF_TOKEN or run 'hf auth login'" in result.stderr
    assert token == "" or token not in result.stderr


def test_a_name_that_is_none_is_refused(corpus: Path) -> None:
    with pytest.raises(BadInput, match="give OWNER/NAME"):
        publish(corpus, "toy")


def test_a_hub_that_is_not_there_ends_in_one_line(
    hub: HubServer, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = hub.endpoint
    hub.stop()
    with pytest.raises(WorkFailed, match="the connection failed"):
        publish(corpus, REPO, endpoint=endpoint)
    monkeypatch.setattr(hub, "stop", lambda: None)


def ask_copy(folder: Path, statements: list[str]) -> list[list[list[Any]]]:
    """Rows of each statement, asked of a folder's catalogue.duckdb by DuckDB alone."""
    code = (
        "import duckdb, json; c = duckdb.connect('catalogue.duckdb', read_only=True); "
        f"print(json.dumps([c.execute(s).fetchall() for s in {statements!r}], default=str))"
    )
    found: list[list[list[Any]]] = json.loads(run_offline(code, folder, folder))
    return found


@pytest.mark.parametrize("kind", ["corpus", "arms"])
def test_a_downloaded_copy_checks_and_runs_every_snippet(
    hub: HubServer, kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    folder: Path = request.getfixturevalue(kind)
    publish(folder, REPO, endpoint=hub.endpoint)
    copy = Path(
        snapshot_download(REPO, repo_type="dataset", endpoint=hub.endpoint, local_dir=tmp_path / folder.name)
    )
    assert {path: (copy / path).read_bytes() for path in local(folder)} == local(folder)
    assert check_card(copy) == []
    done = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=copy, capture_output=True)
    assert (done.returncode, done.stdout) == (0, b"")
    outputs = run_snippets(copy, tmp_path / "cache")
    assert {"datasets", "duckdb"} <= set(outputs)
    statements = sql_snippets(copy)
    assert len(statements) > 1
    assert all(ask_copy(copy, statements))
