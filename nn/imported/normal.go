package imported

import (
	"fmt"
	"math"
	"slices"

	"shadowflow/graph"
	"shadowflow/internal/visible"
	"shadowflow/nn"
	"shadowflow/onnx/fold"
)

// batchNormalization is that of a network in training: by the batch's own statistics, or in evaluation mode by the running averages.
func batchNormalization(c *call) ([]value, error) {
	frozen := !c.trains() && c.norm != OfBatch
	if frozen && c.norm != OfRunning {
		return nil, fmt.Errorf("it is in evaluation mode, where it is no normalization by a batch: export with shadowflow.export_onnx, or torch.onnx.export(..., dynamo=False, training=torch.onnx.TrainingMode.TRAINING, do_constant_folding=False); or say with model.batch_norm what it is to be, %s or %s", OfBatch, OfRunning)
	}
	if m := c.attributes.Float("momentum", 0.9); !frozen && math.Abs(1-m-nn.Momentum) > 1e-6 {
		return nil, fmt.Errorf("its momentum is %v, want %v: momentum=%v in PyTorch", m, 1-nn.Momentum, nn.Momentum)
	}
	x, err := c.input(0)
	if err != nil {
		return nil, err
	}
	shape := c.shapeOf(x)
	if len(shape) < 2 || len(shape) > 4 {
		return nil, fmt.Errorf("it reads an array of shape %v, want [N, C], images [N, C, H, W] or lines [N, C, L]", shape)
	}
	order := channelsLast(len(shape))
	v, err := c.lowering.in(x, order)
	if err != nil {
		return nil, err
	}
	in, err := c.arrays(1, 2)
	if err != nil {
		return nil, err
	}
	scale, shift := in[0], in[1]
	eps := c.attributes.Float("epsilon", 1e-5)
	if frozen {
		y, err := c.frozen(v, scale, shift, eps)
		return one(stored(y, order), err)
	}
	mean, err := c.average(3, shape[1])
	if err != nil {
		return nil, err
	}
	variance, err := c.average(4, shape[1])
	if err != nil {
		return nil, err
	}
	if c.from.Eval {
		return one(stored(nn.Normalized(v, c.from.Running(mean), c.from.Running(variance), scale, shift, eps), order), nil)
	}
	count := size(shape) / shape[1]
	if count == 1 {
		return nil, fmt.Errorf("it sees one value a channel, which has no variance: want a batch of at least 2")
	}
	y, m, s := v.BatchNorm(scale, shift, eps)
	if !y.Valid() {
		return nil, c.fault()
	}
	c.batch = append(c.batch, m, s.Mul(s.Like(float64(count)/float64(count-1))))
	return one(stored(y, order), nil)
}

// trains reports whether a batch normalization is that of a network in training, as an attribute says, and before there was one the outputs.
func (c *call) trains() bool {
	return c.attributes.Int("training_mode", 0) != 0 || c.model.Opsets[""] < 14 && len(c.node.Outputs) == 5
}

// frozen is a normalization by the running averages that the file has.
func (c *call) frozen(v, scale, shift graph.Value, eps float64) (graph.Value, error) {
	channels := v.Shape()[len(v.Shape())-1]
	var averages [2]graph.Value
	for i := range averages {
		a, err := c.perChannel(3+i, channels)
		if err != nil {
			return v, err
		}
		averages[i] = c.constant(a)
	}
	return nn.Normalized(v, averages[0], averages[1], scale, shift, eps), nil
}

// average returns the place of a running average among those of the network.
func (c *call) average(i, channels int) (int, error) {
	if !c.has(i) || c.network.known[c.node.Inputs[i]] == nil {
		return 0, fmt.Errorf("its input %d is no initializer, want its running averages", i)
	}
	if _, err := c.perChannel(i, channels); err != nil {
		return 0, err
	}
	name := c.node.Inputs[i]
	if _, twice := c.lowering.places[name]; twice {
		return 0, fmt.Errorf("its running average %q is that of another normalization: want each its own", visible.Name(name))
	}
	c.lowering.places[name] = len(c.lowering.running)
	c.lowering.running = append(c.lowering.running, name)
	return c.lowering.places[name], nil
}

// perChannel returns an input that is known, a number for each channel.
func (c *call) perChannel(i, channels int) (*fold.Array, error) {
	a, err := c.known(i)
	if err != nil {
		return nil, err
	}
	if !a.Type.Floating() || !slices.Equal(a.Shape, []int{channels}) {
		return nil, fmt.Errorf("its running average %q is %s of shape %v, want one number for each of %d channels", visible.Name(c.node.Inputs[i]), a.Type, a.Shape, channels)
	}
	return a, nil
}

func layerNormalization(c *call) ([]value, error) {
	c.attributes.Ignore("stash_type")
	v, err := c.array(0)
	if err != nil {
		return nil, err
	}
	from, err := c.axis("axis", -1, len(v.Shape()))
	if err != nil {
		return nil, err
	}
	axes := same(len(v.Shape()))[from:]
	y, _, _ := v.Standardize(c.attributes.Float("epsilon", 1e-5), axes...)
	return c.scaled(y)
}

// rmsNormalization divides by the root of the mean square along the last axes.
func rmsNormalization(c *call) ([]value, error) {
	c.attributes.Ignore("stash_type")
	v, err := c.array(0)
	if err != nil {
		return nil, err
	}
	from, err := c.axis("axis", -1, len(v.Shape()))
	if err != nil {
		return nil, err
	}
	kept := v.Shape()
	for i := range kept[from:] {
		kept[from+i] = 1
	}
	square := v.Square().Mean(same(len(kept))[from:]...)
	return c.scaled(v.Mul(square.Add(square.Like(c.attributes.Float("epsilon", 1e-5))).Rsqrt().Reshape(kept...)))
}

