"""How a worker ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

HANGS = """
import time
import shadowflow

class Hangs:
    def describe(self, *_):
        print("asked", flush=True)
        time.sleep(3600)

shadowflow.serve(Hangs())
"""


ANSWERS = """
import pathlib, time
import shadowflow

class Answers:
    def describe(self, *_):
        print("asked", flush=True)
        while not pathlib.Path("signalled").exists():
            time.sleep(0.01)
        raise ValueError("after all")

shadowflow.serve(Answers())
"""


def start(folder: Path, program: str) -> subprocess.Popen[str]:
    """Start a worker as shadowflow does, and ask it something."""
    (folder / "worker.py").write_text(program)
    worker = subprocess.Popen(
        [sys.executable, "worker.py"],
        cwd=folder,
        env={**os.environ, "SHADOWFLOW_WORKER": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert worker.stdin is not None and worker.stderr is not None
    worker.stdin.write(json.dumps({"id": 1, "do": "open", "protocol": 2, "dtype": "float64"}) + "\n")
    worker.stdin.flush()
    assert worker.stderr.readline() == "asked\n"
    return worker


@pytest.mark.skipif(os.name != "posix", reason="pipes tell of their end on Unix")
def test_a_worker_that_hangs_ends_with_the_program_that_asked(tmp_path: Path) -> None:
    worker = start(tmp_path, HANGS)
    try:
        assert worker.stdin is not None
        worker.stdin.close()
        assert worker.wait(timeout=120) == 1
    finally:
        worker.kill()


@pytest.mark.skipif(os.name != "posix", reason="SIGTERM")
def test_a_worker_answers_though_a_scheduler_ends_its_task(tmp_path: Path) -> None:
    worker = start(tmp_path, ANSWERS)
    try:
        worker.send_signal(signal.SIGTERM)
        (tmp_path / "signalled").touch()
        assert worker.stdin is not None and worker.stdout is not None
        assert "after all" in worker.stdout.readline()
        worker.stdin.close()
        assert worker.wait(timeout=120) == 0
    finally:
        worker.kill()
