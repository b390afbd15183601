package reproduce

import (
	"math"
	"slices"
	"strings"
	"testing"

	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/experiment/sweep"
	"shadowflow/report"
)

func TestThePapersScaleOfTheFiguresIsThePapers(t *testing.T) {
	for _, fig := range imageFigureList() {
		t.Run(fig.name(), func(t *testing.T) {
			r, err := Find(fig.name())
			if err != nil {
				t.Fatal(err)
			}
			sweeps, err := r.Sweeps(Paper)
			if err != nil {
				t.Fatal(err)
			}
			if want := len(fig.betas) * len(fig.lrs) * fig.seeds; len(sweeps[0].Runs) != want {
				t.Errorf("%d runs, want %d", len(sweeps[0].Runs), want)
			}
			c := sweeps[0].Runs[0].Config
			whole := c.Data.Name == "cifar10" && c.Data.Subset == 0 && c.Data.Augment && c.Batch.Mode == "full" && c.Batch.Physical == 500 && c.Batch.Shuffle
			if !whole || c.Steps != 4000 || c.Get("optimizer.eps") != 1e-8 || c.Get("optimizer.eps_inside") != true {
				t.Errorf("%s", c.YAML())
			}
			a, err := c.Model.Architecture()
			if err != nil {
				t.Fatal(err)
			}
			m, err := a.Build([]int{32, 32, 3}, 10)
			if err != nil || m.NumParams() != fig.model.parameters {
				t.Errorf("%d parameters, said to be %d (%v)", m.NumParams(), fig.model.parameters, err)
			}
		})
	}
}

// The grids are computed; the paper's points are where they are drawn.
func TestThePapersPointsLieOnTheGrids(t *testing.T) {
	for _, fig := range imageFigureList() {
		points := paperFigureOf(fig.number)
		if fig.shows != pointsOverBeta {
			if len(points.Curves) > 0 {
				t.Errorf("figure %d has points that are not shown", fig.number)
			}
			continue
		}
		if len(points.Beta) < len(fig.betas)-2 || len(points.Curves) != len(fig.lrs) || len(fig.betas) != 15 {
			t.Fatalf("figure %d: %d betas, %d curves", fig.number, len(points.Beta), len(points.Curves))
		}
		for i, beta := range fig.betas[len(fig.betas)-len(points.Beta):] {
			if math.Abs(points.Beta[i]-beta) > 6e-6 {
				t.Errorf("figure %d: beta %g, want %g", fig.number, points.Beta[i], beta)
			}
		}
		for i, c := range points.Curves {
			if c.LR != fig.lrs[i] || len(c.Norm) != len(points.Beta) || len(c.Accuracy) != len(points.Beta) {
				t.Errorf("figure %d: lr %g, %d norms, %d accuracies", fig.number, c.LR, len(c.Norm), len(c.Accuracy))
			}
		}
	}
}

func TestAHillsTopIsTheLargestValueThatHasRisen(t *testing.T) {
	nan := math.NaN()
	for name, c := range map[string]struct {
		values []float64
		top    int
	}{
		"a hill behind a fall":                {[]float64{9, 5, 4, 6, 7, 3}, 4},
		"a rise from the start":               {[]float64{1, 2, 5, 4}, 2},
		"a fall all along":                    {[]float64{3, 2, 1}, -1},
		"no end of the rise":                  {[]float64{3, 2, 4}, -1},
		"noise on a fall":                     {[]float64{9, 5, 5.5, 5, 4.8, 5.2, 3}, -1},
		"noise on a fall to a hill":           {[]float64{9, 5, 5.5, 2, 3, 1}, 4},
		"what was not measured":               {[]float64{nan, 4, nan, 6, nan, 3}, 3},
		"nothing":                             {nil, -1},
		"a start above all that comes":        {[]float64{100, 1, 7, 1}, 2},
		"a bump of what is left of the start": {[]float64{100, 1, 5, 1}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			if top := hillTop(c.values); top != c.top {
				t.Errorf("top at %d, want %d", top, c.top)
			}
		})
	}
}

