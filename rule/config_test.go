package rule

import (
	"strings"
	"testing"
)

func TestHyperparametersOutOfRangeAreRefusedByName(t *testing.T) {
	for _, tc := range []struct {
		optimizer, key, value string
		want                  []string
	}{
		{"adam", "beta1", "1", []string{"beta1 = 1", "[0, 1)"}},
		{"adam", "beta2", "-0.1", []string{"beta2 = -0.1", "[0, 1)"}},
		{"adam", "beta1", "NaN", []string{"beta1 = NaN", "[0, 1)"}},
		{"adam", "eps", "0", []string{"eps = 0", "above 0"}},
		{"adam", "eps", "+Inf", []string{"eps = +Inf", "above 0"}},
		{"adam", "lr", "-1e-3", []string{"lr = -0.001", "above 0"}},
		{"adam", "lr", "fast", []string{`lr = "fast"`, "above 0"}},
		{"adam", "eps_inside", "maybe", []string{"eps_inside", "true or false"}},
		{"adamw", "weight_decay", "-1", []string{"weight_decay = -1", "at least 0"}},
		{"adam", "beta_1", "0.9", []string{`"beta_1"`, "did you mean beta1?"}},
		{"gd", "beta1", "0.9", []string{`"beta1"`, "it has lr"}},
		{"adan", "lr", "1", []string{`"adan"`, "did you mean adam?"}},
	} {
		_, err := Parse(tc.optimizer, map[string]string{tc.key: tc.value})
		if err == nil {
			t.Errorf("%s %s=%s: no error", tc.optimizer, tc.key, tc.value)
			continue
		}
		for _, w := range tc.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s %s=%s: %q does not say %q", tc.optimizer, tc.key, tc.value, err, w)
			}
		}
	}
}

func TestEveryRuleHasValidDefaultsAndReadsItsOwnValues(t *testing.T) {
	for _, name := range Names() {
		c, err := Defaults(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Rule(); err != nil {
			t.Error(err)
		}
		used, err := Keys(name)
		if err != nil {
			t.Fatal(err)
		}
		values := map[string]string{}
		for _, k := range used {
			values[k] = c.Get(k)
		}
		if again, err := Parse(name, values); err != nil || again != c {
			t.Errorf("%s: %v read back as %v, %v", name, c, again, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("adam", "beta1", "0.9")
	f.Add("lion", "eps", "1e-300")
	f.Add("gd", "", "")
	f.Fuzz(func(t *testing.T, name, key, value string) {
		c, err := Parse(name, map[string]string{key: value})
		if err != nil {
			return
		}
		if r, err := c.Rule(); err != nil || r.Validate() != nil {
			t.Errorf("%s %s=%s is accepted, but not its rule: %v", name, key, value, err)
		}
	})
}
