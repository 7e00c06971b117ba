"""The parts of Distilabel that this room uses, imported without Distilabel's side effects.

Its import replaces `sys.excepthook` with one that prints local variables (and so prompts and keys) and warns some
twenty times about its own pydantic models. Everything of Distilabel comes through this file.
"""

import sys
import warnings

# Its runtime parameters make pydantic warn again for every class derived from its own.
warnings.filterwarnings("ignore", module=r"pydantic\._internal\._generate_schema")
_hook = sys.excepthook
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from distilabel.models.llms import AsyncLLM
    from distilabel.pipeline import Pipeline
    from distilabel.steps import GlobalStep, LoadDataFromDicts, StepInput
    from distilabel.steps.tasks import Task
sys.excepthook = _hook

__all__ = ["AsyncLLM", "GlobalStep", "LoadDataFromDicts", "Pipeline", "StepInput", "Task"]
