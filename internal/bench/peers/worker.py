"""The part of a peer that speaks with shadowflow bench: it reads a JSON object a line and answers each with one.

    {"do": "settings", "work": name}          -> {"settings": [name, ...]}, none for a work that is not there
    {"do": "compile", "setting": name, "runs"}
                                              -> {}, behind so many runs that do not count, or {"error": why it cannot}
    {"do": "run", "setting": name, "seconds", "runs"}
                                              -> {"seconds": of the fastest run, of so many at least,
                                                  "peak_bytes": the most that was resident meanwhile, 0 if unknown}
    {"do": "drop"}                            -> {}

describe() and works() are of the file that is put before this one, of one peer. works()[name]() returns {setting: make}, and make()
returns what a run calls; making it may take as long as compiling does.
"""
import ctypes
import gc
import json
import os
import sys
import time


def leave_memory():
    """Take at most half of the memory that is free, for this program and other peers are there too: a setting that needs more is told so, where
    the system would end one of them. Linux alone says what is free, and counts by this limit what is asked for."""
    try:
        import resource

        with open("/proc/meminfo") as f:
            free = next(int(line.split()[1]) << 10 for line in f if line.startswith("MemAvailable:"))
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (free // 2, hard))
    except (ImportError, OSError, StopIteration, ValueError):
        pass


def give_back():
    """Memory that nothing refers to goes to the system, where C's library, glibc, would keep it."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):
        pass


def fastest(run, budget, runs):
    best, start, now = float("inf"), time.perf_counter(), 0
    while runs > 0 or now - start < budget:
        t = time.perf_counter()
        run()
        now = time.perf_counter()
        best = min(best, now - t)
        runs -= 1
    return best


def most_resident(run):
    """What run() returns, and the most bytes that this process had resident meanwhile, as Linux has it; 0 elsewhere. What others left and nothing refers to
    is no part of it."""
    give_back()
    try:
        with open("/proc/self/clear_refs", "w") as f:
            f.write("5")
        known = True
    except OSError:
        known = False
    result = run()
    if not known:
        return result, 0
    with open("/proc/self/status") as f:
        return result, next(int(line.split()[1]) << 10 for line in f if line.startswith("VmHWM:"))


def compiled(make, runs):
    """What a run calls, ready to be timed behind so many runs, of which the first compiles, and why there is none; one of both is None."""
    try:
        run = make()
        for _ in range(runs):
            run()
        return run, None
    except Exception as e:  # noqa: BLE001: whatever a peer cannot do is said, and the others go on
        lines = str(e).strip().splitlines() or [""]
        return None, f"{type(e).__name__}: {lines[0]}"[:200]


def main(describe, works):
    # Frameworks and compilers print; only answers go where answers are read.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(what):
        answers.write(json.dumps(what) + "\n")
        answers.flush()

    leave_memory()
    answer(describe())
    makes, runs = {}, {}
    for line in sys.stdin:
        asked = json.loads(line)
        if asked["do"] == "settings":
            makes = works.get(asked["work"], dict)()
            answer({"settings": list(makes)})
        elif asked["do"] == "compile":
            run, error = compiled(makes[asked["setting"]], asked["runs"])
            if error is None:
                runs[asked["setting"]] = run
            give_back()
            answer({} if error is None else {"error": error})
        elif asked["do"] == "run":
            seconds, peak = most_resident(lambda: fastest(runs[asked["setting"]], asked["seconds"], asked["runs"]))
            answer({"seconds": seconds, "peak_bytes": peak})
        else:
            makes, runs = {}, {}
            give_back()
            answer({})


main(describe, works())
