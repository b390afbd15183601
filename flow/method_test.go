package flow

import (
	"fmt"
	"math"
	"testing"
)

// A tree is a rooted tree, given by the subtrees at its root (Butcher; Hairer,
// Norsett and Wanner, section II.2).
type tree []tree

func (t tree) order() int {
	n := 1
	for _, sub := range t {
		n += sub.order()
	}
	return n
}

// density is gamma(t): the product of the orders of all subtrees.
func (t tree) density() float64 {
	g := float64(t.order())
	for _, sub := range t {
		g *= sub.density()
	}
	return g
}

// weights returns g_i(t) = prod over the subtrees u of sum_j a_ij g_j(u), for each stage i.
func (t tree) weights(a [][]float64) []float64 {
	g := make([]float64, len(a))
	for i := range g {
		g[i] = 1
	}
	for _, sub := range t {
		below := sub.weights(a)
		for i, row := range a {
			sum := 0.0
			for j, aij := range row {
				sum += aij * below[j]
			}
			g[i] *= sum
		}
	}
	return g
}

// treesUpTo returns all rooted trees of order 1..p, by order.
func treesUpTo(p int) [][]tree {
	all := make([][]tree, p+1)
	all[1] = []tree{{}}
	for order := 2; order <= p; order++ {
		all[order] = forests(all, order-1, order-1, math.MaxInt)
	}
	return all
}

// forests returns the multisets of trees of total order n, the largest tree being
// of order at most most and, at that order, of index at most index.
func forests(all [][]tree, n, most, index int) []tree {
	if n == 0 {
		return []tree{{}}
	}
	var out []tree
	for order := min(n, most); order >= 1; order-- {
		for i, first := range all[order] {
			if order == most && i > index {
				break
			}
			for _, rest := range forests(all, n-order, order, i) {
				out = append(out, append(tree{first}, rest...))
			}
		}
	}
	return out
}

func TestThereAreAsManyRootedTreesAsCayleyCounted(t *testing.T) {
	want := []int{0, 1, 1, 2, 4, 9, 20, 48, 115, 286}
	for order, trees := range treesUpTo(9) {
		if len(trees) != want[order] {
			t.Errorf("order %d: %d trees, want %d", order, len(trees), want[order])
		}
	}
}

