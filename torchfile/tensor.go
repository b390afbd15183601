package torchfile

import (
	"strings"

	"github.com/nlpodyssey/gopickle/types"

	"shadowflow/internal/element"
	"shadowflow/safetensors"
)

// elements are the types of elements by the names of their storages in module torch.
var elements = map[string]*element.Type{
	"FloatStorage": element.Float32, "HalfStorage": element.Float16, "BFloat16Storage": element.BFloat16, "DoubleStorage": element.Float64,
	"LongStorage": element.Int64, "IntStorage": element.Int32, "ShortStorage": element.Int16, "CharStorage": element.Int8,
	"ByteStorage": element.Uint8, "BoolStorage": element.Bool,
}

// storage is the elements that tensors are views of. In the older format its bytes come when the tensors are known.
type storage struct {
	of    *element.Type
	count int // of elements
	data  []byte
}

// tensor is a view of a storage, all of whose elements are inside.
type tensor struct {
	from         *storage
	offset       int
	size, stride []int
	count        int  // of elements
	negative     bool // its elements are those of the storage with the other sign
}

// maxRank is the largest number of dimensions that is read, maxCount of elements.
const (
	maxRank  = 64
	maxCount = 1 << 48
)

// call is a function of Python's that a pickle may call.
type call func(args []any) (any, error)

// Call implements types.Callable.
func (c call) Call(args ...any) (any, error) { return c(args) }

var _ types.Callable = call(nil)

// named returns what a name of Python's stands for: tensors, or an object that does nothing, whatever Python would do by that name.
func named(module, name string) (any, error) {
	if e := elements[name]; e != nil && module == "torch" {
		return e, nil
	}
	switch full := module + "." + name; {
	case full == "torch._utils._rebuild_tensor_v2" || full == "torch._utils._rebuild_tensor":
		return call(rebuildTensor), nil
	case full == "torch._utils._rebuild_parameter" || full == "torch._utils._rebuild_parameter_with_state":
		return call(rebuildParameter), nil
	case module == "torch._utils" && strings.HasPrefix(name, "_rebuild_"), module == "torch" && strings.HasSuffix(name, "Storage"), module == "torch.storage":
		return nil, malformed("it holds a tensor of a kind that is not read (%s; so are those of unsigned 16-bit, 8-bit floating-point, complex, quantized and sparse numbers): "+
			"convert it before saving: torch.save({k: v.float() for k, v in model.state_dict().items()}, \"weights.pt\")", full)
	default:
		return &opaque{full}, nil
	}
}

// rebuildParameter is given the tensor of an nn.Parameter, whether it requires a gradient, and hooks.
func rebuildParameter(args []any) (any, error) {
	if len(args) > 0 {
		if t, ok := args[0].(*tensor); ok {
			return t, nil
		}
	}
	return nil, malformed("a parameter has no tensor: the file is damaged")
}

// rebuildTensor is given a storage, an offset, sizes and strides, two things of no use here, and maybe the bits of a view.
func rebuildTensor(args []any) (any, error) {
	damaged := func(what string) error { return malformed("a tensor has %s: the file is damaged", what) }
	if len(args) < 4 {
		return nil, damaged("no storage, offset, sizes and strides")
	}
	from, ok := args[0].(*storage)
	offset, isWhole := args[1].(int)
	size, sized := wholes(args[2])
	stride, strided := wholes(args[3])
	if !ok || !isWhole || !sized || !strided || offset < 0 || len(size) != len(stride) {
		return nil, damaged("no storage, offset, sizes and strides")
	}
	t := &tensor{from: from, offset: offset, size: size, stride: stride, count: 1}
	for _, n := range size {
		if n > 0 && t.count > maxCount/n {
			return nil, damaged("more elements than can be")
		}
		t.count *= n
	}
	if t.count > 0 && !t.inside() {
		return nil, damaged("elements outside of its storage")
	}
	if len(args) > 6 {
		return t, t.setBits(args[6])
	}
	return t, nil
}

// setBits honours what PyTorch calls the negative bit, of a view whose elements it negates when they are read, as it leaves those of the imaginary part
// of a conjugate.
func (t *tensor) setBits(v any) error {
	bits, _ := entriesOf(v)
	t.negative = lookup(bits, "neg") == true
	if lookup(bits, "conj") == true || t.negative && t.from.of.I64 != nil {
		return malformed("it holds a tensor of whole numbers that is to be negated, or one to be conjugated: " +
			"save t.resolve_neg().resolve_conj() in its place")
	}
	return nil
}

// inside reports whether a tensor with elements has them all in its storage.
func (t *tensor) inside() bool {
	if t.offset >= t.from.count {
		return false
	}
	last := t.offset
	for i, n := range t.size {
		if n > 1 && t.stride[i] > t.from.count/(n-1) {
			return false
		}
		last += (n - 1) * t.stride[i]
	}
	return last < t.from.count
}

// wholes returns a tuple of numbers that are not negative.
func wholes(v any) ([]int, bool) {
	tuple, ok := v.(*types.Tuple)
	if !ok || tuple.Len() > maxRank {
		return nil, false
	}
	out := make([]int, tuple.Len())
	for i, item := range *tuple {
		n, ok := item.(int)
		if !ok || n < 0 {
			return nil, false
		}
		out[i] = n
	}
	return out, true
}

// gather returns a tensor's elements, row by row.
func gather[T float32 | float64 | int64](t *tensor, read func(b []byte) T) []T {
	out := make([]T, t.count)
	index := make([]int, len(t.size))
	at, width := t.offset, t.from.of.Size
	for i := range out {
		if out[i] = read(t.from.data[at*width:]); t.negative {
			out[i] = -out[i]
		}
		for axis := len(index) - 1; axis >= 0; axis-- {
			index[axis]++
			if at += t.stride[axis]; index[axis] < t.size[axis] {
				break
			}
			at -= index[axis] * t.stride[axis]
			index[axis] = 0
		}
	}
	return out
}

// array returns a tensor under a name: floating-point elements are gathered where they are asked for, whole ones now.
func (t *tensor) array(name string) safetensors.Tensor {
	out := safetensors.Tensor{Name: name, Shape: t.size}
	switch e := t.from.of; {
	case e.F32 != nil:
		out.Data = func() []float32 { return gather(t, e.F32) }
	case e.F64 != nil:
		out.Data = func() []float64 { return gather(t, e.F64) }
	default:
		out.Data = gather(t, e.I64)
	}
	return out
}

// number returns the only element of a tensor without dimensions.
func (t *tensor) number() float64 {
	switch e := t.from.of; {
	case e.F32 != nil:
		return float64(gather(t, e.F32)[0])
	case e.F64 != nil:
		return gather(t, e.F64)[0]
	default:
		return float64(gather(t, e.I64)[0])
	}
}
