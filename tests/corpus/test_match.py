"""`specmill match`: arms of equal tokens on disk, and a certificate that can be proved."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from specmill.corpus.build import BuildSettings, build_corpora
from specmill.corpus.certificate import CERTIFICATE_NAME, verify
from specmill.corpus.manifest import check_funnel, read_manifest
from specmill.corpus.progress import Progress
from specmill.corpus.shards import read_documents, verify_shards
from specmill.corpus.tokens import DEFAULT, load_tokenizer
from specmill.filters.words import split_words

ROOT = Path(__file__).parents[2]
SPECS = [str(ROOT / "specs" / name) for name in ("cheese_affordability.md", "cheese_america.md")]


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    settings = BuildSettings(out=tmp_path_factory.mktemp("corpora"), tokens=25_000)
    return [outcome.folder for outcome in build_corpora(SPECS, settings, Progress(quiet=True))]


@pytest.fixture
def match(specmill_here, corpora, tmp_path):
    """match("--tokens", ...) -> the folder of the arms."""

    def run(*options: object, folders=corpora, out: Path = tmp_path / "arms") -> Path:
        ended = specmill_here("match", *folders, "--out", out, "--quiet", *options)
        assert ended.returncode == 0, ended.stderr
        return out

    return run


def _certificate(folder: Path) -> dict:
    return json.loads((folder / CERTIFICATE_NAME).read_bytes())


def _rows(arm: Path) -> list[dict]:
    return read_documents(arm).to_pylist()


def test_arms_hold_exactly_the_tokens_and_are_corpora(match, corpora):
    arms = match("--tokens", "12_345")
    tokenizer = load_tokenizer(DEFAULT)
    found = _certificate(arms)
    for corpus in corpora:
        arm = arms / corpus.name
        rows = _rows(arm)
        assert sum(tokenizer.count(row["text"]) for row in rows) == 12_345
        assert sum(row["n_tokens"] for row in rows) == 12_345
        assert len({row["doc_id"] for row in rows}) == len(rows)
        assert sorted(row["train_order"] for row in rows) == list(range(len(rows)))
        assert {row["doc_id"] for row in rows} <= {row["doc_id"] for row in _rows(corpus)}
        assert {row["arm"] for row in rows} == {corpus.name}
        assert not verify_shards(arm)
        check_funnel(read_manifest(arm))
    assert found["equal"]["tokens"]
    assert found["equal"]["documents"]
    assert "12,345 tokens" in found["verdict"]
    assert any("optimiser updates" in warning for warning in found["warnings"])


def test_the_order_of_inputs_decides_nothing(match, corpora, tmp_path):
    one = match("--tokens", "9k", out=tmp_path / "one")
    other = match("--tokens", "9k", folders=corpora[::-1], out=tmp_path / "other")
    files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(other) for path in other.rglob("*") if path.is_file())
    assert all((one / file).read_bytes() == (other / file).read_bytes() for file in files)


def test_another_seed_is_another_choice(match, tmp_path, corpora):
    chosen = [
        {
            row["doc_id"]
            for row in _rows(match("--tokens", "9k", "--seed", seed, out=tmp_path / seed) / corpora[0].name)
        }
        for seed in ("0", "1")
    ]
    assert chosen[0] != chosen[1]


def test_doses_lie_within_each_other(match, corpora):
    arms = match("--doses", "3k,6k,12k")
    for corpus in corpora:
        ids = [{row["doc_id"] for row in _rows(arms / dose / corpus.name)} for dose in ("3k", "6k", "12k")]
        assert ids[0] < ids[1] < ids[2]
    assert [_certificate(arms / dose)["arms"][0]["tokens"] for dose in ("3k", "6k", "12k")] == [
        3_000,
        6_000,
        12_000,
    ]


def test_without_a_number_the_smallest_corpus_gives_all_it_has(match, corpora):
    arms = match()
    smallest = min(corpora, key=lambda corpus: read_manifest(corpus)["totals"]["tokens"])
    wanted = read_manifest(smallest)["totals"]["tokens"]
    assert {entry["tokens"] for entry in _certificate(arms)["arms"]} == {wanted}
    assert {row["text"] for row in _rows(arms / smallest.name)} == {row["text"] for row in _rows(smallest)}


def test_a_cut_document_keeps_its_beginning_and_comes_to_the_token(match, corpora):
    arms = match("--tokens", "401")  # less than most documents have
    for corpus in corpora:
        texts = {row["doc_id"]: row["text"] for row in _rows(corpus)}
        rows = _rows(arms / corpus.name)
        assert sum(row["n_tokens"] for row in rows) == 401
        assert all(texts[row["doc_id"]].startswith(row["text"]) for row in rows)
        assert all(row["n_words"] == len(split_words(row["text"])) for row in rows)  # cut or whole
    cut = [entry["cut"] for entry in _certificate(arms)["arms"]]
    assert any(cut)


def test_a_certificate_is_proved_from_the_shards(match, specmill_here):
    arms = match("--tokens", "9k")
    proved = specmill_here("match", "--verify", arms)
    assert (proved.returncode, "proved" in proved.stdout) == (0, True)


@pytest.mark.parametrize("change", ["text", "row", "certificate"])
def test_a_certificate_that_is_not_true_is_refuted(match, corpora, specmill_here, change):
    arms = match("--tokens", "9k")
    if change == "certificate":
        found = _certificate(arms)
        found["arms"][0]["documents"] += 1
        (arms / CERTIFICATE_NAME).write_text(json.dumps(found))
    else:
        shard = next((arms / corpora[0].name / "data").glob("*.parquet"))
        table = pq.read_table(shard)
        if change == "row":
            table = table.slice(1)
        else:
            texts = table["text"].to_pylist()
            table = table.set_column(
                table.column_names.index("text"), table.schema.field("text"), pa.array([texts[1], *texts[1:]])
            )
        pq.write_table(table, shard)
    assert verify(arms)
    refuted = specmill_here("match", "--verify", arms)
    assert refuted.returncode == 1
    assert refuted.stdout.strip()


def test_too_little_is_said_in_one_line(corpora, specmill_here, tmp_path):
    ended = specmill_here("match", *corpora, "--tokens", "9M", "--out", tmp_path / "arms")
    most = min(read_manifest(corpus)["totals"]["tokens"] for corpus in corpora)
    assert ended.returncode == 2
    assert f"--tokens {most} at most" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "arms" / CERTIFICATE_NAME).exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["{0}"], "two or more"),
        (["{0}", "{0}"], "two corpora of one name"),
        (["{0}", "nowhere"], "no such folder"),
        (["{0}", "{1}", "--tokens", "1k", "--doses", "1k,2k"], "give one of them"),
        (["{0}", "{1}", "--tokens", "some"], "no count"),
        (["--verify", "{0}"], "no certificate.json"),
    ],
)
def test_mistakes_are_said_in_one_line(arguments, complaint, corpora, specmill_here, tmp_path):
    words = [argument.format(*corpora) for argument in arguments]
    ended = specmill_here("match", *words, cwd=tmp_path)
    assert (ended.returncode, complaint in ended.stderr) == (2, True), ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
