package modeq

import (
	"fmt"
	"math"

	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/rule"
)

// AdamNoise is what the theory of the expected bias over the order of small batches (arXiv:2602.01642) says of Adam with the memory
// full, where eps is small beside g^2 and batches are few of many: with Sigma the covariance of one example's gradient, in batches
// of b,
//
//	|g_j| E C_j = Memory d_j|g|_1 + (C1/b) d_j|g|_1 Sigma_jj/g_j^2 + (C2/b) sum_i d_j|g_i| Sigma_ii/g_i^2
//	            + (C3/b) (sign g_j/|g_j|) sum_i sign g_i d_i Sigma_jj + (C4/b) sum_i d_j Sigma_ii/|g_i|
//	            + (C5/b) (sign g_j/|g_j|) sum_i (d_i g_j/|g_i|) Sigma_ij,
//
// C being the part of the second-order term that memory has. [BatchBias] evaluates these terms for any rule, eps and order of batches.
type AdamNoise struct {
	Memory             float64 // a1 - a2, a_i = beta_i/(1-beta_i)
	C1, C2, C3, C4, C5 float64
	beta1, beta2       float64
}

// NewAdamNoise returns the coefficients for two decays, each at least 0 and below 1.
func NewAdamNoise(beta1, beta2 float64) AdamNoise {
	a1, a2 := beta1/(1-beta1), beta2/(1-beta2)
	q := (1 - beta2) / (1 + beta2)
	w := (1 - beta1) * (1 - beta2) / (1 - beta1*beta2)
	w2 := w * beta1 * beta2 / (1 - beta1*beta2)
	s := beta2 * beta2 / ((1 + beta2) * (1 + beta2))
	both := (1 + beta1) * (1 + beta2) * (1 - beta1*beta2)
	return AdamNoise{
		Memory: a1 - a2,
		C1:     a1*(3*q-1)/2 + a2*(3*w+1.5-7.5*q) - w2 + 3*s,
		C2:     (3*q - 1 - 2*w) * (a1 - a2) / 2,
		C3:     (-2*w2 - a2 + 3*s) / 2,
		C4:     -(beta1 - beta2) * (beta1 - beta2) / (2 * both),
		C5:     beta2 * (beta2 - beta1) * (2*beta2 - 3*beta1 - 1) / (both * (1 + beta2)),
		beta1:  beta1, beta2: beta2,
	}
}

// Total returns the headline C_total = a1 - a2 + (C1 + C2) B_simple/b: the terms of one-norm and noise taken together, where
// Sigma_jj/g_j^2 is everywhere tr Sigma/|g|^2. Where it is positive the memory penalizes, on the average, where negative it hinders.
func (a AdamNoise) Total(noiseOverBatch float64) float64 {
	return a.Memory + (a.C1+a.C2)*noiseOverBatch
}

// FlipBatch returns the batch size over B_simple at which beta2 changes its effect, dC_total/dbeta2 = 0 at these decays: in larger
// batches a larger beta2 makes C_total smaller, in smaller ones larger. It tends to 2 as beta2 tends to 1, and is 2.003 at .9/.99.
// Where no batch size does that (beta2 well below beta1, mostly) it is NaN.
func (a AdamNoise) FlipBatch() float64 {
	// C1 + C2 is smooth in log(1-beta2): central differences of order 4 there. d(a1-a2)/dlog(1-beta2) = 1/(1-beta2).
	const step = 1e-3
	slope := 0.0
	for _, p := range []struct{ shift, weight float64 }{{-2, 1. / 12}, {-1, -2. / 3}, {1, 2. / 3}, {2, -1. / 12}} {
		at := NewAdamNoise(a.beta1, 1-(1-a.beta2)*math.Exp(p.shift*step))
		slope += p.weight * (at.C1 + at.C2) / step
	}
	if flip := -slope * (1 - a.beta2); flip > 0 {
		return flip
	}
	return math.NaN()
}

