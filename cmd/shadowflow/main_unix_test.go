//go:build unix

package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asProgram makes the process of a test the program.
const asProgram = "SHADOWFLOW_TEST_MAIN"

func init() {
	if os.Getenv(asProgram) != "" {
		main()
	}
}

// signalled starts a run without end, sends it a signal again and again until it ends, and returns how it did and what it said.
func signalled(t *testing.T, dir string, by syscall.Signal) (state *os.ProcessState, said string) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.Command(os.Args[0], "run", "--out", dir, "--quiet", "--set", "objective.name=rosenbrock,steps=1000000000,optimizer.lr=1e-5,record.every=1000")
	cmd.Env = append(os.Environ(), asProgram+"=yes")
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for begun := false; !begun; time.Sleep(10 * time.Millisecond) {
		rows, err := os.ReadFile(filepath.Join(dir, "history.csv"))
		begun = err == nil && bytes.Count(rows, []byte("\n")) > 2
		select {
		case err := <-ended:
			t.Fatalf("it ended: %v: %s", err, out.String())
		default:
		}
	}
	for {
		if err := cmd.Process.Signal(by); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Error(err)
		}
		select {
		case <-ended:
			return cmd.ProcessState, out.String()
		case <-time.After(100 * time.Microsecond):
		}
	}
}

// Slurm sends SIGTERM to all processes of a task, and the task's script to the run: it is not to end before its checkpoint is there.
func TestASIGTERMThatComesTwiceLeavesTheCheckpoint(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	state, said := signalled(t, dir, syscall.SIGTERM)
	if state.ExitCode() != 128+int(syscall.SIGTERM) || !strings.Contains(said, "interrupted") {
		t.Errorf("%v: %s", state, said)
	}
	if kept, err := filepath.Glob(filepath.Join(dir, "checkpoint-*.safetensors")); err != nil || len(kept) == 0 {
		t.Errorf("no checkpoint, %v", err)
	}
}
