package report

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/experiment/run"
	"shadowflow/internal/plural"
)

// measured is a report of a record with some columns; a column of fewer values has none in the last rows.
func measured(columns map[string][]float64) *Report {
	h := &record.History{Columns: []record.Column{{Name: "step", Type: record.IntColumn}}}
	rows := 0
	for _, v := range columns {
		rows = max(rows, len(v))
	}
	for n := range rows {
		h.Rows = append(h.Rows, []record.Value{record.Int(int64(10 * n))})
	}
	for name, values := range columns {
		h.Columns = append(h.Columns, record.Column{Name: name, Type: record.FloatColumn})
		for n := range rows {
			v := record.Value{}
			if n < len(values) && !math.IsNaN(values[n]) {
				v = record.Float(values[n])
			}
			h.Rows[n] = append(h.Rows[n], v)
		}
	}
	return &Report{History: h, Config: &config.Config{}}
}

// predictedNumbers are in the records of the tests below as what is predicted, and nowhere else.
var predictedNumbers = []string{"77", "0.123", "12.3%", "0.456", "45.6%", "6.66e-5"}

func TestWordsAboutTheBiasFollowTheMonitors(t *testing.T) {
	for _, c := range []struct {
		name           string
		ratio          []float64
		want, unsaid   []string
		figureIsShaded bool
	}{
		{"out of its range throughout", []float64{4, 4.8, 7},
			[]string{"predicts steps worse than no correction at all 3 measured steps (4.8 times, in the median): its bias is not shown as this run's bias."},
			append([]string{"better"}, predictedNumbers...), true},
		{"within its range throughout", []float64{0.1, 0.2, 0.3},
			[]string{"predicts steps better than no correction at all 3 measured steps, by a tenth or more and with a bias along the realized one; of its bias 45.6% is realized, at a cosine of 0.123 with the realized one (medians of 3 of 3 steps)", "g* = 6.66e-5"},
			[]string{"worse", "not shown", "77"}, false},
		{"hardly better", []float64{0.95, 0.99, 0.99},
			[]string{"predicts steps better than no correction at all 3 measured steps, but by less than a tenth: its bias is not shown as this run's bias."},
			append([]string{"worse", "realized one"}, predictedNumbers...), true},
		{"out of its range in part", []float64{3, 0.2, 5},
			[]string{"worse than no correction at 2 of 3 measured steps (4 times, in the median); better than no correction at 1, by a tenth or more and with a bias along the realized one: its bias is shown as this run's at these last ones alone; of its bias 45.6% is realized"},
			[]string{"77", "g*"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := measured(map[string][]float64{
				"drive.main": {-100, -100, -100, -100}, "drive.predicted": {77, 77, 77, 77}, "drive.realized": {31, -20, 40}, "drive.observed": {-60, -110, -50},
				"bias_share": {77, 77, 77, 77}, "penalized": {0.77, 0.77, 0.77, 0.77}, "bias.cosine": {0.123, 0.123, 0.123}, "bias.explained": {0.456, 0.456, 0.456},
				"critical_gradient": {6.66e-5, 6.66e-5, 6.66e-5, 6.66e-5}, "realized.penalized": {0.1, 0.2, 0.3}, "realized.hindered": {0.9, 0.8, 0.6}, "realized.penalized_weight": {0.4, 0.5, 0.6},
				"monitor.second_over_first": c.ratio,
			})
			all := strings.Join([]string{r.sayRealized(), r.sayReach(), r.sayPrediction()}, "\n")
			c.want = append(c.want, "hindered N's fall at 2 of 3 measured steps, by 35.5% of the main drive in the median and at most 40.0%, and added to N's fall at 1, by 20.0% of the main drive.",
				"At step 20 it moved 30.0% of the coordinates, which hold 60.0% of the norm's gradient, so that the norm falls, and 60.0% so that it rises.")
			for _, want := range c.want {
				if !strings.Contains(all, want) {
					t.Errorf("%q is not said in\n%s", want, all)
				}
			}
			for _, unsaid := range c.unsaid {
				if strings.Contains(all, unsaid) {
					t.Errorf("%q is said in\n%s", unsaid, all)
				}
			}
			if shaded := len(r.driveFigure().Axes[0].Shaded) > 0; shaded != c.figureIsShaded {
				t.Errorf("the figure is shaded: %v, want %v", shaded, c.figureIsShaded)
			}
		})
	}
}

