"""A worker of the Go tests: served.py torch|jax mlp|cnn|gpt SETUP [BATCHES] [DEVICE].

SETUP is a safetensors file of float64 weights under PyTorch's names, inputs x (images [N, H, W, C] or tokens [N, T]) and labels y. The
modules are those that docs/weights.md shows; in JAX they are written anew here, on the same weights.
"""

from __future__ import annotations

import json
import re
import struct
import sys
from pathlib import Path

import numpy as np

import shadowflow

GPT_SIZES = {"vocabulary": 256, "context": 16, "dim": 16, "heads": 2, "depth": 2}


def read(path: str) -> dict[str, np.ndarray]:
    raw = Path(path).read_bytes()
    (n,) = struct.unpack("<Q", raw[:8])
    types = {"F64": np.float64, "F32": np.float32, "I64": np.int64, "I32": np.int32}
    out = {}
    for name, t in json.loads(raw[8 : 8 + n]).items():
        if name != "__metadata__":
            a, b = t["data_offsets"]
            out[name] = np.frombuffer(raw[8 + n + a : 8 + n + b], types[t["dtype"]]).reshape(t["shape"])
    return out


def split(x: np.ndarray, y: np.ndarray, batches: int) -> list[tuple[np.ndarray, np.ndarray]]:
    return list(zip(np.array_split(x, batches), np.array_split(y, batches), strict=True))


def in_torch(kind: str, tensors: dict[str, np.ndarray], batches: int, device: str) -> object:
    import torch

    modules: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", (Path(__file__).parents[2] / "docs/weights.md").read_text(), re.S):
        exec(block, modules)
    x, y = tensors.pop("x"), tensors.pop("y").astype(np.int64)
    if kind == "mlp":
        model = modules["mlp"](x[0].size, [8], "tanh", 10)
        x = x.reshape(len(x), -1)
    elif kind == "cnn":
        model = modules["cnn"](x.shape[1], x.shape[2], x.shape[3], [4, 6], 10, 10)
        x = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    else:
        model = modules["GPT"](**GPT_SIZES, tied=True)
        x = x.astype(np.int64)
    model.double().load_state_dict({name: torch.from_numpy(t.copy()) for name, t in tensors.items()})

    def loss(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(outputs.reshape(-1, outputs.shape[-1]), labels.reshape(-1))

    parts = [(torch.from_numpy(a), torch.from_numpy(b)) for a, b in split(x, y, batches)]
    return shadowflow.torch.Objective(model, loss, parts, device=device)


def in_jax(kind: str, tensors: dict[str, np.ndarray], batches: int) -> object:
    import jax
    import jax.numpy as jnp

    x, y = tensors.pop("x"), tensors.pop("y").astype(np.int32)
    if kind == "gpt":
        x = x.astype(np.int32)

    def linear(p: dict[str, jax.Array], name: str, x: jax.Array) -> jax.Array:
        return x @ p[name + ".weight"].T + p[name + ".bias"]

    def convolution(p: dict[str, jax.Array], name: str, x: jax.Array) -> jax.Array:
        y = jax.lax.conv_general_dilated(x, p[name + ".weight"], (1, 1), "SAME", dimension_numbers=("NHWC", "OIHW", "NHWC"))
        return y + p[name + ".bias"]

    def norm(p: dict[str, jax.Array], name: str, x: jax.Array) -> jax.Array:
        mean = x.mean(-1, keepdims=True)
        variance = jnp.square(x - mean).mean(-1, keepdims=True)
        return (x - mean) / jnp.sqrt(variance + 1e-5) * p[name + ".weight"] + p[name + ".bias"]

    def mlp(p: dict[str, jax.Array], x: jax.Array) -> jax.Array:
        return linear(p, "2", jnp.tanh(linear(p, "0", x.reshape(len(x), -1))))

    def cnn(p: dict[str, jax.Array], x: jax.Array) -> jax.Array:
        for first in 0, 5:
            x = jax.nn.relu(convolution(p, str(first), x))
            x = jax.nn.relu(convolution(p, str(first + 2), x))
            n, h, w, c = x.shape
            x = x[:, : h // 2 * 2, : w // 2 * 2].reshape(n, h // 2, 2, w // 2, 2, c).max((2, 4))
        x = x.transpose(0, 3, 1, 2).reshape(len(x), -1)
        return linear(p, "13", jax.nn.relu(linear(p, "11", x)))

    def gpt(p: dict[str, jax.Array], tokens: jax.Array) -> jax.Array:
        heads, dim = GPT_SIZES["heads"], GPT_SIZES["dim"]
        x = p["transformer.wte.weight"][tokens] + p["transformer.wpe.weight"][: tokens.shape[1]]
        n, t = tokens.shape
        for i in range(GPT_SIZES["depth"]):
            at = f"transformer.h.{i}."
            qkv = linear(p, at + "attn.c_attn", norm(p, at + "ln_1", x)).reshape(n, t, 3, heads, dim // heads).transpose(2, 0, 3, 1, 4)
            scores = qkv[0] @ qkv[1].swapaxes(-1, -2) / np.sqrt(dim // heads)
            scores = jnp.where(jnp.tril(jnp.ones((t, t), bool)), scores, -jnp.inf)
            mixed = (jax.nn.softmax(scores) @ qkv[2]).swapaxes(1, 2).reshape(n, t, dim)
            x = x + linear(p, at + "attn.c_proj", mixed)
            hidden = jax.nn.gelu(linear(p, at + "mlp.c_fc", norm(p, at + "ln_2", x)), approximate=False)
            x = x + linear(p, at + "mlp.c_proj", hidden)
        return norm(p, "transformer.ln_f", x) @ p["transformer.wte.weight"].T

    network = {"mlp": mlp, "cnn": cnn, "gpt": gpt}[kind]

    def loss(params: dict[str, jax.Array], batch: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        x, y = batch
        logits = network(params, x)
        labels = y.reshape(logits.shape[:-1])
        wrong = -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[..., None], -1).mean()
        right = (logits.argmax(-1) == labels).reshape(len(x), -1).mean(1).sum()
        return wrong, right

    return shadowflow.jax.Objective(loss, tensors, split(x, y, batches), has_aux=True)


if __name__ == "__main__":
    framework, kind, setup = sys.argv[1:4]
    batches = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    device = sys.argv[5] if len(sys.argv) > 5 else "cpu"
    tensors = read(setup)
    print("a model may print before it serves")
    if framework == "torch":
        shadowflow.serve(in_torch(kind, tensors, batches, device))
    else:
        shadowflow.serve(in_jax(kind, tensors, batches))
