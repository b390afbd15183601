package bench

import (
	"shadowflow/graph"
	"shadowflow/nn"
)

// Works returns the table's lines in order. A gradient's line stands right before that of its pair with a Hessian-vector product.
func Works() []Work {
	paper := &nn.CNN{Channels: []int{32, 64, 128}, Dense: 512}
	cnn := network(paper, []int{32, 32, 3}, 10, 500)
	resnet := network(&nn.ResNet{Blocks: []int{3, 4, 6, 3}, Width: 64, Bottleneck: true}, []int{32, 32, 3}, 10, 32)
	dense := network(&nn.MLP{Hidden: []int{200, 200}, Activation: "gelu"}, []int{3072}, 10, 1000)
	digits := network(&nn.MLP{Hidden: []int{64, 64}, Activation: "tanh"}, []int{64}, 10, 1297)
	gpt := network(&nn.GPT{Depth: 6, Heads: 6, Dim: 384, Context: 256, Tied: true}, []int{256}, 256, 12)
	return []Work{
		{Name: "matmul-1024", PeakFloor: 0.7, build: square(1024)},
		{Name: "matmul-2048", PeakFloor: 0.7, build: square(2048)},
		{Name: "conv3x3-forward", PeakFloor: 0.55, build: convolution(0)},
		{Name: "conv3x3-input-gradient", PeakFloor: 0.55, build: convolution(1)},
		{Name: "conv3x3-kernel-gradient", PeakFloor: 0.55, build: convolution(2)},
		{Name: "depthwise3x3-gradients", build: grouped(3, 128)},
		{Name: "depthwise7x7-gradients", build: grouped(7, 128)},
		{Name: "groups-of-4-gradients", build: grouped(3, 32)},
		{Name: "cnn-gradient", PeakFloor: 0.45, PeerFloor: 2, build: cnn(false)},
		{Name: "cnn-gradient-hvp", PeerFloor: 4, GradientCap: 4.5, pair: true, build: cnn(true)},
		{Name: "resnet50-gradient", PeerFloor: 2, build: resnet(false)},
		{Name: "resnet50-gradient-hvp", PeerFloor: 2.5, pair: true, build: resnet(true)},
		{Name: "dense-gradient", PeerFloor: 1.3, build: dense(false)},
		{Name: "gpt-gradient", PeerFloor: 1.2, build: gpt(false)},
		{Name: "gpt-gradient-hvp", PeerFloor: 1.8, GradientCap: 4.5, pair: true, build: gpt(true)},
		{Name: "digits-gradient", PeerFloor: 2.5, build: digits(false)},
		{Name: "digits-gradient-hvp", PeerFloor: 2.5, GradientCap: 4.5, pair: true, build: digits(true)},
		{Name: "two-parameter-gradient", SecondsCap: 300e-9, build: bilinear},
		{Name: "cnn-top-10", Asked: true, PeerFloor: 6, top: 10, build: hessian(paper, []int{32, 32, 3}, 10, 500), start: learning(paper, []int{32, 32, 3}, 10, 500)},
	}
}

func square(n int) func() (in, out []graph.Value, err error) {
	return func() (in, out []graph.Value, err error) {
		b := graph.NewBuilder()
		x, y := b.Param("x", graph.Float32, n, n), b.Param("y", graph.Float32, n, n)
		return []graph.Value{x, y}, []graph.Value{x.MatMul(y)}, b.Err()
	}
}

// convolution is 3x3, 64 to 64 channels, on 64 images of 32x32: forward, or the gradient by an operand.
func convolution(which int) func() (in, out []graph.Value, err error) {
	return func() (in, out []graph.Value, err error) {
		b := graph.NewBuilder()
		x, w := b.Param("x", graph.Float32, 64, 32, 32, 64), b.Param("w", graph.Float32, 3, 3, 64, 64)
		y := x.Conv2D(w, graph.ConvSpec{Pad: [4]int{1, 1, 1, 1}})
		if which == 0 {
			return []graph.Value{x, w}, []graph.Value{y}, b.Err()
		}
		operands := []graph.Value{x, w}
		dy := b.Param("dy", graph.Float32, y.Shape()...)
		d := graph.VJP([]graph.Value{y}, []graph.Value{dy}, operands[which-1:which])
		return []graph.Value{operands[2-which], dy}, d, b.Err()
	}
}

// grouped is a convolution of 128 channels in groups, on 32 images of 16x16, with both its gradients.
func grouped(side, groups int) func() (in, out []graph.Value, err error) {
	return func() (in, out []graph.Value, err error) {
		b := graph.NewBuilder()
		x, w := b.Param("x", graph.Float32, 32, 16, 16, 128), b.Param("w", graph.Float32, side, side, 128/groups, 128)
		pad := side / 2
		y := x.Conv2D(w, graph.ConvSpec{Pad: [4]int{pad, pad, pad, pad}, Groups: groups})
		dy := b.Param("dy", graph.Float32, y.Shape()...)
		d := graph.VJP([]graph.Value{y}, []graph.Value{dy}, []graph.Value{x, w})
		return []graph.Value{x, w, dy}, append(d, y), b.Err()
	}
}

// network is the gradient of a model's training loss on n examples, alone or with the Hessian-vector product in the direction
// g / sqrt(g^2 + eps): Adam's bias.
func network(a nn.Architecture, input []int, classes, n int) func(pair bool) func() (in, out []graph.Value, err error) {
	return func(pair bool) func() (in, out []graph.Value, err error) {
		return func() (in, out []graph.Value, err error) {
			m, err := a.Build(input, classes)
			if err != nil {
				return nil, nil, err
			}
			b := graph.NewBuilder()
			inputs := m.Inputs(b, graph.Float32, n)
			res, err := m.TrainLoss(inputs, nn.CrossEntropy)
			if err != nil {
				return nil, nil, err
			}
			g := graph.Grad(res.Loss, inputs.Theta)[0]
			in, out = []graph.Value{inputs.Theta, inputs.X, inputs.Labels}, []graph.Value{res.Loss, g}
			if pair {
				f := g.Div(g.Square().Add(g.Like(1e-8)).Sqrt())
				out = append(out, graph.JVP([]graph.Value{g}, []graph.Value{inputs.Theta}, []graph.Value{f})[0])
			}
			return in, out, b.Err()
		}
	}
}

// bilinear is the gradient of (1/2)(1.5 - 2 theta_1 theta_2)^2.
func bilinear() (in, out []graph.Value, err error) {
	b := graph.NewBuilder()
	theta := b.Param("theta", graph.Float64, 2)
	residual := theta.Like(1.5).Sub(theta.At(0).Mul(theta.At(1)).Mul(theta.Like(2)))
	loss := residual.Square().Mul(theta.Like(0.5))
	return []graph.Value{theta}, []graph.Value{loss, graph.Grad(loss, theta)[0]}, b.Err()
}