// fullTableau returns a with the end of the step and the dense output's stages
// as further rows.
func fullTableau(m *Method) [][]float64 {
	a := append([][]float64(nil), m.a...)
	a = append(a, m.b)
	return append(a, m.denseA...)
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

// worstCondition returns the largest violation of the order conditions
// sum_i w_i g_i(t) = x^order(t) / density(t) over the trees of one order.
func worstCondition(a [][]float64, w []float64, trees []tree, x float64) float64 {
	worst := 0.0
	for _, tr := range trees {
		want := math.Pow(x, float64(tr.order())) / tr.density()
		worst = max(worst, math.Abs(dot(w, tr.weights(a))-want))
	}
	return worst
}

func TestRowSumsAreTheNodes(t *testing.T) {
	for _, m := range methods() {
		t.Run(m.name, func(t *testing.T) {
			rows := fullTableau(m)
			nodes := append(append(append([]float64(nil), m.c...), 1), m.denseC...)
			if len(rows) != len(nodes) {
				t.Fatalf("%d rows, %d nodes", len(rows), len(nodes))
			}
			for i, row := range rows {
				if i != m.stages() && i < m.stages() && len(row) != i {
					t.Errorf("row %d has %d entries", i, len(row))
				}
				sum, size := 0.0, 1.0
				for _, v := range row {
					sum += v
					size = max(size, math.Abs(v))
				}
				if math.Abs(sum-nodes[i]) > 1e-15*size*float64(len(row)+1) {
					t.Errorf("row %d sums to %v, node %v", i, sum, nodes[i])
				}
			}
		})
	}
}

func TestOrderConditionsHoldUpToTheOrderAndNoFurther(t *testing.T) {
	trees := treesUpTo(9)
	for _, m := range methods() {
		t.Run(m.name, func(t *testing.T) {
			for order := 1; order <= m.order; order++ {
				if worst := worstCondition(m.a, m.b, trees[order], 1); worst > 2e-14 {
					t.Errorf("a condition of order %d is violated by %g", order, worst)
				}
			}
			if worst := worstCondition(m.a, m.b, trees[m.order+1], 1); worst < 1e-7 {
				t.Errorf("all conditions of order %d hold, to %g", m.order+1, worst)
			}
		})
	}
}

func TestErrorEstimatesVanishUpToTheirOrderAndNoFurther(t *testing.T) {
	orders := map[*Method][]int{DormandPrince5: {4}, DormandPrince8: {3, 5}}
	trees := treesUpTo(6)
	for m, estimates := range orders {
		t.Run(m.name, func(t *testing.T) {
			a := fullTableau(m)
			for i, p := range estimates {
				for order := 1; order <= p; order++ {
					for _, tr := range trees[order] {
						if v := dot(m.errors[i], tr.weights(a)); math.Abs(v) > 2e-14 {
							t.Errorf("estimate %d sees a tree of order %d: %g", i, order, v)
						}
					}
				}
				seen := 0.0
				for _, tr := range trees[p+1] {
					seen = max(seen, math.Abs(dot(m.errors[i], tr.weights(a))))
				}
				if seen < 1e-6 {
					t.Errorf("estimate %d does not see order %d: %g", i, p+1, seen)
				}
			}
		})
	}
}

// denseWeights returns b_i(x): what a step of size 1 from y = 0 gives at x if stage i
// alone is 1.
func denseWeights(m *Method, x float64) []float64 {
	n := m.stages() + 1 + len(m.denseA)
	w := make([]float64, n)
	for i := range w {
		k := make([]float64, n)
		k[i] = 1
		r1 := dot(m.b, k)
		r2 := k[0] - r1
		r := [][]float64{{0}, {r1}, {r2}, {r1 - k[m.stages()] - r2}}
		for _, d := range m.d {
			r = append(r, []float64{dot(d, k)})
		}
		var dst [1]float64
		evaluateDense(dst[:], r, x)
		w[i] = dst[0]
	}
	return w
}

func TestDenseOutputSatisfiesItsOrderConditionsEverywhere(t *testing.T) {
	trees := treesUpTo(8)
	for _, m := range methods() {
		t.Run(m.name, func(t *testing.T) {
			a := fullTableau(m)
			order := min(m.order, m.denseOrder)
			beyond := 0.0
			for _, x := range []float64{0, 0.1, 0.35, 0.5, 0.77, 0.9, 1} {
				w := denseWeights(m, x)
				for p := 1; p <= order; p++ {
					if worst := worstCondition(a, w, trees[p], x); worst > 1e-13 {
						t.Errorf("dense condition of order %d at %g is violated by %g", p, x, worst)
					}
				}
				beyond = max(beyond, worstCondition(a, w, trees[order+1], x))
			}
			if beyond < 1e-7 {
				t.Errorf("the dense output has order %d too (%g)", order+1, beyond)
			}
		})
	}
}

func TestDenseStagesHaveTheOrderTheOutputNeeds(t *testing.T) {
	for _, m := range methods() {
		t.Run(m.name, func(t *testing.T) {
			if len(m.denseA) != len(m.denseC) {
				t.Errorf("%d stages, %d nodes", len(m.denseA), len(m.denseC))
			}
			for j, row := range m.denseA {
				if len(row) != m.stages()+1+j {
					t.Errorf("dense stage %d has %d entries", j, len(row))
				}
			}
			for j, row := range m.d {
				if len(row) != m.stages()+1+len(m.denseA) {
					t.Errorf("dense row %d has %d entries", j, len(row))
				}
			}
		})
	}
}

func TestMethodsAreFoundByName(t *testing.T) {
	for _, m := range methods() {
		t.Run(m.name, func(t *testing.T) {
			got, err := MethodByName(m.Name())
			if err != nil || got != m {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
	_, err := MethodByName("rk45")
	if want := `flow: no method "rk45"; there are dopri5, dop853, rk4, euler`; fmt.Sprint(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
