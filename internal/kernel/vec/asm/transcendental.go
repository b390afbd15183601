package main

import "math"

// exponential is e^x - 1 = scale(p + 1, n) - 1 with |log(1+p)| <= log(2)/2, for x that clamp has bounded.
func (m *machine) exponential(x vec) (p, n vec) {
	n = m.round(m.mul(x, m.number(math.Log2E)))
	r := m.fnma(n, m.number(m.ln2()), x)
	r = m.fnma(n, m.number(m.ln2Rest()), r)
	q := m.horner(r, m.pick(exp32, exp64))
	return m.fma(m.mul(r, r), q, r), n
}

func (m *machine) pick(single, double []float64) []float64 {
	if m.double {
		return double
	}
	return single
}

// ln2 is the head of log(2), so short that its products with exponents are exact; ln2Rest is the rest of log(2).
func (m *machine) ln2() float64 {
	if m.double {
		return ln2Head64
	}
	return ln2Head32
}

func (m *machine) ln2Rest() float64 {
	if m.double {
		return ln2Rest64
	}
	return ln2Rest32
}

// lowest is below the logarithm of half the smallest subnormal, highest above that of the largest number.
func (m *machine) lowest() vec {
	if m.double {
		return m.number(-746)
	}
	return m.number(-104.5)
}

func (m *machine) highest() vec {
	if m.double {
		return m.number(710)
	}
	return m.number(89)
}

func (m *machine) exp(x vec) vec {
	p, n := m.exponential(m.secondMin(m.highest(), m.secondMax(m.lowest(), x)))
	return m.scale(m.add(m.number(1), p), n)
}

// sigmoid is 1/(1+e) for x >= 0 and e/(1+e) below, e = exp(-|x|), so that neither tail cancels or overflows.
func (m *machine) sigmoid(x vec) vec {
	one := m.number(1)
	p, n := m.exponential(m.secondMax(m.lowest(), m.or(x, m.signBit())))
	e := m.scale(m.add(one, p), n)
	above := m.compare(notLess, x, m.number(0))
	d := m.add(one, e)
	q := m.div(m.choose(above, one, e), d)
	lost := m.sub(e, m.sub(d, one))
	return m.fnma(m.mul(q, m.choose(above, q, m.sub(one, q))), lost, q) // q less q*lost/d
}

// tanh is t/(2-t), t = 1 - exp(-2|x|) = (1 - 2^n) - 2^n p, with the sign of x. Its error
// peaks at 0.2 and 0.5, where n changes: up to |x| = 0.625, x + x^3 P(x^2) takes over.
func (m *machine) tanh(x vec) vec {
	limit := -20.0 // tanh(10) rounds to 1
	if m.double {
		limit = -40
	}
	below := m.or(x, m.signBit())
	p, n := m.exponential(m.secondMax(m.number(limit), m.add(below, below)))
	power := m.pow2(n)
	t := m.fnma(power, p, m.sub(m.number(1), power))
	d := m.sub(m.number(2), t)
	q := m.div(t, d)
	lost := m.mul(m.sub(m.sub(m.number(2), d), t), m.number(0.5))
	q = m.fnma(m.fma(q, q, q), lost, q) // q less q*lost/d, as 1/d = (1+q)/2
	z := m.mul(x, x)
	near := m.fma(x, m.mul(z, m.horner(z, m.pick(tanhNear32, tanhNear64))), x)
	q = m.choose(m.compare(greater, below, m.number(-0.625)), near, q)
	return m.or(q, m.and(x, m.signBit()))
}

// logarithm is log(u) + c for a normal u > 0 times 2^shift and a small c; nil means zero for both. The method is
// fdlibm's: u = 2^k (1+f), sqrt(1/2) <= 1+f < sqrt(2), s = f/(2+f), log(1+f) = f - (f^2/2 - s (f^2/2 + s^2 G(s^2))).
func (m *machine) logarithm(u, shift, c op) vec {
	root := m.bitsOf(math.Sqrt2 / 2)
	one, mask := m.bitsOf(1), uint64(1)<<m.mantissa()-1
	integer := math.Exp2(float64(m.mantissa()))

	t := m.addBits(u, m.constant(one-root))
	k := m.sub(m.or(m.shiftRight(t, m.mantissa()), m.number(integer)), m.number(integer+float64(m.bias())))
	if shift != nil {
		k = m.add(k, shift)
	}
	f := m.sub(m.addBits(m.and(t, m.constant(mask)), m.constant(root)), m.number(1))

	s := m.div(f, m.add(f, m.number(2)))
	z := m.mul(s, s)
	half := m.mul(m.mul(f, f), m.number(0.5))
	rest := m.mul(k, m.number(m.ln2Rest()))
	if c != nil {
		rest = m.add(rest, c)
	}
	rest = m.fma(s, m.fma(z, m.horner(z, m.pick(log32, log64)), half), rest)
	return m.fma(k, m.number(m.ln2()), m.sub(f, m.sub(half, rest)))
}

func (m *machine) log(x vec) vec {
	smallest := math.Exp2(float64(1 - m.bias())) // normal
	up := float64(m.mantissa() + 2)
	small := m.compare(less, x, m.number(smallest))
	u := m.choose(small, m.mul(x, m.number(math.Exp2(up))), x)
	r := m.logarithm(u, m.choose(small, m.number(-up), m.number(0)), nil)
	return m.outside(r, x, x)
}

// log1p is log(u) + c/u, where u + c = 1 + x exactly.
func (m *machine) log1p(x vec) vec {
	one := m.number(1)
	u := m.add(x, one)
	got := m.sub(u, one)
	c := m.add(m.sub(one, m.sub(u, got)), m.sub(x, got))
	r := m.logarithm(u, nil, m.div(c, u))
	r = m.choose(m.compare(equal, x, m.number(0)), x, r) // keeps -0
	return m.outside(r, x, u)
}

// outside sets the logarithm of u, which x led to, where the method does not hold: for u <= 0, +Inf and NaN.
func (m *machine) outside(r, x, u vec) vec {
	r = m.choose(m.compare(notLess, x, m.number(math.Inf(1))), x, r)
	r = m.choose(m.compare(equal, u, m.number(0)), m.number(math.Inf(-1)), r)
	return m.choose(m.compare(less, u, m.number(0)), m.number(math.NaN()), r)
}

// erf is x + x P(x^2) for |x| < 1, and 1 - exp(-|x| + |x| Q(|x| - 1)) with the sign of x beyond.
func (m *machine) erf(x vec) vec {
	limit := 4.0 // erf(4) rounds to 1
	if m.double {
		limit = 6
	}
	size := m.abs(x)
	near := m.fma(x, m.horner(m.mul(x, x), m.pick(erfNear32, erfNear64)), x)
	far := m.secondMin(m.number(limit), size)
	u := m.sub(far, m.number(1))
	p, n := m.exponential(m.fma(far, m.horner(u, m.pick(erfFar32, erfFar64)), m.xor(far, m.signBit())))
	beyond := m.sub(m.number(1), m.scale(m.add(m.number(1), p), n))
	beyond = m.or(beyond, m.and(x, m.signBit()))
	return m.choose(m.compare(less, size, m.number(1)), near, beyond)
}
