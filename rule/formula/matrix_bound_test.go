package formula

import (
	"testing"

	"shadowflow/graph"
)

// A program that has grown beyond its bound has no further values, and its builder the reason.
func TestFunctionsOfMatricesPassOnThatThereIsNone(t *testing.T) {
	for name, of := range map[string]func(graph.Value) graph.Value{"orthonormal": gramSchmidt, "identity": unit} {
		t.Run(name, func(t *testing.T) {
			if of(graph.Value{}).Valid() {
				t.Error("a value was made of none")
			}
		})
	}
}
