"""Networks as ONNX files that shadowflow reads as they are meant."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    import onnx


def export_onnx(net: nn.Module, x: torch.Tensor, path: str | Path) -> None:
    """Write a network in training mode as an ONNX file for ``model: {name: onnx, path: ...}``, for any number of examples; ``x`` is a batch of at least 2.

    PyTorch's newer exporter writes batch normalization in evaluation mode whatever the network's mode is, so networks with it take the older one, which keeps
    names and training mode but moves the running averages by its own pass: they are put back into the file. The network itself is not changed. Needs ``onnx``
    and ``onnxscript``. Raises ValueError where dropout would draw, which has no counterpart in the file's network.
    """
    for name, module in net.named_modules():
        if isinstance(module, nn.modules.dropout._DropoutNd) and module.p > 0:
            raise ValueError(f"{name or 'the network'} is dropout with p={module.p}: want p=0, for draws are not exported")
    import onnx

    net = copy.deepcopy(net).train()
    state = {name: value.detach().cpu().clone() for name, value in net.state_dict().items()}
    if any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in net.modules()):
        torch.onnx.export(
            net, (x,), str(path), dynamo=False, training=torch.onnx.TrainingMode.TRAINING, do_constant_folding=False,
            input_names=["x"], dynamic_axes={"x": {0: "N"}}, opset_version=20,
        )
    else:
        torch.onnx.export(net, (x,), str(path), dynamo=True, optimize=False, dynamic_shapes=({0: torch.export.Dim("N")},), external_data=False)
    file = onnx.load(str(path))
    for tensor in file.graph.initializer:
        if tensor.name in state:
            _put_back(tensor, state[tensor.name])
    _name_as_parameters(file, net)
    _tell_buffers(file, {name for name, _ in net.named_buffers()})
    onnx.save(file, str(path))


def _name_as_parameters(file: onnx.ModelProto, net: nn.Module) -> None:
    """Call a tied weight as ``named_parameters`` does, where the exporter took another of its names, and order the weights so, as optimizers number them."""
    first = {id(p): name for name, p in net.named_parameters()}
    there = {tensor.name for tensor in file.graph.initializer}
    names: dict[str, str] = {}
    for name, p in net.named_parameters(remove_duplicate=False):
        if name in there and first[id(p)] not in there | set(names.values()):
            names[name] = first[id(p)]
    for tensor in file.graph.initializer:
        tensor.name = names.get(tensor.name, tensor.name)
    for value in file.graph.value_info:
        value.name = names.get(value.name, value.name)
    for node in file.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
    place = {name: i for i, name in enumerate(first.values())}
    tensors = sorted(file.graph.initializer, key=lambda tensor: place.get(tensor.name, len(place)))
    del file.graph.initializer[:]
    file.graph.initializer.extend(tensors)


def _put_back(tensor: onnx.TensorProto, value: torch.Tensor) -> None:
    """Give an initializer the elements of a tensor of its type, which numpy may not have, like bfloat16."""
    name, kind, shape = tensor.name, tensor.data_type, value.shape
    tensor.Clear()
    tensor.name, tensor.data_type = name, kind
    tensor.dims.extend(shape)
    tensor.raw_data = value.contiguous().flatten().view(torch.uint8).numpy().tobytes()


_KIND = "pkg.torch.export.graph_signature.InputSpec.kind"


def _tell_buffers(file: onnx.ModelProto, buffers: set[str]) -> None:
    """Say which initializers are buffers, which are not trained, as the newer exporter does and the older does not."""
    import onnx

    said = {value.name for value in file.graph.value_info if any(p.key == _KIND for p in value.metadata_props)}
    for tensor in file.graph.initializer:
        if tensor.name in buffers - said:
            value = onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            value.metadata_props.add(key=_KIND, value="BUFFER")
            file.graph.value_info.append(value)
