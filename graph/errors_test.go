package graph

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// misuse is an operation whose operands do not fit.
type misuse struct {
	name  string
	op    string   // the operation that the error names
	wants []string // what else it says
	do    func(b *Builder, x, y, l Value)
}

// x is float64 [3 4], y is float64 [2 5], l is int32 [3].
var misuses = []misuse{
	{"Add of shapes that do not broadcast", "Add", []string{"[3 4]", "[2 5]", "broadcast"}, func(_ *Builder, x, y, _ Value) { x.Add(y) }},
	{"Sub of shapes that do not broadcast", "Sub", []string{"[3 4]", "[2 5]"}, func(_ *Builder, x, y, _ Value) { x.Sub(y) }},
	{"Mul of shapes that do not broadcast", "Mul", []string{"[3 4]", "[2 5]"}, func(_ *Builder, x, y, _ Value) { x.Mul(y) }},
	{"Div of shapes that do not broadcast", "Div", []string{"[3 4]", "[2 5]"}, func(_ *Builder, x, y, _ Value) { x.Div(y) }},
	{"Max of shapes that do not broadcast", "Max", []string{"[3 4]", "[2 5]"}, func(_ *Builder, x, y, _ Value) { x.Max(y) }},
	{"Min of shapes that do not broadcast", "Min", []string{"[3 4]", "[2 5]"}, func(_ *Builder, x, y, _ Value) { x.Min(y) }},
	{"Greater of shapes that do not broadcast", "Greater", []string{"[3 4]", "[2 5]"}, func(_ *Builder, x, y, _ Value) { x.Greater(y) }},
	{"Equal of shapes that do not broadcast", "Equal", []string{"[3 4]", "[2 5]"}, func(_ *Builder, x, y, _ Value) { x.Equal(y) }},
	{"Select of shapes that do not broadcast", "Select", []string{"[3 4]", "[2 5]"}, func(_ *Builder, x, y, _ Value) { Select(x, x, y) }},
	{"Select by a mask that does not broadcast", "Select", []string{"[3 4]", "[2 5]"}, func(_ *Builder, x, y, _ Value) { Select(y, x, x) }},
	{"Add of two types", "Add", []string{"float64", "float32"}, func(b *Builder, x, _, _ Value) { x.Add(b.Const(Float32, 1)) }},
	{"Add of integers", "Add", []string{"int32", "[3]"}, func(_ *Builder, _, _, l Value) { l.Add(l) }},
	{"Mul of integers", "Mul", []string{"int32"}, func(_ *Builder, _, _, l Value) { l.Square() }},
	{"Exp of integers", "Exp", []string{"int32", "[3]"}, func(_ *Builder, _, _, l Value) { l.Exp() }},
	{"Neg of integers", "Neg", []string{"int32"}, func(_ *Builder, _, _, l Value) { l.Neg() }},
	{"Gelu of integers", "Gelu", nil, func(_ *Builder, _, _, l Value) { l.Gelu() }},
	{"Silu of integers", "Sigmoid", nil, func(_ *Builder, _, _, l Value) { l.Silu() }},
	{"Pow of integers", "Pow", []string{"int32"}, func(_ *Builder, _, _, l Value) { l.Pow(2) }},
	{"Sum of integers", "Sum", nil, func(_ *Builder, _, _, l Value) { l.Sum() }},
	{"Amax of integers", "Amax", nil, func(_ *Builder, _, _, l Value) { l.Amax() }},
	{"LogSumExp of integers", "Amax", nil, func(_ *Builder, _, _, l Value) { l.LogSumExp() }},
	{"a constant of integers", "Const", nil, func(b *Builder, _, _, _ Value) { b.Const(Int32, 1) }},
	{"a constant like integers", "Like", []string{"[3]"}, func(_ *Builder, _, _, l Value) { l.Like(1) }},
	{"a constant array of integers that are none", "ConstArray", []string{"int32", "element 1 is 1.5"}, func(b *Builder, _, _, _ Value) {
		b.ConstArray(Int32, []float64{1, 1.5}, 2)
	}},
	{"a constant array of too few numbers", "ConstArray", []string{"[3]"}, func(b *Builder, _, _, _ Value) { b.ConstArray(Float64, []float64{1}, 3) }},
	{"a constant array of a negative shape", "ConstArray", []string{"[-1 -2]"}, func(b *Builder, _, _, _ Value) { b.ConstArray(Float64, []float64{1, 2}, -1, -2) }},
	{"a parameter with an empty axis", "Param", []string{"[3 0]", "\"p\""}, func(b *Builder, _, _, _ Value) { b.Param("p", Float64, 3, 0) }},
	{"the zero Value as second operand", "Add", []string{"zero Value"}, func(_ *Builder, x, _, _ Value) { x.Add(Value{}) }},
	{"the zero Value as first operand", "Mul", []string{"zero Value"}, func(_ *Builder, x, _, _ Value) { Value{}.Mul(x) }},
	{"the zero Value in Concat", "Concat", []string{"zero Value"}, func(_ *Builder, x, _, _ Value) { Concat(0, x, Value{}) }},
	{"a value of another builder", "Sub", []string{"another Builder"}, func(_ *Builder, x, _, _ Value) { x.Sub(NewBuilder().Const(Float64, 1)) }},
	{"a tangent of another builder", "JVP", []string{"another Builder"}, func(_ *Builder, x, _, _ Value) {
		JVP([]Value{x}, []Value{x}, []Value{NewBuilder().Param("d", Float64, 3, 4)})
	}},
	{"BroadcastTo a shape that does not fit", "BroadcastTo", []string{"[3 4]", "[3 8]"}, func(_ *Builder, x, _, _ Value) { x.BroadcastTo(3, 8) }},
	{"BroadcastTo fewer axes", "BroadcastTo", []string{"[3 4]", "[4]"}, func(_ *Builder, x, _, _ Value) { x.BroadcastTo(4) }},
	{"BroadcastTo an empty axis", "BroadcastTo", []string{"[0]"}, func(b *Builder, _, _, _ Value) { b.Const(Float64, 1).BroadcastTo(0) }},
	{"Reshape to another size", "Reshape", []string{"[3 4]", "[5 2]"}, func(_ *Builder, x, _, _ Value) { x.Reshape(5, 2) }},
	{"Reshape with two unknown axes", "Reshape", []string{"[3 4]"}, func(_ *Builder, x, _, _ Value) { x.Reshape(-1, -1) }},
	{"Reshape with an unknown axis that does not divide", "Reshape", []string{"[3 4]"}, func(_ *Builder, x, _, _ Value) { x.Reshape(5, -1) }},
	{"Reshape to an empty axis", "Reshape", []string{"[0 12]"}, func(_ *Builder, x, _, _ Value) { x.Reshape(0, 12) }},
	{"Transpose by too few axes", "Transpose", []string{"[0]", "[3 4]"}, func(_ *Builder, x, _, _ Value) { x.Transpose(0) }},
	{"Transpose by repeated axes", "Transpose", []string{"[1 1]"}, func(_ *Builder, x, _, _ Value) { x.Transpose(1, 1) }},
	{"Transpose by an unknown axis", "Transpose", []string{"[0 2]"}, func(_ *Builder, x, _, _ Value) { x.Transpose(0, 2) }},
	{"T of a vector", "T", []string{"[4]"}, func(_ *Builder, x, _, _ Value) { x.Sum(0).T() }},
	{"Slice beyond the end", "Slice", []string{"[3 4]", "[0:5:1]"}, func(_ *Builder, x, _, _ Value) { x.Slice([]int{0, 0}, []int{3, 5}, nil) }},
	{"Slice of nothing", "Slice", []string{"[2:2:1]"}, func(_ *Builder, x, _, _ Value) { x.Slice([]int{2, 0}, []int{2, 4}, nil) }},
	{"Slice with a step of 0", "Slice", []string{"[0:4:0]"}, func(_ *Builder, x, _, _ Value) { x.Slice([]int{0, 0}, []int{3, 4}, []int{1, 0}) }},
	{"Slice of too few axes", "Slice", []string{"want 2"}, func(_ *Builder, x, _, _ Value) { x.Slice([]int{0}, []int{3}, nil) }},
	{"SliceAxis of an unknown axis", "SliceAxis", []string{"axis 2"}, func(_ *Builder, x, _, _ Value) { x.SliceAxis(2, 0, 1) }},
	{"SliceAxis of a negative axis", "SliceAxis", []string{"axis -1"}, func(_ *Builder, x, _, _ Value) { x.SliceAxis(-1, 0, 1) }},
	{"At beyond the end", "Slice", []string{"[3 4]"}, func(_ *Builder, x, _, _ Value) { x.At(3, 0) }},
	{"At before the beginning", "Slice", []string{"[3 4]"}, func(_ *Builder, x, _, _ Value) { x.At(-4, 0) }},
	{"At with too few indices", "At", []string{"[3 4]"}, func(_ *Builder, x, _, _ Value) { x.At(1) }},
	{"Pad by a negative number", "Pad", []string{"[3 4]", "-1"}, func(_ *Builder, x, _, _ Value) { x.Pad([]int{-1, 0}, []int{0, 0}, nil) }},
	{"Pad of too few axes", "Pad", []string{"want 2"}, func(_ *Builder, x, _, _ Value) { x.Pad([]int{1}, []int{1}, nil) }},
	{"Concat of shapes that do not fit", "Concat", []string{"[3 4]", "[2 5]", "operand 1"}, func(_ *Builder, x, y, _ Value) { Concat(0, x, y) }},
	{"Concat of two types", "Concat", []string{"operand 1"}, func(b *Builder, x, _, _ Value) { Concat(0, x, b.Const(Float32, 1).BroadcastTo(3, 4)) }},
	{"Concat on an unknown axis", "Concat", []string{"axis 2"}, func(_ *Builder, x, _, _ Value) { Concat(2, x, x) }},
	{"Concat on a negative axis", "Concat", []string{"axis -1"}, func(_ *Builder, x, _, _ Value) { Concat(-1, x, x) }},
	{"Sum over an unknown axis", "Sum", []string{"[3 4]", "[2]"}, func(_ *Builder, x, _, _ Value) { x.Sum(2) }},
	{"Sum over an axis twice", "Sum", []string{"[0 -2]"}, func(_ *Builder, x, _, _ Value) { x.Sum(0, -2) }},
	{"Mean over an unknown axis", "Sum", []string{"[-3]"}, func(_ *Builder, x, _, _ Value) { x.Mean(-3) }},
	{"Amax over an unknown axis", "Amax", []string{"[5]"}, func(_ *Builder, x, _, _ Value) { x.Amax(5) }},
	{"Gather by numbers", "Gather", []string{"int32", "[3 4]"}, func(_ *Builder, x, _, _ Value) { x.Gather(x.Sum(1)) }},
	{"Gather by too many labels", "Gather", []string{"[2 5]", "[3]"}, func(_ *Builder, _, y, l Value) { y.Gather(l) }},
	{"Gather from integers", "Gather", nil, func(b *Builder, _, _, l Value) { b.Param("m", Int32, 3, 2).Gather(l) }},
	{"Gather from a scalar", "Gather", nil, func(b *Builder, x, _, l Value) { x.Sum().Gather(l) }},
	{"Rows by numbers", "Rows", []string{"int32", "[3 4]"}, func(_ *Builder, x, _, _ Value) { x.Rows(x.Sum(1)) }},
	{"Rows of integers", "Rows", []string{"floating-point"}, func(_ *Builder, _, _, l Value) { l.Rows(l) }},
	{"Rows of a scalar", "Rows", []string{"[n, d..]"}, func(_ *Builder, x, _, l Value) { x.Sum().Rows(l) }},
	{"Rows by more indices than an int32 counts", "Rows", []string{"2147483647"}, func(b *Builder, x, _, _ Value) {
		x.SliceAxis(1, 0, 1).Rows(b.Param("indices", Int32, 1<<31))
	}},
	{"Rows by indices of another builder", "Rows", []string{"another Builder"}, func(_ *Builder, x, _, _ Value) {
		x.Rows(NewBuilder().Param("l", Int32, 3))
	}},
	{"Grad by indices", "VJP", []string{"int32"}, func(_ *Builder, x, _, l Value) { Grad(x.Rows(l).Sum(), l) }},
	{"MatMul of inner axes that differ", "MatMul", []string{"[3 4]", "[2 5]", "4 and 2"}, func(_ *Builder, x, y, _ Value) { x.MatMul(y) }},
	{"MatMul of a vector", "MatMul", []string{"[3 4]", "[4]"}, func(_ *Builder, x, _, _ Value) { x.MatMul(x.Sum(0)) }},
	{"MatMul of batches that differ", "MatMul", []string{"[2 3 4]", "[1 4 3]"}, func(_ *Builder, x, _, _ Value) {
		x.BroadcastTo(2, 3, 4).MatMul(x.T().Reshape(1, 4, 3))
	}},
	{"MatMul of integers", "MatMul", []string{"int32"}, func(_ *Builder, x, _, l Value) { l.Reshape(1, 3).MatMul(x) }},
	{"MatMul of two types", "MatMul", []string{"float32"}, func(b *Builder, x, _, _ Value) { x.MatMul(b.Const(Float32, 1).BroadcastTo(4, 2)) }},
	{"Conv2D of a matrix", "Conv2D", []string{"[3 4]"}, func(_ *Builder, x, _, _ Value) { x.Conv2D(x, ConvSpec{}) }},
	{"Conv2D of channels that differ", "Conv2D", []string{"[1 3 2 2]", "[1 1 3 4]"}, func(_ *Builder, x, _, _ Value) {
		x.Reshape(1, 3, 2, 2).Conv2D(x.Reshape(1, 1, 3, 4), ConvSpec{})
	}},
	{"Conv2D in groups that do not divide", "Conv2D", []string{"3 groups"}, func(_ *Builder, x, _, _ Value) {
		x.Reshape(1, 3, 2, 2).Conv2D(x.Reshape(1, 3, 2, 2), ConvSpec{Groups: 3})
	}},
	{"Conv2D with negative padding", "Conv2D", []string{"-1"}, func(_ *Builder, x, _, _ Value) {
		x.Reshape(1, 3, 2, 2).Conv2D(x.Reshape(1, 1, 2, 6), ConvSpec{Pad: [4]int{-1, 0, 0, 0}})
	}},
	{"Conv2D with a negative stride", "Conv2D", []string{"-2"}, func(_ *Builder, x, _, _ Value) {
		x.Reshape(1, 3, 2, 2).Conv2D(x.Reshape(1, 1, 2, 6), ConvSpec{Stride: [2]int{1, -2}})
	}},
	{"Conv2D with a negative number of groups", "Conv2D", []string{"-1"}, func(_ *Builder, x, _, _ Value) {
		x.Reshape(1, 3, 2, 2).Conv2D(x.Reshape(1, 1, 2, 6), ConvSpec{Groups: -1})
	}},
	{"Conv2D with a negative dilation", "Conv2D", []string{"dilation [0 -1]"}, func(_ *Builder, x, _, _ Value) {
		x.Reshape(1, 3, 2, 2).Conv2D(x.Reshape(1, 1, 2, 6), ConvSpec{Dilation: [2]int{0, -1}})
	}},
	{"Conv2D with a dilation beyond any image", "Conv2D", []string{"dilation", "1048576"}, func(_ *Builder, x, _, _ Value) {
		x.Reshape(1, 2, 6, 1).Conv2D(x.Reshape(2, 6, 1, 1), ConvSpec{Dilation: [2]int{1 << 62, 1}})
	}},
	{"Conv2D with taps that leave the image", "Conv2D", []string{"dilation [2 1]", "larger"}, func(_ *Builder, x, _, _ Value) {
		x.Reshape(1, 2, 6, 1).Conv2D(x.Reshape(2, 6, 1, 1), ConvSpec{Dilation: [2]int{2, 1}})
	}},
	{"Conv2D with a kernel larger than the image", "Conv2D", []string{"larger"}, func(_ *Builder, x, _, _ Value) {
		x.Reshape(1, 2, 6, 1).Conv2D(x.Reshape(3, 4, 1, 1), ConvSpec{})
	}},
	{"MaxPool of a matrix", "MaxPool", []string{"[3 4]"}, func(_ *Builder, x, _, _ Value) { x.MaxPool(PoolSpec{Size: [2]int{1, 1}}) }},
	{"MaxPool with no window", "MaxPool", []string{"[0 0]"}, func(_ *Builder, x, _, _ Value) { x.Reshape(1, 3, 4, 1).MaxPool(PoolSpec{}) }},
	{"AvgPool with too much padding", "AvgPool", []string{"padding"}, func(_ *Builder, x, _, _ Value) {
		x.Reshape(1, 3, 4, 1).AvgPool(PoolSpec{Size: [2]int{2, 2}, Pad: [4]int{2, 0, 0, 0}})
	}},
	{"MaxPool with a window that steps over the image", "MaxPool", []string{"dilation [1 5]", "every window"}, func(_ *Builder, x, _, _ Value) {
		x.Reshape(1, 4, 3, 1).MaxPool(PoolSpec{Size: [2]int{1, 2}, Stride: [2]int{1, 1}, Pad: [4]int{0, 1, 0, 2}, Dilation: [2]int{1, 5}})
	}},
	{"MaxPool with a negative dilation", "MaxPool", []string{"dilation [1 -1]"}, func(_ *Builder, x, _, _ Value) {
		x.Reshape(1, 4, 3, 1).MaxPool(PoolSpec{Size: [2]int{2, 2}, Dilation: [2]int{0, -1}})
	}},
	{"MaxPool with a last window in the padding", "MaxPool", []string{"padding [0 0 0 3]"}, func(_ *Builder, x, _, _ Value) {
		x.Reshape(1, 4, 3, 1).MaxPool(PoolSpec{Size: [2]int{1, 3}, Stride: [2]int{1, 3}, Pad: [4]int{0, 0, 0, 3}})
	}},
	{"MaxPool with a window larger than the image", "MaxPool", []string{"larger"}, func(_ *Builder, x, _, _ Value) {
		x.Reshape(1, 3, 4, 1).MaxPool(PoolSpec{Size: [2]int{4, 4}})
	}},
	{"MaxPool with a negative stride", "MaxPool", []string{"stride"}, func(_ *Builder, x, _, _ Value) {
		x.Reshape(1, 3, 4, 1).MaxPool(PoolSpec{Size: [2]int{2, 2}, Stride: [2]int{-1, 1}})
	}},
	{"Softmax of a scalar", "Softmax", nil, func(_ *Builder, x, _, _ Value) { x.Sum().Softmax() }},
	{"SoftmaxMatMul of a row", "SoftmaxMatMul", nil, func(_ *Builder, x, _, _ Value) { x.Sum(0).SoftmaxMatMul(x) }},
	{"SoftmaxMatMul by a matrix that does not fit", "MatMul", nil, func(_ *Builder, x, _, _ Value) { x.SoftmaxMatMul(x) }},
	{"LogSumExp of a scalar", "LogSumExp", nil, func(_ *Builder, x, _, _ Value) { x.Sum().LogSumExp() }},
	{"LogSoftmax of a scalar", "LogSumExp", nil, func(_ *Builder, x, _, _ Value) { x.Sum().LogSoftmax() }},
	{"CrossEntropy by too many labels", "Gather", []string{"[2 5]"}, func(_ *Builder, _, y, l Value) { y.CrossEntropy(l) }},
	{"Standardize over an unknown axis", "Standardize", []string{"[3]"}, func(_ *Builder, x, _, _ Value) { x.Standardize(1, 3) }},
	{"BatchNorm of a vector", "BatchNorm", []string{"[4]"}, func(_ *Builder, x, _, _ Value) { v := x.Sum(0); v.BatchNorm(v, v, 1) }},
	{"BatchNorm with scales that do not fit", "BatchNorm", []string{"[3 4]", "[5]", "shape [4]"}, func(_ *Builder, x, y, _ Value) { x.BatchNorm(y.Sum(0), y.Sum(0), 1) }},
	{"LayerNorm with shifts that do not fit", "Add", []string{"[3 4]", "[5]"}, func(_ *Builder, x, y, _ Value) { x.LayerNorm(x.Sum(0), y.Sum(0), 1) }},
	{"Grad of an array", "Grad", []string{"[3 4]", "scalar"}, func(_ *Builder, x, _, _ Value) { Grad(x, x) }},
	{"Grad by the zero Value", "Grad", []string{"zero Value"}, func(_ *Builder, x, _, _ Value) { Grad(x.Sum(), Value{}) }},
	{"Grad by labels", "VJP", []string{"int32"}, func(_ *Builder, x, _, l Value) { Grad(x.Gather(l).Sum(), l) }},
	{"VJP with too few cotangents", "VJP", []string{"one cotangent"}, func(_ *Builder, x, _, _ Value) { VJP([]Value{x}, nil, []Value{x}) }},
	{"VJP with a cotangent that does not fit", "VJP", []string{"[3 4]", "[2 5]"}, func(_ *Builder, x, y, _ Value) { VJP([]Value{x}, []Value{y}, []Value{x}) }},
	{"JVP with too few tangents", "JVP", []string{"one tangent"}, func(_ *Builder, x, _, _ Value) { JVP([]Value{x}, []Value{x}, nil) }},
	{"JVP with a tangent that does not fit", "JVP", []string{"[3 4]", "[2 5]"}, func(_ *Builder, x, y, _ Value) { JVP([]Value{x}, []Value{x}, []Value{y}) }},
	{"JVP by labels", "JVP", []string{"int32"}, func(_ *Builder, x, _, l Value) { JVP([]Value{x.Gather(l)}, []Value{l}, []Value{l}) }},
	{"Jet of a negative degree", "Jet", []string{"(-1, 0)"}, func(_ *Builder, x, _, _ Value) { NewJet().Coef(x, -1, 0) }},
	{"Jet of labels", "Jet", []string{"int32"}, func(_ *Builder, _, _, l Value) { NewJet().Coef(l, 1, 0) }},
	{"Jet with a coefficient that does not fit", "Jet", []string{"[3 4]", "[2 5]", "(1, 0)"}, func(_ *Builder, x, y, _ Value) {
		j := NewJet()
		j.Set(x, func(_, _ int) Value { return y })
		j.Coef(x.Exp(), 1, 0)
	}},
	{"Jet with a coefficient of another builder", "Jet", []string{"another Builder"}, func(_ *Builder, x, _, _ Value) {
		j := NewJet()
		j.Set(x, func(_, _ int) Value { return NewBuilder().Param("d", Float64, 3, 4) })
		j.Coef(x, 1, 0)
	}},
	{"Jet with a coefficient that failed", "Reshape", []string{"[3 4]"}, func(_ *Builder, x, _, _ Value) {
		for _, y := range []Value{x.MatMul(x.T()), x.Sum(0), Concat(0, x, x), x.Sigmoid(), x.Div(x), x.Sqrt(),
			x.Reshape(1, 3, 4, 1).MaxPool(PoolSpec{Size: [2]int{2, 2}}), x.Reshape(1, 3, 2, 2).Conv2D(x.Reshape(2, 1, 2, 3), ConvSpec{})} {
			j := NewJet()
			j.Set(x, func(_, _ int) Value { return x.Reshape(7) })
			j.Coef(y, 2, 0)
		}
	}},
	{"Jet with a coefficient made from itself", "Jet", []string{"(2, 0)", "itself"}, func(_ *Builder, x, _, _ Value) {
		j := NewJet()
		y := x.MatMul(x.T()).Sum(0)
		j.Set(x, func(a, b int) Value { return j.Coef(y, a, b).Sum().BroadcastTo(3, 4) })
		j.Coef(y, 2, 0)
	}},
	{"an array too large for any memory", "broadcast", []string{"[1 1]", "2^36"}, func(_ *Builder, x, _, _ Value) {
		x.At(0, 0).BroadcastTo(1<<32, 1<<32)
	}},
	{"a parameter too large for any memory", "param", []string{"2^36"}, func(b *Builder, _, _, _ Value) { b.Param("p", Float32, 1<<20, 1<<20) }},
	{"padding beyond any memory", "pad", []string{"[3 4]"}, func(_ *Builder, x, _, _ Value) { x.Pad([]int{0, 1 << 62}, []int{0, 1 << 62}, nil) }},
	{"MaxPool of more elements than an index counts", "MaxPool", []string{"2147483647"}, func(b *Builder, _, _, _ Value) {
		b.Param("images", Float32, 1<<15, 1<<6, 1<<6, 1<<5).MaxPool(PoolSpec{Size: [2]int{2, 2}})
	}},
	{"StopGradient of the zero Value beside a good one", "Select", []string{"zero Value"}, func(_ *Builder, x, _, _ Value) { Select(Value{}, x, x) }},
}

