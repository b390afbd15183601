package run

import (
	"os"
	"strings"
	"testing"
)

func TestEveryColumnIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/runs.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, overrides := range [][]string{nil, {"batch={mode: cyclic, size: 20}", "loss=mse"}} {
		for _, c := range historyColumns(parse(t, small, overrides...)) {
			if !strings.Contains(string(text), "`"+c.Name+"`") {
				t.Errorf("docs/runs.md does not say what %s is", c.Name)
			}
			if c.Meaning == "" {
				t.Errorf("column %s has no meaning", c.Name)
			}
		}
	}
}
