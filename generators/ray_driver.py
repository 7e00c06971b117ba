"""The stages under Distilabel's own Ray pipeline, behind `--ray`: it fills the call ledger, and nothing else.

What the run gives is read by replaying the ledger in the usual way (`engine.py`), so rows, counts and bytes are
those of a build without Ray. Stage actors send HTTP and need no GPU, so they stay on the head node and share the
ledger file there (SQLite is not for network disks); the other nodes are for vLLM (docs/cluster.md).
"""

from __future__ import annotations

import os
from typing import Any

from specmill.specs.errors import BadInput, WorkFailed

from .distilabel_parts import Pipeline

LOCAL = "local"
# Each stage and each queue is an actor that asks for a processor and hardly uses it.
LOCAL_CPUS = 32
HEAD_NODE = {"node:__internal_head__": 0.001}


def fill_ledger(pipeline: Pipeline, address: str = LOCAL) -> None:
    """Run a pipeline, whose LLMs open the ledger themselves, on a new local cluster or on one that is there.

    Raises BadInput where Ray is not installed, WorkFailed when the run ends without rows.
    """
    try:
        import ray
    except ImportError:
        raise BadInput("--ray: Ray is not installed; pip install 'specmill[ray]'") from None
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    for name in pipeline.dag:
        step = pipeline.dag.get_step(name)["step"]
        step.resources = step.resources.model_copy(update={"resources": HEAD_NODE})
    options: dict[str, Any] = {"log_to_driver": False}
    if address == LOCAL:
        options |= {"num_cpus": LOCAL_CPUS, "include_dashboard": False}
    try:
        found = pipeline.ray(None if address == LOCAL else address, options).run(use_cache=False)
    finally:
        ray.shutdown()
    if not found:
        raise WorkFailed(
            "the Ray run gave no rows; see its log above; replies so far are kept, rerun to go on"
        )
