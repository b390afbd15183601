package run

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"shadowflow/experiment/record"
	"shadowflow/objective"
	"shadowflow/safetensors"
)

const spectral = `
steps: 1
seed: 3
dtype: float64
data: {name: digits, subset: 60}
model: {name: mlp, hidden: [4], activation: %s}
batch: {mode: full, physical: 25}
optimizer: {name: adam, lr: 0.01, beta1: 0.9, beta2: 0.99, eps: 1e-4}
`

func spectralOf(t *testing.T, activation string, opt SpectrumOptions, overrides ...string) *Spectrum {
	t.Helper()
	got, err := FindSpectrum(t.Context(), parse(t, strings.ReplaceAll(spectral, "%s", activation), overrides...), opt)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// byDifferences returns the Hessian of a config's loss at its start, by central differences of its gradient, and the gradient.
func byDifferences(t *testing.T, activation string) (*mat.SymDense, []float64) {
	t.Helper()
	p, err := NewProblem[float64](t.Context(), parse(t, strings.ReplaceAll(spectral, "%s", activation)))
	if err != nil {
		t.Fatal(err)
	}
	n := len(p.Theta)
	gradient := func(theta []float64) []float64 {
		g := make([]float64, n)
		if _, err := p.Objective.Evaluate(t.Context(), theta, objective.Full, objective.Want[float64]{Gradient: g}); err != nil {
			t.Fatal(err)
		}
		return g
	}
	h := mat.NewSymDense(n, nil)
	at := slices.Clone(p.Theta)
	const far = 1e-3
	for i := range n {
		slope := make([]float64, n)
		for _, part := range []struct{ step, weight float64 }{{1, 8}, {-1, -8}, {2, -1}, {-2, 1}} { // of fourth order
			at[i] = p.Theta[i] + part.step*far
			for j, g := range gradient(at) {
				slope[j] += part.weight * g / (12 * far)
			}
		}
		at[i] = p.Theta[i]
		for j, s := range slope {
			h.SetSym(i, j, h.At(i, j)+s/2)
		}
		h.SetSym(i, i, slope[i])
	}
	return h, gradient(p.Theta)
}

func ascending(t *testing.T, a mat.Symmetric) []float64 {
	t.Helper()
	var e mat.EigenSym
	if !e.Factorize(a, false) {
		t.Fatal("no eigenvalues")
	}
	return e.Values(nil)
}

func wantValues(t *testing.T, what string, got []record.Number, want []float64, within float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i, v := range got {
		if !(math.Abs(float64(v)-want[i]) <= within) {
			t.Errorf("%s: eigenvalue %d is %v, want %v within %v", what, i, v, want[i], within)
		}
	}
}

func reversed(x []float64) []float64 {
	out := slices.Clone(x)
	slices.Reverse(out)
	return out
}

// The whole matrix, and the search that is made where it is too large, against differences of gradients.
func TestTheSpectrumIsThatOfTheDenseHessian(t *testing.T) {
	h, _ := byDifferences(t, "tanh")
	values, trace := ascending(t, h), mat.Trace(h)
	n := len(values)
	for _, estimated := range []bool{false, true} {
		got := spectralOf(t, "tanh", SpectrumOptions{Top: 8, Bottom: 6, Layers: true, Density: true, estimated: estimated})
		if got.Exact == estimated || got.Parameters != n || !got.Converged {
			t.Errorf("estimated %v: exact %v, %d parameters, converged %v", estimated, got.Exact, got.Parameters, got.Converged)
		}
		within := 2e-7 * values[n-1]
		wantValues(t, "top", got.Top, reversed(values)[:8], within)
		wantValues(t, "bottom", got.Bottom, values[:6], within)
		if e := got.Trace; !(math.Abs(float64(e.Mean)-trace) <= 5*float64(e.Deviation)+1e-7) || (e.Deviation == 0) == estimated {
			t.Errorf("estimated %v: trace %v, want %v", estimated, e, trace)
		}
		from, sum := 0, 0.0
		for _, name := range got.Names {
			l := got.Layers[name]
			block := mat.NewSymDense(l.Parameters, nil)
			for i := range l.Parameters {
				for j := i; j < l.Parameters; j++ {
					block.SetSym(i, j, h.At(from+i, from+j))
				}
			}
			from += l.Parameters
			own := ascending(t, block)
			wantValues(t, name, []record.Number{l.Top, l.Bottom}, []float64{own[len(own)-1], own[0]}, within)
			if !(math.Abs(float64(l.Trace.Mean)-mat.Trace(block)) <= 5*float64(l.Trace.Deviation)+1e-7) {
				t.Errorf("trace %v of %s, want %v", l.Trace, name, mat.Trace(block))
			}
			sum += float64(l.Trace.Mean)
		}
		if from != n || math.Abs(sum-float64(got.Trace.Mean)) > 1e-6*math.Abs(trace) {
			t.Errorf("the layers have %d of %d parameters, and traces of sum %v, want %v", from, n, sum, got.Trace.Mean)
		}
		wantDensity(t, got.Density, values)
	}
}

// wantDensity compares a density with that of all eigenvalues at its width.
func wantDensity(t *testing.T, d *SpectralDensity, values []float64) {
	t.Helper()
	width, highest := float64(d.Width), float64(slices.Max(d.Y))
	for i, x := range d.X {
		want := 0.0
		for _, v := range values {
			z := (float64(x) - v) / width
			want += math.Exp(-z*z/2) / (width * math.Sqrt(2*math.Pi) * float64(len(values)))
		}
		if !(math.Abs(float64(d.Y[i])-want) <= 5*float64(d.Deviation[i])+2e-3*highest) {
			t.Fatalf("density %v +- %v at %v, want %v", d.Y[i], d.Deviation[i], x, want)
		}
	}
}

// A relu network's Hessian is 0 on the weights of pixels that are never dark and of units that no example reaches.
func TestASearchConvergesOnAReluNetworkWithAHugeNullSpace(t *testing.T) {
	exact := spectralOf(t, "relu", SpectrumOptions{Top: 6, Bottom: 6})
	got := spectralOf(t, "relu", SpectrumOptions{Top: 6, Bottom: 6, estimated: true})
	if !got.Converged {
		t.Errorf("residuals %v", got.Residuals)
	}
	within := 1.1e-7 * float64(exact.Top[0])
	for i := range exact.Top {
		wantValues(t, "relu", []record.Number{got.Top[i], got.Bottom[i]}, []float64{float64(exact.Top[i]), float64(exact.Bottom[i])}, within)
	}
}

func TestThePreconditionedSpectrumIsScaledByAdamsMemoryFull(t *testing.T) {
	h, g := byDifferences(t, "tanh")
	for i := range g {
		for j := i; j < len(g); j++ {
			h.SetSym(i, j, h.At(i, j)/math.Sqrt(math.Sqrt((g[i]*g[i]+1e-4)*(g[j]*g[j]+1e-4))))
		}
	}
	values := ascending(t, h)
	for _, estimated := range []bool{false, true} {
		p := spectralOf(t, "tanh", SpectrumOptions{Top: 4, Bottom: 3, Precondition: true, estimated: estimated}).Preconditioned
		wantValues(t, "top", p.Top, reversed(values)[:4], 1e-6*values[len(values)-1])
		wantValues(t, "bottom", p.Bottom, values[:3], 1e-6*values[len(values)-1])
		if want := (2 + 2*0.9) / ((1 - 0.9) * 0.01); math.Abs(float64(p.PeriodTwo)-want) > 1e-6*want || p.Beyond != 0 {
			t.Errorf("threshold %v, want %v; %d beyond", p.PeriodTwo, want, p.Beyond)
		}
	}
}

func TestModesBeyondTheThresholdAreCounted(t *testing.T) {
	got := spectralOf(t, "tanh", SpectrumOptions{Top: 5, Precondition: true}, "optimizer.lr=0.6").Preconditioned
	count := 0
	for _, v := range got.Top {
		if v > got.PeriodTwo {
			count++
		}
	}
	if count == 0 || count == 5 || got.Beyond != count {
		t.Errorf("%d beyond %v of %v", got.Beyond, got.PeriodTwo, got.Top)
	}
}

func TestTheSpectrumOfAClosedFormIsKnown(t *testing.T) {
	c := parse(t, "objective: {name: bilinear, theta: [1.6, 1.1], pairs: [[2, 1.5]]}\noptimizer: {name: gd, lr: 0.01}\n")
	got, err := FindSpectrum(t.Context(), c, SpectrumOptions{Top: 2, Precondition: true})
	if err != nil {
		t.Fatal(err)
	}
	// E = (y - x a b)^2/2 with x = 2, y = 1.5: the second derivatives are (x b)^2, (x a)^2 and 2 x^2 a b - x y.
	a, b, x, y := 1.6, 1.1, 2.0, 1.5
	p, q, r := x*x*b*b, x*x*a*a, 2*x*x*a*b-x*y
	mean, half := (p+q)/2, math.Hypot((p-q)/2, r)
	wantValues(t, "bilinear", got.Top, []float64{mean + half, mean - half}, 1e-12)
	wantValues(t, "preconditioned by nothing", got.Preconditioned.Top, []float64{mean + half, mean - half}, 1e-12)
	if t2 := float64(got.Preconditioned.PeriodTwo); math.Abs(t2-200) > 1e-9 {
		t.Errorf("threshold %v, want 2/h", t2)
	}
}

func TestEigenvectorsAreWrittenUnderTheWeightsNames(t *testing.T) {
	file := filepath.Join(t.TempDir(), "v.safetensors")
	spectralOf(t, "tanh", SpectrumOptions{Top: 2, Bottom: 1, Vectors: file})
	got, err := safetensors.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	squares := map[string]float64{}
	for _, tensor := range got.Tensors {
		data, _ := tensor.Float64s()
		for _, x := range data {
			squares[strings.Join(strings.SplitN(tensor.Name, ".", 3)[:2], ".")] += x * x
		}
	}
	for _, name := range []string{"top.0", "top.1", "bottom.0"} {
		if math.Abs(squares[name]-1) > 1e-12 {
			t.Errorf("the vectors have the squared lengths %v, want 1 for %s", squares, name)
		}
	}
	if len(squares) != 3 {
		t.Errorf("vectors %v", squares)
	}
}

func TestNoPreconditionedSpectrumSaysWhy(t *testing.T) {
	for says, overrides := range map[string][]string{
		"clips the gradient here": {"optimizer.clip_norm=1e-3"},
		"has no memory form":      {"optimizer.name=amsgrad"},
	} {
		c := parse(t, strings.ReplaceAll(strings.ReplaceAll(spectral, "%s", "tanh"), "optimizer: {name: adam, lr: 0.01, beta1: 0.9, beta2: 0.99, eps: 1e-4}", ""), overrides...)
		if _, err := FindSpectrum(t.Context(), c, SpectrumOptions{Top: 1, Precondition: true}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("want an error that says %q, got %v", says, err)
		}
	}
}

// Cross-entropy leaves the block of the last layer many eigenvalues of 0, and others crowded above them, which no search comes to the end of.
func TestALayersEigenvaluesAreWithinWhatIsSaid(t *testing.T) {
	c := parse(t, small, "dtype=float64", "beside=[]", "model.hidden=[24]")
	exact, err := FindSpectrum(t.Context(), c, SpectrumOptions{Top: 1, Bottom: 1, Layers: true})
	if err != nil {
		t.Fatal(err)
	}
	found, err := FindSpectrum(t.Context(), c, SpectrumOptions{Top: 1, Bottom: 1, Layers: true, estimated: true})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range exact.Layers {
		got, within := found.Layers[name], 1.1e-7*float64(want.Top)
		if math.Abs(float64(got.Top-want.Top)) > within || math.Abs(float64(got.Bottom-want.Bottom)) > within || !(float64(got.Residual) <= within) {
			t.Errorf("layer %s: %v and %v within %v, want %v and %v", name, got.Top, got.Bottom, got.Residual, want.Top, want.Bottom)
		}
	}
}

// In brief each eigenvalue is within the tolerance of itself, found by fewer products, without a trace.
func TestABriefSpectrumIsTheExtremeEigenvaluesAlone(t *testing.T) {
	exact := spectralOf(t, "tanh", SpectrumOptions{Top: 6})
	whole := spectralOf(t, "tanh", SpectrumOptions{Top: 6, Tolerance: 1e-4, estimated: true})
	got := spectralOf(t, "tanh", SpectrumOptions{Top: 6, Tolerance: 1e-4, Brief: true, estimated: true})
	if !got.Converged || got.Trace != nil || got.RootDiagonal != nil || got.Products+probes+confirmed > whole.Products {
		t.Errorf("converged %v, trace %v, %d products of %d", got.Converged, got.Trace, got.Products, whole.Products)
	}
	for i, v := range exact.Top {
		if r := float64(got.Residuals.Top[i]); !(r <= 1e-4*float64(v)) {
			t.Errorf("the residual of %v is %v", v, r)
		}
		wantValues(t, "brief", []record.Number{got.Top[i]}, []float64{float64(v)}, 1e-4*float64(v))
	}
}

const confirmed = 12 // products at least, of a search that is not brief
