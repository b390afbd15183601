package reproduce

import (
	"fmt"
	"math"
	"testing"
)

func TestFigure2EndsWhereThePapersDoes(t *testing.T) {
	for _, panel := range figure2Panels {
		for _, c := range panel.curves {
			t.Run(fmt.Sprintf("%s, %s %g", panel.name, panel.varied, panel.value(c)), func(t *testing.T) {
				paths, err := c.paths(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				end := paths[0].Theta[len(paths[0].Theta)-1]
				if math.Abs(end[0]-c.end[0]) > figure2Off || math.Abs(end[1]-c.end[1]) > figure2Off {
					t.Errorf("%.6f after %d steps, want %v", end, paths[0].Last, c.end)
				}
			})
		}
	}
}

func TestAPathThatRunsAwayIsNotNearer(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		distance, other float64
		want            bool
	}{{1, 2, true}, {2, 1, false}, {1, 1, false}, {1, nan, true}, {nan, 1, false}, {nan, nan, false}} {
		if got := isNearer(c.distance, c.other); got != c.want {
			t.Errorf("%g is nearer than %g: %v", c.distance, c.other, got)
		}
	}
}

// At beta2 = 0.999 and lr = 0.001, Adam's defaults, the equation that eliminates the memory ends elsewhere.
func TestFigure2sEquationThatKeepsTheMemoryFollows(t *testing.T) {
	for _, tc := range []struct {
		curve            curve2
		kept, eliminated float64 // distances of which one is smaller, and the other larger
	}{
		{figure2Panels[0].curves[0], 2e-6, 1},
		{figure2Panels[2].curves[0], 2e-5, 3e-3},
	} {
		t.Run(fmt.Sprint(tc.curve), func(t *testing.T) {
			paths, err := tc.curve.paths(t.Context(), "state-2", "memoryless-2")
			if err != nil {
				t.Fatal(err)
			}
			end := paths[0].Theta[len(paths[0].Theta)-1]
			kept, _ := apart(paths[1], end)
			eliminated, _ := apart(paths[2], end)
			if !(kept < tc.kept) || eliminated < tc.eliminated {
				t.Errorf("the equations are %g and %g off, want below %g and above %g", kept, eliminated, tc.kept, tc.eliminated)
			}
		})
	}
}