// scaled multiplies by the node's scale and adds its shift, which may be left out.
func (c *call) scaled(y graph.Value) ([]value, error) {
	scale, err := c.array(1)
	if err != nil {
		return nil, err
	}
	y = y.Mul(scale)
	if c.has(2) {
		shift, err := c.array(2)
		if err != nil {
			return nil, err
		}
		y = y.Add(shift)
	}
	return plainOne(y)
}

// grouped standardizes each group of channels of images [N, H, W, C].
func grouped(v graph.Value, groups int, eps float64) graph.Value {
	s := v.Shape()
	y, _, _ := v.Reshape(s[0], s[1]*s[2], groups, s[3]/groups).Standardize(eps, 1, 3)
	return y.Reshape(s...)
}

// groupNormalization standardizes each group of channels of each image.
func groupNormalization(c *call) ([]value, error) {
	c.attributes.Ignore("stash_type")
	v, rank, err := c.image()
	if err != nil {
		return nil, err
	}
	in, err := c.arrays(1, 2)
	if err != nil {
		return nil, err
	}
	s, groups := v.Shape(), int(c.attributes.Int("num_groups", 1))
	channels := s[3]
	if groups < 1 || channels%groups != 0 {
		return nil, fmt.Errorf("num_groups is %d, want a divisor of the %d channels", groups, channels)
	}
	for i, a := range in {
		if slices.Equal(a.Shape(), []int{groups}) && groups != channels { // until opset 21
			in[i] = a.Reshape(groups, 1).BroadcastTo(groups, channels/groups).Reshape(channels)
		}
	}
	return c.imageOf(grouped(v, groups, c.attributes.Float("epsilon", 1e-5)).Mul(in[0]).Add(in[1]), rank)
}

// instanceNormalization standardizes each channel of each example. Exporters write normalization by groups as that of images [N, G, C/G H W], without
// scales and shifts.
func instanceNormalization(c *call) ([]value, error) {
	if c.has(0) && c.in[0].image.Valid() && c.uniform(1, 1) && c.uniform(2, 0) {
		x := c.in[0]
		return []value{{image: grouped(x.image, x.shape[1], c.attributes.Float("epsilon", 1e-5)), shape: x.shape}}, nil
	}
	in, err := c.arrays(0, 3)
	if err != nil {
		return nil, err
	}
	s := in[0].Shape()
	if len(s) < 3 {
		return nil, fmt.Errorf("it reads an array of shape %v, want channels and axes behind them", s)
	}
	y, _, _ := in[0].Standardize(c.attributes.Float("epsilon", 1e-5), same(len(s))[2:]...)
	column := append([]int{s[1]}, slices.Repeat([]int{1}, len(s)-2)...)
	return plainOne(y.Mul(in[1].Reshape(column...)).Add(in[2].Reshape(column...)))
}

// uniform reports whether all elements of an input are known to be a number.
func (c *call) uniform(i int, number float64) bool {
	a, err := c.known(i)
	return err == nil && a.Type.Floating() && !slices.ContainsFunc(a.Floats, func(v float64) bool { return v != number })
}

// along makes an operator, along the axis that it says, of a function along the last one.
func along(f func(graph.Value) graph.Value) operator {
	return first(func(c *call, x value) ([]value, error) {
		x, err := c.unflattened(x)
		if err != nil {
			return nil, err
		}
		axis, err := c.axis("axis", -1, len(x.shape))
		if err != nil {
			return nil, err
		}
		order := slices.DeleteFunc(slices.Clone(x.axes()), func(a int) bool { return a == axis })
		order = append(order, axis)
		v, err := c.lowering.in(x, order)
		if err != nil {
			return nil, err
		}
		return one(stored(f(v), order), nil)
	})
}

// unflattened returns a value that is recorded, each of its axes ordered as in the file.
func (c *call) unflattened(x value) (value, error) {
	if x.known == nil && x.flat == nil {
		return x, nil
	}
	v, err := c.plain(x)
	if err != nil {
		return value{}, err
	}
	return ofData(v), nil
}

// reduced makes an operator of a reduction over axes.
func reduced(f func(v graph.Value, axes ...int) graph.Value) operator {
	return first(func(c *call, x value) ([]value, error) {
		list, err := c.numbers(1)
		if err != nil {
			return nil, err
		}
		axes, keep, err := fold.Reduction(c.attributes, list, len(c.shapeOf(x)))
		if err != nil {
			return nil, err
		}
		if len(axes) == 0 {
			return []value{x}, nil
		}
		if x, err = c.unflattened(x); err != nil {
			return nil, err
		}
		order, v := slices.Clone(x.axes()), x.v
		var gone, shape, left []int // as it lies
		for i, a := range order {
			if slices.Contains(axes, a) {
				gone = append(gone, i)
				shape = append(shape, 1)
				continue
			}
			left = append(left, a)
			shape = append(shape, v.Shape()[i])
		}
		y := f(v, gone...)
		if keep {
			return one(stored(y.Reshape(shape...), order), nil)
		}
		for i, a := range left { // counted without those that are gone
			for _, g := range axes {
				if g < a {
					left[i]--
				}
			}
		}
		return one(stored(y, left), nil)
	})
}
