package imported

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"shadowflow/graph"
	"shadowflow/internal/plural"
	"shadowflow/nn"
	"shadowflow/onnx"
	"shadowflow/onnx/fold"
)

// call is one operator that is recorded.
type call struct {
	*lowering
	node       *onnx.Node
	in         []value
	attributes *onnx.Attributes
}

type operator func(*call) ([]value, error)

// operators is what can be recorded.
var operators = map[string]operator{
	"Relu": unary(graph.Value.Relu), "LeakyRelu": first(leakyRelu), "Gelu": first(gelu), "Sigmoid": unary(graph.Value.Sigmoid), "Tanh": unary(graph.Value.Tanh),
	"Erf": unary(graph.Value.Erf), "Exp": unary(graph.Value.Exp), "Log": unary(graph.Value.Log), "Sqrt": unary(graph.Value.Sqrt), "Neg": unary(graph.Value.Neg),
	"Abs": unary(graph.Value.Abs), "Reciprocal": unary(graph.Value.Recip), "Pow": first(power),
	"Clip": first(clip), "HardSigmoid": first(hardSigmoid), "HardSwish": unary(hardSwish), "Softplus": unary(nn.Softplus), "Softsign": unary(softsign), "Mish": unary(mish),
	"Swish": first(swish), "Elu": first(elu), "Celu": first(celu), "Selu": first(selu), "PRelu": binary(prelu),
	"Add": binary(graph.Value.Add), "Sub": binary(graph.Value.Sub), "Mul": binary(graph.Value.Mul), "Div": binary(graph.Value.Div),
	"Max": combined(graph.Value.Max), "Min": combined(graph.Value.Min), "Sum": combined(graph.Value.Add), "Mean": mean, "Where": where,
	"Greater": binary(graph.Value.Greater), "GreaterOrEqual": binary(graph.Value.GreaterEqual), "Less": binary(less), "LessOrEqual": binary(lessOrEqual), "Equal": binary(graph.Value.Equal),
	"And": logical(graph.Value.Mul), "Or": logical(graph.Value.Max), "Xor": logical(differs), "Not": unary(not),
	"MatMul": first(matMul), "Gemm": first(gemm), "Conv": convolution,
	"MaxPool": maxPool, "AveragePool": averagePool, "GlobalAveragePool": globalAverage,
	"BatchNormalization": batchNormalization, "LayerNormalization": layerNormalization, "RMSNormalization": rmsNormalization, "GroupNormalization": groupNormalization, "InstanceNormalization": instanceNormalization,
	"Softmax": along(graph.Value.Softmax), "LogSoftmax": along(graph.Value.LogSoftmax), "Attention": attention,
	"ReduceMean": reduced(graph.Value.Mean), "ReduceSum": reduced(graph.Value.Sum), "ReduceMax": reduced(graph.Value.Amax), "ReduceMin": reduced(smallest),
	"ReduceL1": reduced(sumOfSizes), "ReduceL2": reduced(norm), "ReduceSumSquare": reduced(sumOfSquares),
	"Reshape": first(reshape), "Flatten": first(flatten), "Squeeze": reshapedBy(fold.Squeezed), "Unsqueeze": reshapedBy(fold.Unsqueezed), "Transpose": first(transpose), "Expand": expand, "Pad": first(pad),
	"Slice": first(slice), "Split": first(split), "Concat": first(concat), "Gather": first(gather), "GatherND": first(gatherND), "SplitToSequence": first(splitToSequence), "SequenceAt": sequenceAt,
	"Shape": first(shape), "Identity": first(identity), "Cast": first(cast), "CastLike": first(castLike), "Dropout": first(dropout),
}

// operatorNames returns the names of the operators that can be recorded; those that depend on no example and no weight may be others.
func operatorNames() []string { return slices.Sorted(maps.Keys(operators)) }

// absent refuses an operator that cannot be recorded, and says what helps where that is known.
func absent(n *onnx.Node) error {
	help := map[string]string{
		"ArgMax": "it has no derivative", "ArgMin": "it has no derivative", "TopK": "its places have no derivative",
		"Sin": "only of what depends on neither examples nor weights", "Cos": "only of what depends on neither examples nor weights",
		"If": "export the network for the one way that it takes", "Loop": "export the network with its steps written out", "Scan": "export the network with its steps written out",
		"LSTM": "export the network with its steps written out", "GRU": "export the network with its steps written out", "RNN": "export the network with its steps written out",
		"RandomNormal": "draws at random are not there", "RandomNormalLike": "draws at random are not there", "RandomUniform": "draws at random are not there",
		"RandomUniformLike": "draws at random are not there", "Bernoulli": "draws at random are not there",
		"Resize": "to the nearest by whole factors, write it as expand and reshape", "Tile": "write it as expand and reshape",
		"QuantizeLinear": "export the network before it is quantized", "DequantizeLinear": "export the network before it is quantized", "QLinearConv": "export the network before it is quantized",
	}[n.Op]
	if help != "" && n.Domain == "" {
		help = " (" + help + ")"
	} else {
		help = ""
	}
	return fmt.Errorf("the operator is not there yet%s: want one of %s", help, strings.Join(operatorNames(), ", "))
}

