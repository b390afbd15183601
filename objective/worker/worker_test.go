package worker

import (
	"context"
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"shadowflow/graph"
	"shadowflow/objective"
)

// start starts the tests' worker, which does wrong what it is told.
func start(t testing.TB, wrong string, timeout time.Duration) (*Process, error) {
	t.Helper()
	t.Setenv(misdeed, wrong)
	dtype := "float64"
	if wrong == ofManyParameters {
		dtype = "float32"
	}
	p, err := Start(t.Context(), Options{Command: []string{os.Args[0]}, DType: dtype, Timeout: timeout})
	if p != nil {
		t.Cleanup(func() { _ = p.Close() })
	}
	return p, err
}

// So long as a loss is not closed its vectors are there, though the worker be gone; and there are as many as are asked for.
func TestVectorsOfALossOutliveItsWorker(t *testing.T) {
	p, err := start(t, "dies", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	o, err := New[float64](p)
	if err != nil {
		t.Fatal(err)
	}
	var all [][]float64
	for range guests + 2 {
		all = append(all, o.Vector())
	}
	if _, err := o.Evaluate(t.Context(), all[0], 0, objective.Want[float64]{Gradient: all[1]}); err == nil {
		t.Fatal("a worker that dies gives a gradient")
	}
	all = append(all, o.Vector())
	for i, v := range all {
		for j := range v {
			if v[j] != 0 || len(v) != quarticDim {
				t.Errorf("vector %d is %v: want zeros that no other vector shares", i, v)
			}
			v[j] = 1 + float64(i)
		}
	}
}

// However many are asked for one behind the other, those that were given back are in the memory again, and zeros.
func TestVectorsThatAreGivenBackAreTheRoomOfOthers(t *testing.T) {
	o := quartic(t)
	for round := range 3 * guests {
		var all [][]float64
		for range guests {
			v := o.Vector()
			if _, ok := placeOf(o.p.shared, v); !ok {
				t.Fatalf("round %d: vector %d of %d lies elsewhere than in the memory", round, len(all), guests)
			}
			for _, x := range v {
				if x != 0 {
					t.Fatalf("round %d: a new vector is %v: want zeros", round, v)
				}
			}
			v[0] = 1
			all = append(all, v)
		}
		for _, v := range all {
			o.Release(v)
			o.Release(v) // again, of which it takes no note
		}
		o.Release(o.vector(atTheta))
		o.Release(make([]float64, o.dim))
		if n := len(o.p.shared.free); n != guests {
			t.Fatalf("round %d: room for %d vectors after all were given back: want %d", round, n, guests)
		}
	}
}

// What a worker may still write to, of an answer that nobody waited for, is nobody else's.
func TestAVectorThatIsWrittenToIsNotGivenBack(t *testing.T) {
	o := quartic(t)
	gradient := o.Vector()
	left := len(o.p.shared.free)
	o.p.id++ // a request, the answer of which was not waited for
	if o.Release(gradient); len(o.p.shared.free) != left {
		t.Error("the room of a gradient that was not waited for is given away")
	}
	o.p.id--
	if o.Release(gradient); len(o.p.shared.free) != left+1 {
		t.Error("the room of a gradient that was answered is not given back")
	}
}

// The ways of the vectors alone, at 25 million parameters in float32: copied, and where the run's own lie in the memory that is shared.
func BenchmarkGradientOfAWorker(b *testing.B) {
	for name, room := range map[string]func(o *Objective[float32]) []float32{
		"copied":   func(o *Objective[float32]) []float32 { return make([]float32, o.Dim()) },
		"in-place": (*Objective[float32]).Vector,
	} {
		b.Run(name, func(b *testing.B) {
			p, err := start(b, ofManyParameters, time.Minute)
			if err != nil {
				b.Fatal(err)
			}
			o, err := New[float32](p)
			if err != nil {
				b.Fatal(err)
			}
			theta, gradient := room(o), room(o)
			for b.Loop() {
				if _, err := o.Evaluate(b.Context(), theta, 0, objective.Want[float32]{Gradient: gradient}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func quartic(t *testing.T) *Objective[float64] {
	t.Helper()
	p, err := start(t, "", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	o, err := New[float64](p)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestAWorkersDerivativesArriveWhereTheyAreWanted(t *testing.T) {
	for name, guests := range map[string]int{"copied": 0, "in place": guests, "some in place": 2} {
		t.Run(name, func(t *testing.T) { wantQuartic(t, quartic(t), guests) })
	}
}

// wantQuartic evaluates at vectors of which so many lie in the memory that the worker shares.
func wantQuartic(t *testing.T, o *Objective[float64], inPlace int) {
	room := func() []float64 {
		if inPlace--; inPlace >= 0 {
			return o.Vector()
		}
		return make([]float64, 4)
	}
	theta, v, u := room(), []float64{1, 2, 3, 4}, []float64{-1, 0, 1, 2}
	copy(theta, []float64{1, -2, 0.5, 3})
	double := &objective.Direction{Make: func(g, theta graph.Value) graph.Value { return g.Add(g).Add(theta) }}
	want := objective.Want[float64]{
		Gradient: room(), Vectors: [][]float64{v, u}, Products: [][]float64{room(), room()}, Lines: [][]float64{u}, Bends: [][]float64{room()},
		Direction: double, Field: room(), HField: room(),
	}
	defer func() {
		if at := []float64{1, -2, 0.5, 3}; !slices.Equal(theta, at) {
			t.Errorf("theta is %v behind it: want %v", theta, at)
		}
	}()
	for batch, shift := range map[int]float64{objective.Full: 0, 0: -1, 1: 1} {
		e, err := o.Evaluate(t.Context(), theta, batch, want)
		if err != nil {
			t.Fatal(err)
		}
		loss := 0.0
		for j, x := range theta {
			a := float64(j + 1)
			loss += a*x*x*x*x/4 + shift*x
			g, h := a*x*x*x+shift, 3*a*x*x
			for _, c := range []struct {
				what      string
				got, want float64
			}{
				{"gradient", want.Gradient[j], g}, {"H v", want.Products[0][j], h * v[j]}, {"H u", want.Products[1][j], h * u[j]},
				{"D^3E[u,u]", want.Bends[0][j], 6 * a * x * u[j] * u[j]}, {"F", want.Field[j], 2*g + x}, {"H F", want.HField[j], h * (2*g + x)},
			} {
				if c.got != c.want {
					t.Errorf("batch %d: %s[%d] = %v: want %v", batch, c.what, j, c.got, c.want)
				}
			}
		}
		if e.Loss != loss || !math.IsNaN(e.Correct) {
			t.Errorf("batch %d: %+v: want the loss %v", batch, e, loss)
		}
	}
}

func TestAWorkerSaysWhatItsLossIs(t *testing.T) {
	o := quartic(t)
	if o.Dim() != 4 || o.Batches() != 2 || !slices.Equal(o.Start(), []float64{.5, .25, 0, -.25}) {
		t.Errorf("%d parameters, %d batches, start %v", o.Dim(), o.Batches(), o.Start())
	}
	if b := o.Blocks(); len(b) != 2 || b[1].Name != "a.bias" || b[1].Offset != 3 {
		t.Errorf("blocks %v", b)
	}
	e, err := o.Test(t.Context(), o.Start())
	if err != nil || e.Loss != .25 || e.Examples != 5 || e.Accuracy() != .8 {
		t.Errorf("test: %+v, %v", e, err)
	}
}

func TestRunningAveragesMoveOnlyWhenAskedTo(t *testing.T) {
	o := quartic(t)
	o.SetRunning([]float64{7, 0}, 3)
	o.Draw(11)
	g := make([]float64, 4)
	for range 2 {
		if _, err := o.Evaluate(t.Context(), o.Start(), 0, objective.Want[float64]{Gradient: g}); err != nil {
			t.Fatal(err)
		}
		if r, n := o.Running(); r[0] != 7 || n != 3 {
			t.Errorf("a gradient moved the averages to %v, %d", r, n)
		}
	}
	o.UpdateRunning()
	if r, n := o.Running(); !slices.Equal(r, []float64{8, 11}) || n != 4 {
		t.Errorf("averages %v of %d batches: want [8 11] of 4", r, n)
	}
}

func TestWhatAWorkerDoesWrongIsSaidWithItsLastWords(t *testing.T) {
	for wrong, want := range map[string]string{
		"dies":                `asked the gradient of batch 1: it ended: exit status 7` + "\nits last words:\n  Traceback: out of\\x1b[31m luck",
		"hangs":               "no answer for 300ms: want a larger objective.timeout if it takes that long\nits last words:\n  thinking",
		"prints":              `it printed epoch 1 of 10 to its standard output, where only answers belong`,
		"prints JSON":         `it printed {"loss": 1} to its standard output`,
		"writes without end":  "a line of more than 67108864 bytes is no answer",
		"closes its output":   "it closed its standard output",
		"with another id":     "its answer has the id 4: want 3",
		"an error":            "asked the gradient of batch 1: ValueError: the batch is empty",
		"no loss":             "its answer has no loss",
		"no examples":         "examples: 0: want the number of examples",
		"a gradient of NaN":   "element 0 of a.bias is NaN, where the loss is a number",
		"a product of NaN":    "asked a Hessian-vector product of batch 1: element 2 of a.weight is NaN",
		"a start of NaN":      "asked where it starts: element 1 of its parameters and averages is NaN",
		"another protocol":    "it speaks protocol 99; this program speaks 2",
		"another type":        `its vectors are "float16"; the config says dtype float64`,
		"no weights":          "it has no weights",
		"two of a name":       `the name "w" is empty, or that of two arrays`,
		"a shape of nothing":  `blocks: "w" of shape [2 0]`,
		"too many parameters": "more than 1099511627776 elements",
		"no batches":          "batches: 0: want 1 or more",
		"another score":       `score: "bleu": want accuracy, r2 or nothing`,
		"other than numbers":  "Go struct field",

		"fewer examples than batches": "train: 1 example in 2 batches",
		"more than memory holds":      "memory for vectors of its 274877906944 parameters",
	} {
		t.Run(wrong, func(t *testing.T) {
			timeout := 300 * time.Millisecond
			if wrong != "hangs" {
				timeout = time.Minute
			}
			p, err := start(t, wrong, timeout)
			if err == nil {
				err = useOf(t, p)
			}
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v\nwant %s", err, want)
			}
		})
	}
}

// useOf takes a gradient and a product of a worker's second batch.
func useOf(t *testing.T, p *Process) error {
	o, err := New[float64](p)
	if err != nil {
		return err
	}
	room := func() []float64 { return make([]float64, o.Dim()) }
	_, err = o.Evaluate(t.Context(), o.Start(), 1, objective.Want[float64]{Gradient: room(), Vectors: [][]float64{room()}, Products: [][]float64{room()}})
	return err
}

// Whatever is asked, NaN where the parameters are ordinary numbers is an error with the worker's last words, behind which it is of no more use.
func TestNaNIsAnErrorWhateverWasAsked(t *testing.T) {
	const words = "\nits last words:\n  RuntimeWarning: divide by zero"
	type ask func(o *Objective[float64], room [][]float64) error
	evaluate := func(batch int, want func(room [][]float64) objective.Want[float64]) ask {
		return func(o *Objective[float64], room [][]float64) error {
			_, err := o.Evaluate(t.Context(), o.Start(), batch, want(room))
			return err
		}
	}
	alone := func([][]float64) objective.Want[float64] { return objective.Want[float64]{} }
	gradient := func(room [][]float64) objective.Want[float64] { return objective.Want[float64]{Gradient: room[0]} }
	product := func(room [][]float64) objective.Want[float64] {
		return objective.Want[float64]{Vectors: room[:1], Products: room[1:2]}
	}
	bend := func(room [][]float64) objective.Want[float64] {
		return objective.Want[float64]{Lines: room[:1], Bends: room[1:2]}
	}
	for name, c := range map[string]struct {
		wrong string
		ask   ask
		want  string
	}{
		"a loss alone":           {"a loss of NaN", evaluate(0, alone), "asked the loss of batch 0: its loss is NaN: want a number" + words},
		"of all examples":        {"a loss of NaN", evaluate(objective.Full, alone), "asked the loss of all examples: its loss is NaN: want a number" + words},
		"a loss with a gradient": {"a loss of NaN", evaluate(1, gradient), "asked the gradient of batch 1: its loss is NaN: want a number" + words},
		"a loss with a product":  {"a loss of NaN", evaluate(1, product), "asked the loss of batch 1: its loss is NaN: want a number" + words},
		"a gradient":             {"a gradient of NaN", evaluate(1, gradient), "element 0 of a.bias is NaN"},
		"a product":              {"a product of NaN", evaluate(1, product), "asked a Hessian-vector product of batch 1: element 2 of a.weight is NaN"},
		"a third derivative":     {"a bend of NaN", evaluate(1, bend), "asked a third derivative of batch 1: element 2 of a.weight is NaN"},
		"held-out examples": {"a held-out loss of NaN", func(o *Objective[float64], _ [][]float64) error {
			_, err := o.Test(t.Context(), o.Start())
			return err
		}, "asked the loss of the test examples: its loss is NaN: want a number" + words},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := start(t, c.wrong, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			o, err := New[float64](p)
			if err != nil {
				t.Fatal(err)
			}
			room := [][]float64{make([]float64, o.Dim()), make([]float64, o.Dim())}
			if err := c.ask(o, room); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v\nwant %s", err, c.want)
			}
			if p.lost == nil {
				t.Error("the worker is asked on")
			}
		})
	}
}

// A run that has run away, by its parameters or by a loss beyond all numbers, is for the run to say, as on any other loss.
func TestALossThatRanAwayIsForTheRunToSay(t *testing.T) {
	for name, c := range map[string]struct {
		wrong string
		far   float64
	}{
		"parameters far away": {"a loss of NaN", 1e8}, "parameters that are infinite": {"a loss of NaN", math.Inf(1)},
		"parameters that are none": {"a loss of NaN", nan()}, "an infinite loss": {"an infinite loss", 1},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := start(t, c.wrong, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			o, err := New[float64](p)
			if err != nil {
				t.Fatal(err)
			}
			theta := o.Start()
			theta[1] = c.far
			e, err := o.Evaluate(t.Context(), theta, 0, objective.Want[float64]{Gradient: make([]float64, o.Dim())})
			if err != nil || !math.IsNaN(e.Loss) && !math.IsInf(e.Loss, 1) {
				t.Errorf("%+v, %v: want the loss as it is", e, err)
			}
		})
	}
}

func TestAnInterruptedAnswerIsPassedOver(t *testing.T) {
	o := quartic(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 3 { // the worker gets the request, and answers it for nobody
		if _, err := o.Evaluate(ctx, o.Start(), 0, objective.Want[float64]{}); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	e, err := o.Evaluate(t.Context(), []float64{0, 0, 0, 2}, 1, objective.Want[float64]{})
	if err != nil || e.Loss != 18 {
		t.Errorf("%+v, %v: want the loss 18", e, err)
	}
}

func TestAProgramThatIsNoWorkerIsSaid(t *testing.T) {
	for _, c := range []struct {
		command []string
		want    string
	}{
		{nil, "objective.command is empty"},
		{[]string{"no-such-program-at-all"}, "does not start"},
		{[]string{"sh", "-c", "echo fault >&2; exit 3"}, "it ended: exit status 3\nits last words:\n  fault"},
		{[]string{"cat"}, "it has no weights"}, // its echo is the answer of such a one
	} {
		p, err := Start(t.Context(), Options{Command: c.command, DType: "float64", Timeout: time.Minute})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v: want %s", c.command, err, c.want)
		}
		_ = p.Close()
	}
}

func TestAWorkerEndsWithItsStandardInput(t *testing.T) {
	p, err := start(t, "", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.in.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.gone:
	case <-time.After(time.Minute):
		t.Error("the worker stays without its standard input")
	}
}

func FuzzAnswersOfAWorker(f *testing.F) {
	for _, line := range []string{
		`{"id":1,"loss":1.5,"examples":3}`, `{"id":1,"error":"no"}`, `{"id":1,"loss":"nan","blocks":[{"name":"w","shape":[2,3]}],"batches":2}`, `{`, `null`, `[]`,
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		p := &Process{opt: Options{Command: []string{"x"}, DType: "float64"}, id: 1, words: &tail{}}
		a, err := p.answer("a thing", line)
		if a == nil || err != nil {
			return
		}
		if a.check("float64") == nil {
			if n, err := sizeOf("blocks", a.Blocks); err != nil || n < 1 {
				t.Errorf("%d parameters, %v", n, err)
			}
		}
	})
}
