#!/usr/bin/env python3
"""Compares this program with PyTorch on the digits run: gradient and Adam step of a 64-64-64-10 tanh network on 1,297 images.

They run turn by turn, and the best of the turns counts. PyTorch runs on all processors and on one, with and without the OPENBLAS_*
variables of the environment, and its fastest way counts. Then the cost of measuring the bias at every step is compared with never measuring it.

    python3 scripts/digits_speed.py [path of shadowflow]     (default: go run ./cmd/shadowflow)
"""
import os
import subprocess
import sys
import tempfile

STEPS, TURNS = 300, 3
PROGRAM = [os.path.abspath(sys.argv[1])] if len(sys.argv) > 1 else ["go", "run", "./cmd/shadowflow"]
NEVER = f"record={{every: {STEPS}, bias: 0, sharpness: 0, test: 0}}"
ALWAYS = "record={every: 0, bias: 1, sharpness: 0, test: 0}"

TORCH = """
import os, time, torch
from torch import nn
torch.set_num_threads(THREADS)
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 10))
x, y = torch.randn(1297, 64), torch.randint(0, 10, (1297,))
adam, loss = torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.9, 0.99)), nn.CrossEntropyLoss()
best = float("inf")
for turn in range(4):
    start = time.perf_counter()
    for step in range(STEPS // 4):
        adam.zero_grad()
        loss(model(x), y).backward()
        adam.step()
    best = min(best, (time.perf_counter() - start) / (STEPS // 4))
print(best)
""".replace("STEPS", str(STEPS))


def torch_step(env, threads):
    source = TORCH.replace("THREADS", str(threads))
    return float(subprocess.run([sys.executable, "-c", source], env=env, check=True, capture_output=True, text=True).stdout)


def our_step(*overrides):
    """Wall time of everything between the first and the last record, a step."""
    with tempfile.TemporaryDirectory() as out:
        run = os.path.join(out, "run")
        sets = [word for o in (f"steps={STEPS}", "checkpoint.every=0", *overrides) for word in ("--set", o)]
        subprocess.run(PROGRAM + ["run", "--quiet", "--figures=false", "--out", run] + sets, check=True)
        with open(os.path.join(run, "times.csv")) as f:
            seconds = [float(line.split(",")[1]) for line in f.readlines()[1:]]
    return (seconds[-1] - seconds[0]) / STEPS


def main():
    without = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
    ways = {
        "physical batch 500 (the default)": [NEVER],
        "physical batch 1297 (one batch)": [NEVER, "batch.physical=1297"],
        "bias at every step, physical batch 500": [ALWAYS],
        "bias at every step, physical batch 1297": [ALWAYS, "batch.physical=1297"],
    }
    best = dict.fromkeys(["PyTorch", *ways], float("inf"))
    for _ in range(TURNS):
        for env in (dict(os.environ), without):
            for threads in {1, os.cpu_count()}:
                best["PyTorch"] = min(best["PyTorch"], torch_step(env, threads))
        for name, overrides in ways.items():
            best[name] = min(best[name], our_step(*overrides))
    for name, seconds in best.items():
        print(f"{name:42s} {1e3 * seconds:7.3f} ms a step, {best['PyTorch'] / seconds:5.2f} times PyTorch's speed")
    for size in (500, 1297):
        always = next(v for k, v in best.items() if k.startswith("bias") and k.endswith(str(size)))
        never = next(v for k, v in best.items() if k.startswith(f"physical batch {size}"))
        print(f"measuring the bias at every step costs {always / never:.2f} times a run that never does (physical batch {size})")


if __name__ == "__main__":
    main()
