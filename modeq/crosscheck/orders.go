package crosscheck

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"shadowflow/internal/plural"
	"shadowflow/internal/stats"
	"shadowflow/modeq"
	"shadowflow/objective"
	"shadowflow/rule"
)

// OrderOptions say over which orders of the batches C_mem is averaged.
type OrderOptions struct {
	// Order names the law: "shuffled" (each epoch in a new order), "sampled" (with replacement) or "cyclic" (one order in all epochs).
	Order string
	// Orders is the number of random orders, at least 2.
	Orders int
	Seed   uint64
	// Eps is that of the perturbed one-norm N whose drive is compared.
	Eps float64
	// LR is the step size h of the drive.
	LR      float64
	Threads int
}

// Comparison is a number that is expected, with what noise adds to it, and its mean over random orders.
type Comparison struct {
	// Terms are what there is without noise, and the five terms of noise.
	Terms [1 + modeq.NoiseTerms]float64 `json:"terms"`
	// Expected is their sum.
	Expected float64 `json:"expected"`
	Mean     float64 `json:"mean"`
	// Error is the standard error of Mean.
	Error float64 `json:"standard_error"`
}

// Apart returns by how many standard errors the mean and what is expected differ.
func (c Comparison) Apart() float64 { return apart(c.Mean-c.Expected, c.Error) }

// WithoutNoise returns by how many standard errors the mean and what is expected without noise differ.
func (c Comparison) WithoutNoise() float64 { return apart(c.Mean-c.Terms[0], c.Error) }

func apart(difference, unit float64) float64 {
	if difference == 0 {
		return 0
	}
	return difference / unit
}

// Orders compares the expectation of C_mem, the second-order term's part that memory has, with its mean over random orders of the
// batches.
type Orders struct {
	Batches int `json:"batches"`
	Orders  int `json:"orders"`
	// LeftOut is the number of coordinates whose noise is too large to expand in.
	LeftOut int `json:"left_out"`
	// Share is the largest variance over g^2 + eps of the others: what the expansion is in.
	Share float64 `json:"noise_share"`
	// Drive is that of C_mem on N, -h q.C_mem with q = grad N.
	Drive       Comparison   `json:"drive"`
	Coordinates []Comparison `json:"coordinates"`
}

// Far is the number of coordinates that are more than limit standard errors from the mean.
func (o *Orders) Far(limit float64) int {
	far := 0
	for _, c := range o.Coordinates {
		if !(math.Abs(c.Apart()) <= limit) {
			far++
		}
	}
	return far
}

// OverOrders makes the comparison at theta. The expectation takes the Hessian's products exactly: one with each batch's Hessian for
// each batch and moment. An order costs a gradient and a Hessian-vector product a moment of each batch that the memory holds. Of a rule without memory
// it is an error: C_mem is 0 in every order, and nothing is compared.
func OverOrders(ctx context.Context, o objective.Objective[float64], r *rule.Rule, theta []float64, opt OrderOptions) (*Orders, error) {
	batches := o.Batches()
	laws := map[string]modeq.Correlation{"sampled": modeq.SampledCorrelation()}
	if batches > 1 {
		laws["shuffled"], laws["cyclic"] = modeq.ShuffledCorrelation(batches), modeq.CyclicCorrelation(batches)
	}
	law, ok := laws[opt.Order]
	switch {
	case batches < 2:
		return nil, errors.New("the loss is one batch, which has no order: want at least two")
	case !ok:
		return nil, fmt.Errorf("order %q: want shuffled, sampled or cyclic", opt.Order)
	case opt.Orders < 2:
		return nil, fmt.Errorf("%s: want at least 2, for a standard error", plural.Count(opt.Orders, "order"))
	case len(theta) != o.Dim():
		return nil, fmt.Errorf("theta has %s: the objective has %s", plural.Count(len(theta), "number"), plural.Count(o.Dim(), "parameter"))
	}
	if m, err := r.MemoryForm(); err == nil && !m.Remembers() {
		return nil, fmt.Errorf("%s remembers no gradient before the present one as it is set, so that the order of batches adds nothing, and there is nothing to compare: want an optimizer with memory, like adam with a beta above 0", r.Name)
	}
	k := &orderChecker{ctx: ctx, o: o, rule: r, theta: theta, opt: opt}
	if err := k.expect(law); err != nil {
		return nil, err
	}
	return k.compare()
}

// orderChecker holds what is expected.
type orderChecker struct {
	ctx   context.Context
	o     objective.Objective[float64]
	rule  *rule.Rule
	theta []float64
	opt   OrderOptions

	mean, variance, q []float64
	expected          *modeq.ExpectedBias
}

// expect finds the mean and the variance of the batches' gradients, q, and the expectation.
func (k *orderChecker) expect(law modeq.Correlation) error {
	dim, batches := k.o.Dim(), k.o.Batches()
	k.mean, k.variance, k.q = make([]float64, dim), make([]float64, dim), make([]float64, dim)
	g, share := make([]float64, dim), 1/float64(batches)
	each := func(f func(j int, v float64)) error {
		for b := range batches {
			if _, err := k.o.Evaluate(k.ctx, k.theta, b, objective.Want[float64]{Gradient: g}); err != nil {
				return err
			}
			for j, v := range g {
				f(j, v)
			}
		}
		return nil
	}
	if err := each(func(j int, v float64) { k.mean[j] += share * v }); err != nil {
		return err
	}
	if err := each(func(j int, v float64) { k.variance[j] += share * (v - k.mean[j]) * (v - k.mean[j]) }); err != nil {
		return err
	}
	for j, v := range k.mean {
		g[j] = v / math.Sqrt(v*v+k.opt.Eps)
	}
	want := objective.Want[float64]{Vectors: [][]float64{g}, Products: [][]float64{k.q}}
	if _, err := k.o.Evaluate(k.ctx, k.theta, objective.Full, want); err != nil {
		return err
	}
	bias, err := modeq.NewBatchBias(k.rule, k.o, modeq.BatchBiasOptions{Order: law, Hessians: batches, Threads: k.opt.Threads})
	if err != nil {
		return err
	}
	k.expected, err = bias.At(k.ctx, k.theta, k.mean, k.variance, nil)
	return err
}

