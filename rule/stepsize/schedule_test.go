package stepsize

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEachShapeIsItsFormula(t *testing.T) {
	for name, c := range map[string]struct {
		s    Schedule
		want map[int]float64
	}{
		"the zero schedule":            {Schedule{}, map[int]float64{0: 1, 7: 1}},
		"constant behind a warmup":     {Schedule{Shape: Constant, Warmup: 4}, map[int]float64{0: .25, 2: .75, 3: 1, 4: 1, 99: 1}},
		"linear":                       {Schedule{Shape: Linear, Steps: 10, Final: .2}, map[int]float64{0: 1, 5: .6, 10: .2, 50: .2}},
		"linear behind a warmup":       {Schedule{Shape: Linear, Warmup: 2, Steps: 10}, map[int]float64{0: .5, 1: 1, 2: 1, 6: .5, 10: 0, 11: 0}},
		"cosine":                       {Schedule{Shape: Cosine, Steps: 8, Final: .1}, map[int]float64{0: 1, 4: .55, 2: .1 + .9*(1+math.Sqrt2/2)/2, 8: .1, 9: .1}},
		"step":                         {Schedule{Shape: Step, Every: 3, Factor: .5}, map[int]float64{0: 1, 2: 1, 3: .5, 5: .5, 6: .25}},
		"step counts from the start":   {Schedule{Shape: Step, Every: 3, Factor: .5, Warmup: 4}, map[int]float64{0: .25, 3: 1, 4: .5, 6: .25}},
		"warmup and stable alone":      {Schedule{Shape: WSD, Warmup: 2, Stable: 3, Steps: 5, Final: .2}, map[int]float64{0: .5, 2: 1, 4: 1, 5: .2, 6: .2}},
		"warmup, stable, decay":        {Schedule{Shape: WSD, Warmup: 2, Stable: 3, Steps: 9, Final: .2}, map[int]float64{0: .5, 2: 1, 5: 1, 7: .6, 9: .2, 20: .2}},
		"a file, whose last one holds": {Schedule{Shape: File, Factors: []float64{1, .5, .1}}, map[int]float64{0: 1, 1: .5, 2: .1, 3: .1}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.s.Validate(); err != nil {
				t.Fatal(err)
			}
			for n, want := range c.want {
				if got := c.s.At(n); math.Abs(got-want) > 1e-15 {
					t.Errorf("step %d: factor %v, want %v", n, got, want)
				}
			}
			varies := false
			for n := range 20 {
				varies = varies || c.s.At(n) != 1
			}
			if c.s.Varies() != varies {
				t.Errorf("varies: %v", c.s.Varies())
			}
		})
	}
}

func TestAStretchedScheduleHasTheSameFactorsAtTheSameTimes(t *testing.T) {
	for _, s := range []Schedule{
		{Shape: Linear, Warmup: 0, Steps: 12, Final: .1},
		{Shape: Cosine, Steps: 12},
		{Shape: Step, Every: 3, Factor: .5},
		{Shape: WSD, Stable: 4, Steps: 12},
		{Shape: File, Factors: []float64{1, .5, .25}},
	} {
		long := s.Stretched(4)
		for n := range 14 {
			if got, want := long.At(4*n), s.At(n); math.Abs(got-want) > 1e-15 {
				t.Errorf("%s, step %d: %v, of the stretched one %v", s.Shape, n, want, got)
			}
		}
	}
	if got := (Schedule{Shape: Constant, Warmup: 3}).Stretched(2); got.Warmup != 6 {
		t.Errorf("a warmup of 3 steps becomes one of %d", got.Warmup)
	}
}

func TestErrorsSayWhichKeyIsWrong(t *testing.T) {
	for want, s := range map[string]Schedule{
		"schedule.steps: 5, with a warmup of 5":        {Shape: Cosine, Warmup: 5, Steps: 5},
		"2 steps of warmup and 3 stable ones":          {Shape: WSD, Warmup: 2, Stable: 3, Steps: 4},
		"schedule.every: 0: want":                      {Shape: Step, Factor: .5},
		"schedule.factor: 0: want":                     {Shape: Step, Every: 3},
		"schedule.path":                                {Shape: File},
		`schedule.shape: "exponential": want one of [`: {Shape: "exponential"},
		"schedule.final: -1":                           {Shape: Linear, Steps: 5, Final: -1},
		"schedule.warmup: -1: want":                    {Warmup: -1},
	} {
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: want an error that says %q, got %v", s, want, err)
		}
	}
}

func TestAFileIsANumberALine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lr.txt")
	if err := os.WriteFile(path, []byte("\ufeff0.5\n\n 1e0 # full\n0"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
	if err != nil || fmt.Sprint(got) != "[0.5 1 0]" {
		t.Errorf("got %v, %v", got, err)
	}
	for want, text := range map[string]string{
		`x:2: "half": want the factor of a step`: "1\nhalf\n",
		`x:1: "-1": want the factor`:             "-1",
		`x:1: "NaN": want the factor`:            "NaN",
		"4.9e-324; write 0 if that is meant":     "1\n1e-400\n",
		"no numbers":                             "# nothing\n",
		"x:2: a line of more than 65536 bytes":   "1\n" + strings.Repeat("0", 1<<17),
	} {
		if _, err := parse("x", strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: want an error that says %q, got %v", text, want, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("1\n0.5 # half\n\n1e-3")
	f.Add("-1\nInf")
	f.Fuzz(func(t *testing.T, text string) {
		factors, err := parse("x", strings.NewReader(text))
		if err != nil {
			return
		}
		for n, v := range factors {
			if !(v >= 0) || math.IsInf(v, 1) {
				t.Errorf("step %d: factor %v", n, v)
			}
		}
	})
}
