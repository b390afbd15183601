"""What the objectives of both frameworks compute, against closed forms and central differences."""

from __future__ import annotations

import collections
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import shadowflow
from shadowflow import FULL, Point

torch = pytest.importorskip("torch")
jax = pytest.importorskip("jax")

X = np.random.default_rng(1).normal(size=(7, 3))
Y = np.random.default_rng(2).normal(size=(7, 2))
PARTS = [(X[:4], Y[:4]), (X[4:], Y[4:])]  # of different sizes


def in_torch(dtype: Any = None) -> Any:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    parts = [(torch.from_numpy(a), torch.from_numpy(b)) for a, b in PARTS]
    return shadowflow.torch.Objective(model, torch.nn.functional.mse_loss, parts, test=parts[1:], dtype=dtype)


def in_jax() -> Any:
    import jax.numpy as jnp

    r = np.random.default_rng(3)
    params = {"a": {"w": r.normal(size=(3, 4)), "b": r.normal(size=4)}, "b": r.normal(size=(4, 2))}

    def loss(p: Any, batch: Any) -> Any:
        x, y = batch
        return jnp.square(jnp.tanh(x @ p["a"]["w"] + p["a"]["b"]) @ p["b"] - y).mean()

    return shadowflow.jax.Objective(loss, params, PARTS, test=PARTS[1:])


class Asked:
    """An objective with the vectors that a program would share with it."""

    def __init__(self, objective: Any, dtype: str = "float64") -> None:
        self.objective = objective
        self.description = objective.describe(dtype, 1, 5)
        n = sum(int(np.prod(shape)) for _, shape in self.description.blocks)
        k = sum(int(np.prod(shape)) for _, shape in self.description.running)
        self.theta, self.gradient, self.running, self.averaged = (np.zeros(m, dtype) for m in (n, n, k, k))
        objective.start(self.theta, self.running)

    def at(self, batch: int = FULL, step: int = 0) -> Point:
        return Point(self.theta, self.running, batch, step)

    def loss(self, batch: int = FULL, step: int = 0) -> float:
        return self.objective.evaluate(self.at(batch, step), None, self.averaged, False).loss

    def slope(self, batch: int = FULL, step: int = 0, more: bool = False) -> np.ndarray:
        self.objective.evaluate(self.at(batch, step), self.gradient, self.averaged, more)
        return self.gradient.copy()

    def along(self, name: str, v: np.ndarray, batch: int = FULL) -> np.ndarray:
        out = np.zeros_like(self.theta)
        getattr(self.objective, name)(self.at(batch), v, out, False)
        return out

    def difference(self, f: Callable[[], Any], v: np.ndarray, h: float) -> Any:
        start, total = self.theta.copy(), 0.0
        for shift, weight in (-2, 1 / 12), (-1, -2 / 3), (1, 2 / 3), (2, -1 / 12):
            self.theta[:] = start + shift * h * v
            total = total + weight / h * f()
        self.theta[:] = start
        return total


