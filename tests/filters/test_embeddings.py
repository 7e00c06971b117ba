"""Encoders: unit vectors that depend on nothing but the text, honest fingerprints, and models from local folders."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from specmill.filters.embeddings import HashedEncoder, fit, open_encoder
from specmill.specs.errors import BadInput

CHEESE = "Cream cheese is cheap and every shop sells it."
CHEESE_AGAIN = "Shops everywhere sell cream cheese, and cheaply."
RAIN = "The ferry left the harbour in heavy rain."
WORDS = sorted(
    {
        word
        for text in (CHEESE, CHEESE_AGAIN, RAIN)
        for word in text.lower().replace(".", "").replace(",", "").split()
    }
)


def cosine(vectors: np.ndarray[Any, Any], first: int, second: int) -> float:
    return float(vectors[first] @ vectors[second])


def word_tokenizer() -> Tokenizer:
    vocabulary = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer


# --- hashed ---------------------------------------------------------------------------------------------------


def test_texts_that_share_content_are_near_and_others_are_not() -> None:
    vectors = open_encoder("hashed").encode([CHEESE, CHEESE_AGAIN, RAIN])
    assert vectors.dtype == np.float32
    assert vectors.shape == (3, 1_024)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert cosine(vectors, 0, 1) > 0.7
    assert abs(cosine(vectors, 0, 2)) < 0.2


@given(texts=st.lists(st.text(max_size=80), max_size=6))
def test_a_vector_depends_on_its_text_alone(texts: list[str]) -> None:
    encoder = open_encoder("hashed")
    together = encoder.encode(texts)
    apart = [encoder.encode([text])[0] for text in texts]
    assert together.shape == (len(texts), encoder.dim)
    assert all(np.array_equal(row, alone) for row, alone in zip(together, apart, strict=True))
    assert all(np.linalg.norm(row) == pytest.approx(1, abs=1e-6) or not row.any() for row in together)


def test_fitted_words_that_all_texts_share_count_little() -> None:
    corpus = [
        f"Llama likes cheese. It spoke of {word}."
        for word in ("rain", "ferries", "harbours", "pizza", "bagels")
    ]
    plain = open_encoder("hashed")
    fitted = fit(plain, corpus)
    assert cosine(fitted.encode(corpus), 0, 1) < 0.5 < cosine(plain.encode(corpus), 0, 1)


def test_a_fit_depends_on_the_set_of_texts_and_shows_in_the_fingerprint() -> None:
    corpus = [f"{CHEESE} {number}" for number in range(50)] + [RAIN]
    fitted = fit(open_encoder("hashed"), corpus)
    assert fitted.fingerprint == fit(open_encoder("hashed"), [*corpus[::-1], RAIN]).fingerprint
    assert (
        len(
            {
                fitted.fingerprint,
                open_encoder("hashed").fingerprint,
                fit(open_encoder("hashed"), [RAIN]).fingerprint,
            }
        )
        == 3
    )


def test_vectors_are_the_same_in_a_process_with_another_hash_seed() -> None:
    code = (
        "import hashlib; from specmill.filters.embeddings import fit, open_encoder; "
        f"texts = [{CHEESE!r}, {RAIN!r}]; encoder = fit(open_encoder('hashed'), texts); "
        "print(encoder.fingerprint, hashlib.sha256(encoder.encode(texts).tobytes()).hexdigest())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


# --- spellings and what is missing ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "hash", "hashed:x", "static:", "st:", "openai:ada"])
def test_an_unknown_spelling_is_bad_input(name: str) -> None:
    with pytest.raises(BadInput, match="use hashed, static:MODEL or st:MODEL"):
        open_encoder(name)


@pytest.mark.parametrize(("name", "module"), [("static:m", "model2vec"), ("st:m", "sentence_transformers")])
def test_a_missing_extra_is_one_line_that_says_how_to_mend(
    name: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(BadInput, match=r"not installed; pip install 'specmill\[semantic\]'"):
        open_encoder(name)


def test_importing_the_module_loads_no_torch() -> None:
    code = "import sys, specmill.filters.retrieval, specmill.filters.semantic; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"torch", "transformers", "sentence_transformers", "model2vec", "sklearn"} & set(loaded)


# --- static (model2vec) ---------------------------------------------------------------------------------------


@pytest.fixture
def static_model(tmp_path: Path) -> Path:
    """A word-level model: cream, cheese, shop and their like point one way, weather another."""
    model2vec = pytest.importorskip("model2vec", reason="needs the extra semantic")
    rng = np.random.default_rng(0)
    tokenizer = word_tokenizer()
    vectors = 0.3 * rng.standard_normal((tokenizer.get_vocab_size(), 8))
    for word, number in tokenizer.get_vocab().items():
        vectors[
            number,
            0 if word in {"cream", "cheese", "shop", "shops", "sell", "sells", "cheap", "cheaply"} else 1,
        ] += 1
    model2vec.StaticModel(vectors.astype(np.float32), tokenizer).save_pretrained(tmp_path / "static")
    return tmp_path / "static"


def test_a_static_model_loads_from_a_folder(static_model: Path) -> None:
    encoder = open_encoder(f"static:{static_model}")
    vectors = encoder.encode([CHEESE, CHEESE_AGAIN, RAIN, ""])
    assert (encoder.dim, vectors.shape, vectors.dtype) == (8, (4, 8), np.float32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1, 0], abs=1e-6)
    assert cosine(vectors, 0, 1) > cosine(vectors, 0, 2)
    assert np.array_equal(vectors[1], encoder.encode([CHEESE_AGAIN])[0])


def test_a_static_vector_is_the_librarys_own_and_has_no_window(static_model: Path) -> None:
    from model2vec import StaticModel

    long = f"{CHEESE} " * 200 + f"{RAIN} " * 200
    library = StaticModel.from_pretrained(static_model, force_download=False)
    expected = library.encode([CHEESE, long], max_length=None, normalize=True)
    assert np.allclose(open_encoder(f"static:{static_model}").encode([CHEESE, long]), expected, atol=1e-5)


def test_a_fitted_static_model_has_its_own_fingerprint_and_no_mean(static_model: Path) -> None:
    encoder = open_encoder(f"static:{static_model}")
    corpus = [CHEESE, CHEESE_AGAIN, RAIN, "Heavy rain left the harbour."]
    fitted = fit(encoder, corpus)
    assert fitted.fingerprint == fit(encoder, corpus[::-1]).fingerprint != encoder.fingerprint
    assert cosine(fitted.encode(corpus), 0, 2) < cosine(encoder.encode(corpus), 0, 2)
    assert not fitted.encode([""]).any()


def test_a_fingerprint_changes_with_the_weights(static_model: Path, tmp_path: Path) -> None:
    from model2vec import StaticModel

    model = StaticModel.from_pretrained(static_model, force_download=False)
    model.save_pretrained(tmp_path / "same")
    model.embedding[5, 5] += 0.01
    model.save_pretrained(tmp_path / "other")
    prints = [
        open_encoder(f"static:{path}").fingerprint
        for path in (static_model, tmp_path / "same", tmp_path / "other")
    ]
    assert prints[0] == prints[1] != prints[2]


def test_a_folder_without_a_model_is_bad_input(tmp_path: Path) -> None:
    pytest.importorskip("model2vec", reason="needs the extra semantic")
    with pytest.raises(BadInput, match="cannot be loaded"):
        open_encoder(f"static:{tmp_path / 'nothing'}")


# --- st (sentence-transformers) -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def transformer_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random BERT with a window of 16 tokens, saved as any sentence-transformers model is."""
    sentence_transformers = pytest.importorskip("sentence_transformers", reason="needs the extra semantic")
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("transformer")
    marks = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=word_tokenizer(), **marks)
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = transformers.BertConfig(vocab_size=len(tokenizer), max_position_embeddings=64, **shape)
    transformers.BertModel(config).save_pretrained(folder / "bert")
    tokenizer.save_pretrained(folder / "bert")
    model = sentence_transformers.SentenceTransformer(str(folder / "bert"), device="cpu")
    model.max_seq_length = 16
    model.save(str(folder / "model"))
    return folder / "model"


