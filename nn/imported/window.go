package imported

import (
	"fmt"
	"slices"

	"shadowflow/graph"
)

// images is how images lie here: rows, columns, channels.
var images = channelsLast(4)

// channelsLast is how an array [N, C, ...] of the file lies here: [N, ..., C].
func channelsLast(rank int) []int {
	order := same(rank)
	return append(append(order[:1:1], order[2:]...), 1)
}

// image returns an input that is images [N, C, H, W], or lines [N, C, L], as they lie here: [N, H, W, C], with H = 1 for lines. Its rank is that of the file.
func (c *call) image() (v graph.Value, rank int, err error) {
	x, err := c.input(0)
	if err != nil {
		return v, 0, err
	}
	shape := c.shapeOf(x)
	switch rank = len(shape); rank {
	case 3, 4:
	case 5:
		return v, rank, fmt.Errorf("it reads an array of shape %v: volumes [N, C, D, H, W] are not there yet, want images [N, C, H, W] or lines [N, C, L]", shape)
	default:
		return v, rank, fmt.Errorf("it reads an array of shape %v, want images [N, C, H, W] or lines [N, C, L]", shape)
	}
	if v, err = c.lowering.in(x, channelsLast(rank)); err == nil && v.Valid() && rank == 3 {
		s := v.Shape()
		v = v.Reshape(s[0], 1, s[1], s[2])
	}
	return v, rank, err
}

// imageOf returns images, or lines, of the rank that image says.
func (c *call) imageOf(y graph.Value, rank int) ([]value, error) {
	if !y.Valid() {
		return nil, c.fault()
	}
	if s := y.Shape(); rank == 3 {
		y = y.Reshape(s[0], s[2], s[3])
	}
	return []value{stored(y, channelsLast(rank))}, nil
}

// window is what convolutions and poolings say of how they move.
type window struct {
	size, stride, dilation [2]int
	pad                    [4]int // top, left, bottom, right
}

// window reads the attributes of a window of that size over images [N, H, W, C], which have rank axes in the file; a size of 0 is an attribute too.
func (c *call) window(image []int, rank int, size [2]int) (window, error) {
	w := window{size: size, stride: [2]int{1, 1}, dilation: [2]int{1, 1}}
	kernel := w.size
	for _, read := range []struct {
		name string
		to   *[2]int
	}{{"kernel_shape", &kernel}, {"strides", &w.stride}, {"dilations", &w.dilation}} {
		if err := c.lengths(read.name, rank-2, read.to); err != nil {
			return w, err
		}
	}
	if size != [2]int{} && kernel != size || kernel == [2]int{} {
		return w, fmt.Errorf("kernel_shape is %v, want that of the kernel, %v", kernel[4-rank:], size[4-rank:])
	}
	w.size = kernel
	return w, c.pads(image, rank-2, &w)
}

// lengths reads an attribute of a number for each axis of images, or of lines, which are images of one row; what is there stays where the node does not have
// it.
func (c *call) lengths(name string, axes int, to *[2]int) error {
	list := c.attributes.Ints(name)
	if list == nil {
		return nil
	}
	if len(list) != axes || slices.Min(list) < 1 || slices.Max(list) > longest {
		return fmt.Errorf("%s is %v, want %s from 1 to %d", name, list, []string{"one number", "two numbers"}[axes-1], longest)
	}
	*to = [2]int{1, int(list[axes-1])}
	if axes == 2 {
		to[0] = int(list[0])
	}
	return nil
}

// longest bounds the lengths that attributes of windows say, far from overflow.
const longest = 1 << 20