// input returns an input that has to be there and to be an array.
func (c *call) input(i int) (value, error) {
	if !c.has(i) {
		return value{}, fmt.Errorf("it has no input %d", i)
	}
	x := c.in[i]
	if x.list != nil {
		return value{}, fmt.Errorf("its input %d is a sequence, want an array", i)
	}
	if x.image.Valid() {
		v, err := c.plain(x)
		return ofData(v), err
	}
	return x, nil
}

func (c *call) has(i int) bool { return i < len(c.in) && c.node.Inputs[i] != "" }

// array returns an input in the order of the file.
func (c *call) array(i int) (graph.Value, error) {
	x, err := c.input(i)
	if err != nil {
		return graph.Value{}, err
	}
	return c.plain(x)
}

// arrays returns n inputs from one on, in the order of the file.
func (c *call) arrays(from, n int) ([]graph.Value, error) {
	out := make([]graph.Value, n)
	for i := range out {
		var err error
		if out[i], err = c.array(from + i); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// numbers returns the whole numbers of an input that is known, nil if it is left out.
func (c *call) numbers(i int) ([]int, error) {
	if !c.has(i) {
		return nil, nil
	}
	a, err := c.known(i)
	if err != nil {
		return nil, err
	}
	if a.Size() > longestList {
		return nil, fmt.Errorf("its input %d lists %s, want at most %d", i, plural.Count(a.Size(), "number"), longestList)
	}
	return a.Integers()
}

// longestList is the most axes, lengths or parts that an operator is told.
const longestList = 1 << 16

// axis returns an attribute that counts axes, from the last if it is below 0.
func (c *call) axis(name string, absent int64, rank int) (int, error) {
	a := int(c.attributes.Int(name, absent))
	if a < -rank || a >= rank {
		return 0, fmt.Errorf("%s is %d, of an array of %d axes", name, a, rank)
	}
	if a < 0 {
		a += rank
	}
	return a, nil
}

func one(v value, err error) ([]value, error) {
	if err != nil {
		return nil, err
	}
	return []value{v}, nil
}

func plainOne(v graph.Value) ([]value, error) { return []value{ofData(v)}, nil }

// first makes an operator of what is done to its first input, which has to be there and to be an array.
func first(f func(c *call, x value) ([]value, error)) operator {
	return func(c *call) ([]value, error) {
		x, err := c.input(0)
		if err != nil {
			return nil, err
		}
		return f(c, x)
	}
}

// together returns inputs with their axes in one order, that of the largest, and a value of their common shape that lies so.
func (c *call) together(inputs ...int) (arrays []graph.Value, like value, err error) {
	shape := []int{}
	var in []value
	for _, i := range inputs {
		x, err := c.input(i)
		if err != nil {
			return nil, like, err
		}
		in = append(in, x)
		if shape, err = fold.Broadcast(shape, c.shapeOf(x)); err != nil {
			return nil, like, err
		}
	}
	like = value{shape: shape}
	for _, x := range in {
		if x.known == nil && slices.Equal(x.shape, shape) && (x.order != nil || x.flat != nil) {
			like.order, like.flat = x.order, x.flat
			break
		}
	}
	for _, x := range in {
		v, err := c.beside(x, like)
		if err != nil {
			return nil, like, err
		}
		arrays = append(arrays, v)
	}
	return arrays, like, nil
}

// beside returns a value with its axes as another's, which it broadcasts to.
func (c *call) beside(x, like value) (graph.Value, error) {
	here := c.shapeOf(x)
	if x.known == nil && x.flat != nil && x.flat.equal(like.flat) && slices.Equal(x.axes(), like.axes()) {
		return x.v, nil
	}
	if size(here) == 1 {
		v, err := c.plain(x)
		if err != nil {
			return v, err
		}
		return v.Reshape(slices.Repeat([]int{1}, len(like.shape))...), nil
	}
	if like.flat == nil && len(here) == len(like.shape) {
		return c.lowering.in(x, like.axes())
	}
	v, err := c.plain(x)
	if err != nil {
		return v, err
	}
	full := append(slices.Repeat([]int{1}, len(like.shape)-len(here)), here...)
	v = permute(v.Reshape(full...), like.axes())
	if f := like.flat; f != nil && v.Shape()[f.axis] != 1 {
		v = flattened(v, f)
	}
	return v, nil
}

// known returns an input that has to be known.
func (c *call) known(i int) (*fold.Array, error) {
	if !c.has(i) || c.in[i].known == nil {
		return nil, fmt.Errorf("its input %d depends on the examples or on weights: want one that is known", i)
	}
	return c.in[i].known, nil
}
