package reproduce

import "testing"

func TestOutcomesTogether(t *testing.T) {
	for _, c := range []struct {
		name  string
		parts []Outcome
		want  Outcome
	}{
		{"nothing decides nothing", nil, Undecided},
		{"all hold", []Outcome{Holds, Holds}, Holds},
		{"one open part leaves all open", []Outcome{Holds, Undecided}, Undecided},
		{"one failing part is enough", []Outcome{Undecided, Fails, Holds}, Fails},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := all(c.parts...); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestJudgeSigns(t *testing.T) {
	for _, c := range []struct {
		name string
		k, n int
		want Outcome
	}{
		{"five of five are more than half", 5, 5, Holds},
		{"four of four may be chance", 4, 4, Undecided},
		{"none of five are less than half", 0, 5, Fails},
		{"all but one of many are more than half", 19, 20, Holds},
		{"half are neither", 10, 20, Undecided},
		{"none of none say nothing", 0, 0, Undecided},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := judgeSigns(c.k, c.n); got != c.want {
				t.Errorf("%d of %d: %s, want %s", c.k, c.n, got, c.want)
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
