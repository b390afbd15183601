package spectrum

import (
	"errors"
	"fmt"

	"gonum.org/v1/gonum/mat"

	"shadowflow/diagnose"
)

// enter makes vectors from outside pending, before others, and returns the number of those that were in no span yet.
func (s *search[T]) enter(vectors [][]T) int {
	all := append(append([][]T{}, s.v...), s.q...)
	found := orthonormal(all, vectors)
	s.q = append(append([][]T{}, found...), s.q...)
	rows, _ := s.c.Dims()
	if grown, columns := len(found), len(s.v); grown > 0 && columns > 0 {
		c := mat.NewDense(rows+grown, columns, nil)
		if rows > 0 {
			c.Slice(grown, rows+grown, 0, columns).(*mat.Dense).Copy(s.c)
		}
		s.c = c
	}
	return len(found)
}

// inject makes random vectors pending.
func (s *search[T]) inject(count int) {
	count = min(count, s.dim-len(s.v)-len(s.q))
	var vectors [][]T
	for range count {
		v := s.vector()
		gaussian(v, s.rnd)
		vectors = append(vectors, v)
	}
	s.fresh += s.enter(vectors)
}

// vector returns memory for one.
func (s *search[T]) vector() []T {
	if n := len(s.spare); n > 0 {
		v := s.spare[n-1]
		s.spare = s.spare[:n-1]
		return v
	}
	return make([]T, s.dim)
}

// choose returns the number of pending vectors that are multiplied next, from the first of q, of which it has brought those there that matter most.
func (s *search[T]) choose() int {
	b := min(s.opt.atOnce(), len(s.q), s.most-len(s.v))
	switch {
	case s.fresh > 0:
		return min(b, s.fresh)
	case len(s.q) <= b:
		return len(s.q)
	case s.follow > 0: // the newest are the last
		n := len(s.q)
		s.turn(n-b, n)
		return b
	}
	open := s.open()
	if len(open) == 0 {
		return b
	}
	residuals := mat.NewDense(len(s.q), len(open), nil)
	for j, i := range open {
		var r mat.VecDense
		r.MulVec(s.c, s.s.ColView(i))
		residuals.SetCol(j, r.RawVector().Data)
	}
	var svd mat.SVD
	if !svd.Factorize(residuals, mat.SVDFullU) {
		return b
	}
	var u, c mat.Dense
	svd.UTo(&u)
	s.q = rotate(s.q, &u)
	c.Mul(u.T(), s.c)
	s.c = &c
	return b
}

// turn brings the pending vectors from..to to the front.
func (s *search[T]) turn(from, to int) {
	order := []int{}
	for i := from; i < to; i++ {
		order = append(order, i)
	}
	for i := range s.q {
		if i < from || i >= to {
			order = append(order, i)
		}
	}
	_, columns := s.c.Dims()
	q, c := make([][]T, len(order)), mat.NewDense(len(order), columns, nil)
	for i, from := range order {
		q[i] = s.q[from]
		c.SetRow(i, s.c.RawRowView(from))
	}
	s.q, s.c = q, c
}

// expand multiplies some pending vectors, which join the basis.
func (s *search[T]) expand() error {
	if len(s.v)+min(s.opt.atOnce(), len(s.q)) > s.most && s.most < s.dim {
		s.restart()
	}
	b := s.choose()
	if b == 0 {
		return nil
	}
	w := make([][]T, b)
	for i := range w {
		w[i] = s.vector()
	}
	p := s.q[:b]
	if err := s.apply(p, w); err != nil {
		return err
	}
	s.products += b
	s.fresh, s.follow = max(0, s.fresh-b), max(0, s.follow-b)
	return s.join(b, w)
}

