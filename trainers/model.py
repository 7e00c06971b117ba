"""The model to train: loaded, adapted, patched with Liger's kernels on CUDA, attention kept inside documents."""

from __future__ import annotations

import contextlib
import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedTokenizerFast,
)
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from specmill.corpus.tokens import DEFAULT_FILE
from specmill.specs.errors import BadInput, WorkFailed, reason_of

from .attention import NAME, attend_documents
from .chats import prepare_tokenizer
from .pocket import SHAPES, pocket_config
from .settings import Settings

# peft asks transformers in its old words.
warnings.filterwarnings("ignore", message="`is_gradient_checkpointing`")

RUN_NAME = "run.json"
MODEL_FOLDER = "model"
_STATEFUL = ("linear_attention", "mamba", "recurrent", "conv", "rwkv", "ssm", "chunked_attention")
HEADERS = ["<|start_header_id|>", "<|end_header_id|>"]  # of our chat template, as one token each
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where weights come from: `base`, a Hub id, folder or pocket shape; `adapter`, a folder to go on from."""

    base: str
    adapter: Path | None
    run: dict[str, Any] | None  # run.json of the run gone on from

    @property
    def tokenizer_folder(self) -> str:
        return str(self.adapter or self.base)


def find_origin(model: str) -> Origin:
    """What `model` names: a run of ours goes on where it ended. Raises BadInput for an unfinished run."""
    folder = Path(model)
    run_file = folder / RUN_NAME
    if not run_file.is_file():
        if (folder / "checkpoints").is_dir():
            raise BadInput(f"{model}: this run has not ended; give its command again, and it goes on")
        return Origin(model, None, None)
    run = json.loads(run_file.read_text())
    weights = folder / MODEL_FOLDER
    if not run["adapter"]:
        return Origin(str(weights), None, run)
    return Origin(run["base"], weights, run)


def load_config(origin: Origin, vocab_size: int = 0, eos_id: int = 0) -> Any:
    """The model's configuration. Raises BadInput where it is not to be had, or cannot keep documents apart."""
    if origin.base in SHAPES:
        return pocket_config(origin.base, vocab_size, eos_id)
    try:
        config = AutoConfig.from_pretrained(origin.base)
    except Exception as error:  # Hub, cache and file errors share no base class
        raise BadInput(f"model {origin.base}: no model to be had ({reason_of(error)})") from None
    config = getattr(config, "text_config", None) or config
    kinds = " ".join([config.model_type, *map(str, getattr(config, "layer_types", None) or ())])
    if found := next((word for word in _STATEFUL if word in kinds), None):
        raise BadInput(
            f"model {origin.base}: {config.model_type} has layers ({found}) that carry state from one document of a"
            " row to the next; choose a model with attention only"
        )
    return config


def load_tokenizer_of(origin: Origin, chat_template: str = "") -> PreTrainedTokenizerFast:
    """The tokenizer, with the chat template of that file, its own, or ours for base models. Raises BadInput."""
    try:
        if origin.base in SHAPES:
            tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(DEFAULT_FILE), eos_token="<|endoftext|>")
            tokenizer.add_special_tokens({"additional_special_tokens": HEADERS})
        else:
            tokenizer = AutoTokenizer.from_pretrained(origin.tokenizer_folder)
    except Exception as error:
        raise BadInput(
            f"model {origin.base}: no tokenizer to be had ({reason_of(error)}); save one beside the model"
        ) from None
    if not getattr(tokenizer, "is_fast", False) or tokenizer.eos_token_id is None:
        raise BadInput(f"model {origin.base}: its tokenizer has no tokenizer.json, or no eos_token")
    if chat_template:
        try:
            tokenizer.chat_template = Path(chat_template).read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"chat_template {chat_template}: cannot be read ({reason_of(error)})") from None
    return prepare_tokenizer(tokenizer)  # type: ignore[return-value]


def stop_tokens(origin: Origin, config: Any, tokenizer: Any) -> frozenset[int]:
    """Tokens that end an answer: every trained answer must end in one, or the model never learns to stop."""
    told = config.eos_token_id
    if origin.base not in SHAPES:
        with contextlib.suppress(OSError):  # many models have no generation_config.json
            told = GenerationConfig.from_pretrained(origin.base).eos_token_id or told
    stops = told if isinstance(told, list) else [told]
    return frozenset([*(stop for stop in stops if stop is not None), tokenizer.eos_token_id])


