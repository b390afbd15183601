package vec

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// The operations of a function are those of its assembly, which has a loop for one vector at a time.
func TestTheOperationsOfFunctionsAreThoseOfTheirAssembly(t *testing.T) {
	text, err := os.ReadFile("kernels_avx512_amd64.s")
	if err != nil {
		t.Fatal(err)
	}
	loop := regexp.MustCompile(`(?s)\none:\n(.*?)\n\w+:\n`)
	for _, function := range []string{"add", "sub", "mul", "div", "maximum", "minimum", "relu", "sqrt", "recip", "rsqrt", "exp", "log", "log1p", "tanh", "sigmoid", "erf", "neg", "abs", "sign", "step",
		"greater", "greaterEqual", "equal", "choose"} {
		for bits, want := range map[int]int{32: OperationsOf(function).Float32, 64: OperationsOf(function).Float64} {
			suffix := map[int]string{32: "PS", 64: "PD"}[bits]
			two, one := regexp.MustCompile(`\bVFN?M(ADD|SUB)\d+`+suffix+`\b`), regexp.MustCompile(`\bV(ADD|SUB|MUL|DIV|SQRT|MAX|MIN)`+suffix+`\b`)
			name := fmt.Sprintf("%s%dAVX512", function, bits)
			_, body, found := strings.Cut(string(text), "TEXT ·"+name+"(SB)")
			if !found {
				t.Errorf("no %s", name)
				continue
			}
			body, _, _ = strings.Cut(body, "TEXT ·")
			round := loop.FindStringSubmatch(body)
			if round == nil {
				t.Errorf("%s has no loop for one vector", name)
				continue
			}
			if got := 2*len(two.FindAllString(round[1], -1)) + len(one.FindAllString(round[1], -1)); got != want {
				t.Errorf("%s: %d operations, want %d", name, got, want)
			}
		}
	}
}
