"""Processes and devices: one process alone, or several that torchrun started, sharded by FSDP2."""

from __future__ import annotations

import gc
import os
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

from specmill.specs.errors import BadInput

from .model import backbone_of
from .step import TokenLoss


@dataclass(frozen=True, slots=True)
class Process:
    rank: int
    world: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        return self.rank == 0


def start_process(device: str, precision: str) -> Process:
    """Join the others where torchrun started us. Raises BadInput for a device that is not there."""
    has_cuda = torch.cuda.is_available()
    if device == "cuda" and not has_cuda:
        raise BadInput("device cuda: this machine has none that torch sees; set device=cpu")
    on_cuda = has_cuda and device != "cpu"
    if precision == "bf16" and on_cuda and not torch.cuda.is_bf16_supported():
        raise BadInput("precision bf16: this GPU does not know it; set precision=fp32")
    world, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    chosen = torch.device("cuda", local) if on_cuda else torch.device("cpu")
    if on_cuda:
        torch.cuda.set_device(chosen)
        torch.set_float32_matmul_precision("high")
    if world > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if on_cuda else "gloo")
    return Process(rank, world, chosen)


def wait() -> None:
    """Until all processes are here."""
    if dist.is_initialized():
        dist.barrier()


def end_process() -> None:
    if dist.is_initialized():
        gc.collect()  # a sharded model is a cycle, and what it keeps of the group would abort the interpreter's end
        dist.destroy_process_group()


def shard(model: TokenLoss, process: Process, precision: str) -> None:
    """FSDP2 over all processes: a group for each layer; embedding, last norm and head in the root's.

    Liger's fused loss reads the head's weight, so it has to be whole in the root's forward.
    """
    policy = (
        MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
        if precision == "bf16"
        else MixedPrecisionPolicy()
    )
    backbone, _ = backbone_of(model.model)
    mesh = dist.init_device_mesh(process.device.type, (process.world,))
    for layer in backbone.layers:
        fully_shard(layer, mesh=mesh, mp_policy=policy)
    fully_shard(model, mesh=mesh, mp_policy=policy)