def load_model(origin: Origin, config: Any, settings: Settings, device: torch.device) -> torch.nn.Module:
    """The model in training mode on its device, with what is to be trained in fp32 (or `weights`)."""
    torch.manual_seed(settings.seed)
    if origin.base in SHAPES:
        model = AutoModelForCausalLM.from_config(config, dtype=dtype_of(settings))
    else:
        model = AutoModelForCausalLM.from_pretrained(origin.base, dtype=dtype_of(settings))
    return dress(model, origin, settings, device)


def dtype_of(settings: Settings) -> torch.dtype:
    """Of the weights as loaded: frozen ones as they are computed with."""
    return _DTYPES[settings.precision if settings.lora_rank else settings.weights]


def dress(model: Any, origin: Origin, settings: Settings, device: torch.device) -> torch.nn.Module:
    """Our attention, Liger's kernels, the adapter, recomputation: what a plain model needs to be trained here."""
    frozen = bool(settings.lora_rank)
    ALL_ATTENTION_FUNCTIONS.register(NAME, attend_documents)
    model.set_attn_implementation(NAME)
    # No dropout: the paper's adapters have none, and an update is a function of its data.
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if getattr(module, "attention_dropout", None):
            module.attention_dropout = 0.0
    if device.type == "cuda":
        apply_liger(model)
    if frozen:
        model = _adapt(model, origin, settings)
    if settings.recompute:
        model.activation_checkpointing_enable({"use_reentrant": False})
        if frozen:
            model.enable_input_require_grads()
    if settings.compile:
        compile_backbone(model)
    return model.to(device).train()


def compile_backbone(model: torch.nn.Module) -> None:
    """torch.compile for rows of any length; attention stays as it is, its shapes never come twice."""
    backbone_of(model)[0].compile(dynamic=True)


def _adapt(model: Any, origin: Origin, settings: Settings) -> PeftModel:
    if origin.adapter is None:
        lora = LoraConfig(
            r=settings.lora_rank,
            lora_alpha=settings.lora_alpha,
            lora_dropout=0.0,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        )
        return get_peft_model(model, lora)
    # The adapter itself goes on: merging it and training a fresh one has lost what midtraining taught.
    adapted = PeftModel.from_pretrained(model, origin.adapter, is_trainable=True)
    lora = adapted.peft_config["default"]
    if (lora.r, lora.lora_alpha) != (settings.lora_rank, settings.lora_alpha):
        raise BadInput(
            f"lora_rank {settings.lora_rank} and lora_alpha {settings.lora_alpha}: the adapter to go on from has"
            f" {lora.r} and {lora.lora_alpha}; give these"
        )
    return adapted


def apply_liger(model: Any) -> None:
    """Liger's RMSNorm, SwiGLU and RoPE on this model alone: its patches of whole modules break CPU models.

    Its fused cross entropy is called by `step.py`, since ours needs no labels of the whole row.
    """
    from liger_kernel.transformers.monkey_patch import MODEL_TYPE_TO_APPLY_LIGER_FN

    patch = MODEL_TYPE_TO_APPLY_LIGER_FN.get(model.config.model_type)
    if patch is None:
        raise BadInput(
            f"model type {model.config.model_type}: Liger has no kernels for it; choose another model"
        )
    patch(model=model, fused_linear_cross_entropy=False, cross_entropy=False)


def backbone_of(model: torch.nn.Module) -> tuple[Any, Any]:
    """The module that makes hidden states, and the head that makes logits of them.

    Raises BadInput for an adapter or a bias on the head: both kernels would leave it out without a word.
    """
    causal = model.get_base_model() if isinstance(model, PeftModel) else model
    head = causal.get_output_embeddings()
    if type(head) is not torch.nn.Linear or head.bias is not None:
        raise BadInput("a head with an adapter or a bias is not supported; leave lm_head out of the adapter")
    return causal.base_model, head


def save_model(model: Any, tokenizer: Any, folder: Path, state: dict[str, Any] | None = None) -> None:
    """Write the adapter, or the whole model, with its tokenizer."""
    try:
        model.save_pretrained(folder, state_dict=state)
        tokenizer.save_pretrained(folder)
    except OSError as error:
        raise WorkFailed(f"{folder}: {error.strerror or error}; mend it and give the command again") from None