func TestNothingIsSaidOfWhatWasNotMeasured(t *testing.T) {
	r := measured(map[string][]float64{"loss": {1, 2}})
	for _, say := range []func() string{r.sayRealized, r.sayReach, r.sayPrediction, r.sayState, r.saySharpness} {
		if s := say(); s != "" {
			t.Errorf("said: %s", s)
		}
	}
	// Realized alone, as for an optimizer without the memory form.
	r = measured(map[string][]float64{"drive.main": {-1}, "drive.realized": {0.5}})
	if r.sayRealized() == "" || r.sayPrediction() != "" {
		t.Errorf("%q, %q", r.sayRealized(), r.sayPrediction())
	}
}

func TestTheStateEquationHoldsWhereItsDefectIsSmall(t *testing.T) {
	nan := math.NaN()
	inf := math.Inf(1)
	for want, c := range map[string]struct{ defects, rounding []float64 }{ // rounding over the step's length, as the meter records it where it was asked
		"misses a step by 0.2% of its length (median of 3): it holds.":                                                                                   {[]float64{0.001, 0.002, 0.003}, nil},
		"missed the one step that was measured by 0.2% of its length.":                                                                                   {[]float64{0.002}, nil},
		"misses a step by 50.0% of its length (median of 3): it does not hold.":                                                                          {[]float64{0.1, 0.5, 0.7}, nil},
		"misses a step by 10.0% of its length (median of 3): it holds at 1 of 3, to 5.0%.":                                                               {[]float64{0.001, 0.1, 0.3}, nil},
		"misses a step by 4.9% of its length (median of 4): it holds at 2 of 4, to 5.0%.":                                                                {[]float64{0.0126, 0.197, 0.0288, 0.0691}, nil},
		"(median of 2): it holds. At 1 more, rounding to float32 hides what it misses.":                                                                  {[]float64{0.001, 0.001, nan, nan}, []float64{1e-4, 1e-4, 0.1, nan}},
		"is within what rounding to float32 makes: whether it holds is not told; dtype float64 tells more.":                                              {[]float64{nan, nan, nan}, []float64{0.1, 0.1, 0.1}},
		"could not be followed through 2 of 5 measured steps, and misses the others by 0.2% of their length (median of 3): it holds at 3 of 5, to 5.0%.": {[]float64{0.001, 0.002, 0.003, inf, inf}, nil},
		"could not be followed through a step at all 2 measured steps: it does not hold.":                                                                {[]float64{inf, inf}, nil},
		"": {[]float64{nan, nan, nan}, []float64{1e-4, 1e-4, nan}}, // steps of which there is no number, and one that was not asked for
	} {
		t.Run(want, func(t *testing.T) {
			r := measured(map[string][]float64{"monitor.state_defect": c.defects, "monitor.state_rounding": c.rounding})
			r.Config.DType = "float32"
			if got := r.sayState(); !strings.HasSuffix(got, want) || want == "" && got != "" {
				t.Errorf("%q does not end with %q", got, want)
			}
		})
	}
}

