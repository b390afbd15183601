"""What the tests of the watches share: the golden runs, and the loops that repeat them."""

from __future__ import annotations

import csv
import json
import re
import struct
from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).parent / "golden"


def digits(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns the examples and classes of digits60.csv."""
    table = np.loadtxt(GOLDEN / "digits60.csv", delimiter=",", skiprows=1)
    return table[:, :-1].astype(dtype), table[:, -1].astype("int64")


def weights(dtype: str) -> dict[str, np.ndarray]:
    """Returns the tensors of init.safetensors."""
    data = (GOLDEN / "init.safetensors").read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    out = {}
    for name, at in json.loads(data[8 : 8 + size]).items():
        if name != "__metadata__":
            start, end = at["data_offsets"]
            array = np.frombuffer(data[8 + size + start : 8 + size + end], "<f8").reshape(at["shape"])
            out[name] = array.astype(dtype)
    return out


def history(path: Path) -> dict[str, list[float | None]]:
    """Returns the columns of a history, None where nothing was measured."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(r[name]) if r[name] else None for r in rows] for name in rows[0]}


# Differences of nearly equal numbers, a sum over coordinates chosen by a sign, and a single coordinate.
ROUNDED = re.compile(r"drive\.observed$|_weight$|^max_norm$")

# Columns found by a search that ends within a residual.
SEARCHED = ("preconditioned_sharpness", "monitor.memory_edge", "monitor.period_two", "monitor.flip", "preconditioned_residual")


def differences(ours: dict[str, list[float | None]], golden: dict[str, list[float | None]]) -> dict[str, float]:
    """Returns, of each column that both have, the largest difference over the largest number of its kind: drives, of all and of weights, are one kind,
    for they add up to each other."""
    out, scales = {}, {}
    for name in golden:
        kind = "drive" if ".drive." in "." + name else name
        scales[kind] = max([scales.get(kind, 0.0), *(abs(b) for b in golden[name] if b is not None)])
    for name in golden:
        if name not in ours:
            continue
        pairs = [(a, b) for a, b in zip(ours[name], golden[name], strict=True) if b is not None]
        assert all(a is not None for a, _ in pairs), f"{name} was not measured at a step where the golden run has it"
        scale = scales["drive" if ".drive." in "." + name else name]
        out[name] = max((abs(a - b) for a, b in pairs), default=0.0) / (scale or 1.0)
    return out
