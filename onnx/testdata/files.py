"""Writes small ONNX files, and beside each NAME.onnx what the library onnx reads of it as NAME.txt: a line each opset, input, output, initializer, node and attribute.

Run in this folder with Python that has torch, onnx and onnxscript: python3 files.py.
"""
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

warnings.filterwarnings("ignore")


class Convolutional(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn, self.fc = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Linear(36, 5)

    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.bn(self.conv(x))), 2)
        return self.fc(x.flatten(1))


def types():
    """Elements of each type, as raw bytes and as numbers, and attributes of each kind."""
    values = {"FLOAT": [1.5, -2.25], "DOUBLE": [1 / 3, -1e300], "FLOAT16": [0.5, -65504.0], "BFLOAT16": [0.5, -3.0], "INT64": [-(2**62), 7], "INT32": [-(2**31), 7],
              "INT16": [-(2**15), 7], "INT8": [-128, 7], "UINT8": [255, 7], "BOOL": [True, False]}
    tensors = []
    for name, v in values.items():
        kind = getattr(TensorProto, name)
        tensors.append(helper.make_tensor("numbers." + name, kind, [2, 1], v))
        array = np.array(v, helper.tensor_dtype_to_np_dtype(kind))
        tensors.append(helper.make_tensor("raw." + name, kind, [1, 2], array.tobytes(), raw=True))
    tensors.append(helper.make_tensor("scalar", TensorProto.FLOAT, [], [3.0]))
    tensors.append(helper.make_tensor("empty", TensorProto.INT64, [0], []))
    nodes = [helper.make_node("Odd", ["x", "", "scalar"], ["y"], name="odd", domain="elsewhere", a=1.5, b=-3, c="text", d=[0.5, 2.0], e=[1, -2], f=["u", "v"], g=tensors[0]),
             helper.make_node("Identity", ["y"], ["z"])]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "types", [info("x", TensorProto.FLOAT, ["N", 3, None]), info("scalar", TensorProto.FLOAT, [])],
                              [info("z", TensorProto.DOUBLE, None)], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20), helper.make_opsetid("elsewhere", 3)], producer_name="files.py")
    helper.set_model_props(model, {"key": "value"})
    return model


def line(*parts):
    return " ".join(str(p) for p in parts)


def elements(t):
    array = numpy_helper.to_array(t, base_dir=".").flatten()
    return ",".join("%.17g" % float(v) if array.dtype.kind in "fV" or array.dtype.name == "bfloat16" else str(int(v)) for v in array)


def shape(v):
    if not v.type.tensor_type.HasField("shape"):
        return "unknown"
    return "[" + ",".join(d.dim_param or (str(d.dim_value) if d.HasField("dim_value") else "?") for d in v.type.tensor_type.shape.dim) + "]"


def describe(m):
    g = m.graph
    initializers = {t.name for t in g.initializer}
    out = [line("opset", repr(o.domain), o.version) for o in m.opset_import]
    out += [line("input", v.name, v.type.tensor_type.elem_type, shape(v)) for v in g.input if v.name not in initializers]
    out += [line("output", v.name, v.type.tensor_type.elem_type, shape(v)) for v in g.output]
    out += [line("initializer", t.name, t.data_type, "[" + ",".join(map(str, t.dims)) + "]", elements(t)) for t in g.initializer]
    for n in g.node:
        out.append(line("node", n.op_type, repr(n.name), repr(n.domain), ",".join(n.input), ",".join(n.output)))
        for a in n.attribute:
            v = helper.get_attribute_value(a)
            if a.type == onnx.AttributeProto.TENSOR:
                v = elements(v)
            elif isinstance(v, bytes):
                v = v.decode()
            elif isinstance(v, float):
                v = "%.9g" % v
            elif not isinstance(v, int):
                v = ",".join("%.9g" % e if isinstance(e, float) else e.decode() if isinstance(e, bytes) else str(e) for e in v)
            out.append(line("attribute", a.name, v))
    return "\n".join(out) + "\n"


def write(name, model, **kwargs):
    for part in [*model.graph.node, *model.graph.input, *model.graph.output, *model.graph.value_info, model.graph]:  # where the exporter ran
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    onnx.save(model, f"{name}.onnx", **kwargs)
    Path(f"{name}.txt").write_text(describe(onnx.load(f"{name}.onnx", load_external_data=False)))


torch.manual_seed(20261128)
torch.onnx.export(Convolutional().train(), torch.randn(2, 3, 6, 6), "convolutional.onnx", dynamo=False, training=torch.onnx.TrainingMode.TRAINING, do_constant_folding=False,
                  input_names=["x"], output_names=["y"], dynamic_axes={"x": {0: "N"}}, opset_version=20)
write("convolutional", onnx.load("convolutional.onnx"))
mlp = nn.Sequential(nn.Linear(5, 4), nn.GELU(), nn.Linear(4, 3)).double()
torch.onnx.export(mlp, (torch.randn(2, 5).double(),), "mlp.onnx", dynamo=True, optimize=False, dynamic_shapes=({0: torch.export.Dim("N")},), external_data=False)
write("mlp", onnx.load("mlp.onnx"))
Path("outside.bin").unlink(missing_ok=True)
write("outside", onnx.load("mlp.onnx"), save_as_external_data=True, location="outside.bin", size_threshold=0)
write("types", types())
