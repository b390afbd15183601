"""The directory of a run, as ``docs/runs.md`` of the project has it, written from Python."""

from __future__ import annotations

import csv
import datetime
import io
import json
import math
import os
import platform
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Column:
    """A column of a history. ``type`` is ``"int"`` or ``"float"``, and an empty ``unit`` that of a pure number."""

    name: str
    unit: str
    meaning: str
    type: str = "float"


class Record:
    """A run directory that grows by rows.

    A row is in the file, and whole, when :meth:`append` returns, so that a process that is killed loses nothing that was recorded. The
    directory is new, or empty.
    """

    def __init__(self, path: str | os.PathLike[str], config: Mapping[str, Any], columns: Sequence[Column], versions: Mapping[str, str]) -> None:
        self.path = Path(path)
        self.columns = tuple(columns)
        self._claim()
        replace_file(self.path / "columns.csv", _table([("name", "type", "unit", "meaning"), *_described(self.columns)]))
        self._history = self._open("history.csv", _line([c.name for c in self.columns]))
        self._times = self._open("times.csv", "step,seconds\n")
        own = {"version": _version(), "system": f"{platform.system().lower()}/{platform.machine()}", "python": platform.python_version()}
        replace_file(self.path / "version.json", json.dumps({**own, **versions}, indent=2) + "\n")
        replace_file(self.path / "config.yaml", yaml(config))  # last: a directory with one holds all the rest as well

    def _claim(self) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise FileExistsError(f"out={str(self.path)!r} is a file: want a directory that is new or empty")
        if self.path.is_dir() and any(self.path.iterdir()):
            what = "there is a run in it already" if (self.path / "config.yaml").exists() else "it holds other files"
            raise FileExistsError(f"out={str(self.path)!r}: {what}; want a directory that is new or empty")
        self.path.mkdir(parents=True, exist_ok=True)

    def _open(self, name: str, header: str) -> io.TextIOWrapper:
        file = open(self.path / name, "x", encoding="utf-8", newline="")
        file.write(header)
        file.flush()
        return file

    def append(self, step: int, seconds: float, values: Mapping[str, float | int | None]) -> None:
        """Adds a row behind so many steps and seconds of work. What ``values`` lacks, or has as None, was not measured."""
        unknown = values.keys() - {c.name for c in self.columns}
        if unknown:
            raise KeyError(f"no column {sorted(unknown)[0]!r} in the history of {self.path}")
        cells = [str(step) if c.name == "step" else _cell(values.get(c.name)) for c in self.columns]
        self._history.write(_line(cells))
        self._history.flush()
        self._times.write(f"{step},{seconds:.6f}\n")
        self._times.flush()

    def log(self, text: str) -> None:
        """Adds a line to the log, with the time."""
        now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        with open(self.path / "log.txt", "a", encoding="utf-8") as file:
            file.write(f"{now} {text}\n")

    def finish(self, result: Mapping[str, Any]) -> None:
        """Writes the result, and closes the files."""
        replace_file(self.path / "result.json", json.dumps(_finite(result), indent=2, allow_nan=False) + "\n")
        self._history.close()
        self._times.close()


def replace_file(path: Path, text: str) -> None:
    """Writes a file aside and renames it, so that it is whole or not there."""
    descriptor, aside = tempfile.mkstemp(prefix=".shadowflow-", suffix=".tmp", dir=path.parent)
    try:
        with open(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(aside, 0o644)
        os.replace(aside, path)
    except BaseException:
        os.unlink(aside)
        raise


def yaml(value: Mapping[str, Any]) -> str:
    """Returns a config of sections of plain values, lists of these, and lists of sections, in YAML."""
    lines = []
    for key, v in value.items():
        if isinstance(v, Mapping):
            lines += [f"{key}:"] + [f"  {k}: {_flow(x)}" for k, x in v.items()]
        else:
            lines.append(f"{key}: {_flow(v)}")
    return "\n".join(lines) + "\n"


def _flow(v: Any) -> str:
    if isinstance(v, Mapping):
        return "{" + ", ".join(f"{k}: {_flow(x)}" for k, x in v.items()) + "}"
    if isinstance(v, (list, tuple)):
        return "[" + ", ".join(map(_flow, v)) + "]"
    if isinstance(v, float):
        return _number(v)
    return json.dumps(v)


def _number(v: float) -> str:
    text = repr(v)
    if "e" in text and "." not in text:  # YAML 1.1 takes 1e-08 for a word
        text = text.replace("e", ".0e")
    return text.removesuffix(".0")


def _cell(v: float | int | None) -> str:
    if v is None:
        return ""
    if isinstance(v, float) and not math.isfinite(v):
        return "NaN" if math.isnan(v) else "+Inf" if v > 0 else "-Inf"
    return repr(v)


def _described(columns: Sequence[Column]) -> list[tuple[str, str, str, str]]:
    return [(c.name, c.type, c.unit, c.meaning) for c in columns]


def _table(rows: Sequence[Sequence[str]]) -> str:
    return "".join(map(_line, rows))


def _line(cells: Sequence[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue()


def _finite(v: Any) -> Any:
    """JSON has null for a number that is not finite."""
    if isinstance(v, Mapping):
        return {k: _finite(x) for k, x in v.items()}
    if isinstance(v, (list, tuple)):
        return [_finite(x) for x in v]
    return None if isinstance(v, float) and not math.isfinite(v) else v


def _version() -> str:
    try:
        return metadata.version("shadowflow")
    except metadata.PackageNotFoundError:
        return "(devel)"