func TestMisuseGivesTheOperationItsShapesAndTheCallersLine(t *testing.T) {
	for _, m := range misuses {
		t.Run(m.name, func(t *testing.T) {
			b := NewBuilder()
			x, y, l := b.Param("x", Float64, 3, 4), b.Param("y", Float64, 2, 5), b.Param("l", Int32, 3)
			m.do(b, x, y, l)
			err := b.Err()
			var op *OpError
			if !errors.As(err, &op) {
				t.Fatalf("error is %v: want an OpError", err)
			}
			if op.Op != m.op {
				t.Errorf("error names %s: want %s\n%v", op.Op, m.op, err)
			}
			if !strings.Contains(op.Site, "graph/errors_test.go:") {
				t.Errorf("error is said to come from %s: want a line of this file", op.Site)
			}
			for _, w := range m.wants {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error does not say %q: %v", w, err)
				}
			}
		})
	}
}

func TestErrorsNameTheVeryLine(t *testing.T) {
	b := NewBuilder()
	x := b.Param("x", Float64, 3)
	_, _, line, _ := runtime.Caller(0)
	bad := x.Reshape(2).LayerNorm(x, x, 1)
	if bad.Valid() || x.Add(bad).Valid() || bad.Exp().Sum().Softmax().Valid() {
		t.Error("what is made from a failed operation is valid")
	}
	if err := b.Err(); !strings.HasSuffix(err.(*OpError).Site, fmt.Sprintf("errors_test.go:%d", line+1)) {
		t.Errorf("error is %v: want line %d", err, line+1)
	}
	first := b.Err()
	x.Reshape(7)
	if b.Err() != first {
		t.Error("a later error takes the first one's place")
	}
}

