package run

import (
	"context"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"shadowflow/internal/fixture"
	"shadowflow/modeq/central"
)

// edge is gradient descent that comes to the edge of stability at step 90.
const edge = `
steps: 220
dtype: float64
data: {name: digits, subset: 100, test_subset: 20}
model: {name: mlp, hidden: [32, 32], activation: tanh}
loss: mse
optimizer: {name: gd, lr: 0.9}
record: {every: 20, bias: 0, sharpness: 0, test: 0}
beside: [state-2, lift-2, central]
flow: {start: 0}
`

func TestTheCentralFlowStaysAtTheEdgeWithTheIterates(t *testing.T) {
	if testing.Short() {
		t.Skip("minutes where each access is watched, and an interrupted central flow is")
	}
	_, h := runFor(t, edge)
	stable, flow := last(h, "state-2.relative_distance"), last(h, "central.relative_distance")
	if !(2*flow < stable) || !(flow < 0.04) {
		t.Errorf("the central flow is at %.3g of the way from the iterates, the stable flow at %.3g", flow, stable)
	}
	if curvature, directions := last(h, "central.curvature"), last(h, "central.directions"); math.Abs(curvature-2) > 1e-3 || directions < 1 {
		t.Errorf("curvature %v, %v directions at the edge", curvature, directions)
	}
	if loss, mean := last(h, "iterates.mean_loss"), last(h, "central.loss"); math.Abs(mean/loss-1) > 0.15 {
		t.Errorf("mean loss %g, of the central flow %g", loss, mean)
	}
	if amplitude, predicted := last(h, "iterates.amplitude"), last(h, "central.amplitude"); !(predicted > amplitude/2 && predicted < 2*amplitude) {
		t.Errorf("amplitude %g, of the central flow %g", amplitude, predicted)
	}
}

func TestAnInterruptedCentralFlowGoesOnWithTheSameBits(t *testing.T) {
	for name, optimizer := range map[string]string{"gd": "optimizer={name: gd, lr: 0.5}", "rmsprop": "optimizer={name: rmsprop, lr: 0.005}"} {
		t.Run(name, func(t *testing.T) {
			c := parse(t, edge, "steps=30", "dtype=float32", "beside=[central]", "flow.start=3", "record.every=1", "model.hidden=[16]", optimizer)
			whole, parts := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "parts")
			_, h := runIn(t, whole, c)
			if last(h, "central.directions") < 1 || math.IsNaN(last(h, "central.distance")) {
				t.Fatalf("%v directions: want a run at the edge", last(h, "central.directions"))
			}
			ctx, cancel := context.WithCancel(t.Context())
			result, err := Run(ctx, c, parts, Options{Progress: func(p Progress) {
				if p.Step == 17 {
					cancel()
				}
			}})
			if err != nil || result.Status != Interrupted {
				t.Fatalf("%+v, %v", result, err)
			}
			if _, err := Resume(t.Context(), parts, Options{}); err != nil {
				t.Fatal(err)
			}
			wantSameHistory(t, parts, whole)
		})
	}
}

func TestOptimizersWithTheStepsOfGradientDescentOrRMSPropHaveACentralFlow(t *testing.T) {
	const elements = central.Elements
	for _, c := range []struct {
		name   string
		values map[string]any
		want   central.Optimizer
		moment int
	}{
		{"gd", nil, central.Optimizer{}, -1},
		{"heavy-ball", map[string]any{"beta1": 0.0}, central.Optimizer{}, -1},
		{"rmsprop", map[string]any{"beta2": 0.9, "eps": 1e-5}, central.Optimizer{Average: elements, Beta2: 0.9, Eps: 1e-5, EpsInside: true}, 0},
		{"adam", map[string]any{"beta1": 0.0, "eps_inside": false},
			central.Optimizer{Average: elements, Beta2: 0.99, Eps: 1e-8, Corrected: true}, 1},
		{"adamw", map[string]any{"beta1": 0.0, "weight_decay": 0.0},
			central.Optimizer{Average: elements, Beta2: 0.99, Eps: 1e-8, EpsInside: true, Corrected: true}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.want.LR = 0.1
			got, moment, err := centralOptimizer(fixture.Rule(t, c.name, c.values), 0.1)
			if err != nil || got != c.want || moment != c.moment {
				t.Errorf("%+v with moment %d, %v, want %+v with moment %d", got, moment, err, c.want, c.moment)
			}
		})
	}
}

func TestOthersAreRefusedACentralFlow(t *testing.T) {
	for says, overrides := range map[string][]string{
		"beside: central: central flows are known of gradient descent and of RMSProp": {"optimizer={name: adam, beta1: 0.9}"},
		"optimizer heavy-ball takes other steps":                                      {"optimizer={name: heavy-ball}"},
		"optimizer adamw takes other steps":                                           {"optimizer={name: adamw, beta1: 0, weight_decay: 0.1}"},
		"optimizer lion takes other steps":                                            {"optimizer={name: lion}"},
		"want batch.mode full":                                                        {"batch={mode: cyclic, size: 20}"},
		"bias.scale 1 moves the optimizer":                                            {"bias.scale=1"},
	} {
		t.Run(says, func(t *testing.T) {
			_, err := Run(t.Context(), parse(t, edge, append(overrides, "beside=[central]")...), filepath.Join(t.TempDir(), "run"), Options{})
			if err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("want an error that says %q, got %v", says, err)
			}
		})
	}
}
