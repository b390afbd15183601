package rule

import (
	"testing"

	"shadowflow/rule/formula"
)

func TestADivisionByLRIsCancelledByTheSteps(t *testing.T) {
	for update, want := range map[string]string{
		"m / sqrt(v)":                        "m / sqrt(v) * lr",
		"sign(g) * size / lr":                "sign(g) * size",
		"c * (theta - z) / lr + b * u":       "c * (theta - z) + b * u * lr",
		"b * u - (theta - z) / lr":           "b * u * lr - (theta - z)",
		"r / lr * u / max(1, s) + w * theta": "r * u / max(1, s) + w * theta * lr",
		"-(a * (b / lr))":                    "-(a * b)",
		"m / (1 + lr * w)":                   "m / (1 + lr * w) * lr",
		"exp(g / lr)":                        "exp(g / lr) * lr",
	} {
		t.Run(update, func(t *testing.T) {
			f, err := formula.Parse(update)
			if err != nil {
				t.Fatal(err)
			}
			if got := displacement(f).String(); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}
