package network

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"shadowflow/dataset"
	"shadowflow/graph"
	"shadowflow/nn"
)

func digits(t *testing.T, size int) dataset.Part {
	t.Helper()
	d := dataset.Digits()
	part, err := d.Train.Balanced(size, d.Classes, 1)
	if err != nil {
		t.Fatal(err)
	}
	return part
}

func model(t *testing.T, a nn.Architecture) *nn.Model {
	t.Helper()
	m, err := a.Build([]int{8, 8, 1}, 10)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func mlp(t *testing.T) *nn.Model { return model(t, &nn.MLP{Hidden: []int{12}, Activation: "tanh"}) }

func objective(t *testing.T, m *nn.Model, part dataset.Part, opt Options) *Objective[float64] {
	t.Helper()
	o, err := New[float64](m, nn.CrossEntropy, part, opt)
	if err != nil {
		t.Fatal(err)
	}
	return o
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
		if math.Abs(got[i]-want[i]) > tol*(1+math.Abs(want[i])) {
			t.Fatalf("%s: element %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

func TestPhysicalBatchesAddUpToTheWhole(t *testing.T) {
	m, part := mlp(t), digits(t, 50)
	theta, v := m.Init(3).Theta, random(m.NumParams(), 1)
	whole, parts := objective(t, m, part, Options{}), objective(t, m, part, Options{Physical: 17})
	g, hv := make([]float64, m.NumParams()), make([]float64, m.NumParams())
	g2, hv2 := make([]float64, m.NumParams()), make([]float64, m.NumParams())
	e, err := whole.Evaluate(Full, theta, g)
	if err != nil {
		t.Fatal(err)
	}
	e2, err := parts.Evaluate(Full, theta, g2)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(e.Loss-e2.Loss) > 1e-14 || e.Hits != e2.Hits || e2.Examples != 50 {
		t.Errorf("evaluation in parts %+v, as a whole %+v", e2, e)
	}
	wantClose(t, "gradient", g2, g, 1e-14)
	if err := whole.HVP(Full, theta, v, hv); err != nil {
		t.Fatal(err)
	}
	if err := parts.HVP(Full, theta, v, hv2); err != nil {
		t.Fatal(err)
	}
	wantClose(t, "Hessian-vector product", hv2, hv, 1e-13)
}

func TestProductsOfOnePassAreThoseOfSeveral(t *testing.T) {
	m, part := mlp(t), digits(t, 30)
	theta, dim := m.Init(4).Theta, m.NumParams()
	vs := [][]float64{random(dim, 1), random(dim, 2), random(dim, 3)}
	for _, physical := range []int{0, 11} {
		o := objective(t, m, part, Options{Physical: physical})
		for n := 1; n <= len(vs); n++ {
			got := make([][]float64, n)
			for i := range got {
				got[i] = make([]float64, dim)
			}
			if err := o.HVPs(Full, theta, vs[:n], got); err != nil {
				t.Fatal(err)
			}
			for i := range got {
				want := make([]float64, dim)
				if err := o.HVP(Full, theta, vs[i], want); err != nil {
					t.Fatal(err)
				}
				wantClose(t, fmt.Sprintf("physical %d, product %d of %d", physical, i, n), got[i], want, 1e-13)
			}
		}
	}
}

func TestProductsWantRoomForEachVector(t *testing.T) {
	m := mlp(t)
	o := objective(t, m, digits(t, 10), Options{})
	theta, v := m.Init(4).Theta, random(m.NumParams(), 1)
	for name, c := range map[string]struct{ vs, hvs [][]float64 }{
		"no vectors":         {},
		"room for fewer":     {[][]float64{v, v}, [][]float64{make([]float64, len(v))}},
		"a vector too short": {[][]float64{v[1:]}, [][]float64{make([]float64, len(v))}},
		"room too small":     {[][]float64{v}, [][]float64{make([]float64, 3)}},
	} {
		if err := o.HVPs(Full, theta, c.vs, c.hvs); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestDerivativesMatchCentralDifferences(t *testing.T) {
	m, part := mlp(t), digits(t, 30)
	o := objective(t, m, part, Options{Physical: 13})
	theta, v := m.Init(5).Theta, random(m.NumParams(), 2)
	const d = 1e-5
	at := func(s float64) []float64 {
		moved := make([]float64, len(theta))
		for i := range theta {
			moved[i] = theta[i] + s*v[i]
		}
		return moved
	}
	up, down := make([]float64, len(theta)), make([]float64, len(theta))
	a, err := o.Evaluate(Full, at(d), up)
	if err != nil {
		t.Fatal(err)
	}
	b, err := o.Evaluate(Full, at(-d), down)
	if err != nil {
		t.Fatal(err)
	}
	g, hv := make([]float64, len(theta)), make([]float64, len(theta))
	if err := o.Gradient(Full, theta, g); err != nil {
		t.Fatal(err)
	}
	if err := o.HVP(Full, theta, v, hv); err != nil {
		t.Fatal(err)
	}
	slope := 0.0
	for i := range g {
		slope += g[i] * v[i]
		up[i] = (up[i] - down[i]) / (2 * d)
	}
	if want := (a.Loss - b.Loss) / (2 * d); math.Abs(slope-want) > 1e-7*(1+math.Abs(want)) {
		t.Errorf("slope along v is %v, differences give %v", slope, want)
	}
	wantClose(t, "Hessian-vector product", hv, up, 1e-6)
}

func TestOneProgramGivesWhatSeparateOnesDo(t *testing.T) {
	m, part := mlp(t), digits(t, 30)
	sign := func(g, _ graph.Value) graph.Value { return g.Div(g.Square().Add(g.Like(1e-8)).Sqrt()) }
	theta, dim := m.Init(1).Theta, m.NumParams()
	for _, physical := range []int{0, 11} {
		o := objective(t, m, part, Options{Physical: physical})
		a, err := o.Along(sign)
		if err != nil {
			t.Fatal(err)
		}
		g, v, hv := make([]float64, dim), make([]float64, dim), make([]float64, dim)
		e, err := a.At(Full, theta, g, v, hv)
		if err != nil {
			t.Fatal(err)
		}
		g2, v2, hv2 := make([]float64, dim), make([]float64, dim), make([]float64, dim)
		e2, err := o.Evaluate(Full, theta, g2)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range g2 {
			v2[i] = x / math.Sqrt(x*x+1e-8)
		}
		if err := o.HVP(Full, theta, v2, hv2); err != nil {
			t.Fatal(err)
		}
		if math.Abs(e.Loss-e2.Loss) > 1e-14 {
			t.Errorf("physical %d: loss %v, apart %v", physical, e.Loss, e2.Loss)
		}
		wantClose(t, "gradient", g, g2, 1e-14)
		wantClose(t, "direction", v, v2, 1e-9)
		wantClose(t, "product", hv, hv2, 1e-9)
	}
}

func TestMiniBatchesPartitionTheExamples(t *testing.T) {
	m, part := mlp(t), digits(t, 40)
	o := objective(t, m, part, Options{BatchSize: 8, Seed: 4})
	if o.Batches() != 5 {
		t.Fatalf("%d batches, want 5", o.Batches())
	}
	theta, dim := m.Init(2).Theta, m.NumParams()
	mean, g := make([]float64, dim), make([]float64, dim)
	for b := range o.Batches() {
		if err := o.Gradient(b, theta, g); err != nil {
			t.Fatal(err)
		}
		for i, v := range g {
			mean[i] += v / 5
		}
	}
	if err := o.Gradient(Full, theta, g); err != nil {
		t.Fatal(err)
	}
	wantClose(t, "mean over batches", mean, g, 1e-14)
	if err := o.Gradient(5, theta, g); err == nil {
		t.Error("a batch that does not exist was accepted")
	}
}

func TestRunningAveragesFollowEachPhysicalBatch(t *testing.T) {
	m := model(t, &nn.ResNet{Blocks: []int{1}, Width: 2})
	part := digits(t, 20)
	theta := m.Init(1).Theta
	g := make([]float64, m.NumParams())
	parts := objective(t, m, part, Options{Physical: 8})
	if err := parts.Gradient(Full, theta, g); err != nil {
		t.Fatal(err)
	}
	parts.UpdateRunning()
	want := m.Init(0).Running
	for _, rows := range [][2]int{{0, 8}, {8, 16}, {16, 20}} {
		var index []int
		for i := rows[0]; i < rows[1]; i++ {
			index = append(index, i)
		}
		one := objective(t, m, part.Select(index), Options{})
		if err := one.Gradient(Full, theta, g); err != nil {
			t.Fatal(err)
		}
		nn.UpdateRunning(want, one.stats[0])
	}
	got, seen := parts.Running()
	if seen != 3 {
		t.Errorf("running averages have seen %d batches, want 3", seen)
	}
	wantClose(t, "running averages", got, want, 1e-14)
	before, err := parts.Test(theta, part)
	if err != nil {
		t.Fatal(err)
	}
	parts.SetRunning(m.Init(0).Running, 0)
	after, err := parts.Test(theta, part)
	if err != nil {
		t.Fatal(err)
	}
	if before.Loss == after.Loss {
		t.Error("the test loss does not depend on the running averages")
	}
}

func TestShufflingDrawsOtherPhysicalBatchesAndTheSameAgain(t *testing.T) {
	m := model(t, &nn.ResNet{Blocks: []int{1}, Width: 2}) // batch normalization sees the physical batch
	o := objective(t, m, digits(t, 20), Options{Physical: 5, Shuffle: true, Seed: 9})
	theta := m.Init(1).Theta
	loss := func(step int) float64 {
		o.Draw(step)
		e, err := o.Loss(Full, theta)
		if err != nil {
			t.Fatal(err)
		}
		return e.Loss
	}
	first, second := loss(0), loss(1)
	if first == second {
		t.Error("two steps saw the same physical batches")
	}
	if again := loss(0); again != first {
		t.Errorf("step 0 again gives %v, want %v", again, first)
	}
}

func TestAugmentedStepsSeeOtherImages(t *testing.T) {
	m := mlp(t)
	o := objective(t, m, digits(t, 20), Options{Augment: &dataset.Augmentation{Pad: 1, Flip: true, Seed: 1}})
	theta := m.Init(1).Theta
	o.Draw(0)
	first, err := o.Loss(Full, theta)
	if err != nil {
		t.Fatal(err)
	}
	o.Draw(1)
	second, err := o.Loss(Full, theta)
	if err != nil {
		t.Fatal(err)
	}
	if first.Loss == second.Loss {
		t.Error("two steps saw the same images")
	}
}

func TestRefusedOptions(t *testing.T) {
	m, part := mlp(t), digits(t, 20)
	for _, opt := range []Options{{BatchSize: 21}, {BatchSize: -1}, {Physical: -1}} {
		if _, err := New[float64](m, nn.CrossEntropy, part, opt); err == nil {
			t.Errorf("%+v was accepted", opt)
		}
	}
	if _, err := New[float64](m, nn.CrossEntropy, part.Select(nil), Options{}); err == nil {
		t.Error("data without examples was accepted")
	}
}
