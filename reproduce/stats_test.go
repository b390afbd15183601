package reproduce

import (
	"math"
	"testing"
)

func near(a, b, tol float64) bool { return math.Abs(a-b) <= tol*math.Max(1, math.Abs(b)) }

func TestPagesTestCountsPermutations(t *testing.T) {
	// One block of three rising values: 1 of 6 orders has an L as large; all have one as small.
	if got := PageTrend([][]float64{{1, 2, 3}}); got.L != 14 || !near(got.Up, 1.0/6, 1e-12) || !near(got.Down, 1, 1e-12) || got.Rho != 1 {
		t.Errorf("%+v", got)
	}
	// Page's own table: 3 columns, 3 blocks: L = 41 is significant at 0.05, and 40 is not.
	up := PageTrend([][]float64{{1, 2, 3}, {1, 2, 3}, {1, 3, 2}})
	if up.L != 41 || up.Up >= 0.05 {
		t.Errorf("%+v", up)
	}
	less := PageTrend([][]float64{{1, 2, 3}, {1, 3, 2}, {1, 3, 2}})
	if less.L != 40 || less.Up <= 0.05 {
		t.Errorf("%+v", less)
	}
	if down := PageTrend([][]float64{{3, 2, 1}, {3, 2, 1}}); !near(down.Down, 1.0/36, 1e-12) || down.Rho != -1 {
		t.Errorf("%+v", down)
	}
}

func TestPagesTestTakesTiesAndLeavesOutHoles(t *testing.T) {
	got := PageTrend([][]float64{{1, 1, 1}, {math.NaN(), 1, 2}})
	if got.Blocks != 1 || got.Up != 1 || got.Down != 1 || got.Rho != 0 {
		t.Errorf("%+v", got)
	}
	if none := PageTrend(nil); none.Up != 1 || none.Down != 1 {
		t.Errorf("%+v", none)
	}
}

func TestPagesNormalApproximationIsNearTheExactOne(t *testing.T) {
	rising := []float64{1, 3, 2, 4, 6, 5, 7}
	eight := []float64{1, 3, 2, 4, 6, 5, 7, 8}
	exact, approximate := PageTrend([][]float64{rising}), PageTrend([][]float64{eight})
	if !(exact.Up < 0.01 && approximate.Up < 0.02 && approximate.Up > 1e-4) {
		t.Errorf("exact %+v, approximate %+v", exact, approximate)
	}
}

func TestPairedTIsStudents(t *testing.T) {
	// Differences 1, 2, 3: mean 2, deviation 1, t = 2 sqrt 3 with two degrees of freedom.
	d := PairedT([]float64{2, 4, 6, math.NaN()}, []float64{1, 2, 3, 4})
	if d.Pairs != 3 || d.Mean != 2 || !near(d.Half, 4.302652729911275/math.Sqrt(3), 1e-9) || !near(d.P, 0.0741799, 1e-6) || d.Effect != 2 {
		t.Errorf("%+v", d)
	}
	if same := PairedT([]float64{1, 2}, []float64{1, 2}); same.Mean != 0 || same.P != 1 || !math.IsNaN(same.Half) {
		t.Errorf("%+v", same)
	}
	if none := PairedT(nil, nil); none.Pairs != 0 || !math.IsNaN(none.Mean) {
		t.Errorf("%+v", none)
	}
}

func TestSpearmanSharesRanks(t *testing.T) {
	if r := ranks([]float64{3, 1, 3, 2}); r[0] != 3.5 || r[1] != 1 || r[2] != 3.5 || r[3] != 2 {
		t.Errorf("ranks %v", r)
	}
	if rho := Spearman([]float64{1, 2, 3, 4}, []float64{10, 100, 1000, 1e4}); !near(rho, 1, 1e-12) {
		t.Errorf("rho %v", rho)
	}
	if rho := Spearman([]float64{1, 2}, []float64{1, 1}); !math.IsNaN(rho) {
		t.Errorf("rho %v", rho)
	}
}