// What every parameter adds to the norm makes no hill of it smaller, and no noise larger.
func TestATopIsFoundInTheExcessAndMeasuredInTheNorm(t *testing.T) {
	h := recordOf(config.Default(), decaying, func(_ *config.Config, n int) float64 {
		return 10 + 300*math.Exp(-float64(n)/4) + 40*math.Exp(-math.Pow(float64(n-25)/5, 2))
	})
	excess, at := h.Floats("excess"), h.Index("perturbed_norm")
	for i, row := range h.Rows {
		row[at] = record.Float(2352 + excess[i])
	}
	one := &trial{sweep.Trial{History: h}}
	if top := topAt(one); top < 22 || top > 28 || math.Abs(topOf(one)-2352-excess[top]) > 1 {
		t.Errorf("a top of %g at %d", topOf(one), top)
	}
	if got, want := largestStep(one), slices.Max(h.Floats("perturbed_norm")[15:]); got != want {
		t.Errorf("the largest norm of a step behind the first fall is %g, want %g", got, want)
	}
}

func TestASpikeIsNoHillOfTheRunningMedian(t *testing.T) {
	curve := func(of func(x float64) float64) []float64 {
		var out []float64
		for n := range 100 {
			out = append(out, of(float64(n)/100))
		}
		return out
	}
	falling := func(x float64) float64 { return 2 - x }
	spiky := curve(falling)
	spiky[70], spiky[71], spiky[90] = 9, 9, math.NaN()
	for name, c := range map[string]struct {
		values    []float64
		raw, hill bool
	}{
		"a fall with spikes": {spiky, true, false},
		"a hill":             {curve(func(x float64) float64 { return falling(x) + 2*math.Exp(-100*(x-.6)*(x-.6)) }), true, true},
	} {
		smooth := smoothed(c.values)
		raw, hill := hillTop(c.values), hillTop(smooth)
		if raw >= 0 != c.raw || hill >= 0 != c.hill || len(smooth) != len(c.values) || slices.ContainsFunc(smooth, math.IsNaN) {
			t.Errorf("%s: a top at %d at first and at %d smoothed, of %d; want some: %v and %v", name, raw, hill, len(smooth), c.raw, c.hill)
		}
	}
}

func TestOurStepSizesStandBesideThePapersFromTheLargestDown(t *testing.T) {
	points := paperFigure{Curves: []paperCurve{{LR: 1}, {LR: 2}, {LR: 3}}}
	for _, c := range []struct {
		scale     Scale
		lr        float64
		place, of int
		want      float64
	}{{Laptop, .1, 0, 2, 2}, {Laptop, .3, 1, 2, 3}, {Small, .1, 0, 1, 3}, {Paper, 1, 2, 3, 1}, {Laptop, .1, 0, 5, 1}} {
		if got := points.near(c.scale, c.lr, c.place, c.of); got.LR != c.want {
			t.Errorf("beside lr %g, the %d. of %d at scale %s, stands %g, want %g", c.lr, c.place, c.of, c.scale, got.LR, c.want)
		}
	}
}

func TestTheLastTenthIsAMeanOfWhatWasMeasured(t *testing.T) {
	values := make([]float64, 20)
	for i := range values {
		values[i] = float64(i)
	}
	if got := lastTenth(values); got != 18.5 {
		t.Errorf("%g, want 18.5", got)
	}
	values[19] = math.NaN()
	if got := lastTenth(values); got != 18 {
		t.Errorf("%g, want 18", got)
	}
	if got := lastTenth(nil); !math.IsNaN(got) {
		t.Errorf("%g of nothing", got)
	}
}

func TestATimeIsSaidInTheUnitThatSuitsIt(t *testing.T) {
	for seconds, want := range map[float64]string{0.3: "less than a second", 1.2: "1 second", 3.2e7: "370 days", 43.2: "43 seconds", 119: "119 seconds", 684: "11 minutes", 7140: "119 minutes", 9360: "2.6 hours", 4 * 86400: "4 days", 6.3e7: "2 years", 7.3e8: "23 years", 7.3e9: "230 years"} {
		if got := duration(seconds); got != want {
			t.Errorf("%g s is %q, want %q", seconds, got, want)
		}
	}
}

