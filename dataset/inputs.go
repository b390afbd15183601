package dataset

// Float is the type of a model's inputs.
type Float interface{ float32 | float64 }

// Inputs returns all inputs of the part, standardized if its Dataset is:
// [N, H, W, C] (channels last) or [N, D], row-major. Standardized values are
// (x - mean) / std in float64, for float32 rounded once at the end.
func Inputs[T Float](p Part) []T {
	dst := make([]T, p.N()*p.Size())
	s := newScaler[T](p)
	for i := range p.N() {
		s.row(dst[i*p.Size():], i)
	}
	return dst
}

// Gather writes the inputs of the given examples to dst, in the layout of
// Inputs. The length of dst must be len(rows) * p.Size().
func Gather[T Float](dst []T, p Part, rows []int) {
	checkLength(len(dst), len(rows)*p.Size())
	s := newScaler[T](p)
	for k, i := range rows {
		s.row(dst[k*p.Size():], i)
	}
}

func checkLength(got, want int) {
	if got != want {
		panic("dataset: length of dst does not fit the number of rows")
	}
}

func allRows(n int) []int {
	rows := make([]int, n)
	for i := range rows {
		rows[i] = i
	}
	return rows
}

// channelsLast writes the image src, [channels, H, W], to dst as [H, W, channels]. The slices have the same length and do not overlap.
func channelsLast[T any](dst, src []T, channels int) {
	pixels := len(src) / channels
	for c := range channels {
		for j := range pixels {
			dst[j*channels+c] = src[c*pixels+j]
		}
	}
}

// scaler turns raw values of a part into inputs.
type scaler[T Float] struct {
	raw      values
	size     int
	channels int
	mean     []float64
	div      []float64
	bytes    [][256]T // the input of each byte, a table a channel of images
}

func newScaler[T Float](p Part) *scaler[T] {
	s := &scaler[T]{raw: p.raw, size: p.Size(), channels: p.channels(), mean: p.mean}
	s.div = make([]float64, len(p.std))
	for c, d := range p.std {
		s.div[c] = d
		if d == 0 {
			s.div[c] = 1
		}
	}
	if p.raw.u8 == nil || len(p.Shape) != 3 {
		return s
	}
	s.bytes = make([][256]T, s.channels)
	for c := range s.bytes {
		for b := range s.bytes[c] {
			s.bytes[c][b] = s.value(float64(b), c)
		}
	}
	return s
}

// value is the input that the raw value x of a channel gives.
func (s *scaler[T]) value(x float64, c int) T {
	if s.mean == nil {
		return T(x)
	}
	return T((x - s.mean[c]) / s.div[c])
}

// row writes example i to the start of dst.
func (s *scaler[T]) row(dst []T, i int) {
	dst = dst[:s.size]
	switch start := i * s.size; {
	case s.bytes != nil:
		s.byteRow(dst, s.raw.u8[start:start+s.size])
	case s.raw.u8 != nil:
		scaleRow(s, dst, s.raw.u8[start:start+s.size])
	case s.raw.f32 != nil:
		scaleRow(s, dst, s.raw.f32[start:start+s.size])
	default:
		scaleRow(s, dst, s.raw.f64[start:start+s.size])
	}
}

func (s *scaler[T]) byteRow(dst []T, src []uint8) {
	if s.channels == 1 {
		table := &s.bytes[0]
		for j, b := range src {
			dst[j] = table[b]
		}
		return
	}
	for c := range s.channels {
		table := &s.bytes[c]
		for j := c; j < len(src); j += s.channels {
			dst[j] = table[src[j]]
		}
	}
}

func scaleRow[T Float, R raw](s *scaler[T], dst []T, src []R) {
	for c := range s.channels {
		for j := c; j < len(src); j += s.channels {
			dst[j] = s.value(float64(src[j]), c)
		}
	}
}