// TestNothingPanicsOnInvalidValues calls every operation on the zero Value and on the result of a failed one.
func TestNothingPanicsOnInvalidValues(t *testing.T) {
	b := NewBuilder()
	good := b.Param("x", Float64, 2, 2)
	failed := good.Reshape(3)
	for name, v := range map[string]Value{"zero": {}, "failed": failed} {
		t.Run(name, func(t *testing.T) {
			for _, op := range operationsOn {
				if w := op.f(v); w.Valid() {
					t.Errorf("%s of the %s Value is valid", op.name, name)
				}
			}
			for _, out := range [][]Value{Grad(v, good), Grad(good.Sum(), v), VJP([]Value{v}, []Value{v}, []Value{v}), JVP([]Value{v}, []Value{v}, []Value{v})} {
				if len(out) != 1 || out[0].Valid() {
					t.Errorf("a derivative of the %s Value is %v: want one invalid value", name, out)
				}
			}
			j := NewJet()
			j.Set(v, nil)
			if j.Coef(v, 1, 0).Valid() {
				t.Errorf("a coefficient of the %s Value is valid", name)
			}
			if s, _, z := v.Shape(), v.DType(), v.Size(); len(s) != 0 || z > 1 {
				t.Errorf("the %s Value has shape %v", name, s)
			}
		})
	}
	var zero Builder
	if c, ok := zero.Const(Float64, 3).Node().Constant(); !ok || c != 3 {
		t.Errorf("the constant 3 of the zero Builder is %v, known %v", c, ok)
	}
	if vs := Grad(good.Sum()); len(vs) != 0 {
		t.Errorf("the gradient by nothing is %v", vs)
	}
	if Concat(0).Valid() {
		t.Error("the concatenation of nothing is valid")
	}
}

