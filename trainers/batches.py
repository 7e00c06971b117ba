"""Which update trains which sequences, and the batches it is made of.

Everything is a function of the data and the settings, so the place in the data is one number, that of the update.
A whole sequence goes to the update in which it ends when all are put end to end and cut every `batch` x `sequence`
tokens: arms of equal tokens make equally many updates, and no document loses its beginning.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .attention import lay_out
from .data import Ints, Sequences
from .settings import Settings
from .step import Batch


def order_of(n_sequences: int, epoch: int, seed: int) -> Ints:
    """The order of an epoch: the shards' for the first one of seed 0, else a shuffle by seed and epoch."""
    if epoch == 0 and seed == 0:
        return np.arange(n_sequences)
    return np.random.default_rng([seed, epoch]).permutation(n_sequences)


def plan_updates(lengths: Ints, settings: Settings) -> list[Ints]:
    """The sequences of each update; ceil(tokens / (batch x sequence)) updates an epoch."""
    size = settings.batch * settings.sequence
    updates: list[Ints] = []
    for epoch in range(settings.epochs):
        order = order_of(len(lengths), epoch, settings.seed)
        number = (np.cumsum(lengths[order]) - 1) // size
        updates += np.split(order, np.flatnonzero(np.diff(number)) + 1)
    return updates


def deal(update: Ints, lengths: Ints, row: int, world: int) -> list[list[Ints]]:
    """Rows of at most `row` tokens for each process, equally many; equal lengths lie together.

    A process short of one gets an empty row: it has to take part in the others' exchange of weights.
    """
    by_length = update[np.lexsort((update, -lengths[update]))]
    rows: list[list[int]] = []
    filled = row + 1
    for number in by_length.tolist():
        if filled + lengths[number] > row:
            rows.append([])
            filled = 0
        rows[-1].append(number)
        filled += int(lengths[number])
    rows += [[] for _ in range(-len(rows) % world)]
    return [[np.array(found, np.int64) for found in rows[rank::world]] for rank in range(world)]


def make_batch(sequences: Sequences, numbers: Ints, device: torch.device, *, flash: bool) -> Batch:
    """A flat row of these sequences. Targets: the next token of the same sequence, where that is trained."""
    found = [sequences[int(number)] for number in numbers] or [(np.zeros(1, np.int32), np.zeros(1, np.bool_))]
    ids = np.concatenate([ids for ids, _ in found]).astype(np.int64)
    trained = np.concatenate([trained for _, trained in found])
    lengths = [len(ids) for ids, _ in found]
    starts = np.cumsum([0, *lengths[:-1]])
    trained[starts] = False  # nothing comes before a first token
    places = np.flatnonzero(trained) - 1
    positions = np.arange(len(ids)) - np.repeat(starts, lengths)

    def moved(values: Ints) -> Tensor:
        tensor = torch.from_numpy(values)
        return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor

    return Batch(
        ids=moved(ids)[None],
        positions=moved(positions)[None],
        places=moved(places),
        targets=moved(ids[places + 1]),
        documents=lay_out(lengths, device, flash=flash),
    )
