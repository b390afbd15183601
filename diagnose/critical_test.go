package diagnose

import (
	"math"
	"testing"

	"shadowflow/modeq"
)

func TestCriticalGradientOfAdamMatchesClosedForm(t *testing.T) {
	r := ruleOf(t, "adam", map[string]string{"beta1": "0.9", "beta2": "0.99", "eps": "1e-8"})
	c, err := NewCritical(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{100, 1000, modeq.FullMemory} {
		// With the mean ages a of step n in the place of beta/(1-beta), c = 2a + 1.
		c1, c2 := 2*r.Moments[0].Age(n)+1, 2*r.Moments[1].Age(n)+1
		sizes, below, err := c.Sizes(n)
		if err != nil {
			t.Fatal(err)
		}
		if len(sizes) != 1 || !below {
			t.Fatalf("step %d: sizes %v, penalized below %v", n, sizes, below)
		}
		close(t, "critical size", sizes[0], math.Sqrt(1e-8*c1/(c2-c1)), 1e-9)
	}
}

func TestCriticalGradientsOfOtherRules(t *testing.T) {
	for _, c := range []struct {
		rule   string
		values map[string]string
		want   []float64
	}{
		{"rmsprop", map[string]string{"beta2": "0.9", "eps": "1e-4"}, []float64{math.Sqrt(1e-4 / 18)}}, // c1 = 1, c2 = 19
		{"adam", map[string]string{"beta1": "0.99", "beta2": "0.9", "eps": "1e-8"}, nil},
		{"gd", nil, nil},
		{"heavy-ball", map[string]string{"beta1": "0.9"}, nil},
	} {
		search, err := NewCritical(ruleOf(t, c.rule, c.values))
		if err != nil {
			t.Fatal(err)
		}
		sizes, below, err := search.Sizes(modeq.FullMemory)
		if err != nil {
			t.Fatal(err)
		}
		if len(sizes) != len(c.want) || !below {
			t.Errorf("%s %v: sizes %v, penalized below %v; want %v", c.rule, c.values, sizes, below, c.want)
			continue
		}
		for i := range sizes {
			close(t, c.rule+"'s critical size", sizes[i], c.want[i], 1e-9)
		}
	}
}
