package diagnose

import (
	"math"
	"shadowflow/graph"
)

// Bias says what a term h C beside the main one, dtheta/dt = -F - h C, does at a point, with N the perturbed one-norm of the gradient and
// q = grad N: the second-order term that theory predicts, or with h = 1 the realized bias of a step.
//
// A coordinate j is penalized where C_j q_j > 0: there the bias moves theta_j so that N falls. It is hindered where C_j q_j < 0.
type Bias struct {
	// Share is ||h C|| / ||F||.
	Share float64
	// PenalizedCoordinates and HinderedCoordinates are fractions of all coordinates, PenalizedWeight and HinderedWeight
	// fractions of sum_j |q_j|.
	PenalizedCoordinates, HinderedCoordinates float64
	PenalizedWeight, HinderedWeight           float64
	// MainDrive and Drive are the two parts of dN/dt: -q.F of the main term and -h q.C of the bias. A negative Drive says that the
	// bias acts to lower N, a positive one that it acts to raise it: against its fall where MainDrive is negative.
	MainDrive, Drive float64
}

// BiasOf returns what the bias does, given the main term F, C and q, at step size h.
func BiasOf[T graph.Float](h float64, f, c, q []T) Bias {
	type sums struct{ ff, cc, qf, qc, weight, penalizedWeight, hinderedWeight, penalized, hindered float64 }
	s := SumBlocks(len(f), func(from, to int) sums {
		var s sums
		f, c, q := f[from:to], c[from:to], q[from:to]
		for j := range f {
			fj, cj, qj := float64(f[j]), float64(c[j]), float64(q[j])
			s.ff += fj * fj
			s.cc += cj * cj
			s.qf += qj * fj
			product, weight := qj*cj, math.Abs(qj)
			s.qc += product
			s.weight += weight
			if product > 0 {
				s.penalized++
				s.penalizedWeight += weight
			} else if product < 0 {
				s.hindered++
				s.hinderedWeight += weight
			}
		}
		return s
	}, func(total *sums, part sums) {
		total.ff += part.ff
		total.cc += part.cc
		total.qf += part.qf
		total.qc += part.qc
		total.weight += part.weight
		total.penalizedWeight += part.penalizedWeight
		total.hinderedWeight += part.hinderedWeight
		total.penalized += part.penalized
		total.hindered += part.hindered
	})
	n := float64(len(f))
	return Bias{
		Share:                ratio(h*math.Sqrt(s.cc), math.Sqrt(s.ff)),
		PenalizedCoordinates: s.penalized / n,
		HinderedCoordinates:  s.hindered / n,
		PenalizedWeight:      ratio(s.penalizedWeight, s.weight),
		HinderedWeight:       ratio(s.hinderedWeight, s.weight),
		MainDrive:            0 - s.qf, // not -0 of nothing
		Drive:                0 - h*s.qc,
	}
}

// ratio returns a/b, 0 where both are 0.
func ratio(a, b float64) float64 {
	if a == 0 && b == 0 {
		return 0
	}
	return a / b
}

// Drive returns dN/dt by a term C of second order, -h q.C, given q = grad N.
func Drive[T graph.Float](h float64, q []T, c []float64) float64 {
	return -h * SumBlocks(len(q), func(from, to int) float64 {
		sum := 0.0
		for j, v := range q[from:to] {
			sum += float64(v) * c[from+j]
		}
		return sum
	}, func(total *float64, part float64) { *total += part })
}