func (c *call) pads(image []int, axes int, w *window) error {
	list := c.attributes.Ints("pads")
	switch auto := c.attributes.Text("auto_pad", "NOTSET"); auto {
	case "NOTSET", "":
		if list == nil {
			return nil
		}
		if len(list) != 2*axes || slices.Min(list) < 0 || slices.Max(list) > longest {
			return fmt.Errorf("pads is %v, want %s numbers from 0 to %d", list, []string{"two", "four"}[axes-1], longest)
		}
		for i := range axes {
			at := 2 - axes + i
			w.pad[at], w.pad[2+at] = int(list[i]), int(list[axes+i])
		}
	case "VALID":
	case "SAME_UPPER", "SAME_LOWER":
		for i := 2 - axes; i < 2; i++ {
			length := image[1+i]
			windows := (length + w.stride[i] - 1) / w.stride[i]
			all := max((windows-1)*w.stride[i]+(w.size[i]-1)*w.dilation[i]+1-length, 0)
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
	x, rank, err := c.image()
	if err != nil {
		return nil, err
	}
	w, err := c.input(1)
	if err != nil {
		return nil, err
	}
	shape := c.shapeOf(w)
	if len(shape) != rank {
		return nil, fmt.Errorf("its kernel has shape %v, want [O, C, H, W] for images and [O, C, L] for lines", shape)
	}
	size := [2]int{1, shape[rank-1]}
	order := []int{2, 1, 0}
	if rank == 4 {
		size[0], order = shape[2], []int{2, 3, 1, 0}
	}
	at, err := c.window(x.Shape(), rank, size)
	if err != nil {
		return nil, err
	}
	kernel, err := c.weightAs(w, order, nil)
	if err != nil {
		return nil, err
	}
	if rank == 3 {
		kernel = kernel.Reshape(1, shape[2], shape[1], shape[0])
	}
	groups := c.attributes.Int("group", 1)
	if groups < 1 || groups > int64(x.Shape()[3]) {
		return nil, fmt.Errorf("group is %d, of images with %d channels", groups, x.Shape()[3])
	}
	y := x.Conv2D(kernel, graph.ConvSpec{Stride: at.stride, Pad: at.pad, Groups: int(groups), Dilation: at.dilation})
	if c.has(2) {
		b, err := c.array(2)
		if err != nil {
			return nil, err
		}
		y = y.Add(b)
	}
	return c.imageOf(y, rank)
}

// pooling is a pooling of images.
type pooling struct {
	x      graph.Value
	rank   int // in the file
	spec   graph.PoolSpec
	margin [4]int // padding as the node says it, where the specification's is as far as the last windows reach
}

// pool reads images, and how a window moves over them.
func (c *call) pool() (p pooling, err error) {
	if p.x, p.rank, err = c.image(); err != nil {
		return p, err
	}
	w, err := c.window(p.x.Shape(), p.rank, [2]int{})
	if err != nil {
		return p, err
	}
	p.spec, p.margin = graph.PoolSpec{Size: w.size, Stride: w.stride, Pad: w.pad, Dilation: w.dilation}, w.pad
	if c.attributes.Int("ceil_mode", 0) != 0 {
		for i := range 2 {
			p.spec.Pad[2+i] = w.reach(i, p.x.Shape()[1+i])
		}
	}
	return p, nil
}

// reach returns how far behind an axis of images the last of the windows ends that begin in the image or the padding before it, as ceil_mode has it.
func (w *window) reach(axis, length int) int {
	more := w.pad[axis] + length - (w.size[axis]-1)*w.dilation[axis] - 1 // steps from the first window to one that ends with the image
	last := (more + w.pad[2+axis] + w.stride[axis] - 1) / w.stride[axis] * w.stride[axis]
	if last >= w.pad[axis]+length {
		last -= w.stride[axis]
	}
	return max(last-more, 0)
}

func maxPool(c *call) ([]value, error) {
	p, err := c.pool()
	if err != nil {
		return nil, err
	}
	c.attributes.Ignore("storage_order") // of an output that is not there
	return c.imageOf(p.x.MaxPool(p.spec), p.rank)
}

func averagePool(c *call) ([]value, error) {
	p, err := c.pool()
	if err != nil {
		return nil, err
	}
	if p.spec.Dilation != [2]int{1, 1} {
		return nil, fmt.Errorf("dilations are %v, want 1: those of means are not there yet", p.spec.Dilation[4-p.rank:])
	}
	if c.attributes.Int("count_include_pad", 0) == 0 {
		p.margin = [4]int{}
	}
	y := p.x.AvgPool(p.spec)
	if p.spec.Pad != p.margin && y.Valid() {
		rows, columns := y.Shape()[1], y.Shape()[2]
		factors, err := c.write(rows * columns)
		if err != nil {
			return nil, err
		}
		p.shares(factors, columns)
		y = y.Mul(c.b.ConstArray(c.dtype, factors, 1, rows, columns, 1))
	}
	return c.imageOf(y, p.rank)
}

// shares sets what means over whole windows, so many in a row, are multiplied by where only what lies within the margin counts.
func (p *pooling) shares(factors []float64, columns int) {
	inside := func(axis, i int) int {
		start := i*p.spec.Stride[axis] - p.spec.Pad[axis]
		return min(start+p.spec.Size[axis], p.x.Shape()[1+axis]+p.margin[2+axis]) - max(start, -p.margin[axis])
	}
	for i := range factors {
		factors[i] = float64(p.spec.Size[0]*p.spec.Size[1]) / float64(inside(0, i/columns)*inside(1, i%columns))
	}
}

func globalAverage(c *call) ([]value, error) {
	x, rank, err := c.image()
	if err != nil {
		return nil, err
	}
	s := x.Shape()
	return c.imageOf(x.Mean(1, 2).Reshape(s[0], 1, 1, s[3]), rank)
}
