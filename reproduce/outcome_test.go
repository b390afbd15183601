package reproduce

import (
	"shadowflow/experiment/config"
	"shadowflow/experiment/sweep"
	"shadowflow/schema"
	"strings"
	"testing"
)

func TestOutcomesTogether(t *testing.T) {
	for _, c := range []struct {
		name  string
		parts []Outcome
		want  Outcome
	}{
		{"nothing decides nothing", nil, Undecided},
		{"all are supported", []Outcome{Supported, Supported}, Supported},
		{"one open part leaves all open", []Outcome{Supported, Undecided}, Undecided},
		{"one part against is enough", []Outcome{Undecided, Against, Supported}, Against},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := all(c.parts...); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// Four runs of a seed are one piece of evidence.
func TestRunsOfASeedAreOnePieceOfEvidence(t *testing.T) {
	made := func(seeds, runs int, yes func(seed, run int) bool) [][]float64 {
		var ts trials
		answers := map[*trial]bool{}
		for seed := range seeds {
			for run := range runs {
				c, err := config.New(schema.Set("seed", seed))
				if err != nil {
					t.Fatal(err)
				}
				one := &trial{}
				one.Run = sweep.Run{Config: c}
				ts = append(ts, one)
				answers[one] = yes(seed, run)
			}
		}
		return votes(ts, func(t *trial) (bool, bool) { return answers[t], true })
	}
	for name, c := range map[string]struct {
		seeds, runs int
		yes         func(seed, run int) bool
		want        Outcome
	}{
		"twenty runs of two seeds":            {2, 10, func(int, int) bool { return true }, Undecided},
		"five seeds":                          {5, 1, func(int, int) bool { return true }, Supported},
		"five seeds against":                  {5, 3, func(int, int) bool { return false }, Against},
		"most runs of five seeds":             {5, 3, func(_, run int) bool { return run > 0 }, Supported},
		"ties of a seed leave it out":         {5, 2, func(seed, run int) bool { return seed > 0 || run > 0 }, Undecided},
		"three of four runs of three in five": {5, 4, func(seed, run int) bool { return run > 0 && seed > 1 }, Undecided},
	} {
		t.Run(name, func(t *testing.T) {
			found := []Finding{Hypothesis{Test: Majority, Direction: Up, Seeds: c.seeds}.weigh(made(c.seeds, c.runs, c.yes))}
			settle(found)
			if found[0].Outcome != c.want {
				t.Errorf("%s", found[0])
			}
			if few := strings.Contains(found[0].String(), "too few"); few != (found[0].Given < 5) {
				t.Errorf("said: %s", found[0])
			}
		})
	}
}

func TestTable1PredictsTheSign(t *testing.T) {
	for _, c := range []struct {
		name              string
		beta1, beta2, eps float64
		want              int
	}{
		{"beta1 above beta2 penalizes", 0.9, 0.5, 1e-8, -1},
		{"beta2 above beta1 hinders", 0.5, 0.9, 1e-8, 1},
		{"equal betas do next to nothing", 0.9, 0.9, 1e-8, 0},
		{"large eps penalizes whatever the betas", 0.5, 0.9, 1, -1},
		{"large eps penalizes with beta1 above too", 0.9, 0.5, 1, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := predictedSign(c.beta1, c.beta2, c.eps); got != c.want {
				t.Errorf("%d, want %d", got, c.want)
			}
		})
	}
}
