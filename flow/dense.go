package flow

// interpolate makes r the coefficients of the step's dense output, in the nested
// form that Method describes.
func (s *stepper) interpolate() error {
	if s.haveDense {
		return nil
	}
	if err := s.end(); err != nil {
		return err
	}
	s.allocateDense()
	h := s.tNew - s.t
	first := s.stages() + 1
	for j, weights := range s.denseA {
		combine(s.between, s.y, h, weights, s.k)
		if err := s.eval(first+j, s.stageTime(s.denseC[j], h), s.between); err != nil {
			return err
		}
	}
	start, end := s.k[0], s.k[s.stages()]
	for i, y := range s.y {
		r1 := s.yNew[i] - y
		r2 := h*start[i] - r1
		s.r[0][i], s.r[1][i], s.r[2][i] = y, r1, r2
		s.r[3][i] = r1 - h*end[i] - r2
	}
	for j, weights := range s.d {
		combine(s.r[4+j], nil, h, weights, s.k)
	}
	s.haveDense = true
	return nil
}

// allocateDense makes the buffers of the dense output when it is first wanted.
func (s *stepper) allocateDense() {
	if s.r != nil {
		return
	}
	dim := len(s.y)
	s.r = make([][]float64, 4+len(s.d))
	for i := range s.r {
		s.r[i] = make([]float64, dim)
	}
	for range s.denseA {
		s.k = append(s.k, make([]float64, dim))
	}
	s.between = make([]float64, dim)
}

// evaluateDense writes the interpolant with coefficients r at the fraction x of
// its step into dst.
func evaluateDense(dst []float64, r [][]float64, x float64) {
	last := len(r) - 1
	for i := range dst {
		v := r[last][i]
		for j := last - 1; j >= 0; j-- {
			// r0 + x (r1 + (1-x) (r2 + x (r3 + ...)))
			f := x
			if j%2 == 1 {
				f = 1 - x
			}
			v = r[j][i] + f*v
		}
		dst[i] = v
	}
}