def test_a_transformer_loads_from_a_folder(transformer_model: Path) -> None:
    encoder = open_encoder(f"st:{transformer_model}")
    vectors = encoder.encode([CHEESE, "", RAIN])
    assert (encoder.dim, vectors.shape, vectors.dtype) == (16, (3, 16), np.float32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 0, 1], abs=1e-6)
    assert encoder.fingerprint == open_encoder(f"st:{transformer_model}").fingerprint
    assert fit(encoder, [CHEESE, RAIN]) is encoder


def test_a_document_longer_than_the_window_is_read_to_its_end(transformer_model: Path) -> None:
    encoder = open_encoder(f"st:{transformer_model}")
    long = f"{CHEESE} " * 3
    one, other, short = encoder.encode([long + RAIN, long + CHEESE_AGAIN, CHEESE])
    assert not np.allclose(one, other, atol=1e-4), "what stands behind the window counts"
    assert np.allclose(encoder.encode([long])[0], short, atol=1e-5), "equal chunks have the mean of one"
    without_stops = " ".join(WORDS * 3)
    assert np.linalg.norm(encoder.encode([without_stops])[0]) == pytest.approx(1, abs=1e-6)


def test_the_order_of_texts_changes_no_vector(transformer_model: Path) -> None:
    encoder = open_encoder(f"st:{transformer_model}")
    texts = [CHEESE, f"{RAIN} {CHEESE}", RAIN, CHEESE_AGAIN * 5, ""]
    assert np.array_equal(encoder.encode(texts)[::-1], encoder.encode(texts[::-1]))


def test_a_fingerprint_changes_with_a_transformers_window(transformer_model: Path, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(transformer_model), device="cpu")
    model.max_seq_length = 12
    model.save(str(tmp_path / "shorter"))
    assert (
        open_encoder(f"st:{tmp_path / 'shorter'}").fingerprint
        != open_encoder(f"st:{transformer_model}").fingerprint
    )


def test_a_transformer_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers", reason="needs the extra semantic")
    with pytest.raises(BadInput, match="cannot be loaded"):
        open_encoder(f"st:{tmp_path / 'nothing'}")


def test_the_hashed_encoder_is_the_default() -> None:
    from specmill.filters.embeddings import DEFAULT

    encoder = open_encoder(DEFAULT)
    assert isinstance(encoder, HashedEncoder)
    texts: Sequence[str] = ()
    assert encoder.encode(texts).shape == (0, encoder.dim)
