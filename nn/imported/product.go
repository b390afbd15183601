package imported

import (
	"fmt"
	"slices"

	"shadowflow/graph"
	"shadowflow/onnx/fold"
)

// matrix returns a matrix that is multiplied from the right by rows of x, transposed if it is to be; where x is of flattened images, its rows, or columns of the
// transposed one, lie as x's columns do.
func (c *call) matrix(w value, transposed bool, columns *flat) (graph.Value, error) {
	var f *flat
	if columns != nil {
		g := *columns
		if g.axis = 0; transposed {
			g.axis = 1
		}
		f = &g
	}
	var v graph.Value
	var err error
	if w.known != nil {
		if v, err = c.plain(w); err == nil && f != nil {
			v = flattened(v, f)
		}
	} else {
		v, err = c.weightAs(w, []int{0, 1}, f)
	}
	if err == nil && transposed {
		v = v.T()
	}
	return v, err
}

// rows returns a value as rows, its last axis along them, and how these are ordered.
func (c *call) rows(x value) (graph.Value, *flat, error) {
	if x.known == nil && x.flat != nil && x.order == nil && x.flat.axis == len(x.shape)-1 {
		return x.v, x.flat, nil
	}
	v, err := c.plain(x)
	return v, nil, err
}

func gemm(c *call, x value) ([]value, error) {
	w, err := c.input(1)
	if err != nil {
		return nil, err
	}
	if len(c.shapeOf(x)) != 2 || len(c.shapeOf(w)) != 2 {
		return nil, fmt.Errorf("it multiplies %v and %v, want two matrices", c.shapeOf(x), c.shapeOf(w))
	}
	if c.attributes.Int("transA", 0) != 0 && x.known == nil {
		x = turn(x, []int{1, 0})
	} else if x.known != nil {
		return nil, fmt.Errorf("its first input is known, want one that depends on the examples")
	}
	v, f, err := c.rows(x)
	if err != nil {
		return nil, err
	}
	m, err := c.matrix(w, c.attributes.Int("transB", 0) != 0, f)
	if err != nil {
		return nil, err
	}
	y := v.MatMul(m)
	if alpha := c.attributes.Float("alpha", 1); alpha != 1 {
		y = y.Mul(y.Like(alpha))
	}
	beta := c.attributes.Float("beta", 1)
	if c.has(2) {
		b, err := c.array(2)
		if err != nil {
			return nil, err
		}
		if beta != 1 {
			b = b.Mul(b.Like(beta))
		}
		y = y.Add(b)
	}
	return plainOne(y)
}

func matMul(c *call, x value) ([]value, error) {
	w, err := c.input(1)
	if err != nil {
		return nil, err
	}
	left, right := c.shapeOf(x), c.shapeOf(w)
	if len(left) < 2 || len(right) < 2 {
		return nil, fmt.Errorf("it multiplies %v and %v, want matrices or stacks of them", left, right)
	}
	if len(right) == 2 {
		v, f, err := c.rows(x)
		if err != nil {
			return nil, err
		}
		m, err := c.matrix(w, false, f)
		if err != nil {
			return nil, err
		}
		if len(left) == 2 {
			return plainOne(v.MatMul(m))
		}
		y := v.Reshape(-1, left[len(left)-1]).MatMul(m)
		return plainOne(y.Reshape(append(slices.Clone(left[:len(left)-1]), right[1])...))
	}
	in, err := c.arrays(0, 2)
	if err != nil {
		return nil, err
	}
	return c.stacks(in[0], in[1])
}

// stacks multiplies stacks of matrices, whose leading axes broadcast.
func (c *call) stacks(v, w graph.Value) ([]value, error) {
	left, right := v.Shape(), w.Shape()
	lead, err := fold.Broadcast(left[:len(left)-2], right[:len(right)-2])
	if err != nil {
		return nil, err
	}
	v = v.BroadcastTo(append(slices.Clone(lead), left[len(left)-2:]...)...)
	w = w.BroadcastTo(append(slices.Clone(lead), right[len(right)-2:]...)...)
	return plainOne(v.MatMul(w))
}

