"""Your own model, and the training loop that you already have, for shadowflow.

``serve`` makes a model the loss of any shadowflow command: see :mod:`shadowflow.worker`.
``shadowflow.torch`` and ``shadowflow.jax`` have the models, and the watch over a loop; each needs its framework, this module numpy alone.
"""
