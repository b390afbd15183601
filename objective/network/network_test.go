package network

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"shadowflow/dataset"
	"shadowflow/graph"
	"shadowflow/nn"
	"shadowflow/objective"
)

func digits(t testing.TB, size int) dataset.Part {
	t.Helper()
	d := dataset.Digits()
	part, err := d.Train.Balanced(size, d.Classes, 1)
	if err != nil {
		t.Fatal(err)
	}
	return part
}

func build(t testing.TB, a nn.Architecture) *nn.Model {
	t.Helper()
	m, err := a.Build([]int{8, 8, 1}, 10)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// windows returns windows of 6 bytes of the embedded text.
func windows(t testing.TB, size int) dataset.Part {
	t.Helper()
	d, err := dataset.Load(t.Context(), dataset.Spec{Name: dataset.NameText, Context: 6, Subset: size})
	if err != nil {
		t.Fatal(err)
	}
	return d.Train
}

func gpt(t testing.TB) *nn.Model {
	t.Helper()
	m, err := (&nn.GPT{Depth: 1, Heads: 2, Dim: 4, Context: 6, Tied: true}).Build([]int{6}, 256)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func mlp(t testing.TB) *nn.Model    { return build(t, &nn.MLP{Hidden: []int{12}, Activation: "tanh"}) }
func resnet(t testing.TB) *nn.Model { return build(t, &nn.ResNet{Blocks: []int{1}, Width: 2}) }

func mustNew[T graph.Float](t testing.TB, m *nn.Model, part dataset.Part, opt Options) *Objective[T] {
	t.Helper()
	o, err := New[T](m, nn.CrossEntropy, part, opt)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// evaluate evaluates all examples.
func evaluate[T graph.Float](t testing.TB, o *Objective[T], theta []T, want objective.Want[T]) objective.Evaluation {
	t.Helper()
	e, err := o.Evaluate(t.Context(), theta, objective.Full, want)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func gradient(t testing.TB, o *Objective[float64], theta []float64) []float64 {
	t.Helper()
	g := make([]float64, len(theta))
	evaluate(t, o, theta, objective.Want[float64]{Gradient: g})
	return g
}

func product(t testing.TB, o *Objective[float64], theta, v []float64) []float64 {
	t.Helper()
	hv := make([]float64, len(theta))
	evaluate(t, o, theta, objective.Want[float64]{Vectors: [][]float64{v}, Products: [][]float64{hv}})
	return hv
}

func random(n int, seed uint64) []float64 {
	r := rand.New(rand.NewPCG(seed, 7))
	v := make([]float64, n)
	for i := range v {
		v[i] = r.NormFloat64()
	}
	return v
}

func wantClose(t *testing.T, what string, got, want []float64, tol float64) {
	t.Helper()
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= tol*(1+math.Abs(want[i]))) {
			t.Fatalf("%s: element %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

var smoothSign = &objective.Direction{Make: func(g, _ graph.Value) graph.Value {
	return g.Div(g.Square().Add(g.Like(1e-8)).Sqrt())
}}

func TestMicroBatchesAddUpToTheWhole(t *testing.T) {
	m, part := mlp(t), digits(t, 50)
	theta, v := m.Init(3).Theta, random(m.NumParams(), 1)
	whole, parts := mustNew[float64](t, m, part, Options{}), mustNew[float64](t, m, part, Options{MicroBatch: 17})
	e, e2 := evaluate(t, whole, theta, objective.Want[float64]{}), evaluate(t, parts, theta, objective.Want[float64]{})
	if math.Abs(e.Loss-e2.Loss) > 1e-14 || e.Correct != e2.Correct || e2.Examples != 50 || e.Accuracy() != e.Correct/50 {
		t.Errorf("evaluation in parts %+v, as a whole %+v", e2, e)
	}
	wantClose(t, "gradient", gradient(t, parts, theta), gradient(t, whole, theta), 1e-14)
	wantClose(t, "product", product(t, parts, theta, v), product(t, whole, theta, v), 1e-13)
}

// Whatever is wanted together is what is computed when it is wanted alone, in one micro-batch and in several.
func TestWantsGiveTogetherWhatTheyGiveAlone(t *testing.T) {
	m, part := mlp(t), digits(t, 30)
	theta, dim := m.Init(4).Theta, m.NumParams()
	vs := [][]float64{random(dim, 1), random(dim, 2), random(dim, 3)}
	for _, size := range []int{0, 11} {
		o := mustNew[float64](t, m, part, Options{MicroBatch: size})
		loss := evaluate(t, o, theta, objective.Want[float64]{}).Loss
		g, f := gradient(t, o, theta), make([]float64, dim)
		for j, x := range g {
			f[j] = x / math.Sqrt(x*x+1e-8)
		}
		hf := product(t, o, theta, f)
		for mask := range 16 {
			for vectors := range len(vs) + 1 {
				var w objective.Want[float64]
				if mask&1 != 0 {
					w.Gradient = make([]float64, dim)
				}
				if mask&2 != 0 {
					w.Direction, w.Field = smoothSign, make([]float64, dim)
				}
				if mask&4 != 0 {
					w.Direction, w.HField = smoothSign, make([]float64, dim)
				}
				if mask&8 != 0 && vectors > 0 {
					w.Vectors, w.Products = vs[:vectors], make([][]float64, vectors)
					for i := range w.Products {
						w.Products[i] = make([]float64, dim)
					}
				}
				t.Run(fmt.Sprintf("micro-batch %d, %+v", size, w.Kind()), func(t *testing.T) {
					if e := evaluate(t, o, theta, w); math.Abs(e.Loss-loss) > 1e-14 {
						t.Errorf("loss %v, alone %v", e.Loss, loss)
					}
					if w.Gradient != nil {
						wantClose(t, "gradient", w.Gradient, g, 1e-14)
					}
					if w.Field != nil {
						wantClose(t, "field", w.Field, f, 1e-9)
					}
					if w.HField != nil {
						wantClose(t, "H field", w.HField, hf, 1e-9)
					}
					for i, v := range w.Vectors {
						wantClose(t, "product", w.Products[i], product(t, o, theta, v), 1e-13)
					}
				})
			}
		}
	}
}

func TestDerivativesMatchCentralDifferences(t *testing.T) {
	m, part := mlp(t), digits(t, 30)
	o := mustNew[float64](t, m, part, Options{MicroBatch: 13})
	theta, v := m.Init(5).Theta, random(m.NumParams(), 2)
	const d = 1e-5
	at := func(s float64) (float64, []float64) {
		moved, g := make([]float64, len(theta)), make([]float64, len(theta))
		for i := range theta {
			moved[i] = theta[i] + s*v[i]
		}
		return evaluate(t, o, moved, objective.Want[float64]{Gradient: g}).Loss, g
	}
	a, up := at(d)
	b, down := at(-d)
	g, slope := gradient(t, o, theta), 0.0
	for i := range g {
		slope += g[i] * v[i]
		up[i] = (up[i] - down[i]) / (2 * d)
	}
	if want := (a - b) / (2 * d); math.Abs(slope-want) > 1e-7*(1+math.Abs(want)) {
		t.Errorf("slope along v is %v, differences give %v", slope, want)
	}
	wantClose(t, "product", product(t, o, theta, v), up, 1e-6)
}

// The third derivative along u is how the Hessian times u changes along u, in one micro-batch and in several, beside whatever else is wanted.
func TestBendsMatchCentralDifferencesOfProducts(t *testing.T) {
	for name, m := range map[string]*nn.Model{
		"mlp": mlp(t),
		"cnn": build(t, &nn.CNN{Channels: []int{4, 4}, Dense: 8}),
		"vit": build(t, &nn.ViT{Patch: 4, Dim: 8, Depth: 1, Heads: 2, DimHead: 4, MLP: 8}),
	} {
		t.Run(name, func(t *testing.T) {
			part, theta := digits(t, 20), m.Init(6).Theta
			u, v := random(len(theta), 1), random(len(theta), 2)
			both := make([]float64, len(theta))
			for j := range u {
				u[j], v[j] = u[j]/math.Sqrt(float64(len(u))), v[j]/math.Sqrt(float64(len(u)))
				both[j] = u[j] + v[j]
			}
			whole, parts := mustNew[float64](t, m, part, Options{}), mustNew[float64](t, m, part, Options{MicroBatch: 7})
			of := func(o *Objective[float64]) [][]float64 {
				w := objective.Want[float64]{Direction: smoothSign, Field: make([]float64, len(theta)), Lines: [][]float64{u, v, both}}
				w.Vectors, w.Products = [][]float64{u}, [][]float64{make([]float64, len(theta))}
				for range w.Lines {
					w.Bends = append(w.Bends, make([]float64, len(theta)))
				}
				evaluate(t, o, theta, w)
				wantClose(t, "product beside bends", w.Products[0], product(t, o, theta, u), 1e-12)
				return w.Bends
			}
			bends := of(whole)
			for i, b := range of(parts) {
				wantClose(t, "bend in parts", b, bends[i], 1e-12)
			}
			along := func(of, on []float64) []float64 { // D^3E[of, on]
				const d = 1e-4
				up, down := make([]float64, len(theta)), make([]float64, len(theta))
				for j := range theta {
					up[j], down[j] = theta[j]+d*on[j], theta[j]-d*on[j]
				}
				up, down = product(t, whole, up, of), product(t, whole, down, of)
				for j := range up {
					up[j] = (up[j] - down[j]) / (2 * d)
				}
				return up
			}
			wantClose(t, "bend", bends[0], along(u, u), 1e-6)
			mixed := make([]float64, len(theta))
			for j := range mixed {
				mixed[j] = (bends[2][j] - bends[0][j] - bends[1][j]) / 2
			}
			wantClose(t, "bend by polarization", mixed, along(u, v), 1e-6)
		})
	}
}

func TestThreadsChangeNoBit(t *testing.T) {
	for name, m := range map[string]*nn.Model{"mlp": mlp(t), "resnet": resnet(t)} {
		t.Run(name, func(t *testing.T) {
			dim := m.NumParams()
			theta := make([]float32, dim)
			for i, x := range m.Init(3).Theta {
				theta[i] = float32(x)
			}
			results := func(threads int) (objective.Evaluation, []float32) {
				o := mustNew[float32](t, m, digits(t, 40), Options{MicroBatch: 15, Threads: threads})
				all := make([]float32, 3*dim)
				w := objective.Want[float32]{Gradient: all[:dim], Direction: smoothSign, Field: all[dim : 2*dim], HField: all[2*dim:]}
				return evaluate(t, o, theta, w), all
			}
			e1, one := results(1)
			for _, threads := range []int{2, 5} {
				if e, several := results(threads); e.Loss != e1.Loss || e.Correct != e1.Correct || !slices.Equal(several, one) {
					t.Errorf("%d threads give other bits than one", threads)
				}
			}
		})
	}
}

// countdown is a context that ends after its error was asked for so many times.
type countdown struct {
	context.Context
	left *int
}

func (c countdown) Err() error {
	if *c.left--; *c.left < 0 {
		return context.Canceled
	}
	return nil
}

func TestAnEvaluationEndsBetweenMicroBatchesWhenItsContextDoes(t *testing.T) {
	m := mlp(t)
	o := mustNew[float64](t, m, digits(t, 30), Options{MicroBatch: 10, Test: digits(t, 20)})
	theta, dim := m.Init(1).Theta, m.NumParams()
	w := objective.Want[float64]{Gradient: make([]float64, dim), Direction: smoothSign, HField: make([]float64, dim)}
	const passes = 6 // three micro-batches, twice
	for asked := range passes + 1 {
		left := asked
		_, err := o.Evaluate(countdown{t.Context(), &left}, theta, objective.Full, w)
		if ended := errors.Is(err, context.Canceled); ended != (asked < passes) {
			t.Errorf("a context that ends after %d micro-batches: %v", asked, err)
		}
	}
	left := 1
	if _, err := o.Test(countdown{t.Context(), &left}, theta); !errors.Is(err, context.Canceled) {
		t.Errorf("a test whose context ends: %v", err)
	}
}

func TestMiniBatchesPartitionTheExamples(t *testing.T) {
	m, part := mlp(t), digits(t, 40)
	o := mustNew[float64](t, m, part, Options{BatchSize: 8, Seed: 4})
	if o.Batches() != 5 {
		t.Fatalf("%d batches, want 5", o.Batches())
	}
	theta, dim := m.Init(2).Theta, m.NumParams()
	mean, g := make([]float64, dim), make([]float64, dim)
	for b := range o.Batches() {
		if _, err := o.Evaluate(t.Context(), theta, b, objective.Want[float64]{Gradient: g}); err != nil {
			t.Fatal(err)
		}
		for i, v := range g {
			mean[i] += v / 5
		}
	}
	wantClose(t, "mean over batches", mean, gradient(t, o, theta), 1e-14)
}

func TestBlocksAreTheWeightsInTheOrderOfTheta(t *testing.T) {
	m := resnet(t)
	o := mustNew[float64](t, m, digits(t, 10), Options{})
	at := 0
	for i, b := range o.Blocks() {
		if p := m.Params()[i]; b.Name != p.Name || b.Offset != at || b.Size() != p.Size() {
			t.Errorf("block %d is %+v, the parameter %s is at %d", i, b, p.Name, at)
		}
		at += b.Size()
	}
	if at != o.Dim() || len(o.Start()) != o.Dim() {
		t.Errorf("blocks of %d parameters and a start of %d, want %d", at, len(o.Start()), o.Dim())
	}
}

func TestRunningAveragesFollowEachMicroBatch(t *testing.T) {
	m, part := resnet(t), digits(t, 20)
	theta := m.Init(1).Theta
	parts := mustNew[float64](t, m, part, Options{MicroBatch: 8, Test: part})
	gradient(t, parts, theta)
	product(t, parts, theta, theta) // leaves no statistics
	parts.UpdateRunning()
	want := m.Init(0).Running
	for _, rows := range [][2]int{{0, 8}, {8, 16}, {16, 20}} {
		var index []int
		for i := rows[0]; i < rows[1]; i++ {
			index = append(index, i)
		}
		one := mustNew[float64](t, m, part.Select(index), Options{})
		gradient(t, one, theta)
		nn.UpdateRunning(want, one.stats[0])
	}
	got, seen := parts.Running()
	if seen != 3 {
		t.Errorf("running averages have seen %d batches, want 3", seen)
	}
	wantClose(t, "running averages", got, want, 1e-14)
	test := func() float64 {
		e, err := parts.Test(t.Context(), theta)
		if err != nil {
			t.Fatal(err)
		}
		return e.Loss
	}
	before := test()
	parts.SetRunning(m.Init(0).Running, 0)
	if test() == before {
		t.Error("the test loss does not depend on the running averages")
	}
}

func TestShufflingDrawsOtherMicroBatchesAndTheSameAgain(t *testing.T) {
	m := resnet(t) // batch normalization sees the micro-batch
	o := mustNew[float64](t, m, digits(t, 20), Options{MicroBatch: 5, Shuffle: true, Seed: 9})
	theta := m.Init(1).Theta
	loss := func(step int) float64 {
		o.Draw(step)
		return evaluate(t, o, theta, objective.Want[float64]{}).Loss
	}
	first, second := loss(0), loss(1)
	if first == second {
		t.Error("two steps saw the same micro-batches")
	}
	if again := loss(0); again != first {
		t.Errorf("step 0 again gives %v, want %v", again, first)
	}
}

func TestAugmentedStepsSeeOtherImages(t *testing.T) {
	m := mlp(t)
	o := mustNew[float64](t, m, digits(t, 20), Options{Augment: &dataset.Augmentation{Pad: 1, Flip: true, Seed: 1}})
	theta := m.Init(1).Theta
	loss := func(step int) float64 {
		o.Draw(step)
		return evaluate(t, o, theta, objective.Want[float64]{}).Loss
	}
	if loss(0) == loss(1) {
		t.Error("two steps saw the same images")
	}
}

func TestMistakesAreErrors(t *testing.T) {
	m, part := mlp(t), digits(t, 20)
	for _, opt := range []Options{{BatchSize: 21}, {BatchSize: -1}, {MicroBatch: -1}} {
		if _, err := New[float64](m, nn.CrossEntropy, part, opt); err == nil {
			t.Errorf("%+v was accepted", opt)
		}
	}
	if _, err := New[float64](m, nn.CrossEntropy, part.Select(nil), Options{}); err == nil {
		t.Error("data without examples was accepted")
	}
	few, err := (&nn.MLP{Hidden: []int{3}, Activation: "tanh"}).Build([]int{8, 8, 1}, 4)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New[float64](few, nn.CrossEntropy, part, Options{}); err == nil || !strings.Contains(err.Error(), "4 classes") {
		t.Errorf("labels beyond the model's classes: %v", err)
	}
	o := mustNew[float64](t, m, part, Options{BatchSize: 10})
	theta, v := m.Init(4).Theta, random(m.NumParams(), 1)
	room := make([]float64, len(v))
	for name, c := range map[string]struct {
		theta []float64
		batch int
		want  objective.Want[float64]
	}{
		"a batch that is not there": {theta, 2, objective.Want[float64]{}},
		"a short theta":             {theta[1:], 0, objective.Want[float64]{}},
		"a short gradient":          {theta, 0, objective.Want[float64]{Gradient: room[1:]}},
		"room for fewer products":   {theta, 0, objective.Want[float64]{Vectors: [][]float64{v, v}, Products: [][]float64{room}}},
		"a vector too short":        {theta, 0, objective.Want[float64]{Vectors: [][]float64{v[1:]}, Products: [][]float64{room}}},
		"room too small":            {theta, 0, objective.Want[float64]{Vectors: [][]float64{v}, Products: [][]float64{room[:3]}}},
		"a field of nothing":        {theta, 0, objective.Want[float64]{Field: room}},
		"a direction for nothing":   {theta, 0, objective.Want[float64]{Direction: smoothSign}},
	} {
		if _, err := o.Evaluate(t.Context(), c.theta, c.batch, c.want); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := o.Test(t.Context(), theta); err == nil {
		t.Error("a test without examples: no error")
	}
}