// images is how images lie here: rows, columns, channels.
var images = []int{0, 2, 3, 1}

// image returns an input that is images, as they lie here.
func (c *call) image() (graph.Value, error) {
	x, err := c.input(0)
	if err != nil {
		return graph.Value{}, err
	}
	if shape := c.shapeOf(x); len(shape) != 4 {
		return graph.Value{}, fmt.Errorf("it reads an array of shape %v, want images [N, C, H, W]", shape)
	}
	return c.lowering.in(x, images)
}

// window is what convolutions and poolings say of how they move.
type window struct {
	size, stride [2]int
	pad          [4]int // top, left, bottom, right
}

// window reads the attributes of a window of that size over images [N, H, W, C]; a size of 0 is an attribute too.
func (c *call) window(image []int, size [2]int) (window, error) {
	w := window{size: size, stride: [2]int{1, 1}}
	kernel, dilation := w.size, [2]int{1, 1}
	for _, read := range []struct {
		name string
		to   *[2]int
	}{{"kernel_shape", &kernel}, {"strides", &w.stride}, {"dilations", &dilation}} {
		if err := c.pair(read.name, read.to); err != nil {
			return w, err
		}
	}
	if size != [2]int{} && kernel != size || kernel == [2]int{} {
		return w, fmt.Errorf("kernel_shape is %v, want that of the kernel, %v", kernel, size)
	}
	if dilation != [2]int{1, 1} {
		return w, fmt.Errorf("dilations are %v, want 1: others are not there yet", dilation)
	}
	w.size = kernel
	return w, c.pads(image, &w)
}

// pair reads an attribute of two numbers; what is there stays where the node does not have it.
func (c *call) pair(name string, to *[2]int) error {
	list := c.attributes.Ints(name)
	if list == nil {
		return nil
	}
	if len(list) != 2 || min(list[0], list[1]) < 1 || max(list[0], list[1]) > longest {
		return fmt.Errorf("%s is %v, want two numbers from 1 to %d", name, list, longest)
	}
	*to = [2]int{int(list[0]), int(list[1])}
	return nil
}

// longest bounds the lengths that attributes of windows say, far from overflow.
const longest = 1 << 20

func (c *call) pads(image []int, w *window) error {
	list := c.attributes.Ints("pads")
	switch auto := c.attributes.Text("auto_pad", "NOTSET"); auto {
	case "NOTSET", "":
		if list == nil {
			return nil
		}
		if len(list) != 4 || slices.Min(list) < 0 || slices.Max(list) > longest {
			return fmt.Errorf("pads is %v, want four numbers from 0 to %d", list, longest)
		}
		for i, p := range list {
			w.pad[i] = int(p)
		}
	case "VALID":
	case "SAME_UPPER", "SAME_LOWER":
		for i := range 2 {
			length := image[1+i]
			windows := (length + w.stride[i] - 1) / w.stride[i]
			all := max((windows-1)*w.stride[i]+w.size[i]-length, 0)
			w.pad[i], w.pad[2+i] = all/2, all-all/2
			if auto == "SAME_LOWER" {
				w.pad[i], w.pad[2+i] = w.pad[2+i], w.pad[i]
			}
		}
	default:
		return fmt.Errorf("auto_pad is %.40q, want NOTSET, VALID, SAME_UPPER or SAME_LOWER", auto)
	}
	return nil
}

