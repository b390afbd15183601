"""JAX functions as losses, and what is measured of a training step in optax."""

from __future__ import annotations

from shadowflow.jax.objective import Objective
from shadowflow.jax.watch import Watch

__all__ = ["Objective", "Watch"]
