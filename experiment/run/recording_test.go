package run

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shadowflow/schema"
)

// What is kept in memory is what a directory would hold, and where the equations were.
func TestARunKeptInMemoryHasTheRowsOfItsDirectory(t *testing.T) {
	for name, overrides := range map[string][]string{
		"closed form, batches":  {"objective={name: bilinear, pairs: [[2, 1.5], [1, 2]]}", "batch.mode=cyclic", "beside=[memoryless-2, state-2, lift-2]"},
		"closed form, in full":  {"objective={name: rosenbrock}", "optimizer.lr=0.01", "beside=[memoryless-4, state-3, state-4]"},
		"a network, a schedule": {"data={name: digits, subset: 60, test_subset: 20}", "model={name: mlp, hidden: [4]}", "beside=[state-1, state-3]", scheduled, "record.test=5"},
	} {
		t.Run(name, func(t *testing.T) {
			c := parse(t, "", append(overrides, "steps=23", "dtype=float64", "record={every: 5, bias: 5, sharpness: 10, state: 5}")...)
			want, rows := runIn(t, filepath.Join(t.TempDir(), "run"), c)
			r, err := InMemory(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := r.History.Columns, rows.Columns; !slices.Equal(got, want) {
				t.Fatalf("columns %v, want %v", got, want)
			}
			if len(r.History.Rows) != len(rows.Rows) {
				t.Fatalf("%d rows, want %d", len(r.History.Rows), len(rows.Rows))
			}
			for i, row := range rows.Rows {
				if !slices.Equal(r.History.Rows[i], row) {
					t.Errorf("row %d: %v, want %v", i, r.History.Rows[i], row)
				}
			}
			if r.Result.Status != want.Status || r.Result.Step != want.Step || r.Result.Loss != want.Loss || r.Result.Regime != want.Regime {
				t.Errorf("result %+v, want %+v", r.Result, want)
			}
			if steps := r.Paths[0].Steps; !slices.Equal(steps, []int{0, 5, 10, 15, 20, 23}) {
				t.Errorf("points behind steps %v", steps)
			}
			for i, name := range c.Beside {
				p := r.Paths[1+i]
				if !slices.Equal(p.Steps, []int{10, 15, 20, 23}) || p.Ended != nil {
					t.Fatalf("%s: points behind steps %v, %v", name, p.Steps, p.Ended)
				}
				if strings.HasPrefix(name, "lift") {
					continue // compared by means of two steps
				}
				sum := 0.0
				for j, v := range r.Paths[0].Theta[5] {
					sum += (v - p.Theta[3][j]) * (v - p.Theta[3][j])
				}
				if want := rows.Floats(name + ".distance")[5]; math.Abs(math.Sqrt(sum)-want) > 1e-12*want {
					t.Errorf("%s: the paths end %v apart, the record says %v", name, math.Sqrt(sum), want)
				}
			}
		})
	}
}

func TestARunInMemoryEndsWithItsContext(t *testing.T) {
	c := aClosedForm(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("nobody waits for it")
	cancel(why)
	if _, err := InMemory(ctx, c); !errors.Is(err, why) {
		t.Errorf("%v, want %v", err, why)
	}
	c.DType = "float32"
	if _, err := InMemory(t.Context(), c); err == nil || !strings.Contains(err.Error(), "float64") {
		t.Errorf("%v, want an error about float64", err)
	}
}

const ofOrders = "objective.name=bilinear,dtype=float64,record={every: 1, bias: 0, sharpness: 0, state: 0},flow={method: dop853, rel_tol: 1e-12, abs_tol: 1e-14}"

func lastOf(t *testing.T, r *Recording, column string) float64 {
	t.Helper()
	v := r.History.Floats(column)
	return v[len(v)-1]
}

func recordingOf(t *testing.T, overrides ...string) *Recording {
	t.Helper()
	r, err := InMemory(t.Context(), parse(t, "", overrides...))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// An equation without memory of order p, begun where the memory is full at the same point, misses the iterates by lr^p a fixed time later.
func TestMemorylessEquationsBesideARunAreOfTheirOrder(t *testing.T) {
	const begin = 40 // steps, behind which the memory is full to 1e-12
	in := func(lr float64, theta []float64, steps int, beside string) *Recording {
		return recordingOf(t, ofOrders, fmt.Sprintf("optimizer={beta1: 0.3, beta2: 0.5, eps: 1, lr: %g},steps=%d,beside=[%s],flow.start=%d", lr, steps, beside, begin),
			"objective.theta="+schema.Format(theta))
	}
	lrs, from := []float64{0.01, 0.005}, [][]float64{{1.6, 1.1}, {1.6, 1.1}}
	for i, lr := range lrs { // so that the steps before the beginning lead to one point
		for range 30 {
			at := in(lr, from[i], begin, "").Paths[0].Theta[begin]
			for j, v := range []float64{1.4, 0.9} {
				from[i][j] += v - at[j]
			}
		}
	}
	for order := 1; order <= 4; order++ {
		name := fmt.Sprintf("memoryless-%d", order)
		t.Run(name, func(t *testing.T) {
			var errs []float64
			for i, lr := range lrs {
				errs = append(errs, lastOf(t, in(lr, from[i], begin+int(math.Round(0.2/lr)), name), name+".distance"))
			}
			if slope := math.Log2(errs[0] / errs[1]); math.Abs(slope-float64(order)) > 0.2 {
				t.Errorf("errors %g, slope %.3f, want %d", errs, slope, order)
			}
		})
	}
}

// With memory as state the order is that in the family of steps whose memory lasts for a fixed time.
func TestStateEquationsBesideARunAreOfTheirOrder(t *testing.T) {
	for order := 1; order <= 4; order++ {
		name := fmt.Sprintf("state-%d", order)
		t.Run(name, func(t *testing.T) {
			var errs []float64
			for _, lr := range []float64{0.002, 0.001} {
				r := recordingOf(t, ofOrders, fmt.Sprintf("optimizer={beta1: %v, beta2: %v, eps: 1, lr: %g},steps=%d,beside=[%s],flow.start=%d",
					math.Exp(-lr/0.02), math.Exp(-lr/0.04), lr, int(math.Round(0.3/lr)), name, int(math.Round(0.2/lr))))
				errs = append(errs, lastOf(t, r, name+".distance"))
			}
			if slope := math.Log2(errs[0] / errs[1]); math.Abs(slope-float64(order)) > 0.2 {
				t.Errorf("errors %g, slope %.3f, want %d", errs, slope, order)
			}
		})
	}
}

func TestEquationsOfHigherOrderSayWhatTheyNeed(t *testing.T) {
	for name, tc := range map[string]struct{ set, want string }{
		"memoryless-3 with batches":    {"batch.mode=cyclic,beside=[memoryless-3]", "beside: memoryless-3: it is of the full batch: want batch.mode full, or memoryless-1 and memoryless-2"},
		"state-4 with batches":         {"batch.mode=cyclic,beside=[state-4]", "beside: state-4: it is of the full batch: want batch.mode full, or state-1 and state-2"},
		"memoryless-4 with a schedule": {"schedule.shape=cosine,beside=[memoryless-4]", "order 4, is of steps of one size"},
		"state-3 with a scaled bias":   {"bias.scale=1,beside=[state-3]", "bias.scale 1 moves the optimizer"},
	} {
		t.Run(name, func(t *testing.T) {
			c := parse(t, "", "dtype=float64,objective={name: bilinear, pairs: [[2, 1.5], [1, 2]]}", tc.set)
			if _, err := InMemory(t.Context(), c); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want an error that says %q", err, tc.want)
			}
		})
	}
}
