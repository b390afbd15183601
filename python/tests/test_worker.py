"""How a worker ends."""

from __future__ import annotations

import json
import os
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


@pytest.mark.skipif(os.name != "posix", reason="pipes tell of their end on Unix")
def test_a_worker_that_hangs_ends_with_the_program_that_asked(tmp_path: Path) -> None:
    (tmp_path / "hangs.py").write_text(HANGS)
    worker = subprocess.Popen(
        [sys.executable, "hangs.py"],
        cwd=tmp_path,
        env={**os.environ, "SHADOWFLOW_WORKER": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert worker.stdin is not None and worker.stderr is not None
        worker.stdin.write(json.dumps({"id": 1, "do": "open", "protocol": 2, "dtype": "float64"}) + "\n")
        worker.stdin.flush()
        assert worker.stderr.readline() == "asked\n"
        worker.stdin.close()
        assert worker.wait(timeout=120) == 1
    finally:
        worker.kill()
