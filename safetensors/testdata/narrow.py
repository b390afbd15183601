"""Writes narrow.safetensors: tensors of every type that is read and is not written, as PyTorch saves them, and what they are in float64 behind "is.".

Run with torch, numpy and safetensors in this directory: python3 narrow.py
"""
import torch
from safetensors.torch import save_file

some = torch.tensor([0.0, -0.0, 1.0, -2.5, 1 / 3, 6.1e-5, 5.9e-8, -65504.0, float("inf")])
tensors = {
    "half": some.to(torch.float16),
    "brain": torch.cat([some, torch.tensor([1e-39, 3e38])]).to(torch.bfloat16).reshape(11, 1),
    "int32": torch.tensor([[1, -(2**31)], [3, 2**31 - 1]], dtype=torch.int32),
    "int16": torch.tensor([-(2**15), 2**15 - 1], dtype=torch.int16),
    "int8": torch.tensor([-128, 127, 0], dtype=torch.int8),
    "uint8": torch.tensor([255, 0, 7], dtype=torch.uint8),
    "bool": torch.ones(1, 1, 3, 3, dtype=torch.bool).tril(),
}
save_file(tensors | {"is." + name: t.to(torch.float64) for name, t in tensors.items()}, "narrow.safetensors")
