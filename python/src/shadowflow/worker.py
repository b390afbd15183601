"""A loss that shadowflow's commands ask for: the worker's side of the protocol, which the project's ``docs/worker.md`` describes.

:func:`serve` answers for anything with the methods of :class:`Objective`; ``shadowflow.torch.Objective`` and ``shadowflow.jax.Objective`` are
two such. Nothing here needs a framework.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import select
import signal
import sys
import threading
import traceback
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

PROTOCOL = 2
"""The version of the protocol."""

FULL = -1
"""The batch that stands for all examples."""

Vector = NDArray[Any]


@dataclass
class Description:
    """What a loss is: its weights in the order of theta, its running averages, and its examples."""

    worker: str
    blocks: list[tuple[str, tuple[int, ...]]]
    batches: int
    train: int
    test: int = 0
    running: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)
    score: str = ""


@dataclass
class Evaluation:
    """What a batch says beside its gradient: the mean loss over so many examples, and how many of them were classified rightly.

    ``averaged`` is the number of batches that the running averages took in.
    """

    loss: float
    examples: int
    correct: float | None = None
    r2: float | None = None
    averaged: int = 0


@dataclass
class Point:
    """Where something is evaluated: at theta, on a batch, in a step, which random draws depend on; and the running averages there.

    The vectors are those that both programs share: they are to be read, and change with the next request.
    """

    theta: Vector
    running: Vector
    batch: int
    step: int


class Objective(Protocol):
    """A loss of one vector theta, on batches that are numbered from 0; :data:`FULL` is the mean over all examples."""

    def describe(self, dtype: str, threads: int, seed: int) -> Description:
        """Get ready to compute in a type, ``float32`` or ``float64``, on so many threads (0: as many as there are), and say what the loss is."""

    def start(self, theta: Vector, running: Vector) -> None:
        """Write where the loss starts."""

    def evaluate(self, at: Point, gradient: Vector | None, averaged: Vector, more: bool) -> Evaluation:
        """Return the loss, and write its gradient if there is room for one, with the running averages as it leaves them.

        With ``more``, a product or a bend at this very point follows.
        """

    def product(self, at: Point, vector: Vector, result: Vector, more: bool) -> None:
        """Write the Hessian times a vector."""

    def bend(self, at: Point, vector: Vector, result: Vector, more: bool) -> None:
        """Write the third derivative along a vector, twice: the gradient of the curvature v'Hv."""

    def test(self, theta: Vector, running: Vector) -> Evaluation:
        """Return the loss of the test examples, which is asked for only where the description counts some."""


def _take_standard_output() -> BinaryIO:
    """Keep standard output for answers: what the model prints goes to standard error from here on."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    sys.stdout.flush()
    os.dup2(2, 1)
    return answers


# A program that shadowflow has started is told so, and may print before it serves.
_answers = _take_standard_output() if os.environ.get("SHADOWFLOW_WORKER") else None


def _leave_ending_to_program() -> None:
    """Take no notice of SIGTERM, which Slurm sends to all processes of a task: the program that asks writes a checkpoint, and ends this one."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: None)  # SIG_IGN would be inherited by what the worker starts


if _answers is not None:
    _leave_ending_to_program()