var operationsOn = []struct {
	name string
	f    func(v Value) Value
}{
	{"Neg", Value.Neg}, {"Exp", Value.Exp}, {"Log", Value.Log}, {"Log1p", Value.Log1p}, {"Sqrt", Value.Sqrt}, {"Rsqrt", Value.Rsqrt},
	{"Recip", Value.Recip}, {"Tanh", Value.Tanh}, {"Sigmoid", Value.Sigmoid}, {"Erf", Value.Erf}, {"Relu", Value.Relu},
	{"Abs", Value.Abs}, {"Sign", Value.Sign}, {"Square", Value.Square}, {"Gelu", Value.Gelu}, {"Silu", Value.Silu},
	{"Alias", Value.Alias}, {"StopGradient", Value.StopGradient}, {"T", Value.T}, {"Softmax", Value.Softmax},
	{"LogSumExp", Value.LogSumExp}, {"LogSoftmax", Value.LogSoftmax},
	{"Add", func(v Value) Value { return v.Add(v) }}, {"Sub", func(v Value) Value { return v.Sub(v) }},
	{"Mul", func(v Value) Value { return v.Mul(v) }}, {"Div", func(v Value) Value { return v.Div(v) }},
	{"Max", func(v Value) Value { return v.Max(v) }}, {"Min", func(v Value) Value { return v.Min(v) }},
	{"Greater", func(v Value) Value { return v.Greater(v) }}, {"GreaterEqual", func(v Value) Value { return v.GreaterEqual(v) }},
	{"Equal", func(v Value) Value { return v.Equal(v) }}, {"Select", func(v Value) Value { return Select(v, v, v) }},
	{"Pow", func(v Value) Value { return v.Pow(3) }}, {"Like", func(v Value) Value { return v.Like(1) }},
	{"Sum", func(v Value) Value { return v.Sum() }}, {"Mean", func(v Value) Value { return v.Mean(0) }},
	{"Amax", func(v Value) Value { return v.Amax(0) }}, {"BroadcastTo", func(v Value) Value { return v.BroadcastTo(2) }},
	{"Reshape", func(v Value) Value { return v.Reshape(-1) }}, {"Transpose", func(v Value) Value { return v.Transpose() }},
	{"Slice", func(v Value) Value { return v.Slice(nil, nil, nil) }}, {"SliceAxis", func(v Value) Value { return v.SliceAxis(0, 0, 1) }},
	{"At", func(v Value) Value { return v.At() }}, {"Pad", func(v Value) Value { return v.Pad(nil, nil, nil) }},
	{"Concat", func(v Value) Value { return Concat(0, v, v) }}, {"Gather", func(v Value) Value { return v.Gather(v) }},
	{"Rows", func(v Value) Value { return v.Rows(v) }},
	{"CrossEntropy", func(v Value) Value { return v.CrossEntropy(v) }}, {"MatMul", func(v Value) Value { return v.MatMul(v) }},
	{"Conv2D", func(v Value) Value { return v.Conv2D(v, ConvSpec{}) }},
	{"MaxPool", func(v Value) Value { return v.MaxPool(PoolSpec{}) }}, {"AvgPool", func(v Value) Value { return v.AvgPool(PoolSpec{}) }},
	{"LayerNorm", func(v Value) Value { return v.LayerNorm(v, v, 1) }},
	{"BatchNorm", func(v Value) Value { y, _, _ := v.BatchNorm(v, v, 1); return y }},
	{"Standardize", func(v Value) Value { y, _, _ := v.Standardize(1); return y }},
}