@pytest.mark.parametrize("make", [in_torch, in_jax])
@pytest.mark.parametrize("batch", [FULL, 0, 1])
def test_derivatives_are_those_of_central_differences(make: Callable[[], Any], batch: int) -> None:
    a = Asked(make())
    v = np.random.default_rng(4).normal(size=a.theta.size)
    assert a.slope(batch) @ v == pytest.approx(a.difference(lambda: a.loss(batch), v, 1e-3), rel=1e-9)
    product = a.along("product", v, batch)
    np.testing.assert_allclose(product, a.difference(lambda: a.slope(batch), v, 1e-3), rtol=1e-7, atol=1e-9)
    bend = a.along("bend", v, batch)
    np.testing.assert_allclose(bend, a.difference(lambda: a.along("product", v, batch), v, 1e-3), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("make", [in_torch, in_jax])
def test_the_full_batch_weighs_each_batch_by_its_examples(make: Callable[[], Any]) -> None:
    a = Asked(make())
    assert a.loss() == pytest.approx((4 * a.loss(0) + 3 * a.loss(1)) / 7, rel=1e-14)
    np.testing.assert_allclose(a.slope(), (4 * a.slope(0) + 3 * a.slope(1)) / 7, rtol=1e-12)
    assert a.description.train == 7 and a.description.test == 3
    assert a.objective.test(a.theta, a.running).loss == pytest.approx(a.loss(1), rel=1e-14)


def test_a_product_behind_its_gradient_is_that_of_a_pass_of_its_own() -> None:
    a = Asked(in_torch())
    v = np.ones_like(a.theta)
    a.slope(0, more=True)
    kept = a.along("product", v, 0)
    np.testing.assert_array_equal(kept, a.along("product", v, 0))


def test_dropout_draws_by_the_step() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 50), torch.nn.Dropout(0.5), torch.nn.Linear(50, 2))
    parts = [(torch.from_numpy(x), torch.from_numpy(y)) for x, y in PARTS]
    a = Asked(shadowflow.torch.Objective(model, torch.nn.functional.mse_loss, parts))
    assert a.loss(step=3) == a.loss(step=3) != a.loss(step=4)


def test_what_draws_from_numpy_and_python_draws_by_the_step() -> None:
    class Noisy(torch.nn.Linear):
        def forward(self, x: Any) -> Any:
            return super().forward(x) * (1 + np.random.rand() + random.random())

    parts = [(torch.from_numpy(x), torch.from_numpy(y)) for x, y in PARTS]
    a = Asked(shadowflow.torch.Objective(Noisy(3, 2), torch.nn.functional.mse_loss, parts))
    assert a.loss(step=3) == a.loss(step=3) != a.loss(step=4)