def serve(objective: Objective) -> None:
    """Answer the program that started this one, until it wants no more."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it some products of cuBLAS differ from call to call
    if _answers is None:
        print("shadowflow: waiting for requests on standard input; this program is started by objective.command", file=sys.stderr)
    done = threading.Event()
    if hasattr(select, "poll"):
        threading.Thread(target=_end_with_program, args=(sys.stdin.fileno(), done), daemon=True).start()
    try:
        _Server(objective, _answers or _take_standard_output()).run(sys.stdin.buffer)
    finally:
        done.set()


PATIENCE = 2.0
"""Seconds for what is being computed when the program that asked for it is gone."""


def _end_with_program(requests: int, done: threading.Event) -> None:
    """End this process where nobody asks any more, and it computes on: a program that is killed ends what it has started, not what that starts in turn."""
    gone = select.poll()
    gone.register(requests, 0)  # the end of the pipe is told of in any case
    gone.poll()
    if not done.wait(PATIENCE):
        os._exit(1)


class _Server:
    def __init__(self, objective: Objective, answers: BinaryIO) -> None:
        self.objective = objective
        self.answers = answers
        self.description: Description | None = None
        self.dtype = np.dtype("float32")
        self.memory: mmap.mmap | None = None
        self.running = self.averaged = np.empty(0)

    def run(self, requests: BinaryIO) -> None:
        for line in requests:
            request = json.loads(line)
            try:
                answer = self.answer(request)
            except Exception as fault:  # noqa: BLE001  the one who asked is told, whatever it is
                traceback.print_exc()
                answer = {"error": f"{type(fault).__name__}: {fault}"}
            text = json.dumps({"id": request["id"], **answer}, allow_nan=False)
            self.answers.write(text.encode() + b"\n")

    def answer(self, r: dict[str, Any]) -> dict[str, Any]:
        what = r["do"]
        if what == "open":
            return self.open(r)
        if what == "map":
            return self.map(r)
        if what == "test":
            return _told(self.objective.test(self.parameters(r["theta"]), self.running))
        if what not in ("evaluate", "product", "bend"):
            raise ValueError(f"unknown request {what!r}: this worker speaks protocol {PROTOCOL}")
        at = Point(self.parameters(r["theta"]), self.running, r["batch"], r["step"])
        more = r.get("more", False)
        if what == "evaluate":
            gradient = self.parameters(r["gradient"]) if "gradient" in r else None
            return _told(self.objective.evaluate(at, gradient, self.averaged, more))
        derivative = self.objective.product if what == "product" else self.objective.bend
        derivative(at, self.parameters(r["vector"]), self.parameters(r["product"]), more)
        return {}

    def open(self, r: dict[str, Any]) -> dict[str, Any]:
        if r["protocol"] != PROTOCOL:
            raise ValueError(f"protocol {r['protocol']}: this worker speaks {PROTOCOL}; install the Python package of the same version")
        self.dtype = np.dtype(r["dtype"])
        d = self.description = self.objective.describe(r["dtype"], r.get("threads", 0), r.get("seed", 0))
        return {
            "protocol": PROTOCOL,
            "dtype": r["dtype"],
            "worker": d.worker,
            "blocks": _arrays(d.blocks),
            "running": _arrays(d.running),
            "batches": d.batches,
            "train": d.train,
            "test": d.test,
            "score": d.score,
        }

    def map(self, r: dict[str, Any]) -> dict[str, Any]:
        assert self.description is not None
        with open(r["path"], "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), r["bytes"])
        averages = _size(self.description.running)
        self.running, self.averaged = self.vector(r["running"], averages), self.vector(r["averaged"], averages)
        self.objective.start(self.parameters(r["theta"]), self.running)
        return {}

    def parameters(self, offset: int) -> Vector:
        """A vector of parameters, in place."""
        assert self.description is not None
        return self.vector(offset, _size(self.description.blocks))

    def vector(self, offset: int, count: int) -> Vector:
        assert self.memory is not None
        return np.frombuffer(self.memory, self.dtype, count, offset if count else 0)


def _arrays(arrays: list[tuple[str, tuple[int, ...]]]) -> list[dict[str, Any]]:
    return [{"name": name, "shape": list(shape)} for name, shape in arrays]


def _size(arrays: list[tuple[str, tuple[int, ...]]]) -> int:
    return sum(math.prod(shape) for _, shape in arrays)


def _told(e: Evaluation) -> dict[str, Any]:
    out: dict[str, Any] = {"loss": _number(e.loss), "examples": e.examples, "averaged": e.averaged}
    if e.correct is not None:
        out["correct"] = _number(e.correct)
    if e.r2 is not None:
        out["r2"] = _number(e.r2)
    return out


def _number(x: float) -> float | str:
    """JSON has no words for what is no number, or infinite."""
    x = float(x)
    if math.isnan(x):
        return "nan"
    if math.isinf(x):
        return "inf" if x > 0 else "-inf"
    return x