func convolution(c *call) ([]value, error) {
	x, err := c.image()
	if err != nil {
		return nil, err
	}
	w, err := c.input(1)
	if err != nil {
		return nil, err
	}
	shape := c.shapeOf(w)
	if len(shape) != 4 {
		return nil, fmt.Errorf("its kernel has shape %v, want [O, C, H, W]", shape)
	}
	at, err := c.window(x.Shape(), [2]int{shape[2], shape[3]})
	if err != nil {
		return nil, err
	}
	kernel, err := c.weightAs(w, []int{2, 3, 1, 0}, nil)
	if err != nil {
		return nil, err
	}
	groups := c.attributes.Int("group", 1)
	if groups < 1 || groups > int64(x.Shape()[3]) {
		return nil, fmt.Errorf("group is %d, of images with %d channels", groups, x.Shape()[3])
	}
	y := x.Conv2D(kernel, graph.ConvSpec{Stride: at.stride, Pad: at.pad, Groups: int(groups)})
	if c.has(2) {
		b, err := c.array(2)
		if err != nil {
			return nil, err
		}
		y = y.Add(b)
	}
	return c.imageOf(y)
}

// imageOf returns images as they lie here.
func (c *call) imageOf(y graph.Value) ([]value, error) {
	if !y.Valid() {
		return nil, c.fault()
	}
	return []value{stored(y, images)}, nil
}

// pool returns images, and how a window moves over them.
func (c *call) pool() (graph.Value, graph.PoolSpec, error) {
	x, err := c.image()
	if err != nil {
		return x, graph.PoolSpec{}, err
	}
	w, err := c.window(x.Shape(), [2]int{})
	if err != nil {
		return x, graph.PoolSpec{}, err
	}
	if c.attributes.Int("ceil_mode", 0) != 0 {
		for i := range 2 {
			if rest := x.Shape()[1+i] + w.pad[i] + w.pad[2+i] - w.size[i]; rest < 0 || rest%w.stride[i] != 0 {
				return x, graph.PoolSpec{}, fmt.Errorf("ceil_mode is 1, and windows of %v by %v do not fill images of %v: that is not there yet", w.size, w.stride, x.Shape()[1:3])
			}
		}
	}
	return x, graph.PoolSpec{Size: w.size, Stride: w.stride, Pad: w.pad}, nil
}

func maxPool(c *call) ([]value, error) {
	x, spec, err := c.pool()
	if err != nil {
		return nil, err
	}
	c.attributes.Ignore("storage_order") // of an output that is not there
	return c.imageOf(x.MaxPool(spec))
}

func averagePool(c *call) ([]value, error) {
	x, spec, err := c.pool()
	if err != nil {
		return nil, err
	}
	counted := c.attributes.Int("count_include_pad", 0) != 0
	y := x.AvgPool(spec)
	if !counted && spec.Pad != [4]int{} && y.Valid() {
		if windows := y.Shape()[1] * y.Shape()[2]; windows > maxWindows {
			return nil, fmt.Errorf("it has %d windows that padding does not count in, want at most %d", windows, maxWindows)
		}
		y = y.Mul(c.b.ConstArray(c.dtype, shares(x.Shape(), y.Shape(), spec), 1, y.Shape()[1], y.Shape()[2], 1))
	}
	return c.imageOf(y)
}

// maxWindows is the most windows of an image whose shares are written down.
const maxWindows = 1 << 22

// shares are what means over whole windows are multiplied by where padding does not count.
func shares(in, out []int, spec graph.PoolSpec) []float64 {
	inside := func(axis, i int) int {
		start := i*spec.Stride[axis] - spec.Pad[axis]
		return min(start+spec.Size[axis], in[1+axis]) - max(start, 0)
	}
	var factors []float64
	for i := range out[1] {
		for j := range out[2] {
			factors = append(factors, float64(spec.Size[0]*spec.Size[1])/float64(inside(0, i)*inside(1, j)))
		}
	}
	return factors
}

func globalAverage(c *call) ([]value, error) {
	x, err := c.image()
	if err != nil {
		return nil, err
	}
	s := x.Shape()
	return c.imageOf(x.Mean(1, 2).Reshape(s[0], 1, 1, s[3]))
}
