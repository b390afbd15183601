"""Writes operators.onnx, a graph of nodes on known arrays, and operators.txt, what the reference implementation of ONNX makes of each: a line each output.

Run in this folder with Python that has onnx and numpy: python3 operators.py.
"""
import math
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

nodes, initializers, outputs = [], [], []

def array(a, kind=None):
    a = np.array(a, kind)
    name = f"i{len(initializers)}"
    initializers.append(numpy_helper.from_array(a, name))
    return name

def ints(*v):
    return array(v, np.int64)

def node(op, *inputs, count=1, **attributes):
    names = [f"{op}{len(nodes)}_{i}" for i in range(count)]
    nodes.append(helper.make_node(op, list(inputs), names, name=f"{op}{len(nodes)}", **attributes))
    outputs.extend(names)
    return names[0]

cube = array(np.arange(24).reshape(2, 3, 4) - 5, np.int64)
grid = array(np.linspace(-2, 3, 12).reshape(3, 4), np.float64)
single = array([[0.1, -0.7, 2.5]], np.float32)
row, column = array([[1, -2, 3, 5]], np.int64), array([[3], [-2], [7]], np.int64)
yes = array([[True, False, True, False]], bool)
one = array(3, np.int64)

node("Constant", value_int=4)
node("Constant", value_ints=[4, -1])
node("Constant", value_float=0.1)
node("Constant", value_floats=[0.1, 2])
node("Constant", value=numpy_helper.from_array(np.array([[1.5, 2]])))
node("ConstantOfShape", ints(2, 3))
node("ConstantOfShape", ints(2), value=numpy_helper.from_array(np.array([7])))
for args in [(0, 5, 1), (7, -2, -3), (3, 3, 1)]:
    node("Range", *(array(a, np.int64) for a in args))
node("Range", array(0.5, np.float64), array(2.0, np.float64), array(0.25, np.float64))
for to in [TensorProto.INT64, TensorProto.INT32, TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.BOOL]:
    node("Cast", grid, to=to)
node("Cast", cube, to=TensorProto.FLOAT)
node("Cast", yes, to=TensorProto.INT64)
node("CastLike", cube, grid)
node("Identity", cube)
for upper in [0, 1]:
    node("Trilu", cube, upper=upper)
    for k in [-1, 2]:
        node("Trilu", grid, array(k, np.int64), upper=upper)
node("Where", yes, row, column)
node("Where", yes, grid, array(9.0, np.float64))
node("Shape", cube)
node("Shape", cube, start=1)
node("Shape", cube, start=-1, end=5)
node("Shape", cube, start=0, end=-1)
node("Size", cube)
big = 2**63 - 1
for starts, ends, axes, steps in [((1,), (3,), (2,), (1,)), ((-2, 0), (big, 2), (-1, 1), (1, 1)), ((-1,), (-big - 1,), (1,), (-1,)), ((3,), (0,), (2,), (-2,)), ((-9,), (9,), (0,), (1,)),
                                  ((2,), (1,), (2,), (1,)), ((0,), (big,), (2,), (big,)), ((9,), (-9,), (2,), (-3,)), ((2,), (2,), (2,), (-2,)), ((-1,), (-big - 1,), (2,), (-big,))]:
    node("Slice", cube, ints(*starts), ints(*ends), ints(*axes), ints(*steps))
node("Slice", cube, ints(0, 1), ints(1, 3))

node("Gather", cube, array(-1, np.int64), axis=1)
node("Gather", cube, ints(3, 0, -2), axis=-1)
node("Gather", grid, array([[1, 0], [2, -1]], np.int64))
node("ScatterND", cube, array([[[0, 2], [-1, 0]]], np.int64), array(np.arange(8).reshape(1, 2, 4) * 10, np.int64))
node("ScatterND", grid, array([[1, 3], [0, -4]], np.int64), array([0.25, -9], np.float64))
node("ScatterND", row, ints(0), array([4, 5, 6, 7], np.int64))
node("Concat", row, row, axis=0)
node("Concat", cube, cube, axis=-1)
node("Concat", grid, grid, axis=1)
node("Expand", row, ints(3, 1))
node("Expand", column, ints(2, 1, 4))
node("Transpose", cube)
node("Transpose", cube, perm=[1, 0, 2])
node("Split", cube, count=2, num_outputs=2, axis=2)
node("Split", cube, count=2, num_outputs=2, axis=1)
node("Split", cube, ints(1, 0, 2), count=3, axis=-2)
node("Reshape", cube, ints(4, -1))
node("Reshape", cube, ints(0, 3, -1))
node("Reshape", cube, ints(6, 4), allowzero=1)
for axis in [0, 1, 3, -1]:
    node("Flatten", cube, axis=axis)
node("Squeeze", row)
node("Squeeze", column, ints(-1))
node("Unsqueeze", row, ints(0, -1))
node("Unsqueeze", one, ints(0))
for op in ["ReduceSum", "ReduceProd"]:
    node(op, row)
    node(op, cube, ints(0, -1), keepdims=0)
    node(op, grid, ints(1))
    node(op, row, noop_with_empty_axes=1)
positive = node("Abs", grid)
for op in ["Sqrt", "Log", "Reciprocal"]:
    node(op, positive)
for op in ["Exp", "Sin", "Cos", "Tanh", "Floor", "Ceil", "Neg", "Erf"]:
    node(op, grid)
node("Sqrt", array([[0.1, 0.7]], np.float32))
node("Exp", single)
node("Neg", cube)
node("Abs", cube)
node("Not", yes)
for op in ["Add", "Sub", "Mul", "Min", "Max"]:
    node(op, row, column)
    node(op, grid, array([[0.5, 1, -0.25, 0.3]], np.float64))
for op in ["Min", "Max"]:
    node(op, cube)
    node(op, row, column, array(2, np.int64))
node("Div", array([[7, -7, 8]], np.int64), array([[2, 2, -4]], np.int64))
node("Div", grid, array(0.3, np.float64))
node("Pow", grid, array(2.0, np.float64))
node("Mod", array([7, -7, 7, -7, 6], np.int64), array([3, 3, -3, -3, 3], np.int64))
node("Mod", array([7, -7, 7, -7], np.int64), array([3, 3, -3, -3], np.int64), fmod=1)
node("Mod", grid, array(0.7, np.float64), fmod=1)
for op in ["And", "Or", "Xor"]:
    node(op, yes, array([[True], [False]], bool))
for op in ["Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"]:
    node(op, row, array([[3]], np.int64))
    node(op, grid, array([[0.5, -2.0, 0.1, 3.0]], np.float64))

graph = helper.make_graph(nodes, "operators", [], [helper.make_tensor_value_info(o, TensorProto.UNDEFINED, None) for o in outputs], initializers)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
Path("operators.onnx").write_bytes(model.SerializeToString())
lines = []
for name, value in zip(outputs, ReferenceEvaluator(model).run(None, {})):
    value = np.asarray(value)
    if name.startswith("Erf"):  # the reference implementation's has seven digits
        value = np.vectorize(math.erf)(numpy_helper.to_array(initializers[1]))
    kind = helper.np_dtype_to_tensor_dtype(value.dtype)
    elements = ",".join("%.15g" % v if value.dtype.kind == "f" else str(int(v)) for v in value.flatten())
    lines.append(f"{name} {kind} [{','.join(map(str, value.shape))}] {elements}\n")
Path("operators.txt").write_text("".join(lines))
