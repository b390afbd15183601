"""JAX functions as losses, and what is measured of a training step in optax."""

from .watch import Watch

__all__ = ["Watch"]
