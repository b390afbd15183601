#!/usr/bin/python3
"""Writes the golden files of package nn: what PyTorch computes for reduced models in float64.

Run it in this folder: /usr/bin/python3 golden.py. The modules are those that docs/weights.md shows. Each file NAME.safetensors
holds the state_dict before the first pass under weights., images x [N, C, H, W] or tokens [N, T], labels, and of the pass in training mode
logits, loss, grad. and hvp. (the Hessian times g / sqrt(g^2 + eps), eps in the metadata, by double backward); for models with batch
normalization also the buffers after that pass under after., and the logits in evaluation mode as eval_logits.
"""
import json
import re
import struct
from pathlib import Path

import torch
from torch import nn

HERE = Path(__file__).parent
for block in re.findall(r"```python\n(.*?)```", (HERE / "../../docs/weights.md").read_text(), re.S):
    exec(block)

EPS = 1e-6


def save(path, tensors, metadata):
    """A safetensors writer of its own, so that the reader under test is checked by another hand."""
    header, data, at = {"__metadata__": metadata}, [], 0
    for name, t in tensors.items():
        raw = t.detach().contiguous().numpy().tobytes()
        kind = {torch.float64: "F64", torch.int64: "I64"}[t.dtype]
        header[name] = {"dtype": kind, "shape": list(t.shape), "data_offsets": [at, at + len(raw)]}
        at += len(raw)
        data.append(raw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(data))


def write(name, model, x, loss="cross-entropy"):
    model = model.double().train()
    with torch.no_grad():  # away from special values: scales of 1 and shifts of 0 would hide mistakes
        for p in model.parameters():
            if p.dim() == 1:
                p += 0.1 * torch.randn_like(p)
    out = {"weights." + k: v.clone() for k, v in model.state_dict().items()}
    labels = torch.randint(0, 5, x.shape if x.dim() == 2 else x.shape[:1])
    out["x"], out["labels"] = x, labels.flatten()
    names, params = zip(*model.named_parameters())
    logits = model(x.flatten(1) if isinstance(model[0] if isinstance(model, nn.Sequential) else None, nn.Linear) else x)
    if x.dim() == 2:
        logits, labels = logits.flatten(0, 1), labels.flatten()
    if loss == "mse":
        value = nn.MSELoss()(logits, nn.functional.one_hot(labels, 5).double())
    else:
        value = nn.CrossEntropyLoss()(logits, labels)
    grads = torch.autograd.grad(value, params, create_graph=True)
    direction = [(g / (g * g + EPS).sqrt()).detach() for g in grads]
    hvps = torch.autograd.grad(grads, params, direction)
    out["logits"], out["loss"] = logits, value
    for n, g, h in zip(names, grads, hvps):
        out["grad." + n], out["hvp." + n] = g, h
    buffers = dict(model.named_buffers())
    if buffers:
        out.update({"after." + k: v for k, v in buffers.items()})
        out["eval_logits"] = model.eval()(x)
    save(HERE / (name + ".safetensors"), out, {"loss": loss, "eps": str(EPS)})


def images(n, c, h, w):
    return torch.randn(n, c, h, w, dtype=torch.float64)


if __name__ == "__main__":
    torch.manual_seed(20240601)
    torch.set_num_threads(1)
    write("mlp_tanh", mlp(48, [10, 7], "tanh", 5), images(6, 3, 4, 4))
    write("mlp_gelu_mse", mlp(24, [9], "gelu", 5), images(6, 2, 3, 4), "mse")
    write("mlp_silu", mlp(12, [8, 6], "silu", 5), images(5, 1, 4, 3))
    write("mlp_sigmoid", mlp(12, [8], "sigmoid", 5), images(5, 1, 4, 3))
    write("cnn", cnn(8, 12, 3, [4, 6], 10, 5), images(4, 3, 8, 12))
    write("resnet_bottleneck", ResNet([2, 1], True, 4, 3, 5), images(4, 3, 6, 6))
    write("resnet_basic", ResNet([1, 2], False, 4, 2, 5), images(4, 2, 7, 6))
    write("vit", ViT(8, 12, 3, 5, 4, 12, 2, 3, 4, 14), images(3, 3, 8, 12))
    torch.manual_seed(20261127)
    for tied in True, False:
        write("gpt_tied" if tied else "gpt", GPT(5, 9, 12, 3, 2, tied), torch.randint(0, 5, (3, 7)))
    print("parameters of the full sizes:", *(sum(p.numel() for p in m.parameters()) for m in (
        mlp(64, [64, 64], "tanh", 10), cnn(), ResNet([2, 2, 2, 2], False), ResNet([3, 4, 6, 3], False),
        ResNet([3, 4, 6, 3], True), ResNet([3, 4, 23, 3], True), ViT(), GPT())))
