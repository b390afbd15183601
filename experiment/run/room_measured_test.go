package run

import (
	"context"
	"os"
	"runtime"
	"strings"
	"testing"

	"shadowflow/experiment/config"
	"shadowflow/graph"
	"shadowflow/objective"
	"shadowflow/objective/network"
)

// weighed is a network's loss that notes how much memory is held wherever it was evaluated: between the parts of a step, too.
type weighed[T graph.Float] struct {
	*network.Objective[T]
	most uint64
}

func (w *weighed[T]) Evaluate(ctx context.Context, theta []T, batch int, want objective.Want[T]) (objective.Evaluation, error) {
	e, err := w.Objective.Evaluate(ctx, theta, batch, want)
	w.most = max(w.most, heapHeld())
	return e, err
}

// heapHeld returns the bytes of the heap that something refers to.
func heapHeld() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// peakOf takes the steps of a config, and returns what it held at most and what was foretold.
func peakOf[T graph.Float](t *testing.T, c *config.Config) (held int64, foretold Room) {
	t.Helper()
	heapHeld() // finds what is let go of in the one before
	before := heapHeld()
	s, err := loadSource(t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	run := &training[T]{config: c, source: s}
	if run.problem, err = problemOf[T](c, s); err != nil {
		t.Fatal(err)
	}
	foretold, err = new(Rooms).Of(c, run.subject())
	if err != nil {
		t.Fatal(err)
	}
	loss := &weighed[T]{Objective: run.problem.Objective.(*network.Objective[T])}
	run.problem.Objective = loss
	if err := run.assemble(Options{}); err != nil {
		t.Fatal(err)
	}
	status, err := run.loop.run(t.Context(), nil)
	if err != nil || status != Finished {
		t.Fatal(status, err)
	}
	for _, e := range run.beside {
		if e.ended != nil {
			t.Errorf("%s: %v", e.name, e.ended)
		}
	}
	return int64(loss.most - before), foretold
}

func TestWhatARunHoldsIsForetold(t *testing.T) {
	if testing.Short() {
		t.Skip("collects garbage wherever a loss is evaluated, which takes minutes where each access is watched, and tells nothing of races")
	}
	const base = "model: {name: mlp, hidden: [1500]}\ndata: {subset: 160}\nsteps: 3\nflow: {start: 1}\nrecord: {bias: 0, sharpness: 0, state: 0, test: 0}\nbatch: {physical: 40}"
	dtypes := []string{"float64"}
	if os.Getenv("SHADOWFLOW_LONG") != "" {
		dtypes = append(dtypes, "float32")
	}
	for name, set := range map[string]string{
		"alone":                  "",
		"bias":                   "record.bias=1",
		"bias of mini-batches":   "record.bias=1,batch={mode: cyclic, size: 40},steps=10",
		"sharpness":              "record.sharpness=1,steps=1",
		"spectrum":               "record.spectrum=1,steps=1",
		"many modes":             "record={spectrum: 1, modes: 20},steps=1,model.hidden=[400]",
		"density":                "record={density: 1},steps=1,model.hidden=[400]",
		"state":                  "record.state=1",
		"average":                "record.average=0.9",
		"all that is by default": "record={bias: 1, sharpness: 1, state: 1},steps=2",
		"state-1":                "beside=[state-1]",
		"state-2":                "beside=[state-2]",
		"state-2 in small steps": "beside=[state-2],flow={method: dopri5, rel_tol: 0.1, abs_tol: 0.1}",
		"lift-1":                 "beside=[lift-1]",
		"lift-2":                 "beside=[lift-2]",
		"two":                    "beside=[state-2, lift-1]",
		"gradient flow":          "beside=[gradient-flow]",
		"memoryless-1":           "beside=[memoryless-1]",
		"memoryless-2":           "beside=[memoryless-2],optimizer={beta1: 0.3, beta2: 0.5, eps: 1e-3}",
		"memoryless, mini":       "beside=[memoryless-2],steps=10,batch={mode: cyclic, size: 40},optimizer={beta1: 0.3, beta2: 0.5, eps: 1e-3}",
		"iteration-2":            "beside=[iteration-2],optimizer={beta1: 0.3, beta2: 0.5, eps: 1e-3}",
		"central":                "beside=[central],optimizer={name: gd, lr: 0.1}",
		"matrices":               "optimizer={name: muon}",
		"matrices, state-2":      "optimizer={name: muon},beside=[state-2]",
	} {
		t.Run(name, func(t *testing.T) {
			for _, dtype := range dtypes {
				settings := "dtype=" + dtype
				if set != "" {
					settings += "," + set
				}
				c := parse(t, base, settings)
				var held int64
				var foretold Room
				if dtype == "float64" {
					held, foretold = peakOf[float64](t, c)
				} else {
					held, foretold = peakOf[float32](t, c)
				}
				ratio := float64(foretold.Bytes()) / float64(held)
				t.Logf("%s: held %.1f MB, foretold %.2f of that: data %.1f, vectors %.1f, programs %.1f MB", dtype, float64(held)/1e6, ratio,
					float64(foretold.Data)/1e6, float64(foretold.Vectors)/1e6, float64(foretold.Programs)/1e6)
				most := 1.25
				if strings.HasPrefix(name, "central") {
					most = 1.5 // there is room for critical directions that this run has not
				}
				if ratio < 1 || ratio > most {
					t.Errorf("%s: it held %d bytes, and %d were foretold, %.2f of that: want from 1 to %g", dtype, held, foretold.Bytes(), ratio, most)
				}
			}
		})
	}
}
