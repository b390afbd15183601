package modeq

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"shadowflow/graph"
	"shadowflow/internal/fixture"
	"shadowflow/internal/stats"
	"shadowflow/objective"
	"shadowflow/rule"
)

// mirrored returns a loss of two parameters whose batches come in pairs 2i, 2i+1 with opposite noise: smooth + a h + c k, a and c
// normal. An order and the one in which each batch is its partner have no noise of odd order in their mean.
func mirrored(batches int, size float64, parts func(x, y graph.Value) (smooth, h, k graph.Value)) *objective.Function {
	r := rand.New(rand.NewPCG(7, 1))
	a, c := make([]float64, batches), make([]float64, batches)
	for i := 0; i < batches; i += 2 {
		a[i], c[i] = size*r.NormFloat64(), size*r.NormFloat64()
		a[i+1], c[i+1] = -a[i], -c[i]
	}
	return &objective.Function{
		Dim: 2, Batches: batches,
		Batch: func(theta graph.Value, i int) graph.Value {
			smooth, h, k := parts(theta.At(0), theta.At(1))
			return smooth.Add(h.Mul(h.Like(a[i]))).Add(k.Mul(k.Like(c[i])))
		},
	}
}

// curved is a loss whose batches differ in gradient and Hessian.
func curved(batches int, size float64) *objective.Function {
	return mirrored(batches, size, func(x, y graph.Value) (smooth, h, k graph.Value) {
		number := x.Like
		smooth = x.Square().Mul(y).Add(x.Sub(y).Tanh()).Add(x.Mul(number(2))).Add(y.Mul(number(3)))
		h = x.Add(x.Mul(y).Mul(number(3))).Add(x.Square())
		return smooth, h, y.Square().Mul(number(2)).Add(y).Sub(x.Mul(y))
	})
}

// turned is a loss in which the Hessian times the gradient's signs nearly vanishes, and with it all but the fifth term.
func turned(batches int, size float64) *objective.Function {
	return mirrored(batches, size, func(x, y graph.Value) (smooth, h, k graph.Value) {
		number := x.Like
		smooth = x.Add(y).Mul(number(2)).Add(x.Sub(y).Square().Mul(number(0.5))) // signs (1, 1)
		return smooth, x.Mul(number(2)).Sub(y), y.Mul(number(2)).Sub(x)
	})
}

// statistics returns mean and variance of the batches' gradients.
func statistics(t testing.TB, o objective.Objective[float64], theta []float64) (mean, variance []float64) {
	mean, variance = make([]float64, len(theta)), make([]float64, len(theta))
	share := 1 / float64(o.Batches())
	for k := range o.Batches() {
		addTo(mean, share, gradient(t, o, k, theta))
	}
	for k := range o.Batches() {
		for j, g := range gradient(t, o, k, theta) {
			variance[j] += share * (g - mean[j]) * (g - mean[j])
		}
	}
	return mean, variance
}

