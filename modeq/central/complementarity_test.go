package central

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// randomBeta returns a matrix of that rank, at least 0.
func randomBeta(n, rank int, r *rand.Rand) *mat.SymDense {
	a := mat.NewDense(n, rank, nil)
	for i := range n {
		for j := range rank {
			a.Set(i, j, r.NormFloat64()/float64(1+j))
		}
	}
	b := mat.NewSymDense(n, nil)
	b.SymOuterK(1, a)
	return b
}

func TestSolutionsMeetTheConditions(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for k := 1; k <= 5; k++ {
		n := k * (k + 1) / 2
		for trial := range 20 {
			for _, scale := range []float64{1e-9, 1, 1e6} {
				t.Run(fmt.Sprintf("%d rows, trial %d, alpha of size %g", k, trial, scale), func(t *testing.T) {
					alpha := make([]float64, n)
					for i := range alpha {
						alpha[i] = scale * r.NormFloat64()
					}
					c := &Complementarity{k, alpha, randomBeta(n, n, r)}
					x, err := c.Solve()
					if err != nil {
						t.Fatal(err)
					}
					var s mat.VecDense
					s.MulVec(c.Beta, mat.NewVecDense(n, x))
					s.AddVec(&s, mat.NewVecDense(n, alpha))
					size := mat.Norm(mat.NewVecDense(n, x), 2)
					if low := smallest(unpack(x, k)); low < -1e-12*size {
						t.Errorf("an eigenvalue of X is %g", low)
					}
					if low := smallest(unpack(s.RawVector().Data, k)); low < -1e-9*scale {
						t.Errorf("an eigenvalue of S is %g", low)
					}
					if gap := mat.Dot(&s, mat.NewVecDense(n, x)); math.Abs(gap) > 1e-9*scale*size {
						t.Errorf("<X, S> = %g, X of size %g", gap, size)
					}
				})
			}
		}
	}
}

func TestOneDirectionHasTheClosedForm(t *testing.T) {
	for alpha, want := range map[float64]float64{-3: 1.5, -1e-20: 5e-21, 0: 0, 2: 0} {
		t.Run(fmt.Sprintf("alpha = %g", alpha), func(t *testing.T) {
			x, err := (&Complementarity{1, []float64{alpha}, mat.NewSymDense(1, []float64{2})}).Solve()
			if err != nil || x[0] != want {
				t.Errorf("X = %v, %v, want max(0, -alpha/beta) = %g", x, err, want)
			}
		})
	}
}

// Where beta is a multiple of the identity, X is the nearest point of the cone to -alpha / beta: its negative eigenvalues become 0.
func TestAnIsotropicBetaProjectsOnTheCone(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for k := 2; k <= 4; k++ {
		n := k * (k + 1) / 2
		alpha, beta := make([]float64, n), mat.NewSymDense(n, nil)
		for i := range alpha {
			alpha[i] = r.NormFloat64()
			beta.SetSym(i, i, 2)
		}
		x, err := (&Complementarity{k, alpha, beta}).Solve()
		if err != nil {
			t.Fatal(err)
		}
		var eigen mat.EigenSym
		eigen.Factorize(unpack(alpha, k), true)
		var q, want mat.Dense
		eigen.VectorsTo(&q)
		values := eigen.Values(nil)
		for i, v := range values {
			values[i] = max(0, -v/2)
		}
		want.Product(&q, mat.NewDiagDense(k, values), q.T())
		if !mat.EqualApprox(unpack(x, k), &want, 2e-6) {
			t.Errorf("X = %v, want %v", mat.Formatted(unpack(x, k)), mat.Formatted(&want))
		}
	}
}

// Two directions that do not act on one another, beta = diag(b1, ., b2): X is diagonal, max(0, -alpha_i / b_i), where the off-diagonal alpha is 0.
func TestTwoDirectionsApartHaveTheClosedForm(t *testing.T) {
	for _, alpha := range [][]float64{{-1, 0, -3}, {-1, 0, 2}, {4, 0, -3}, {0, 0, -1}} {
		t.Run(fmt.Sprintf("alpha = %v", alpha), func(t *testing.T) {
			x, err := (&Complementarity{2, alpha, mat.NewSymDense(3, []float64{2, 0, 0, 0, 7, 0, 0, 0, 5})}).Solve()
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range []float64{max(0, -alpha[0]/2), 0, max(0, -alpha[2]/5)} {
				if math.Abs(x[i]-want) > 2e-6 {
					t.Errorf("X = %v, element %d should be %v", x, i, want)
				}
			}
		})
	}
}

// One direction's oscillation moves the other's curvature: minimizing (1/2)(x1^2 + 2 c x1 x2 + x2^2) - x1 - a x2 over diagonal X
// with large off-diagonal beta gives x = (1 - a c, a - c) / (1 - c^2), or the boundary.
func TestTwoCoupledDirectionsHaveTheClosedForm(t *testing.T) {
	for _, a := range []float64{1, .8, .3} {
		t.Run(fmt.Sprintf("a = %v", a), func(t *testing.T) {
			const c = .5
			x, err := (&Complementarity{2, []float64{-1, 0, -a}, mat.NewSymDense(3, []float64{1, 0, c, 0, 1, 0, c, 0, 1})}).Solve()
			if err != nil {
				t.Fatal(err)
			}
			x1, x2 := (1-a*c)/(1-c*c), (a-c)/(1-c*c)
			if x2 < 0 {
				x1, x2 = 1, 0
			}
			if math.Abs(x[0]-x1) > 1e-7 || math.Abs(x[1]) > 1e-7 || math.Abs(x[2]-x2) > 2e-6 {
				t.Errorf("X = %v, want %v, 0, %v", x, x1, x2)
			}
		})
	}
}

func TestACurvatureThatDoesNotAnswerIsAnError(t *testing.T) {
	for _, c := range []*Complementarity{
		{1, []float64{-1}, mat.NewSymDense(1, nil)},
		{2, []float64{-1, 0, 1}, mat.NewSymDense(3, nil)},
		{2, []float64{-1, 0, 1}, mat.NewSymDense(3, []float64{0, 0, 0, 0, 1, 0, 0, 0, 1})},
	} {
		t.Run(fmt.Sprintf("alpha = %v", c.Alpha), func(t *testing.T) {
			if x, err := c.Solve(); err == nil {
				t.Errorf("alpha %v, beta %v: X = %v, want an error", c.Alpha, mat.Formatted(c.Beta), x)
			}
		})
	}
}
