package worker

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"shadowflow/objective"
)

// optionsOf are those of the tests' worker, whose command names a file beside the program.
func optionsOf(t *testing.T) Options {
	t.Helper()
	t.Setenv(misdeed, "")
	program := filepath.Join(t.TempDir(), "model")
	if err := os.WriteFile(program, []byte("as it was"), 0o600); err != nil {
		t.Fatal(err)
	}
	return Options{Command: []string{os.Args[0], program}, DType: "float64", Timeout: time.Minute}
}

// A worker that has served a run serves the next as if it had just been started: its averages are at their start, and the memory is empty.
func TestAWorkerThatIsKeptBeginsAnew(t *testing.T) {
	pool, opt := &Pool{}, optionsOf(t)
	defer pool.Close()
	first, pids := "", map[int]bool{}
	for round := range 3 {
		p, err := pool.Start(t.Context(), opt)
		if err != nil {
			t.Fatal(err)
		}
		pids[p.PID()] = true
		o, err := New[float64](p)
		if err != nil {
			t.Fatal(err)
		}
		theta, gradient := o.Vector(), o.Vector()
		for _, x := range append(theta, gradient...) {
			if x != 0 {
				t.Fatalf("round %d: vectors begin with %v and %v: want zeros", round, theta, gradient)
			}
		}
		copy(theta, o.Start())
		running, batches := o.Running()
		begins := fmt.Sprint(theta, running, batches)
		if round == 0 {
			first = begins
		} else if begins != first {
			t.Errorf("round %d begins at %s: want %s", round, begins, first)
		}
		if _, err := o.Evaluate(t.Context(), theta, 0, objective.Want[float64]{Gradient: gradient}); err != nil {
			t.Fatal(err)
		}
		o.UpdateRunning()
		if moved, batches := o.Running(); fmt.Sprint(theta, moved, batches) == begins {
			t.Fatal("the averages did not move, so that nothing is seen here")
		}
		if err := pool.Release(p); err != nil {
			t.Fatal(err)
		}
	}
	if len(pids) != 1 {
		t.Errorf("%d processes served 3 runs: want 1", len(pids))
	}
}

func TestAnotherWorkerIsStartedWhereTheOneThatIsKeptDoesNotFit(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, opt *Options, program string){
		"another seed":    func(_ *testing.T, opt *Options, _ string) { opt.Seed++ },
		"other threads":   func(_ *testing.T, opt *Options, _ string) { opt.Threads = 3 },
		"another command": func(_ *testing.T, opt *Options, _ string) { opt.Command = opt.Command[:1] },
		"another program": func(t *testing.T, _ *Options, program string) {
			if err := os.WriteFile(program, []byte("changed"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			pool, opt := &Pool{}, optionsOf(t)
			defer pool.Close()
			p, err := pool.Start(t.Context(), opt)
			if err != nil {
				t.Fatal(err)
			}
			if err := pool.Release(p); err != nil {
				t.Fatal(err)
			}
			change(t, &opt, opt.Command[1])
			q, err := pool.Start(t.Context(), opt)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = q.Close() }()
			if q == p {
				t.Error("the worker that was kept serves: want another")
			}
			select {
			case <-p.gone:
			case <-time.After(time.Minute):
				t.Error("the worker that does not fit was kept beside the other")
			}
		})
	}
}

// A worker that did something wrong, or may yet write to the memory, is not kept; and none is kept by a pool that was closed.
func TestAWorkerThatIsOfNoUseIsNotKept(t *testing.T) {
	for name, spoil := range map[string]func(pool *Pool, p *Process){
		"it is lost":         func(_ *Pool, p *Process) { _ = p.fault("something", "wrong") },
		"an answer is due":   func(_ *Pool, p *Process) { p.id++ },
		"it is closed":       func(_ *Pool, p *Process) { _ = p.Close() },
		"the pool is closed": func(pool *Pool, _ *Process) { _ = pool.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			pool := &Pool{}
			p, err := pool.Start(t.Context(), optionsOf(t))
			if err != nil {
				t.Fatal(err)
			}
			spoil(pool, p)
			if err := pool.Release(p); err != nil {
				t.Fatal(err)
			}
			if len(pool.idle) != 0 {
				t.Error("it is kept")
			}
			select {
			case <-p.gone:
			default:
				t.Error("it goes on")
			}
		})
	}
}

func TestAPoolThatIsClosedEndsItsWorkers(t *testing.T) {
	pool := &Pool{}
	p, err := pool.Start(t.Context(), optionsOf(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := pool.Release(p); err != nil {
		t.Fatal(err)
	}
	if err := pool.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.gone:
	default:
		t.Error("a worker outlives the pool that kept it")
	}
}
