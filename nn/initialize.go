package nn

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
)

// State is a point of a model: its parameters and its batch normalizations' running averages.
type State struct {
	Theta   []float64 // [NumParams()]
	Running []float64 // [NumStats()]
	Batches int64     // number of batches that the running averages have seen
	// Notes say what of the file that it was read from was taken otherwise than it stands there.
	Notes []string
}

// initializer draws one element.
type initializer func(*rand.Rand) float64

// uniformFanIn is the default of PyTorch's Linear and Conv2d, of weights (kaiming_uniform with a = sqrt 5) and biases alike:
// uniform within 1/sqrt(fan_in) of zero.
func uniformFanIn(fanIn int) initializer {
	bound := 1 / math.Sqrt(float64(fanIn))
	return func(r *rand.Rand) float64 { return bound * (2*r.Float64() - 1) }
}

// normalFanOut is torchvision's for the convolutions of a ResNet: kaiming_normal in mode fan_out for relu.
func normalFanOut(fanOut int) initializer {
	std := math.Sqrt(2 / float64(fanOut))
	return func(r *rand.Rand) float64 { return std * r.NormFloat64() }
}

func constant(c float64) initializer { return func(*rand.Rand) float64 { return c } }

// Init returns the state before the first step: parameters drawn from the distributions that PyTorch draws the same model's
// from, running averages of mean 0 and variance 1. Each array of parameters has a stream of its own, of the seed and its name,
// and is drawn in PyTorch's order: so its numbers depend neither on the layers before it nor on the layout here. Of a Network nothing is drawn.
func (m *Model) Init(seed uint64) *State {
	s := &State{Theta: make([]float64, m.NumParams()), Running: make([]float64, m.NumStats())}
	for _, p := range m.params {
		if p.start != nil {
			fromTorch(p, s.Theta[p.Offset:], p.start)
			continue
		}
		name := fnv.New64a()
		name.Write([]byte(p.Name))
		r := rand.New(rand.NewPCG(seed, name.Sum64()))
		drawn := make([]float64, p.Size())
		for i := range drawn {
			drawn[i] = p.init(r)
		}
		fromTorch(p, s.Theta[p.Offset:], drawn)
	}
	for _, st := range m.stats {
		for i := range st.Size {
			s.Running[st.Offset+i] = st.start
		}
		copy(s.Running[st.Offset:], st.starts)
	}
	return s
}
