package nn

import (
	"fmt"

	"shadowflow/graph"
)

// ResNet is torchvision's residual network with the stem for small images that the paper's code has: a 3x3 convolution of
// stride 1 and no pooling. A bottleneck has its stride in the 3x3 convolution (torchvision's v1.5). Names are torchvision's.
// Convolutions start as torchvision's ResNet does (kaiming_normal, fan_out), the stem included, not as nn.Conv2d by itself.
type ResNet struct {
	Blocks     []int `yaml:"blocks"` // number of blocks in each stage
	Width      int   `yaml:"width"`  // channels of the stem and of the first stage; each further stage doubles them
	Bottleneck bool  `yaml:"-"`      // blocks of 1x1, 3x3, 1x1 with four times the channels, as from ResNet-50 on
}

// Build implements [Architecture].
func (a *ResNet) Build(input []int, outputs int) (*Model, error) {
	if err := checkImages(input, outputs); err != nil {
		return nil, err
	}
	if err := listInRange("blocks", a.Blocks, 1, maxDepth); err != nil {
		return nil, err
	}
	if len(a.Blocks) > 8 {
		return nil, &FieldError{"blocks", a.Blocks, "at most 8 stages"}
	}
	if err := inRange(field{"width", a.Width, 1 << 12}); err != nil {
		return nil, err
	}
	d := &declaration{}
	layers := []layer{d.convNorm("conv1", "bn1", input[2], a.Width, 3, 1), relu}
	in, planes := a.Width, a.Width
	for stage, blocks := range a.Blocks {
		for i := range blocks {
			stride := 1
			if stage > 0 && i == 0 {
				stride = 2
			}
			var block layer
			block, in = d.block(fmt.Sprintf("layer%d.%d.", stage+1, i), in, planes, stride, a.Bottleneck)
			layers = append(layers, block)
		}
		planes *= 2
	}
	mean := pointwise(func(x graph.Value) graph.Value { return x.Mean(1, 2) })
	layers = append(layers, mean, d.linear("fc", in, outputs, true))
	return d.model(input, outputs, sequence(layers...)), nil
}

// block declares a residual block and returns it with the number of its output's channels.
func (d *declaration) block(name string, in, planes, stride int, bottleneck bool) (layer, int) {
	out := planes
	var body layer
	if bottleneck {
		out = 4 * planes
		body = sequence(
			d.convNorm(name+"conv1", name+"bn1", in, planes, 1, 1), relu,
			d.convNorm(name+"conv2", name+"bn2", planes, planes, 3, stride), relu,
			d.convNorm(name+"conv3", name+"bn3", planes, out, 1, 1))
	} else {
		body = sequence(
			d.convNorm(name+"conv1", name+"bn1", in, planes, 3, stride), relu,
			d.convNorm(name+"conv2", name+"bn2", planes, planes, 3, 1))
	}
	skip := pointwise(func(x graph.Value) graph.Value { return x })
	if stride != 1 || in != out {
		skip = d.convNorm(name+"downsample.0", name+"downsample.1", in, out, 1, stride)
	}
	return func(p *pass, x graph.Value) graph.Value { return body(p, x).Add(skip(p, x)).Relu() }, out
}

// convNorm declares a convolution without bias and the batch normalization after it.
func (d *declaration) convNorm(conv, norm string, in, out, size, stride int) layer {
	return sequence(d.conv(conv, in, out, size, stride, normalFanOut(out*size*size)), d.batchNorm(norm, out))
}