// AdamDecays returns the decays of a rule that is Adam where eps is small: moments of g and of g^2, or of g^2 alone (RMSProp, beta1
// = 0), both averages, and an update that is linear in the former and falls with the root of the latter, beside weight decay. ok
// says whether it is.
func AdamDecays(r *rule.Rule) (beta1, beta2 float64, ok bool, err error) {
	m, err := r.MemoryForm()
	if err != nil || r.Conditioning().Active() || !r.Elementwise {
		return 0, 0, false, err
	}
	first, second := -1, -1
	for i, mo := range m.Moments {
		if !isAverage(mo) {
			return 0, 0, false, nil
		}
		power, err := powerOf(mo)
		switch {
		case err != nil:
			return 0, 0, false, err
		case power == 1 && first < 0:
			first, beta1 = i, mo.Kernel.Beta
		case power == 2 && second < 0:
			second, beta2 = i, mo.Kernel.Beta
		default:
			return 0, 0, false, nil
		}
	}
	if second < 0 {
		return 0, 0, false, nil
	}
	ok, err = dividesByRoot(m, first, second)
	return beta1, beta2, ok, err
}

// isAverage reports whether a full memory is an exponential moving average.
func isAverage(m rule.Moment) bool {
	at := func(k int) float64 { return m.Weight(k, FullMemory) }
	beta := m.Kernel.Beta
	return math.Abs(at(0)-(1-beta)) < 1e-12 && math.Abs(at(1)-(1-beta)*beta) < 1e-12
}

// powerOf returns the p of phi(g) = g^p, found by trying; 0 where phi is another function.
func powerOf(m rule.Moment) (int, error) {
	b := graph.NewBuilder()
	g, theta := b.Param("g", graph.Float64, 3), b.Param("theta", graph.Float64, 3)
	p, err := engine.Compile([]graph.Value{g, theta}, []graph.Value{m.Apply(g, theta)}, engine.Options{Threads: 1})
	if err != nil {
		return 0, fmt.Errorf("moment %s: %w", m.Name, err)
	}
	at, phi := []float64{-3, 0.5, 2}, make([]float64, 3)
	if err := p.Run(buffers([][]float64{at, make([]float64, 3)}), buffers([][]float64{phi})); err != nil {
		return 0, err
	}
	for power := 1; power <= 2; power++ {
		same := true
		for i, v := range at {
			same = same && math.Abs(phi[i]-math.Pow(v, float64(power))) < 1e-12
		}
		if same {
			return power, nil
		}
	}
	return 0, nil
}

// dividesByRoot reports whether U = x/sqrt(v) where eps is small, x being the first moment or, without one, g: by trying.
func dividesByRoot(m *rule.Memory, first, second int) (bool, error) {
	const far = 1e12 // beside any eps
	x, v := []float64{far, -2 * far, far}, []float64{far * far, 9 * far * far, 0.25 * far * far}
	b := graph.NewBuilder()
	var in []graph.Value
	var values [][]float64
	param := func(name string, at []float64) graph.Value {
		p := b.Param(name, graph.Float64, len(at))
		in, values = append(in, p), append(values, at)
		return p
	}
	s := make([]graph.Value, len(m.Moments))
	s[second] = param("v", v)
	g := param("x", x)
	if first >= 0 { // and nothing of the present gradient itself
		s[first] = g
		g = param("g", []float64{-5 * far, far, 3 * far})
	}
	u := m.Update(s, g, g.Like(0).BroadcastTo(len(x)))
	p, err := engine.Compile(in, []graph.Value{u}, engine.Options{Threads: 1})
	if err != nil {
		return false, err
	}
	out := make([]float64, len(x))
	if err := p.Run(buffers(values), buffers([][]float64{out})); err != nil {
		return false, err
	}
	for i := range out {
		if want := x[i] / math.Sqrt(v[i]); !(math.Abs(out[i]-want) < 1e-6) {
			return false, nil
		}
	}
	return true, nil
}