func TestWhatIsOutOfRangeReachesHalfWayToItsNeighbours(t *testing.T) {
	nan := math.NaN()
	for name, c := range map[string]struct {
		ratios, cosines []float64 // of steps 0, 10, ..
		want            [][2]float64
	}{
		"in part":                                  {[]float64{2, 3, 0.5, 0.5, 1, 0.8, 5}, []float64{1, 1, 1, 1, 1, 1, 1}, [][2]float64{{0, 15}, {55, 60}}},
		"behind a first step that has no bias":     {[]float64{0.4, 3, 0.5}, []float64{nan, 1, 1}, [][2]float64{{0, 15}}},
		"up to a last step that was not taken":     {[]float64{0.5, 3, nan}, []float64{1, 1, nan}, [][2]float64{{5, 20}}},
		"throughout, between such steps":           {[]float64{0.4, 3, 4, nan}, []float64{nan, 1, 1, nan}, [][2]float64{{0, 30}}},
		"nowhere, between such steps":              {[]float64{0.4, 0.5, 0.5, nan}, []float64{nan, 1, 1, nan}, nil},
		"nowhere, for no step has a bias":          {[]float64{0.4, 1, nan}, []float64{nan, 1, nan}, nil},
		"of one step":                              {[]float64{3}, []float64{1}, [][2]float64{{0, 0}}},
		"on both sides of a step that has no bias": {[]float64{3, 1, 0.5}, []float64{1, 1, 1}, [][2]float64{{0, 10}}},
	} {
		t.Run(name, func(t *testing.T) {
			r := measured(map[string][]float64{monitor: c.ratios, "bias.cosine": c.cosines})
			var got [][2]float64
			for _, s := range r.beyond() {
				got = append(got, [2]float64{s.From, s.To})
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("stretches %v, want %v", got, c.want)
			}
		})
	}
}

func TestShadedStretchesAreDrawnBehindTheCurves(t *testing.T) {
	chart := func(spans ...Span) *Chart {
		return &Chart{Axes: []Axes{{Shaded: spans, Series: []Series{{X: []float64{0, 10}, Y: []float64{0, 1}}}}}}
	}
	plain, err := Render(chart(), "svg", PageStyle)
	if err != nil {
		t.Fatal(err)
	}
	shaded, err := Render(chart(Span{2, 4, "odd"}, Span{6, 20, "odd"}), "svg", PageStyle)
	if err != nil {
		t.Fatal(err)
	}
	const opacity = "fill-opacity:0.188"
	if strings.Contains(string(plain), opacity) || strings.Count(string(shaded), opacity) != 3 { // two stretches and the legend's
		t.Errorf("the stretches are drawn %d times, want 2 and once in the legend", strings.Count(string(shaded), opacity))
	}
	if n := strings.Count(string(shaded), ">odd<"); n != 1 {
		t.Errorf("the legend names the stretches %d times", n)
	}
}

// Whatever is recorded, sentences and figures have their numbers from it, and a run without a realized bias has no figure of it.
func TestARunWithARegularizerHasNoFigureOfTheRealizedBias(t *testing.T) {
	r := read(t, runDir(t, "beside=[]", "regularizer={kind: perturbed-one-norm, weight: 0.01}"))
	if got := names(r); slices.Contains(got, "overview") || slices.Contains(got, "bias") || !slices.Contains(got, "drive") {
		t.Errorf("figures %v", got)
	}
	if all := strings.Join(r.Sentences(), "\n"); strings.Contains(all, "Realized") {
		t.Errorf("a realized bias is spoken of:\n%s", all)
	}
}

