package run

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"shadowflow/experiment/record"
)

const (
	killedRunVariable   = "SHADOWFLOW_TEST_KILLED_RUN"
	killedStepsVariable = "SHADOWFLOW_TEST_KILLED_STEPS"
	working             = "a step is taken"
)

// watched is what a process says, and tells when it takes its first step.
type watched struct {
	said  bytes.Buffer
	works chan struct{}
	once  sync.Once
}

func (w *watched) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(working)) {
		w.once.Do(func() { close(w.works) })
		return len(p), nil
	}
	return w.said.Write(p)
}

// TestRunToBeKilled is the process that TestKilledRunEndsWithTheSameBits kills: a run of half of the steps, which is then given the rest.
func TestRunToBeKilled(t *testing.T) {
	dir := os.Getenv(killedRunVariable)
	if dir == "" {
		t.Skip("a part of TestKilledRunEndsWithTheSameBits")
	}
	steps, err := strconv.Atoi(os.Getenv(killedStepsVariable))
	if err != nil {
		t.Fatal(err)
	}
	slow := Options{Progress: func(Progress) { // so that a kill hits it
		fmt.Println(working)
		time.Sleep(2 * time.Millisecond)
	}}
	if _, stat := os.Stat(filepath.Join(dir, "config.yaml")); stat == nil {
		_, err = Resume(t.Context(), dir, slow)
	} else {
		_, err = Run(t.Context(), parse(t, small, fmt.Sprintf("steps=%d", steps/2)), dir, slow)
	}
	if err != nil {
		t.Fatal(err)
	}
	slow.Settings = settings(t, fmt.Sprintf("steps=%d", steps))
	if _, err := Resume(t.Context(), dir, slow); err != nil {
		t.Fatal(err)
	}
}

var (
	kills    = flag.Int("kills", 8, "how many times a run is killed")
	killSeed = flag.Uint64("killseed", 0, "seed of the instants at which it is, 0 for another one each time")
)

func TestKilledRunEndsWithTheSameBits(t *testing.T) {
	whole, steps := filepath.Join(t.TempDir(), "whole"), 12**kills
	result, _ := runIn(t, whole, parse(t, small, fmt.Sprintf("steps=%d", steps)))
	if result.Status != Finished || result.Step != steps {
		t.Fatalf("the uninterrupted run %s at step %d", result.Status, result.Step)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "killed")
	seed := *killSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-killseed=%d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	killed, extended := 0, 0
	for range 5 * *kills {
		cmd := exec.Command(program, "-test.run=^TestRunToBeKilled$")
		cmd.Env = append(os.Environ(), killedRunVariable+"="+dir, fmt.Sprintf("%s=%d", killedStepsVariable, steps))
		process := &watched{works: make(chan struct{})}
		cmd.Stdout = process
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		wait := make(chan error, 1)
		go func() { wait <- cmd.Wait() }()
		delay := time.Duration(rnd.IntN(200_000)) * time.Microsecond
		starts := rnd.IntN(4) == 0 // then it may be killed before its first step
		var ended error
		select {
		case ended = <-wait:
		case <-after(process, starts, delay, killed < *kills):
			if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
				t.Fatal(err)
			}
			ended = <-wait
		}
		if ended == nil {
			break
		}
		if cmd.ProcessState.Exited() {
			t.Fatalf("after %d kills: %v\n%s", killed, ended, process.said.String())
		}
		killed++
		if c, err := ReadConfig(dir); err == nil && c.Steps == steps {
			extended++
		}
	}
	t.Logf("killed %d times, %d of them when it had been given the second half", killed, extended)
	if killed == 0 {
		t.Error("no process was killed")
	}
	if err := record.ReadResult(dir, &Result{}); err != nil {
		t.Fatalf("after %d kills the run has no result: %v", killed, err)
	}
	wantSameHistory(t, dir, whole)
}

// after returns a channel that is closed once a time has passed since a process began, or since its first step; nil for never.
func after(p *watched, begun bool, delay time.Duration, ever bool) <-chan struct{} {
	if !ever {
		return nil
	}
	over := make(chan struct{})
	go func() {
		if !begun {
			<-p.works
		}
		time.Sleep(delay)
		close(over)
	}()
	return over
}