// orderTolerance is the share of the memory that an order's C_mem may leave out: far below the standard errors of any number of orders.
const orderTolerance = 1e-6

// sample calls add with C_mem of each random order, at a step behind a full memory, drawn from those of an epoch.
func (k *orderChecker) sample(add func(c []float64)) error {
	batches := k.o.Batches()
	var order func(step int) int
	s, err := modeq.NewSecondOrder(k.rule, k.o, modeq.SecondOptions{
		Order: func(step int) int { return order(step) }, Tolerance: orderTolerance, MemoryAlone: true, Threads: k.opt.Threads,
	})
	if err != nil {
		return err
	}
	first := (2*s.Window()/batches + 1) * batches
	f, c := make([]float64, len(k.theta)), make([]float64, len(k.theta))
	for i := range k.opt.Orders {
		draw := rand.New(rand.NewPCG(k.opt.Seed, uint64(i)))
		switch seed := draw.Uint64(); k.opt.Order {
		case "shuffled":
			order = modeq.Shuffled(batches, seed)
		case "sampled":
			order = modeq.Sampled(batches, seed)
		case "cyclic":
			perm := draw.Perm(batches)
			order = func(step int) int { return perm[step%batches] }
		}
		if err := s.At(k.ctx, first+draw.IntN(batches), k.theta, f, c); err != nil {
			return err
		}
		add(c)
	}
	return nil
}

// compare averages over the orders.
func (k *orderChecker) compare() (*Orders, error) {
	out := &Orders{
		Batches: k.o.Batches(), Orders: k.opt.Orders, LeftOut: k.expected.LeftOut, Coordinates: make([]Comparison, len(k.theta)),
	}
	means, drives := make([]stats.Running, len(k.theta)), stats.Running{}
	err := k.sample(func(c []float64) {
		drive := 0.0
		for j, v := range c {
			means[j].Add(v)
			drive -= k.opt.LR * k.q[j] * v
		}
		drives.Add(drive)
	})
	if err != nil {
		return nil, err
	}
	for j := range out.Coordinates {
		c := &out.Coordinates[j]
		c.Mean, c.Error = means[j].StandardError()
		for i, term := range k.expected.Terms {
			c.Terms[i] = term[j]
			c.Expected += term[j]
			out.Drive.Terms[i] -= k.opt.LR * k.q[j] * term[j]
		}
		if k.expected.Kept[j] != 0 {
			out.Share = max(out.Share, k.variance[j]/(k.mean[j]*k.mean[j]+k.opt.Eps))
		}
	}
	for _, term := range out.Drive.Terms {
		out.Drive.Expected += term
	}
	out.Drive.Mean, out.Drive.Error = drives.StandardError()
	return out, nil
}

// What an expansion in noise leaves out is of the order of its terms times the noise's share; in examples it was half of that.
const neglected = 2

// allowed is what noise beyond the expansion, and chance, may make of a comparison.
func (o *Orders) allowed(c Comparison, deviations float64) float64 {
	size := 0.0
	for _, term := range c.Terms[1:] {
		size += math.Abs(term)
	}
	return deviations*c.Error + neglected*o.Share*size
}

// Agrees reports whether expectation and mean agree: the drive within 3 standard errors, every coordinate within 5, beside what the
// expansion leaves out. Where coordinates are left out of it nothing is known of how far it should agree.
func (o *Orders) Agrees() bool {
	off := func(c Comparison, deviations float64) bool {
		return !(math.Abs(c.Mean-c.Expected) <= o.allowed(c, deviations))
	}
	if o.LeftOut > 0 {
		return true
	}
	for _, c := range o.Coordinates {
		if off(c, 5) {
			return false
		}
	}
	return !off(o.Drive, 3)
}

// Verdict says what the comparison shows, of the drive.
func (o *Orders) Verdict() string {
	apart := math.Abs(o.Drive.Apart())
	s := fmt.Sprintf("The drive that is expected lies %.1f standard errors from the mean over orders, that without noise %.1f",
		apart, math.Abs(o.Drive.WithoutNoise()))
	switch {
	case o.LeftOut > 0:
		return s + fmt.Sprintf(". The noise of %d of %d coordinates is too large to expand in, so that the formula is out of its range here.",
			o.LeftOut, len(o.Coordinates))
	case apart <= 3:
		return s + ": they agree."
	case o.Agrees():
		return s + fmt.Sprintf(", off by %.0f%% of what noise adds: "+
			"no more than is left out of the expansion, variances being up to %.2g of g^2 + eps.",
			100*math.Abs((o.Drive.Mean-o.Drive.Expected)/(o.Drive.Mean-o.Drive.Terms[0])), o.Share)
	}
	return s + ": they disagree."
}
