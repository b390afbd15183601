"""Your own model, and the training loop that you already have, for shadowflow.

:func:`serve` makes a model the loss of any shadowflow command. ``shadowflow.torch`` and ``shadowflow.jax`` have the models, and the watch over
a loop; each needs its framework, this module numpy alone.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from shadowflow.worker import FULL, PROTOCOL, Description, Evaluation, Objective, Point, serve

__all__ = ["FULL", "PROTOCOL", "Description", "Evaluation", "Objective", "Point", "jax", "serve", "torch"]


def __getattr__(name: str) -> ModuleType:
    """``import shadowflow`` is enough for ``shadowflow.torch``, and imports no framework before it is used."""
    if name in ("torch", "jax"):
        return importlib.import_module(f"shadowflow.{name}")
    raise AttributeError(f"module 'shadowflow' has no attribute {name!r}")