func TestAnEstimateIsOfAllSteps(t *testing.T) {
	r, err := Find("figure-7")
	if err != nil {
		t.Fatal(err)
	}
	sweeps, err := r.Sweeps(Paper)
	if err != nil {
		t.Fatal(err)
	}
	e, err := r.Estimate(t.Context(), sweeps, 0)
	if err != nil {
		t.Fatal(err)
	}
	if e.Runs != 150 || e.Steps != 600_000 || e.Gradients != 1 || !near(e.Seconds/(600_000*(50_000+10_000.0/3)*e.Image), 1, 1e-12) {
		t.Errorf("%+v: %s", e, e)
	}
	*e = Estimate{Image: 0.002, Images: 8, Gradients: 1, Steps: 600_000, Runs: 150, Seconds: 6e7}
	if got := e.String(); !strings.HasPrefix(got, "150 runs, 600,000 steps in all, each over the gradients of 50,000 images, and the accuracy on 10,000 images at each: roughly 1.9 years on this machine, from 1 gradient of 8 images, 0.002 s an image, beside whatever else runs here now; many images at once may take less.") {
		t.Error(got)
	}
	if e, err := bilinear().Estimate(t.Context(), sweeps, 0); e != nil || err != nil {
		t.Errorf("%v, %v of what is no figure", e, err)
	}
}

// A whole figure at the laptop's scale, of records in place of training.
func TestAFigureIsJudgedAndDrawn(t *testing.T) {
	for _, fig := range []imageFigure{imageFigureList()[1], imageFigureList()[2], imageFigureList()[7]} {
		t.Run(fig.name(), func(t *testing.T) {
			dir := t.TempDir()
			result, err := fig.reproduction().Run(t.Context(), Laptop, dir, recording(decaying, hilly), report.PageStyle)
			if err != nil {
				t.Fatal(err)
			}
			checkPages(t, dir)
			for _, h := range result.Hypotheses {
				if strings.HasPrefix(h.Name, "top") && h.Outcome != Supported {
					t.Errorf("%s", h)
				}
			}
		})
	}
}

// The paper's Figures 8 and 10 begin at the third beta: there ours are 1, too, and the table has no points of the paper before.
func TestCurvesAreRelativeToWhereThePapersPointsBegin(t *testing.T) {
	s := imageFigureList()[4].pointsSeries("lr 0.001", []float64{0.9, 0.99}, Laptop, [][]float64{{2, 16}, {1, 8}}, 1, 0, 0)
	if !near(s.Y[0], 1.0/8, 1e-12) || !near(s.Y[1], 1, 1e-12) {
		t.Errorf("%v, want 1/8 and 1", s.Y)
	}
	r, err := Find("figure-8")
	if err != nil {
		t.Fatal(err)
	}
	found, err := r.reach(t.Context(), Laptop, recorded(t, r, decaying, hilly))
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range found.tables[0].Rows {
		if drawn := row[3] != "-" && row[6] != "-"; drawn != (i%15 >= 2) {
			t.Errorf("at beta1 %s the paper's points are %s and %s", row[1], row[3], row[6])
		}
	}
}

// One seed whose norm rises eightfold beside two that stay is no band below 0.
func TestNormsBesideThePapersAreGeometricMeans(t *testing.T) {
	rows := [][]float64{{2, 16}, {1, 1}, {5, 5}}
	s := imageFigureList()[3].pointsSeries("lr 0.001", []float64{0.9, 0.99}, Laptop, rows, 0, 0, 0)
	if !slices.EqualFunc(s.Y, []float64{1, 2}, func(a, b float64) bool { return math.Abs(a-b) < 1e-12 }) || s.Low[1] <= 0 || math.Abs(s.Low[1]*s.High[1]-4) > 1e-9 {
		t.Errorf("%v from %v to %v: want the geometric means 1 and 2, within bounds above 0 whose product is the mean's square", s.Y, s.Low, s.High)
	}
}

// What is claimed for each beta is not decided by their mean.
func TestALossThatStaysAtOneBetaIsAgainstItsFallAtEach(t *testing.T) {
	r, err := Find("figure-11")
	if err != nil {
		t.Fatal(err)
	}
	for want, stays := range map[Outcome]float64{Supported: 2, Against: imageBeta2s[14]} {
		loss := func(c *config.Config, n int) float64 {
			if c.Optimizer.Value("beta2") == stays {
				return 2 - 0.001*float64(n+int(c.Seed))
			}
			return (1 + 0.1*float64(c.Seed)) * decaying(c, n) * math.Exp(-0.001*float64(n)*float64(c.Seed))
		}
		found, err := r.reach(t.Context(), Laptop, recorded(t, r, loss, hilly))
		if err != nil {
			t.Fatal(err)
		}
		if h := found.hypothesis("loss"); h.Outcome != want {
			t.Errorf("want %s: %s", want, h)
		}
	}
}
