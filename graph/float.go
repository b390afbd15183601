package graph

// Float is a type of Go's that an array's elements may have: what Float32 and Float64 are in memory.
type Float interface{ float32 | float64 }

// TypeOf returns the element type of an array of T.
func TypeOf[T Float]() DType {
	var zero T
	if _, ok := any(zero).(float32); ok {
		return Float32
	}
	return Float64
}