func mustExpect(t testing.TB, r *rule.Rule, o objective.Objective[float64], theta []float64, law Correlation) *ExpectedBias {
	t.Helper()
	b, err := NewBatchBias(r, o, BatchBiasOptions{Order: law, Hessians: o.Batches(), Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	mean, variance := statistics(t, o, theta)
	e, err := b.At(t.Context(), theta, mean, variance, nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// laws are the ways in which batches are drawn, with the orders of steps that they make.
var laws = map[string]struct {
	correlation func(batches int) Correlation
	order       func(batches int, seed uint64) func(step int) int
}{
	"sampled":  {func(int) Correlation { return SampledCorrelation() }, Sampled},
	"shuffled": {ShuffledCorrelation, Shuffled},
	"cyclic": {CyclicCorrelation, func(batches int, seed uint64) func(step int) int {
		perm := rand.New(rand.NewPCG(seed, 3)).Perm(batches)
		return func(step int) int { return perm[step%batches] }
	}},
}

// meanOverOrders returns the mean of C_mem over random orders of a mirrored loss, and its standard error.
func meanOverOrders(t testing.TB, r *rule.Rule, o *objective.Function, theta []float64, law string, orders int) (mean, deviation [2]float64) {
	var order func(int) int
	flip := 0
	s := mustSecond(t, r, o, SecondOptions{Order: func(step int) int { return order(step) ^ flip }, MemoryAlone: true})
	draw := rand.New(rand.NewPCG(5, 5))
	var found [2]stats.Running
	for seed := range orders {
		order = laws[law].order(o.Batches, uint64(seed))
		n := (2*s.Window()/o.Batches+1)*o.Batches + draw.IntN(o.Batches)
		var pair [2]float64
		for flip = range 2 {
			_, c := evaluate(t, s, n, theta)
			pair[0], pair[1] = pair[0]+c[0]/2, pair[1]+c[1]/2
		}
		found[0].Add(pair[0])
		found[1].Add(pair[1])
	}
	for j := range found {
		mean[j], deviation[j] = found[j].StandardError()
	}
	return mean, deviation
}

// tiny is an eps beside which no gradient here is small.
const tiny = 1e-12

func adam(beta1, beta2, eps float64) map[string]any {
	return map[string]any{"beta1": beta1, "beta2": beta2, "eps": eps}
}

func TestExpectedBiasIsTheMeanOverOrders(t *testing.T) { expectedBiasOver(t, 1500, 0.06) }

// With 20 times as many orders, and so little noise that its fourth order does not show.
func TestLongExpectedBiasIsTheMeanOverOrders(t *testing.T) {
	if os.Getenv("SHADOWFLOW_LONG") == "" {
		t.Skip("a minute; set SHADOWFLOW_LONG=1")
	}
	expectedBiasOver(t, 30_000, 0.024)
}

func expectedBiasOver(t *testing.T, orders int, size float64) {
	theta := []float64{0.7, 0.4}
	misses := make([]float64, 1+NoiseTerms) // without each term, the largest distance from a mean in standard errors
	for _, c := range []struct {
		loss    func(batches int, size float64) *objective.Function
		rule    string
		values  map[string]any
		law     string
		batches int
	}{
		{curved, "adam", adam(0.3, 0.6, tiny), "shuffled", 100},
		{curved, "adam", adam(0.8, 0.5, tiny), "shuffled", 150},
		{curved, "adam", adam(0.6, 0.8, tiny), "shuffled", 80},
		{curved, "adam", adam(0, 0.8, tiny), "shuffled", 10},
		{curved, "adam", adam(0.6, 0.8, tiny), "sampled", 10},
		{curved, "adam", adam(0.6, 0.8, tiny), "cyclic", 10},
		{turned, "adam", adam(0, 0.9, tiny), "shuffled", 80},
		{curved, "adam", adam(0.3, 0.6, 5), "shuffled", 10},
		{curved, "adam", map[string]any{"beta1": 0.3, "beta2": 0.6, "eps": 1, "eps_inside": false}, "shuffled", 10},
		{curved, "nadam", adam(0.4, 0.5, 1), "shuffled", 10},
		{curved, "lion", map[string]any{"beta1": 0.5, "beta2": 0.6, "eps": 4, "weight_decay": 0.5}, "sampled", 10},
		{curved, "heavy-ball", map[string]any{"beta1": 0.5}, "sampled", 10},
	} {
		t.Run(fmt.Sprintf("%s %v, %d batches %s", c.rule, c.values, c.batches, c.law), func(t *testing.T) {
			r := fixture.Rule(t, c.rule, c.values)
			o := c.loss(c.batches, size)
			e := mustExpect(t, r, numeric(o), theta, laws[c.law].correlation(c.batches))
			mean, deviation := meanOverOrders(t, r, o, theta, c.law, orders)
			for j := range theta {
				apart := (mean[j] - e.Sum(j)) / deviation[j]
				t.Logf("coordinate %d: %.5f(%.5f) over orders, %.5f expected, %.1f standard errors apart", j, mean[j], deviation[j], e.Sum(j), apart)
				if !(math.Abs(apart) < 3) {
					t.Errorf("coordinate %d is %.1f standard errors from the mean over orders", j, apart)
				}
				for k, term := range e.Terms {
					misses[k] = max(misses[k], math.Abs(apart+term[j]/deviation[j]))
				}
			}
		})
	}
	for k, miss := range misses {
		if miss < 4 {
			t.Errorf("without term %d the largest distance is %.1f standard errors: the comparison does not see it", k, miss)
		}
	}
	t.Logf("without each term, the largest distance in standard errors: %.1f", misses)
}

// TestOtherBatchesHessiansMayStandForAll compares the fifth term by one Hessian, and by all, over many batches.
func TestOtherBatchesHessiansMayStandForAll(t *testing.T) {
	theta, o := []float64{0.7, 0.4}, numeric(curved(200, 0.1))
	r := fixture.Rule(t, "adam", adam(0, 0.8, tiny))
	mean, variance := statistics(t, o, theta)
	var fifth, told [3][]float64
	for i, hessians := range []int{1, 3, 200} {
		b, err := NewBatchBias(r, o, BatchBiasOptions{Order: ShuffledCorrelation(200), Hessians: hessians, Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		told[i] = make([]float64, 2)
		e, err := b.At(t.Context(), theta, mean, variance, func(noise []float64) {
			for j, v := range noise {
				told[i][j] += v * v / 200
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		fifth[i] = slices.Clone(e.Terms[5])
		agree(t, "variance of the noise that is told", told[i], variance, 1e-12)
	}
	for j, exact := range fifth[2] {
		if one, three := math.Abs(fifth[0][j]/exact-1), math.Abs(fifth[1][j]/exact-1); one > 0.1 || three > 0.1 || one == 0 || three == 0 {
			t.Errorf("coordinate %d: %g by one, %g by three, %g by all", j, fifth[0][j], fifth[1][j], exact)
		}
	}
}

func TestNoisyCoordinatesAreLeftOutAndCounted(t *testing.T) {
	// The batches' gradients in y are those in x, but for their mean: 3 in x and 1e-3 in y.
	o := mirrored(40, 0.3, func(x, y graph.Value) (smooth, h, k graph.Value) {
		number := x.Like
		return x.Mul(number(3)).Add(y.Mul(number(1e-3))).Add(x.Mul(y).Square()), x.Mul(y.Add(number(1))), y.Mul(x.Add(number(1)))
	})
	theta := []float64{0, 0}
	e := mustExpect(t, fixture.Rule(t, "adam", adam(0.9, 0.99, tiny)), numeric(o), theta, SampledCorrelation())
	if e.LeftOut != 1 || e.Kept[0] != 1 || e.Kept[1] != 0 {
		t.Fatalf("left out %d, kept %v", e.LeftOut, e.Kept)
	}
	for k := 1; k <= NoiseTerms; k++ {
		if e.Terms[k][1] != 0 {
			t.Errorf("term %d of the coordinate that is left out is %g", k, e.Terms[k][1])
		}
	}
	if e := mustExpect(t, fixture.Rule(t, "adam", adam(0.9, 0.99, 0.5)), numeric(o), theta, SampledCorrelation()); e.LeftOut != 0 {
		t.Errorf("with eps above the variance %d are left out", e.LeftOut)
	}
}

func TestExpectedBiasRefusesWhatHasNone(t *testing.T) {
	r := fixture.Rule(t, "adam", nil)
	whole := *r
	whole.Elementwise = false
	for want, c := range map[string]struct {
		rule *rule.Rule
		loss *objective.Function
		law  Correlation
	}{
		"there is one batch":                 {r, onePair(t), SampledCorrelation()},
		"no order":                           {r, threePairs(t), Correlation{}},
		"not made coordinate by coordinate":  {&whole, threePairs(t), SampledCorrelation()},
		"has no modified equation that elim": {&rule.Rule{Name: "own", Step: r.Step}, threePairs(t), SampledCorrelation()},
	} {
		t.Run(want, func(t *testing.T) {
			if _, err := NewBatchBias[float64](c.rule, numeric(c.loss), BatchBiasOptions{Order: c.law}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want one that says %q", err, want)
			}
		})
	}
	b, err := NewBatchBias[float64](r, numeric(threePairs(t)), BatchBiasOptions{Order: SampledCorrelation()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.At(t.Context(), []float64{1}, nil, nil, nil); err == nil || !strings.Contains(err.Error(), "want 2") {
		t.Errorf("error %v", err)
	}
}
