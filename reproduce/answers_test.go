package reproduce

import (
	"math"
	"strings"
	"testing"

	"shadowflow/internal/stats"
)

func TestACourseSaysWhereAQuantityRisesAndWhereItFalls(t *testing.T) {
	rows := func(last ...float64) [][]float64 {
		var out [][]float64
		for _, v := range last {
			out = append(out, []float64{1, (1 + v) / 2, v})
		}
		return out
	}
	trend := func(name string, rows [][]float64) Finding {
		return Hypothesis{Name: name, Family: name, Measure: "excess norm at training loss 1", Test: Trend, Direction: Up}.weigh(rows)
	}
	up := &Verdict{Name: "norm-vs-beta2", Scale: Laptop, Hypotheses: []Finding{trend("norm at lr 0.1", rows(1.5, 1.55, 1.45)), trend("norm at lr 1", rows(2, .5, 1.1)), trend("norm at lr 2", rows(math.NaN()))}}
	down := &Verdict{Name: "figure-7", Scale: Small, Hypotheses: []Finding{trend("excess at lr 0.1", rows(.5, .55, .45))}}
	other := &Verdict{Name: "figure-8", Scale: Laptop, Hypotheses: []Finding{trend("excess at lr 0.1", rows(.5, .55, .45))}}
	for _, v := range []*Verdict{up, down, other} {
		settle(v.Hypotheses)
	}
	want := "With beta2, in 4 settings, the excess of the norm at equal training loss rises in 1 (norm-vs-beta2, norm at lr 0.1, by +49.9%), falls in 1 (figure-7-small, excess at lr 0.1, by -50.2%), and is undecided in 2 (by +3.23%; of 1 no seed has the numbers)."
	if said := courses()[0].says(verdicts{up, down, other}); said != want {
		t.Errorf("%q, want %q", said, want)
	}
	if said := courses()[1].says(verdicts{up, down, other}); said != "" {
		t.Errorf("of a hill's top, which nothing is about, it says %q", said)
	}
}

// Of every question the results that are there say something, and of nothing there is nothing to say.
func TestEveryQuestionIsAnsweredInSentences(t *testing.T) {
	all := committed(t)
	if causes := aboutCauses(all); len(causes) != 5 || !strings.Contains(causes[1], withinKinds) || !strings.HasPrefix(causes[4], ofAllInterventions) {
		t.Errorf("of causes, and of what moved the accuracy: %q", causes)
	}
	if noted := verdicts(all).of("table-1").notesOn("eps 1e-08, betas 0.9 and 0.5"); !strings.Contains(noted, "bear out the second-order equation") {
		t.Errorf("of a sign that is not as predicted it notes %q", noted)
	}
	for _, q := range questions {
		sentences := q.short(all)
		if len(sentences) == 0 {
			t.Errorf("%s: no answer", q.asked)
		}
		for _, s := range sentences {
			if !strings.HasSuffix(s, ".") || strings.Contains(s, "NaN") || strings.Contains(s, "Inf") {
				t.Errorf("%s: %q", q.asked, s)
			}
		}
		if nothing := q.short(nil); len(nothing) > 0 {
			t.Errorf("%s, without any verdict: %q", q.asked, nothing)
		}
	}
}

func TestWhatIsNotSupportedIsNamed(t *testing.T) {
	supported, against := Finding{Hypothesis: Hypothesis{Name: "a"}, Outcome: Supported}, Finding{Hypothesis: Hypothesis{Name: "b"}, Outcome: Against}
	if some, none := butNot([]Finding{supported, against}), butNot([]Finding{supported}); some != " (not on b: against)" || none != "" {
		t.Errorf("%q and %q", some, none)
	}
}

func TestCancellingIsComparedWithSubtractingWithinSeeds(t *testing.T) {
	for want, apart := range map[string][]float64{
		"the same":        {-.05, .1, -.05},
		"nearly the same": {.1, .11, .09},
		"not the same":    {1, 1.1, .9},
		"too few":         {math.NaN(), math.NaN()},
	} {
		if said := sameOrNot(stats.PairedT(apart), 2); !strings.HasPrefix(said, want) {
			t.Errorf("%q, want %q", said, want)
		}
	}
}
