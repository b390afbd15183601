package flow

import "math"

// stepper holds the state of an integration between steps and all its buffers. The
// methods that evaluate the field return its errors with the time attached.
type stepper struct {
	*Method
	field Field
	n     int // interval

	t, tNew float64
	y, yNew []float64   // before the end is known, yNew is the argument of a stage
	k       [][]float64 // stages, the derivative at the end, stages of the dense output
	sum     []float64   // sum_i b_i k_i as far as it is known, where k has one state alone; otherwise nil

	haveStart bool // k[0] is f(n, t, y)
	haveEnd   bool // k[s] is f(n, tNew, yNew)
	haveDense bool // r is the interpolant of the step

	r           [][]float64 // coefficients of the dense output
	between     []float64   // argument of its stages
	evaluations int
}

// newStepper makes the buffers. Where nothing is asked between the steps, a method that looks back one stage alone takes one state for all of them.
func newStepper(m *Method, field Field, t0 float64, y0 []float64, opt *Options) *stepper {
	dim := len(y0)
	take := opt.Buffers.taker(dim)
	s := &stepper{Method: m, field: field, t: t0, y: take(), yNew: take()}
	copy(s.y, y0)
	s.k = make([][]float64, m.stages()+1)
	if opt.fixed(m) && len(opt.Times) == 0 && m.looksBackOnce() {
		s.sum = take()
		one := take()
		for i := range s.k {
			s.k[i] = one
		}
		return s
	}
	for i := range s.k {
		if i < m.stages() || m.usesEnd() || len(opt.Times) > 0 {
			s.k[i] = take()
		}
	}
	return s
}

// eval sets k[i] to the field at (t, y), which must be finite.
func (s *stepper) eval(i int, t float64, y []float64) error {
	s.evaluations++
	k := s.k[i]
	if err := s.field(s.n, t, y, k); err != nil {
		return &FieldError{T: t, N: s.n, Err: err}
	}
	for j, v := range k {
		if v-v != 0 { // an infinity or not a number
			return &NonFiniteError{T: t, N: s.n, Index: j, Value: v}
		}
	}
	return nil
}

// start evaluates the field at the step's start, unless it is known.
func (s *stepper) start() error {
	if s.haveStart {
		return nil
	}
	if err := s.eval(0, s.t, s.y); err != nil {
		return err
	}
	s.haveStart = true
	return nil
}

// enter moves to another interval: whatever was known of the field is void.
func (s *stepper) enter(n int) {
	s.n = n
	s.haveStart = false
}

// try computes yNew at tNew from y at t. k[0] must be known.
func (s *stepper) try(tNew float64) error {
	h := tNew - s.t
	s.tNew, s.haveEnd, s.haveDense = tNew, false, false
	if s.sum != nil {
		return s.tryInOne(h)
	}
	for i := 1; i < s.stages(); i++ {
		combine(s.yNew, s.y, h, s.a[i], s.k)
		if err := s.eval(i, s.stageTime(s.c[i], h), s.yNew); err != nil {
			return err
		}
	}
	combine(s.yNew, s.y, h, s.b, s.k)
	if s.usesEnd() {
		return s.end()
	}
	return nil
}

// tryInOne is try where all stages are in one state: each joins the sum before the next takes its place. It makes the same bits.
func (s *stepper) tryInOne(h float64) error {
	clear(s.sum)
	for i, b := range s.b {
		if i > 0 {
			combine(s.yNew, s.y, h, s.a[i], s.k)
			if err := s.eval(i, s.stageTime(s.c[i], h), s.yNew); err != nil {
				return err
			}
		}
		if b == 0 {
			continue
		}
		for j, v := range s.k[i] {
			s.sum[j] += b * v
		}
	}
	s.haveStart = false // k[0] is another stage now
	combine(s.yNew, s.y, h, []float64{1}, [][]float64{s.sum})
	return nil
}

// stageTime is t + c h, and for c = 1 exactly the step's end.
func (s *stepper) stageTime(c, h float64) float64 {
	if c == 1 {
		return s.tNew
	}
	return s.t + c*h
}

