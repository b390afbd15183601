package diagnose

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// series returns n values of f.
func series(n int, f func(i int) float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = f(i)
	}
	return out
}

// everyStep returns the steps of n records a step apart.
func everyStep(n int) []int {
	steps := make([]int, n)
	for i := range steps {
		steps[i] = i
	}
	return steps
}

func TestRegimesOfCurvesWithKnownAnswers(t *testing.T) {
	decay := func(i int) float64 { return math.Exp(-float64(i) / 100) }
	hill := func(i int) float64 { return (1 + float64(i)/10) * math.Exp(-float64(i)/60) }
	spiked := func(i int) float64 {
		if i%150 == 140 {
			return 30 * decay(i)
		}
		return decay(i)
	}
	noise := func(i int) float64 { return math.Exp(0.3 * rand.New(rand.NewPCG(1, uint64(i))).NormFloat64()) }
	ringing := func(i int) float64 { return decay(i) * (1 + 0.2*math.Cos(float64(i)/3)) }
	for _, c := range []struct {
		name         string
		losses, norm func(i int) float64
		want         Regime
	}{
		{"a loss that falls", decay, decay, Monotone},
		{"a norm that rises to a hill while the loss falls", decay, hill, Monotone},
		{"small noise on a falling loss", func(i int) float64 { return decay(i) * (1 + 1e-5*math.Sin(float64(7*i))) }, hill, Monotone},
		{"a constant loss", func(int) float64 { return 1 }, func(int) float64 { return 1 }, Monotone},
		{"a loss that rings", ringing, decay, Oscillating},
		{"a norm that rings", decay, ringing, Oscillating},
		{"a loss that alternates by a factor of three", func(i int) float64 { return decay(i) * (2 + math.Cos(math.Pi*float64(i))) }, decay, Oscillating},
		{"a loss with spikes", spiked, decay, Spiking},
		{"a loss that scatters, as with mini-batches", func(i int) float64 { return decay(i) * noise(i) }, decay, Oscillating},
		{"a loss that scatters, and has spikes", func(i int) float64 { return spiked(i) * noise(i) }, decay, Spiking},
		{"a loss that rises twofold once, and goes on from there", func(i int) float64 {
			if i >= 200 {
				return 2.5 * decay(i)
			}
			return decay(i)
		}, decay, Oscillating},
		{"a norm with spikes", decay, spiked, Spiking},
		{"a loss that grows", func(i int) float64 { return 1 / decay(i) }, decay, Diverged},
		{"a loss that falls below 0", func(i int) float64 { return decay(i) - 2 }, decay, Monotone},
		{"a loss that grows from below 0", func(i int) float64 { return 0.1*float64(i) - 1 }, decay, Diverged},
		{"a loss that ends in NaN", func(i int) float64 {
			if i == 399 {
				return math.NaN()
			}
			return 1
		}, decay, Diverged},
		{"a norm that ends infinite", decay, func(i int) float64 {
			if i == 399 {
				return math.Inf(1)
			}
			return 1
		}, Diverged},
		{"a norm that ends much higher", decay, func(i int) float64 { return 1 / decay(i) }, Monotone},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Classify(everyStep(400), series(400, c.losses), series(400, c.norm)); got != c.want {
				t.Errorf("the regime is %s, want %s", got, c.want)
			}
		})
	}
}

func TestRegimeOfNextToNothing(t *testing.T) {
	for _, x := range [][]float64{nil, {1}, {1, 0}} {
		t.Run(fmt.Sprintf("%d rows", len(x)), func(t *testing.T) {
			if got := Classify(everyStep(len(x)), x, x); got != Monotone {
				t.Errorf("%v is %s, want %s", x, got, Monotone)
			}
		})
	}
}

// TestSparseRecordsShowNoMoreThanThoseOfEveryStep looks at curves less and less often: a word other than monotone must not come of that, but may go.
func TestSparseRecordsShowNoMoreThanThoseOfEveryStep(t *testing.T) {
	decay := func(i int) float64 { return math.Exp(-float64(i) / 100) }
	hill := func(i int) float64 { return (1 + float64(i)/10) * math.Exp(-float64(i)/60) }
	wiggles := func(i int) float64 { return decay(i) * (1 + 0.2*math.Cos(math.Pi*float64(i)/10)) }
	steep := func(i int) float64 { return math.Exp(-math.Abs(float64(i-100)) / 25) }
	for _, c := range []struct {
		name string
		n    int
		norm func(i int) float64
	}{
		{"a short hill", 9, func(i int) float64 { return math.Exp(-math.Abs(float64(i-4)) / 4) }}, {"a hill", 100, hill}, {"a steep hill", 300, steep},
		{"a norm that turns every tenth step less one", 300, wiggles},
	} {
		for _, every := range []int{1, 2, 5, 10, 20, 50} {
			t.Run(fmt.Sprintf("%s, records %d apart", c.name, every), func(t *testing.T) {
				var steps []int
				var losses, norms []float64
				for i := 0; i < c.n; i += every {
					steps, losses, norms = append(steps, i), append(losses, decay(i)), append(norms, c.norm(i))
				}
				if got := Classify(steps, losses, norms); got != Monotone {
					t.Errorf("the regime is %s, want %s", got, Monotone)
				}
				if want := min(every, c.n-1); len(steps) > 1 && Apart(steps) != every {
					t.Errorf("the records are %d apart, want %d", Apart(steps), want)
				}
			})
		}
	}
}
