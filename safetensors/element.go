package safetensors

import "shadowflow/internal/element"

// elements are the types that are read, by their names in the format, and readable says which these are.
var elements = map[string]*element.Type{
	"F64": element.Float64, "F32": element.Float32, "F16": element.Float16, "BF16": element.BFloat16,
	"I64": element.Int64, "I32": element.Int32, "I16": element.Int16, "I8": element.Int8, "U8": element.Uint8, "BOOL": element.Bool,
}

const readable = "F64, F32, F16, BF16, I64, I32, I16, I8, U8 or BOOL"

// width returns the size in bytes of an element in memory.
func width(e *element.Type) int {
	if e.F32 != nil {
		return 4
	}
	return 8
}

// newData returns count elements as a Tensor has them.
func newData(e *element.Type, count int) any {
	switch {
	case e.F32 != nil:
		return make([]float32, count)
	case e.F64 != nil:
		return make([]float64, count)
	}
	return make([]int64, count)
}

// decode sets the elements from number at on.
func decode(e *element.Type, data any, at int, from []byte) {
	switch d := data.(type) {
	case []float32:
		for i := range len(from) / e.Size {
			d[at+i] = e.F32(from[e.Size*i:])
		}
	case []float64:
		for i := range len(from) / e.Size {
			d[at+i] = e.F64(from[e.Size*i:])
		}
	case []int64:
		for i := range len(from) / e.Size {
			d[at+i] = e.I64(from[e.Size*i:])
		}
	}
}
