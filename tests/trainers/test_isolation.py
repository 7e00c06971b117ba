import pytest

torch = pytest.importorskip("torch", reason="needs the extra: pip install -e '.[train]'")
pytest.importorskip("peft", reason="needs the extra: pip install -e '.[train]'")

from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from specmill.specs.errors import BadInput, WorkFailed
from specmill.trainers.attention import NAME, attend_documents, lay_out
from specmill.trainers.isolation import check_isolation
from specmill.trainers.model import Origin, load_config
from specmill.trainers.step import Batch, TokenLoss
from tests.trainers.conftest import KINDS

LENGTHS = (40, 7, 25, 25, 40, 3, 33)


def packed(model, precision="fp32"):
    ALL_ATTENTION_FUNCTIONS.register(NAME, attend_documents)
    model.set_attn_implementation(NAME)
    return TokenLoss(model, precision)


def row(documents):
    ids = torch.cat(documents)
    positions = torch.cat([torch.arange(len(document)) for document in documents])
    inside = torch.cat([torch.arange(len(document)) < len(document) - 1 for document in documents])
    places = inside.nonzero()[:, 0]
    lengths = [len(document) for document in documents]
    return Batch(ids[None], positions[None], places, ids[places + 1], lay_out(lengths, torch.device("cpu")))


def some_documents(lengths=LENGTHS):
    generator = torch.Generator().manual_seed(3)
    return [torch.randint(512, (length,), generator=generator) for length in lengths]


@pytest.mark.parametrize("kind", KINDS)
def test_a_packed_row_has_the_loss_and_the_gradients_of_its_documents_alone(tiny_model, kind):
    documents = some_documents()
    alone = tiny_model(kind)
    alone.set_attn_implementation("eager")
    total = sum(
        alone(input_ids=d[None], labels=d[None], use_cache=False).loss * (len(d) - 1) for d in documents
    )
    total.backward()
    model = packed(tiny_model(kind))
    loss = model(row(documents))
    loss.backward()
    assert abs(loss.item() - total.item()) / total.item() < 1e-6
    for (name, ours), theirs in zip(model.model.named_parameters(), alone.parameters(), strict=True):
        largest = max(1.0, theirs.grad.abs().max().item())
        assert (ours.grad - theirs.grad).abs().max().item() / largest < 1e-5, name


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_that_keeps_documents_apart_passes_the_check(tiny_model, kind):
    check_isolation(packed(tiny_model(kind)), 512, "fp32", flash=False)
    check_isolation(packed(tiny_model(kind)), 512, "bf16", flash=False)


def test_the_check_goes_red_where_attention_crosses_documents(tiny_model):
    def leaky(module, query, key, value, mask, *, documents, **rest):
        whole = lay_out([int(documents.bounds[-1])], query.device)
        return attend_documents(module, query, key, value, mask, documents=whole, **rest)

    model = packed(tiny_model())
    ALL_ATTENTION_FUNCTIONS.register(NAME, leaky)
    with pytest.raises(BadInput, match="moves another's logits"):
        check_isolation(model, 512, "fp32", flash=False)


def test_the_check_goes_red_where_a_document_cannot_see_itself(tiny_model):
    def blind(module, query, key, value, mask, *, documents, **rest):
        return value.transpose(1, 2).repeat_interleave(2, 2), None

    model = packed(tiny_model())
    ALL_ATTENTION_FUNCTIONS.register(NAME, blind)
    with pytest.raises((BadInput, WorkFailed)):
        check_isolation(model, 512, "fp32", flash=False)


def test_the_check_goes_red_where_the_loss_is_not_the_models_own(tiny_model):
    model = packed(tiny_model("gemma2"))
    model._softcap = None  # as if we had not known of it
    model.model.config.final_logit_softcapping = 1.0
    with pytest.raises(WorkFailed, match="by our kernels"):
        check_isolation(model, 512, "fp32", flash=False)


def test_attention_sinks_and_dropout_are_refused(tiny_model):
    model = packed(tiny_model(attention_dropout=0.1))
    for layer in model.model.model.layers:
        layer.self_attn.attention_dropout = 0.1
    with pytest.raises(BadInput, match="attention dropout"):
        check_isolation(model, 512, "fp32", flash=False)


@pytest.mark.parametrize("kind", ["Qwen3NextConfig", "MambaConfig", "JambaConfig", "RecurrentGemmaConfig"])
def test_models_whose_state_crosses_documents_are_refused_by_name(tmp_path, kind):
    import transformers

    getattr(transformers, kind)().save_pretrained(tmp_path)
    with pytest.raises(BadInput, match="carry state"):
        load_config(Origin(str(tmp_path), None, None))


def test_documents_of_any_lengths_come_back_in_their_places():
    generator = torch.Generator().manual_seed(0)
    for lengths in ([1], [5, 5, 5], [3, 90, 4, 88, 1, 1, 30]):
        n = sum(lengths)
        q, k, v = (torch.randn(1, 2, n, 4, generator=generator) for _ in range(3))
        out, _ = attend_documents(
            torch.nn.Module(), q, k, v, None, documents=lay_out(lengths, torch.device("cpu"))
        )
        start = 0
        for length in lengths:
            part = slice(start, start + length)
            expected = torch.nn.functional.scaled_dot_product_attention(
                q[:, :, part], k[:, :, part], v[:, :, part], is_causal=True
            )
            assert torch.allclose(out[:, part], expected.transpose(1, 2), atol=1e-6)
            start += length


def test_dropout_is_off(tiny_model):
    from specmill.trainers.model import dress
    from specmill.trainers.settings import Settings

    settings = Settings(data=(), model="", out="", lora_rank=0)
    causal = tiny_model(attention_dropout=0.5)
    for layer in causal.model.layers:
        layer.self_attn.attention_dropout = 0.5
        layer.mlp = torch.nn.Sequential(layer.mlp, torch.nn.Dropout(0.5))
    model = TokenLoss(dress(causal, Origin("", None, None), settings, torch.device("cpu")))
    batch = row(some_documents())
    assert model(batch) == model(batch)
    check_isolation(model, 512, "fp32", flash=False)