class Counting(torch.nn.Module):
    """A model with buffers that a pass changes, in place and by another tensor, and one that it leaves."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(3, 2)
        self.register_buffer("mean", torch.zeros(3))
        self.register_buffer("passes", torch.zeros((), dtype=torch.long))
        self.register_buffer("mask", torch.ones(3))

    def forward(self, x: Any) -> Any:
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * x.detach().mean(0)
            self.passes += 1
        return self.linear((x - self.mean) * self.mask) / self.passes


def test_buffers_that_a_pass_changes_are_state() -> None:
    parts = [(torch.from_numpy(x), torch.from_numpy(y)) for x, y in PARTS]
    a = Asked(shadowflow.torch.Objective(Counting(), torch.nn.functional.mse_loss, parts))
    assert a.description.running == [("mean", (3,)), ("passes", ())]
    np.testing.assert_array_equal(a.running, np.zeros(4))
    first, g = a.loss(0), a.slope(0)
    np.testing.assert_allclose(a.averaged, [*(0.1 * PARTS[0][0].mean(0)), 1], rtol=1e-12)
    assert a.loss(0) == first  # at one point one function
    np.testing.assert_array_equal(a.slope(0), g)
    v = np.ones_like(a.theta)
    np.testing.assert_allclose(a.along("product", v), a.difference(a.slope, v, 1e-3), rtol=1e-7, atol=1e-9)
    a.running[:] = a.averaged
    assert a.loss(0) < first  # the second pass divides by 2


@pytest.mark.parametrize("norm", [torch.nn.utils.spectral_norm, torch.nn.utils.parametrizations.spectral_norm])
def test_a_spectral_norm_is_one_function_at_a_point(norm: Callable[[Any], Any]) -> None:
    torch.manual_seed(0)
    x, y = torch.from_numpy(X), torch.from_numpy(Y)
    a = Asked(shadowflow.torch.Objective(norm(torch.nn.Linear(3, 2)), torch.nn.functional.mse_loss, [(x, y)]))
    first = a.slope()
    a.loss()
    np.testing.assert_array_equal(a.slope(), first)


def test_a_compiled_model_has_the_derivatives_of_what_is_compiled() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    parts = [(torch.from_numpy(x), torch.from_numpy(y)) for x, y in PARTS]
    a, b = (Asked(shadowflow.torch.Objective(m, torch.nn.functional.mse_loss, parts)) for m in (torch.compile(model, backend="aot_eager"), model))
    assert a.description.blocks == b.description.blocks
    v = np.ones_like(a.theta)
    np.testing.assert_array_equal(a.along("product", v), b.along("product", v))


def test_a_batch_may_be_a_tuple_with_names() -> None:
    batch = collections.namedtuple("Batch", "x y")  # noqa: PYI024
    parts = [batch(torch.from_numpy(x), torch.from_numpy(y)) for x, y in PARTS]
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    assert Asked(shadowflow.torch.Objective(model, torch.nn.functional.mse_loss, parts)).loss() == Asked(in_torch()).loss()


def test_a_sparse_gradient_is_refused() -> None:
    model = torch.nn.Sequential(torch.nn.Embedding(5, 2, sparse=True), torch.nn.Flatten(), torch.nn.Linear(4, 2))
    a = Asked(shadowflow.torch.Objective(model, torch.nn.functional.mse_loss, [(torch.ones(7, 2, dtype=torch.long), torch.from_numpy(Y))]))
    with pytest.raises(TypeError, match="gradient of 0.weight is sparse"):
        a.slope()


def test_running_averages_are_those_of_pytorch_after_one_pass() -> None:
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2)).double()
    x, y = torch.from_numpy(X), torch.from_numpy(Y)
    a = Asked(shadowflow.torch.Objective(model, torch.nn.functional.mse_loss, [(x, y)]))
    a.slope()
    a.slope()  # a second call leaves what the first one did: both begin with the averages of the point
    linear = model[0]
    with torch.no_grad():
        h = x @ linear.weight.T + linear.bias
    want = torch.cat([0.1 * h.mean(0), 0.9 + 0.1 * h.var(0)]).numpy()
    np.testing.assert_allclose(a.averaged, want, rtol=1e-12)
    np.testing.assert_array_equal(a.running, [0] * 4 + [1] * 4)


def test_a_model_in_bfloat16_has_vectors_of_the_type_that_was_asked_for() -> None:
    a = Asked(in_torch(torch.bfloat16), "float32")
    g = a.slope()
    exact = Asked(in_torch(), "float64")
    exact.theta[:] = a.theta
    assert g.dtype == np.float32
    np.testing.assert_allclose(g, exact.slope(), atol=0.05 * np.abs(exact.gradient).max())


def test_a_function_in_bfloat16_has_vectors_of_the_type_that_was_asked_for() -> None:
    import jax.numpy as jnp

    seen = set()

    def loss(p: Any, state: Any, batch: Any) -> Any:
        seen.update((p["w"].dtype.name, state["n"].dtype.name, batch[0].dtype.name, batch[1].dtype.name))
        return jnp.square(batch[0] @ p["w"] - batch[1][:, None]).mean(), {"n": state["n"] + 1}

    w = np.random.default_rng(3).normal(size=(3, 2))
    batch = (X, np.arange(7))
    args = {"params": {"w": jnp.asarray(w, jnp.bfloat16)}, "state": {"n": 0}, "batches": [batch]}
    a = Asked(shadowflow.jax.Objective(loss, **args, dtype=jnp.bfloat16), "float32")
    g = a.slope()
    assert g.dtype == np.float32 and a.averaged[0] == 1
    assert {t for t in seen if "float" in t} == {"bfloat16"} and {t[:3] for t in seen if "float" not in t} == {"int"}
    seen.clear()
    exact = Asked(shadowflow.jax.Objective(loss, **args), "float32").slope()
    assert {t for t in seen if "float" in t} == {"float32"}
    residual = X @ a.theta.reshape(3, 2) - np.arange(7)[:, None]
    np.testing.assert_allclose(exact, (X.T @ residual / 7).reshape(-1), rtol=1e-5)
    np.testing.assert_allclose(g, exact, atol=0.05 * np.abs(exact).max())
    assert (g != exact).any()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"params": {"w": np.ones(3), "n": 3}}, "params: n is of int"),
        ({"params": {"w": np.ones(3, complex)}}, "params: w is of complex"),
        ({"params": {"w": np.ones(3), "kind": "tanh"}}, "params: kind is str: want real numbers"),
        ({"state": {"key": jax.random.key(0)}}, "state: key is of key"),
        ({"batches": iter([(X, Y)])}, "batches is a .*iterator: want a sequence"),
        ({"dtype": np.int32}, "want None, or a floating-point type"),
    ],
)
def test_what_is_no_function_of_weights_is_said(given: dict[str, Any], said: str) -> None:
    with pytest.raises(TypeError, match=said):
        shadowflow.jax.Objective(**{"loss_fn": lambda p, *_: p["w"].sum(), "params": {"w": np.ones(3)}, "batches": [(X, Y)], **given}).describe("float32", 0, 0)


def test_attention_can_be_differentiated_twice() -> None:
    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.qkv = torch.nn.Linear(8, 24)

        def forward(self, x: Any) -> Any:
            q, k, v = self.qkv(x).chunk(3, -1)
            return torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True).mean((1, 2))

    x = torch.randn(2, 5, 8, dtype=torch.float64)
    a = Asked(shadowflow.torch.Objective(Net(), lambda out, y: (out - y).square().mean(), [(x, torch.zeros(2, dtype=torch.float64))]))
    v = np.random.default_rng(4).normal(size=a.theta.size)
    np.testing.assert_allclose(a.along("product", v), a.difference(a.slope, v, 1e-3), rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"batches": []}, "batches: there are none"),
        ({"loss": None}, "want one of them"),
        ({"batches": [torch.zeros(3)]}, "want a tuple"),
        ({"batches": torch.utils.data.DataLoader(torch.zeros(3))}, "batches is a DataLoader: want a sequence"),
        ({"batches": torch.utils.data.TensorDataset(torch.zeros(3, 1), torch.zeros(3))}, "want batches of examples"),
        ({"batches": [(torch.zeros(1, 1), torch.zeros(1, 1)), (torch.zeros(0, 1), torch.zeros(0, 1))]}, "batch 1 has 0 examples"),
        ({"dtype": "bfloat16"}, "dtype='bfloat16': want None, or a floating-point type"),
        ({"loss": None, "forward": lambda model, batch: (None, model(batch[0]).mean()), "score": "accuracy"}, "forward keeps the targets"),
        ({"model": torch.nn.Linear(1, 1, dtype=torch.complex64)}, "parameter weight is of torch.complex64"),
    ],
)
def test_what_is_no_model_is_said(given: dict[str, Any], said: str) -> None:
    args = {"model": torch.nn.Linear(1, 1), "loss": torch.nn.functional.mse_loss, "batches": [(torch.zeros(1, 1), torch.zeros(1, 1))], **given}
    with pytest.raises((ValueError, TypeError), match=said):
        shadowflow.torch.Objective(**args).describe("float64", 0, 0)


def test_r2_and_accuracy_are_those_of_all_examples() -> None:
    a = Asked(in_torch())
    e = a.objective.evaluate(a.at(), None, a.averaged, False)
    with torch.no_grad():
        residual = Y - a.objective.model(torch.from_numpy(X)).numpy()
    want = (1 - (residual**2).sum(0) / ((Y - Y.mean(0)) ** 2).sum(0)).mean()
    assert e.r2 == pytest.approx(want, rel=1e-10)
    labels = torch.tensor([0, 1, 1, 0])
    b = Asked(shadowflow.torch.Objective(torch.nn.Linear(3, 2), torch.nn.functional.cross_entropy, [(torch.from_numpy(X[:4]), labels)]))
    out = b.objective.model(torch.from_numpy(X[:4]))
    assert b.objective.evaluate(b.at(), None, b.averaged, False).correct == float((out.argmax(1) == labels).sum())