func TestClippingIsSaidWithWhatItDoesToTheNorm(t *testing.T) {
	for _, c := range []struct {
		name    string
		columns map[string][]float64
		want    string
	}{
		{"clipped", map[string][]float64{"clip.factor": {0.5, 1, 0.25, 0.75}, "drive.main": {-2, -4, -4}, "drive.clip": {1, 0, -1}},
			"The norm of the gradient was clipped at 3 of 4 recorded steps, to 50.0% of it in the median; of the 2 of those where it was measured that raised dN/dt at 1 and lowered it at 1, by 37.5% of the main drive in the median."},
		{"clipped, with no bias measured", map[string][]float64{"clip.factor": {0.5, 1}}, "The norm of the gradient was clipped at 1 of 2 recorded steps, to 50.0% of it in the median."},
		{"within the bound", map[string][]float64{"clip.factor": {1, 1}}, "The norm of the gradient was within its bound at all 2 recorded steps: it was not clipped."},
		{"no bound", map[string][]float64{"loss": {1, 1}}, ""},
	} {
		if got := measured(c.columns).sayClipping(); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}

func TestClippedElementsAreSaid(t *testing.T) {
	for _, c := range []struct {
		name   string
		shares []float64
		want   string
	}{
		{"at some steps", []float64{0.25, 0, 0.5}, "Elements of the gradient were clipped at 2 of 3 recorded steps, up to 50.0% of them."},
		{"at none", []float64{0, 0}, "No element of the gradient was beyond optimizer.clip_value at any of 2 recorded steps."},
		{"without a bound", nil, ""},
	} {
		if got := measured(map[string][]float64{"loss": {1, 1, 1}, "clip.share": c.shares}).sayClippedElements(); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}

func TestNoiseIsSpokenOfByCoordinatesAsItWasRecorded(t *testing.T) {
	for name, c := range map[string]struct {
		over, dominated, leftOut, memory, noise []float64
		mode                                    string
		want, unsaid                            string
	}{
		"noise on few coordinates": {[]float64{0.1, 0.9}, []float64{0.2, 0.3}, nil, nil, nil, "shuffled",
			"It was above batches of 32 at 0 of 2 measured steps. On most coordinates the noise of such a batch is smaller than the gradient: it is larger on 25.0% of them in the median, 20.0% at the start and 30.0% at the end.", "full"},
		"noise on most coordinates": {[]float64{0.9, 3}, []float64{0.736, 0.658}, nil, nil, nil, "shuffled",
			"above batches of 32 at 1 of 2 measured steps. On most coordinates the noise of such a batch is larger than the gradient: on 69.7% of them in the median", "decide"},
		"noise on most coordinates of a vector that is mostly signal": {[]float64{0.5, 0.6}, []float64{0.567, 0.567}, nil, nil, nil, "shuffled",
			"at 0 of 2 measured steps. On most coordinates the noise of such a batch is larger than the gradient: on 56.7%", "smaller"},
		"full batch":    {[]float64{0.9, 3}, []float64{1, 1}, nil, nil, nil, "full", "The run's own batches are full, and have none.", "expansion"},
		"terms":         {[]float64{2, 3}, []float64{1, 1}, []float64{0.1, 0.2}, []float64{10, 10}, []float64{-4, -4}, "shuffled", "is borne out at none of the 2 steps at which its terms were measured", "times what memory"},
		"most left out": {[]float64{2, 3}, []float64{1, 1}, []float64{0.8, 0.9}, []float64{10, 1}, []float64{-4, 100}, "shuffled", "leaves out 85.0% of the coordinates (median of 2), whose variance is too large for it: it is not shown as the batches' bias.", "times what memory"},
	} {
		t.Run(name, func(t *testing.T) {
			columns := map[string][]float64{"noise_scale": {10, 20}, "noise_batch": {32, 32}, "monitor.noise_over_batch": c.over, "noise_dominated": c.dominated, "noise.left_out": c.leftOut, "noise.drive_memory": c.memory}
			for i := 1; i <= 5; i++ {
				columns[fmt.Sprintf("noise.drive_%d", i)] = c.noise
			}
			r := measured(columns)
			r.Config.Batch.Mode = c.mode
			if got := r.sayNoise(); !strings.Contains(got, c.want) || strings.Contains(got, c.unsaid) {
				t.Errorf("want %q, and not %q, in\n%s", c.want, c.unsaid, got)
			}
		})
	}
}

func TestTheNoiseScaleIsSaidWithHowItWasEstimated(t *testing.T) {
	for name, c := range map[string]struct {
		scale, failure []float64
		want           string
	}{
		"one measurement, two batches": {[]float64{30.6}, nil,
			"The gradient noise scale was 30.6 examples at step 0, by how far batches of 648 without common examples scatter, with no standard error, for which it takes three batches."},
		"one measurement": {[]float64{30.6}, []float64{4},
			"The gradient noise scale was 30.6 examples at step 0, by how far batches of 648 without common examples scatter, with a standard error of 4."},
		"several": {[]float64{30.6, 41}, []float64{4, 5},
			"The gradient noise scale went from 30.6 to 41 examples, by how far batches of 648 without common examples scatter, with a standard error of 5 at the end."},
		"an error of an earlier step is none of the last": {[]float64{30.6, 41}, []float64{4},
			"The gradient noise scale went from 30.6 to 41 examples, by how far batches of 648 without common examples scatter, with no standard error, for which it takes three batches."},
	} {
		t.Run(name, func(t *testing.T) {
			sizes := slices.Repeat([]float64{648}, len(c.scale))
			if got := measured(map[string][]float64{"noise_scale": c.scale, "noise_scale_error": c.failure, "noise_batch": sizes}).sayNoise(); got != c.want {
				t.Errorf("%q\nwant %q", got, c.want)
			}
		})
	}
}

func TestWhatRoundingMakesIsNotTakenForAFinding(t *testing.T) {
	r := measured(map[string][]float64{"step_rounding": {1e-9, 1e-9}, "monitor.second_over_first": {math.NaN(), math.NaN()}, "state-2.relative_distance": {1e-3, 2e-3}, "iterates.rounding": {5e-4, 1.5e-3}})
	r.Config = &config.Config{DType: "float32", Beside: []string{"state-2"}}
	if got, want := r.sayPrediction(), "is within what rounding to float32 makes: its bias is not shown"; !strings.Contains(got, want) {
		t.Errorf("%q lacks %q", got, want)
	}
	if got, want := r.sayFlow(), "Rounding to float32 may make 0.0015 of it: the least of these distances may be nothing else."; !strings.Contains(got, want) {
		t.Errorf("%q lacks %q", got, want)
	}
}

func TestWhatTheDrivesMissOfTheObservedChangeIsSaidBesideIt(t *testing.T) {
	for want, c := range map[string]struct{ main, realized, observed []float64 }{
		" With the main term it makes the change of N that was observed, but for 20.0% of it (median), with its sign at 2 of 2 steps.": {[]float64{-10, -10}, []float64{4, 4}, []float64{-5, -5}},
		" With the main term it misses the change of N that was observed by 220.0% of it (median), and has its sign at 0 of 2 steps: ": {[]float64{-10, -10}, []float64{4, 4}, []float64{5, 5}},
		// next to nothing of the main drive, which the realized one all but cancels
		" With the main term it misses the change of N that was observed by 200.0% of it (median), and has its sign at 1 of 3 steps: ": {[]float64{-1000, -1000, -1000, -1}, []float64{999, 999, 999, 0.5}, []float64{1, 1, -1, 0}},
	} {
		t.Run(want, func(t *testing.T) {
			r := measured(map[string][]float64{"drive.main": c.main, "drive.realized": c.realized, "drive.observed": c.observed})
			if got := r.sayClosure(); !strings.HasPrefix(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

func TestWhatIsPredictedIsSpokenOfOnlyWhereStepsBearItOut(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for name, c := range map[string]struct {
		ratio, cosine []float64
		want          string
		shaded        [][2]float64
	}{
		"better by its step term alone": {[]float64{0.6, 0.7}, []float64{-0.5, -0.4},
			"steps better than no correction at all 2 measured steps, but for its term without memory alone: what it says of the memory goes against the realized bias, at a cosine of -0.45 (median): its bias is not shown as this run's bias.",
			[][2]float64{{0, 10}}},
		"worse by little": {[]float64{1.01, 1.01}, []float64{0.9, 0.9}, "worse than no correction at all 2 measured steps (by 1.0%, in the median): its bias is not shown as this run's bias.", [][2]float64{{0, 10}}},
		"each in part": {[]float64{3, 0.95, 0.5, 0.5}, []float64{0.9, 0.9, -0.1, 0.8},
			"worse than no correction at 1 of 4 measured steps (3 times, in the median); better than no correction at 1, but by less than a tenth; better than no correction at 1, but for its term without memory alone: what it says of the memory goes against the realized bias, at a cosine of -0.1 (median); better than no correction at 1, by a tenth or more and with a bias along the realized one: its bias is shown as this run's at these last ones alone; of its bias 45.6% is realized, at a cosine of 0.8 with the realized one (medians of 1 of 4 steps).",
			[][2]float64{{0, 25}}},
		"with no realized bias beside it": {[]float64{0.5, 0.6}, nil, "", nil},
		"worse without bound":             {[]float64{inf, inf, 3}, []float64{0.8, 0.8, 0.8}, "worse than no correction at all 3 measured steps (beyond all bounds, in the median): its bias is not shown as this run's bias.", [][2]float64{{0, 20}}},
		"at one step":                     {[]float64{0.5}, []float64{0.8}, "better than no correction at the one measured step, by a tenth", nil},
		"rounding hides some": {[]float64{0.5, nan, nan}, []float64{0.8, nan, nan},
			"at a cosine of 0.8 with the realized one. At 2 more, what it misses is within what rounding to float32 makes.", nil},
	} {
		t.Run(name, func(t *testing.T) {
			ones := slices.Repeat([]float64{1}, len(c.ratio))
			columns := map[string][]float64{"monitor.second_over_first": c.ratio, "step_rounding": ones,
				"noise_scale": ones, "noise_batch": ones, "monitor.noise_over_batch": ones, "noise_dominated": ones, "noise.left_out": slices.Repeat([]float64{0}, len(ones)), "noise.drive_memory": ones}
			for i := 1; i <= 5; i++ {
				columns[fmt.Sprintf("noise.drive_%d", i)] = slices.Repeat([]float64{-0.4}, len(ones))
			}
			if c.cosine != nil {
				columns["bias.cosine"], columns["bias.explained"] = c.cosine, slices.Repeat([]float64{0.456}, len(ones))
			}
			r := measured(columns)
			r.Config.DType = "float32"
			got := r.sayPrediction()
			if !strings.Contains(got, c.want) || c.want == "" && got != "" {
				t.Errorf("%q, want %q", got, c.want)
			}
			if hides := slices.ContainsFunc(c.ratio, math.IsNaN); strings.Contains(got, "rounding to") != hides {
				t.Errorf("rounding is said to hide some: %v, want %v: %q", !hides, hides, got)
			}
			var shaded [][2]float64
			for _, s := range r.beyond() {
				shaded = append(shaded, [2]float64{s.From, s.To})
			}
			if !reflect.DeepEqual(shaded, c.shaded) {
				t.Errorf("shaded %v, want %v", shaded, c.shaded)
			}
			borneOut := len(r.of(run.BornOut, "monitor.second_over_first"))
			noise := fmt.Sprintf("At the %d of %s where that is borne out its terms would be 2 times what memory does without noise (median), the same way at 0 of them.", borneOut, plural.Of(len(ones), "measured step"))
			if borneOut == 0 {
				noise = fmt.Sprintf("borne out at none of the %d steps at which its terms were measured: they are not shown as the batches' bias.", len(ones))
			}
			if got := r.sayNoiseTerms(); !strings.HasSuffix(got, noise) {
				t.Errorf("%q does not end with %q", got, noise)
			}
		})
	}
}

func TestOfMiniBatchesItIsSaidWhoseLossAndNormItIs(t *testing.T) {
	batch := map[string][]float64{"loss": {2, 0.005, 0.3}, "accuracy": {0.5, 1, 0.5}, "excess": {167, 320, 119}, "clip.factor": {1, 1, 1}}
	whole := map[string][]float64{"full_loss": {2.5, math.NaN(), 0.6}, "full_accuracy": {0.1, math.NaN(), 0.9}, "full_excess": {33, math.NaN(), 27}}
	both := maps.Clone(batch)
	maps.Copy(both, whole)
	for name, c := range map[string]struct {
		columns      map[string][]float64
		mode         string
		want, unsaid []string
	}{
		"full batch": {batch, "full", []string{"Training loss went from 2 to 0.3, accuracy to 50.0%.", "The excess perturbed one-norm of the gradient went from 167 to its largest, 320, at step 10, and ended at 119.",
			"When training loss first passed 0.01, at step 8.84, the excess norm was 302.", "The norm of the gradient was within"}, []string{"batch"}},
		"of all examples too": {both, "shuffled", []string{"Training loss over all examples went from 2.5 to 0.6, accuracy over all examples to 90.0%.",
			"The excess perturbed one-norm of the gradient over all examples went from 33, its largest, to 27.", "The norm of the gradient of the step's own batch was within"}, []string{"0.01", "320", "50.0%"}},
		"of batches alone": {batch, "shuffled", []string{"Training loss of single batches went from 2 to 0.3, accuracy of single batches to 50.0%.", "one-norm of the gradient of single batches went",
			"When training loss of single batches first passed 0.01, at step 8.84, the excess norm of single batches was 302."}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := measured(c.columns)
			r.Config.Batch.Mode = c.mode
			all := strings.Join([]string{r.sayLoss(), r.sayHill(), r.sayPassing(), r.sayClipping()}, "\n")
			for _, want := range c.want {
				if !strings.Contains(all, want) {
					t.Errorf("%q is not said in\n%s", want, all)
				}
			}
			for _, unsaid := range c.unsaid {
				if strings.Contains(all, unsaid) {
					t.Errorf("%q is said in\n%s", unsaid, all)
				}
			}
		})
	}
}

// Where the equation is not of what moves the optimizer, or the optimizer has none, nothing is said or drawn of what it predicts, and the reason is.
func TestWhereNothingJudgesThePredictionItIsNotShown(t *testing.T) {
	for name, c := range map[string]struct {
		settings []string
		want     []string
	}{
		"a regularizer":                 {[]string{"regularizer={kind: perturbed-one-norm, weight: 0.01}"}, []string{"regularizer perturbed-one-norm of weight 0.01)", "A regularizer, perturbed-one-norm of weight 0.01, moves the optimizer, too"}},
		"no memory":                     {[]string{"optimizer={name: gd, lr: 0.1}"}, []string{"Realized: none, at any step. gd remembers nothing, so that its update U is F", "is no evidence"}},
		"no form without memory":        {[]string{"optimizer={name: radam, lr: 0.001}"}, []string{"predicts a bias here: radam has none, for it remembers how many steps it has taken"}},
		"nor anything that it tends to": {[]string{"optimizer={name: rprop, lr: 0.001}"}, []string{"predicts a bias here: rprop has none, for it remembers a step size of each element"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := read(t, runDir(t, append(c.settings, "beside=[]")...))
			all := strings.Join(r.Sentences(), "\n")
			for _, want := range c.want {
				if !strings.Contains(all, want) {
					t.Errorf("%q is not said in\n%s", want, all)
				}
			}
			for _, axes := range r.driveFigure().Axes {
				if drawn := axes.Series[3]; len(drawn.X) > 0 || len(axes.Shaded) > 0 {
					t.Errorf("%s is drawn, with %d shaded stretches", drawn.Name, len(axes.Shaded))
				}
			}
			if strings.Contains(all, " 0.0%") {
				t.Errorf("a share of nothing in\n%s", all)
			}
		})
	}
}

// A prediction that rounding hides the test of is drawn as one that is not borne out.
func TestWhatRoundingHidesIsShaded(t *testing.T) {
	nan := math.NaN()
	r := measured(map[string][]float64{
		"monitor.second_over_first": {nan, nan, 0.5, 0.5, nan}, "bias.cosine": {1, 1, 1, 1, nan}, "step_rounding": {1, 1, 1, 1, nan}, "drive.predicted": {1, 1, 1, 1, 1},
	})
	if got := r.beyond(); len(got) != 1 || got[0].From != 0 || got[0].To != 15 {
		t.Errorf("%+v", got)
	}
}
