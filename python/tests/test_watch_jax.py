"""A watched loop in optax has the figures of the program's own run from the same weights on the same data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")

import jax.numpy as jnp  # noqa: E402
from watched import GOLDEN, ROUNDED, differences, digits, history, weights  # noqa: E402

from shadowflow.jax import Watch, _settle  # noqa: E402


@pytest.fixture(autouse=True)
def _double() -> Any:
    with jax.enable_x64(True):
        yield


def loss(params: Any, batch: Any) -> Any:
    x, y = batch
    h = jnp.tanh(x @ params["0"]["weight"].T + params["0"]["bias"])
    z = h @ params["2"]["weight"].T + params["2"]["bias"]
    return optax.softmax_cross_entropy_with_integer_labels(z, y).mean()


def start(dtype: str) -> Any:
    w = weights(dtype)
    return {i: {k: jnp.asarray(w[f"{i}.{k}"]) for k in ("weight", "bias")} for i in ("0", "2")}


def factor(n: Any) -> Any:
    return jnp.where(n < 4, (n + 1) / 4, 0.5 * (1 + jnp.cos(jnp.pi * (n - 4) / 26)))


OPTIMIZERS: dict[str, tuple[Any, Any]] = {
    "adam": (lambda: optax.adam(0.01), 0.01),
    "adamw": (lambda: optax.adamw(0.01, weight_decay=0.1), 0.01),
    "adam-l2": (lambda: optax.chain(optax.add_decayed_weights(0.01), optax.adam(0.01)), 0.01),
    "rmsprop": (lambda: optax.rmsprop(1e-3, decay=0.99, eps=1e-8, eps_in_sqrt=False), 1e-3),
    "rmsprop-momentum": (lambda: optax.chain(optax.scale_by_rms(0.99, 1e-8, eps_in_sqrt=False), optax.trace(0.9), optax.scale(-1e-3)), 1e-3),
    "sgd": (lambda: optax.sgd(0.1, momentum=0.9), 0.1),
    "sgd-nesterov": (lambda: optax.chain(optax.add_decayed_weights(1e-3), optax.sgd(0.1, momentum=0.9, nesterov=True)), 0.1),
    "lion": (lambda: optax.lion(1e-3, b1=0.9, b2=0.99, weight_decay=0.1), 1e-3),
    "adamw-clipped-cosine": (
        lambda: optax.chain(optax.clip_by_global_norm(0.1), optax.adamw(lambda n: 0.01 * factor(n), weight_decay=0.01)),
        lambda n: 0.01 * factor(n),
    ),
}
# The same transformations, masked, in groups, in a chain with names, or with settings that can be changed.
WRAPPED: dict[str, Callable[[], Any]] = {
    "masked": lambda: optax.masked(optax.adam(0.01), lambda p: jax.tree.map(lambda _: True, p)),
    "groups": lambda: optax.multi_transform({"a": optax.adam(0.01), "b": optax.adam(0.01)}, {"0": {"weight": "a", "bias": "b"}, "2": "b"}),
    "named": lambda: optax.named_chain(("first", optax.identity()), ("adam", optax.adam(0.01))),
    "injected": lambda: optax.inject_hyperparams(optax.adam)(learning_rate=0.01),
}
# optax clips to c/|g|, the golden run, as torch, to c/(|g| + 1e-6).
TOLERANCES = {"adamw-clipped-cosine": 2e-4}


def watched(name: str, dtype: str, out: Path) -> dict[str, list[float | None]]:
    make, lr = OPTIMIZERS[name]
    return watch(make(), lr, dtype, out)


def watch(optimizer: Any, lr: Any, dtype: str, out: Path) -> dict[str, list[float | None]]:
    params = start(dtype)
    state, batch = optimizer.init(params), tuple(map(jnp.asarray, digits(dtype)))

    @jax.jit
    def step(params: Any, state: Any) -> Any:
        updates, state = optimizer.update(jax.grad(loss)(params, batch), state, params)
        return optax.apply_updates(params, updates), state

    with Watch(loss, optimizer, lr=lr, every=5, out=out) as watching:
        for _ in range(30):
            watching(params, state, batch)
            params, state = step(params, state)
    return history(out / "history.csv")


@pytest.mark.parametrize("name", ["adam", "sgd", "lion"])
def test_columns_in_single_precision_are_those_of_our_own_run(name: str, tmp_path: Path) -> None:
    found = differences(watched(name, "float32", tmp_path / "run"), history(GOLDEN / f"{name}-float32.csv"))
    wrong = {k: v for k, v in found.items() if v > (1e-5 if ROUNDED.search(k) else 1e-6)}
    assert not wrong, max(wrong.values())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_columns_are_those_of_our_own_run(name: str, tmp_path: Path) -> None:
    found = differences(watched(name, "float64", tmp_path / "run"), history(GOLDEN / f"{name}-float64.csv"))
    assert {"step", "loss", "excess", "drive.main", "drive.observed", "drive.realized"} <= found.keys()
    wrong = {k: v for k, v in found.items() if v > TOLERANCES.get(name, 1e-10)}
    assert not wrong, max(wrong.values())


@pytest.mark.parametrize("how", WRAPPED)
def test_a_wrapped_transformation_has_the_figures_of_what_it_wraps(how: str, tmp_path: Path) -> None:
    found = differences(watch(WRAPPED[how](), 0.01, "float64", tmp_path / "run"), history(GOLDEN / "adam-float64.csv"))
    assert {"drive.main", "drive.realized"} <= found.keys()
    wrong = {k: v for k, v in found.items() if v > 1e-10}
    assert not wrong, max(wrong.values())


def test_groups_settle_each_to_its_own_limit() -> None:
    transformations = {"sum": optax.sgd(0.1, momentum=0.9), "average": optax.adam(0.01), "none": optax.set_to_zero()}
    optimizer = optax.multi_transform(transformations, {"a": "sum", "b": "average", "c": "none"})
    params = {k: jnp.asarray([0.3, -2.0]) for k in "abc"}
    gradient = {k: jnp.asarray([0.5, -1e-3]) * (1 + i) for i, k in enumerate("abc")}
    found = _settle.settled(optimizer.update, gradient, optimizer.init(params), params, 7)  # of the step behind 7
    g = gradient["b"]
    want = {"a": -0.1 * gradient["a"] * (1 - 0.9**8) / (1 - 0.9), "b": -0.01 * g / (jnp.abs(g) + 1e-8), "c": 0 * g}
    for k, x in want.items():
        assert jnp.allclose(found[k], x, rtol=1e-12, atol=0), k


def test_a_state_that_is_not_known_to_settle_is_refused(tmp_path: Path) -> None:
    optimizer, params = optax.adadelta(0.1), start("float64")
    watch = Watch(loss, optimizer, lr=0.1, out=tmp_path / "run")
    with pytest.raises(TypeError, match="ScaleByAdaDeltaState is not known to settle"):
        watch(params, optimizer.init(params), tuple(map(jnp.asarray, digits("float64"))))