// end evaluates the field at the step's end, unless it is known.
func (s *stepper) end() error {
	if s.haveEnd {
		return nil
	}
	if err := s.eval(s.stages(), s.tNew, s.yNew); err != nil {
		return err
	}
	s.haveEnd = true
	return nil
}

// advance makes the step's end the start of the next.
func (s *stepper) advance() {
	s.t = s.tNew
	s.y, s.yNew = s.yNew, s.y
	s.haveStart = s.haveEnd
	if s.haveEnd {
		last := s.stages()
		s.k[0], s.k[last] = s.k[last], s.k[0]
	}
	s.haveEnd, s.haveDense = false, false
}

// scaledError returns the error estimate of the step in units of the tolerance.
//
// With two estimates, as DOP853 has, it is |h| e5^2 / sqrt(e5^2 + 0.01 e3^2)
// (Hairer, Norsett and Wanner, section II.10): of order h^8, and cautious where
// the two do not behave as they should.
func (s *stepper) scaledError(relTol, absTol float64) float64 {
	h := s.tNew - s.t
	var sums [2]float64
	var e [2]float64
	for i, y := range s.y {
		scale := absTol + relTol*max(math.Abs(y), math.Abs(s.yNew[i]))
		for j, weights := range s.errors {
			e[j] = 0
			for l, w := range weights {
				if w != 0 {
					e[j] += w * s.k[l][i]
				}
			}
			e[j] /= scale
			sums[j] += e[j] * e[j]
		}
	}
	dim := float64(len(s.y))
	if len(s.errors) == 1 {
		return math.Abs(h) * math.Sqrt(sums[0]/dim)
	}
	low, high := sums[0], sums[1]
	if high == 0 {
		return 0
	}
	return math.Abs(h) * high / math.Sqrt((high+0.01*low)*dim)
}

// initialStep guesses a first step size from f and its change over one small
// step (Hairer, Norsett and Wanner, section II.4). k[0] must be known.
func (s *stepper) initialStep(toward, limit, relTol, absTol float64) (float64, error) {
	d0, d1 := 0.0, 0.0
	for i, y := range s.y {
		scale := absTol + relTol*math.Abs(y)
		d0 += (y / scale) * (y / scale)
		d1 += (s.k[0][i] / scale) * (s.k[0][i] / scale)
	}
	h := 1e-6
	if d0 > 1e-10 && d1 > 1e-10 {
		h = 0.01 * math.Sqrt(d0/d1)
	}
	h = max(min(h, limit), smallestGuess*limit)
	combine(s.yNew, s.y, math.Copysign(h, toward), []float64{1}, s.k)
	if err := s.eval(1, s.t+math.Copysign(h, toward), s.yNew); err != nil {
		return h * s.control.smallest, ignoreNonFinite(err)
	}
	d2 := 0.0
	for i, y := range s.y {
		change := (s.k[1][i] - s.k[0][i]) / (absTol + relTol*math.Abs(y))
		d2 += change * change
	}
	dim := float64(len(s.y))
	d2 = math.Sqrt(d2/dim) / h
	d1 = math.Sqrt(d1 / dim)
	next := max(1e-6, h*1e-3)
	if most := max(d1, d2); most > 1e-15 {
		next = math.Pow(0.01/most, 1/float64(s.control.errorOrder+1))
	}
	return max(min(100*h, next, limit), smallestGuess*limit), nil
}

// smallestGuess keeps a first step above zero where the field is so large that the
// guess underflows.
const smallestGuess = 1e-12

// block is the number of coordinates that are combined at a time, few enough to
// stay in the first-level cache while all the stages are added.
const block = 1024

// combine sets dst = y + h sum_i w_i k_i; a nil y counts as zero.
func combine(dst, y []float64, h float64, w []float64, k [][]float64) {
	for lo := 0; lo < len(dst); lo += block {
		hi := min(lo+block, len(dst))
		d := dst[lo:hi]
		clear(d)
		for i, wi := range w {
			if wi == 0 {
				continue
			}
			ki := k[i][lo:hi]
			for j := range d {
				d[j] += wi * ki[j]
			}
		}
		for j := range d {
			d[j] *= h
		}
		if y == nil {
			continue
		}
		for j, v := range y[lo:hi] {
			d[j] += v
		}
	}
}