// join takes the first b pending vectors, with their products w, into the basis.
func (s *search[T]) join(b int, w [][]T) error {
	n := len(s.v)
	all := append(append([][]T{}, s.v...), s.q...)
	sizes := make([]float64, b)
	for i, x := range w {
		sizes[i] = diagnose.Norm(x)
	}
	coefficients := mat.NewDense(len(all), b, nil)
	for range 2 { // Kahan's "twice is enough"
		part := inner(all, w)
		if !finite(part) {
			return fmt.Errorf("eigenvalues: %w", ErrNotFinite)
		}
		take(w, all, part)
		coefficients.Add(coefficients, part)
	}
	rest, new := s.split(w, sizes)
	s.t = grown(s.t, s.c, coefficients, n, b)
	pending := len(s.q) - b
	if pending+len(new) == 0 {
		s.c = &mat.Dense{}
	} else {
		c := mat.NewDense(pending+len(new), n+b, nil)
		for i := range pending {
			for j := range n {
				c.Set(i, j, s.c.At(b+i, j))
			}
			for j := range b {
				c.Set(i, n+j, coefficients.At(n+b+i, j))
			}
		}
		for i := range new {
			for j := range b {
				c.Set(pending+i, n+j, rest.At(i, j))
			}
		}
		s.c = c
	}
	s.v = append(s.v, s.q[:b]...)
	s.q = append(append([][]T{}, s.q[b:]...), new...)
	return s.ritz()
}

// grown returns t with b rows and columns more, given the coefficients of their products: symmetric, the mean of what both sides say.
func grown(t, c, coefficients *mat.Dense, n, b int) *mat.Dense {
	out := mat.NewDense(n+b, n+b, nil)
	for i := range n {
		for j := range n {
			out.Set(i, j, t.At(i, j))
		}
		for j := range b {
			x := (coefficients.At(i, j) + c.At(j, i)) / 2
			out.Set(i, n+j, x)
			out.Set(n+j, i, x)
		}
	}
	for i := range b {
		for j := range b {
			out.Set(n+i, n+j, (coefficients.At(n+i, j)+coefficients.At(n+j, i))/2)
		}
	}
	return out
}

// split makes what is left of products orthonormal, without what is rounding of products of the given sizes: w = new rest, rest being [new, w].
func (s *search[T]) split(w [][]T, sizes []float64) (rest *mat.Dense, new [][]T) {
	b := len(w)
	rest = mat.NewDense(b, b, nil)
	scaleOf := s.norm()
	for j, x := range w {
		for range 2 {
			for i, y := range new {
				h := diagnose.Dot(y, x)
				subtract(x, h, y)
				rest.Set(i, j, rest.At(i, j)+h)
			}
		}
		size := diagnose.Norm(x)
		if !(size > roundoff[T]()*max(sizes[j], scaleOf)) {
			s.spare = append(s.spare, x)
			continue
		}
		scale(x, 1/size)
		if size < littleLeft*sizes[j] {
			s.clean(x)
		}
		rest.Set(len(new), j, size)
		new = append(new, x)
	}
	return rest, new
}

// littleLeft is the part of a product from which on what is left of it behind the others is as orthogonal to these as twice makes it, a hundred roundings.
const littleLeft = 0.01

// clean makes a new vector orthogonal to the others again: where little was left of it, what it had of these is much in comparison.
func (s *search[T]) clean(x []T) {
	one := [][]T{x}
	for _, others := range [][][]T{s.v, s.q} {
		take(one, others, inner(others, one))
	}
	scale(x, 1/diagnose.Norm(x))
}

// ritz finds the Ritz pairs of the basis.
func (s *search[T]) ritz() error {
	n := len(s.v)
	sym := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			sym.SetSym(i, j, s.t.At(i, j))
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(sym, true) {
		return errors.New("eigenvalues: the projected eigenproblem did not converge")
	}
	s.values = eigen.Values(nil)
	s.s = &mat.Dense{}
	eigen.VectorsTo(s.s)
	return nil
}

// restart keeps the wanted Ritz pairs and those next to them.
func (s *search[T]) restart() {
	n, wanted := len(s.values), s.wanted()
	kept := wanted + (s.most-wanted)/4
	top := 0
	if s.opt.Top > 0 {
		top = s.opt.Top + (kept-wanted)*s.opt.Top/wanted
	}
	bottom := kept - top
	y := mat.NewDense(n, kept, nil)
	t := mat.NewDense(kept, kept, nil)
	for k := range kept {
		i := k
		if k >= bottom {
			i = n - kept + k
		}
		y.SetCol(k, mat.Col(nil, i, s.s))
		t.Set(k, k, s.values[i])
	}
	s.spare = append(s.spare, s.v[kept:]...)
	s.v = rotate(s.v, y)
	var c mat.Dense
	if len(s.q) > 0 {
		c.Mul(s.c, y)
	}
	s.t, s.c = t, &c
	s.values, s.s = nil, nil
	_ = s.ritz() // of a diagonal matrix
}
