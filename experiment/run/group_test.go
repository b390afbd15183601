package run

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shadowflow/experiment/config"
	"shadowflow/objective/network"
)

// grouped is the section optimizer of smooth steps that differ in rules, decays, sizes and coupled decay.
const grouped = "optimizer={name: adamw, lr: 0.01, beta1: 0.3, beta2: 0.5, eps: 0.01, weight_decay: 0.3, groups: [" +
	"{match: '*.bias', weight_decay: 0, lr_scale: 2}, {match: 0.weight, name: heavy-ball, beta1: 0.6, l2: 0.1, lr: 0.02}]}"

func groupedProblem(t testing.TB, set string) Problem[float64] {
	t.Helper()
	o := tinyNetwork(t, network.Options{})
	r, err := parse(t, "", set).Optimizer.RuleOf(o.Blocks())
	if err != nil {
		t.Fatal(err)
	}
	return Problem[float64]{Objective: o, Rule: r, Theta: o.Start()}
}

func TestWeightsOfGroupsFollowTheirEquations(t *testing.T) {
	if testing.Short() {
		t.Skip("slopes, which take minutes where each access is watched, and tell nothing of races")
	}
	const muon = "optimizer={name: muon, lr: 0.01, exact: true, momentum: 0.5, groups: [{match: [2.weight, '*.bias'], name: adamw, lr: 0.02, beta1: 0.3, beta2: 0.5, eps: 0.01}]}"
	for name, c := range map[string]struct {
		set string
		opt VerifyOptions
	}{
		"with memory as state":     {grouped, VerifyOptions{Memory: State, Wait: 4}},
		"without memory":           {grouped, VerifyOptions{Start: Cold}},
		"Muon inside, with memory": {muon, VerifyOptions{Memory: State, Wait: 4}},
	} {
		t.Run(name, func(t *testing.T) {
			c.opt.Orders, c.opt.LR, c.opt.Time = []int{1, 2}, []float64{0.005, 0.0025, 0.00125}, 0.2
			for _, order := range verified(t, groupedProblem(t, c.set), c.opt).Orders {
				if last := order.Slopes[1]; math.Abs(last-float64(order.Order)) > 0.2 {
					t.Errorf("order %d: errors %.3g, slopes %.2f", order.Order, order.Errors, order.Slopes)
				}
			}
		})
	}
}

// Groups that say nothing of their own change nothing but what speaks of single coordinates.
func TestGroupsThatAreAllTheOptimizerAreTheOptimizer(t *testing.T) {
	const src = `{dtype: float64, steps: 24, threads: 1, data: {subset: 60}, model: {hidden: [5]}, optimizer: {name: adamw, lr: 3e-3, eps: 1e-4, l2: 0.01, clip_norm: 2},
schedule: {shape: cosine, warmup: 3}, record: {bias: 4, sharpness: 6, blocks: true}, beside: [state-1, state-2, lift-1, lift-2, memoryless-2]}`
	_, whole := runFor(t, src)
	_, parts := runFor(t, src, "optimizer.groups=[{match: '*.bias'}, {match: 2.*, lr_scale: 1}]")
	compared := 0
	for _, column := range parts.Columns {
		c := column.Name
		got, want := parts.Floats(c), whole.Floats(c)
		for i := range want {
			if math.Abs(got[i]-want[i]) > 1e-6*math.Abs(want[i])+1e-12 || math.IsNaN(got[i]) != math.IsNaN(want[i]) {
				t.Errorf("%s: %g, without groups %g", c, got[i], want[i])
				break
			}
		}
		compared++
	}
	if compared < 60 {
		t.Errorf("only %d columns are compared", compared)
	}
}

func TestARunSaysWhichGroupsThereAre(t *testing.T) {
	var lines []string
	c := parse(t, "{steps: 2, data: {subset: 40}, model: {hidden: [5]}}", "optimizer={clip_norm: 1, groups: [{dims: 1, beta1: 0.5}]}")
	result, err := Run(t.Context(), c, filepath.Join(t.TempDir(), "run"), Options{Introduce: func(line string) { lines = append(lines, line) }})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"all other weights (2 weights, 370 parameters): adam(lr=0.001, beta1=0.9, beta2=0.99, eps=1e-08, eps_inside=true, bias_correction=true)",
		"dims 1 (2 weights, 15 parameters): adam(lr=0.001, beta1=0.5, beta2=0.99, eps=1e-08, eps_inside=true, bias_correction=true)",
	}
	var got []string
	for _, g := range result.Groups {
		got = append(got, g.String())
	}
	if !slices.Equal(got, want) || !slices.Equal(lines, []string{"Group: " + want[0], "Group: " + want[1]}) {
		t.Errorf("%q, and before %q\nwant %q", got, lines, want)
	}
}

// Sophia in a group reads the Hessian's diagonal; no equation does.
func TestAGroupThatReadsTheHessianRunsWithoutAStateEquation(t *testing.T) {
	const sophia = "optimizer={name: adamw, lr: 1e-3, groups: [{match: 2.*, name: sophia, frequency: 3}]}"
	_, h := runFor(t, "{steps: 8, dtype: float64, data: {subset: 40}, model: {hidden: [5]}, record: {bias: 4}}", sophia)
	if loss := h.Floats("loss"); !(loss[8] < loss[0]) {
		t.Errorf("losses %v", loss)
	}
	p := groupedProblem(t, sophia)
	if _, err := Verify(t.Context(), p, VerifyOptions{Memory: State, Orders: []int{1}, LR: []float64{0.01}, Time: 0.1}); err == nil || !strings.Contains(err.Error(), "sophia (2.*): it reads an estimate") {
		t.Errorf("got %v", err)
	}
}

func TestTheExampleOfGroupsIsThatOfItsModel(t *testing.T) {
	c, err := config.Read("../../examples/folio/groups.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewProblem[float32](t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, part := range p.Rule.Parts() {
		got = append(got, fmt.Sprintf("%s: %d", part.Title, len(part.Weights)))
	}
	if want := []string{"all other weights: 8", "dims 1: 18", "transformer.w?e.*: 2"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestTheFilesOfARunHaveTheStateOfEachGroup(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	runIn(t, dir, parse(t, "{steps: 3, dtype: float64, data: {subset: 40}, model: {hidden: [5]}}",
		"optimizer={name: sgd, lr: 0.1, groups: [{match: 2.*, name: adamw}, {match: 0.bias, name: nadam, momentum_decay: 0.1}]}"))
	files, err := filepath.Glob(filepath.Join(dir, "checkpoint-*.safetensors"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	tensors := readTensors(t, files[len(files)-1])
	for name, some := range map[string]bool{
		"state.m.0.weight": true, "state.m.0.bias": true, "state.m.2.bias": true, "state.v.0.weight": false, "state.v.2.weight": true, "state.product": true,
	} {
		v, ok := tensors[name]
		if has := slices.ContainsFunc(v, func(x float64) bool { return x != 0 }); !ok || has != some {
			t.Errorf("%s is there: %v, and not all 0: %v; want %v", name, ok, has, some)
		}
	}
}
