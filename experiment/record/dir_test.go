package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"shadowflow/internal/atomicfile"
)

// A toy is a run with a state, whose every step depends on the last and on a random
// generator.
type toy struct {
	step  int
	state []float64
	rng   *rand.PCG
}

func newToy() *toy { return &toy{state: []float64{1, 2, 3}, rng: rand.NewPCG(1, 2)} }

func (r *toy) next() {
	for i := range r.state {
		noise := float64(r.rng.Uint64()) / (1 << 64)
		r.state[i] = math.Sin(r.state[i]*3) + noise
	}
	r.step++
}

func (r *toy) row() []Value {
	row := []Value{Int(int64(r.step)), Float(r.state[0]), {}}
	if r.step%3 == 0 {
		row[2] = Text(fmt.Sprint(r.state[1]))
	}
	return row
}

func (r *toy) checkpoint() (*Checkpoint, error) {
	rng, err := r.rng.MarshalBinary()
	if err != nil {
		return nil, err
	}
	return &Checkpoint{Step: r.step, Arrays: []Array{{"state", r.state}, {"rng", rng}}}, nil
}

func (r *toy) restore(c *Checkpoint) error {
	state, err := ArrayOf[float64](c, "state")
	if err != nil {
		return err
	}
	rng, err := ArrayOf[byte](c, "rng")
	if err != nil {
		return err
	}
	r.step, r.state = c.Step, state
	return r.rng.UnmarshalBinary(rng)
}

// run goes on to the given number of steps, with a checkpoint every 7.
func (r *toy) run(d *Dir, steps int) error {
	for {
		if err := d.Append(r.row()); err != nil {
			return err
		}
		if r.step == steps {
			return d.WriteResult(map[string]int{"steps": r.step})
		}
		r.next()
		if r.step%7 != 0 {
			continue
		}
		c, err := r.checkpoint()
		if err != nil {
			return err
		}
		if err := d.WriteCheckpoint(c); err != nil {
			return err
		}
	}
}

// testConfig stands for a config, of which a directory knows nothing.
func testConfig() []byte { return []byte("seed: 0\n") }

// runToy starts or resumes a toy in a directory.
func runToy(path string, steps int) (notes []string, err error) {
	r := newToy()
	d, err := Create(path, testConfig(), testColumns())
	if errors.Is(err, ErrExists) {
		from, err := Resume(path)
		if err != nil {
			return nil, err
		}
		d, notes = from.Dir, from.Notes
		if from.Checkpoint != nil {
			if err := r.restore(from.Checkpoint); err != nil {
				return notes, err
			}
		}
	} else if err != nil {
		return nil, err
	}
	return notes, errors.Join(r.run(d, steps), d.Close())
}

func readFile(t *testing.T, elem ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// uninterrupted returns the history of a toy that nothing disturbed.
func uninterrupted(t *testing.T, steps int) []byte {
	t.Helper()
	dir := t.TempDir()
	if notes, err := runToy(dir, steps); err != nil || len(notes) > 0 {
		t.Fatal(notes, err)
	}
	return readFile(t, dir, historyFile)
}

// TestMain lets the test binary be the process that a test kills or starves.
func TestMain(m *testing.M) {
	dir := os.Getenv("SHADOWFLOW_TEST_RUN")
	if dir == "" {
		os.Exit(m.Run())
	}
	steps, err := strconv.Atoi(os.Getenv("SHADOWFLOW_TEST_STEPS"))
	if err == nil {
		_, err = runToy(dir, steps)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

func toyProcess(dir string, steps int, env ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SHADOWFLOW_TEST_RUN="+dir, fmt.Sprintf("SHADOWFLOW_TEST_STEPS=%d", steps))
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

func TestKilledAtAnyInstantARunEndsWithTheSameBits(t *testing.T) {
	const steps = 1200
	want := uninterrupted(t, steps)
	dir := filepath.Join(t.TempDir(), "run")
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	kills := 0
	for kills < 8 {
		cmd := toyProcess(dir, steps)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(5+rng.IntN(30)) * time.Millisecond)
		if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		if cmd.Wait() == nil {
			break // it had ended
		}
		kills++
	}
	t.Logf("killed %d times", kills)
	notes, err := runToy(dir, steps)
	if err != nil || len(notes) > 0 {
		t.Fatal(notes, err)
	}
	if got := readFile(t, dir, historyFile); !bytes.Equal(got, want) {
		t.Errorf("the history differs: %d bytes, %d without the kills", len(got), len(want))
	}
	for _, name := range listing(t, dir) {
		if strings.HasPrefix(name, ".") {
			t.Errorf("%s was left behind", name)
		}
	}
}

func TestACheckpointThatDoesNotFitLeavesTheOldOnes(t *testing.T) {
	dir := t.TempDir()
	d, err := Create(dir, testConfig(), testColumns())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.WriteCheckpoint(&Checkpoint{Step: 1}); err != nil {
		t.Fatal(err)
	}
	before := listing(t, dir)
	path := d.file("checkpoint-000000000002.ckpt")
	err = atomicfile.Write(path, func(w io.Writer) error {
		_, err := w.Write(make([]byte, 100))
		return errors.Join(err, syscall.ENOSPC)
	})
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
	if after := listing(t, dir); !reflect.DeepEqual(before, after) {
		t.Errorf("%v became %v", before, after)
	}
}

func listing(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestTheTwoNewestCheckpointsAreKept(t *testing.T) {
	dir := t.TempDir()
	d, err := Create(dir, testConfig(), testColumns())
	if err != nil {
		t.Fatal(err)
	}
	for step := 0; step < 5; step++ {
		if err := d.WriteCheckpoint(&Checkpoint{Step: step * 500}); err != nil {
			t.Fatal(err)
		}
	}
	names, err := d.checkpoints()
	if want := []string{"checkpoint-000000001500.ckpt", "checkpoint-000000002000.ckpt"}; err != nil || !reflect.DeepEqual(names, want) {
		t.Errorf("got %v, %v", names, err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestTheNewestWholeCheckpointIsUsedAndItSaysSo(t *testing.T) {
	const steps = 40
	want := uninterrupted(t, steps)
	damages := map[string]func(path string) error{
		"cut short": func(path string) error { return os.Truncate(path, 50) },
		"empty":     func(path string) error { return os.Truncate(path, 0) },
		"changed": func(path string) error {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			data[len(data)-40] ^= 1
			return os.WriteFile(path, data, 0o644)
		},
	}
	for name, damage := range damages {
		for number := 1; number <= 2; number++ {
			dir := t.TempDir()
			if _, err := runToy(dir, steps); err != nil {
				t.Fatal(err)
			}
			for _, step := range []int{35, 28}[:number] {
				if err := damage(filepath.Join(dir, fmt.Sprintf("checkpoint-%012d.ckpt", step))); err != nil {
					t.Fatal(err)
				}
			}
			notes, err := runToy(dir, steps)
			if err != nil {
				t.Fatal(err)
			}
			said := strings.Join(notes, "\n")
			last := []string{"resuming from checkpoint-000000000028.ckpt, step 28", "no checkpoint is whole: starting again from step 0"}[number-1]
			if len(notes) != number+1 || !strings.HasSuffix(said, last) || !strings.Contains(said, "checkpoint-000000000035.ckpt: damaged: ") {
				t.Errorf("%s: said %q", name, said)
			}
			if log := readFile(t, dir, logFile); !bytes.Contains(log, []byte(last)) {
				t.Errorf("%s: the log is %q", name, log)
			}
			if !bytes.Equal(readFile(t, dir, historyFile), want) {
				t.Errorf("%s: the history differs", name)
			}
		}
	}
}

func TestADirectoryInUseSaysByWhom(t *testing.T) {
	dir := t.TempDir()
	d, err := Create(dir, testConfig(), testColumns())
	if err != nil {
		t.Fatal(err)
	}
	_, err = Resume(dir)
	var inUse *InUseError
	if !errors.As(err, &inUse) || inUse.PID != os.Getpid() || !strings.Contains(err.Error(), fmt.Sprintf("is in use by process %d on ", os.Getpid())) {
		t.Errorf("got %v", err)
	}
	if _, err := Create(dir, testConfig(), testColumns()); !errors.As(err, &inUse) {
		t.Errorf("got %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := Resume(dir)
	if err != nil {
		t.Fatal(err)
	}
	if r.Checkpoint != nil || len(r.Notes) > 0 {
		t.Errorf("got %+v", r)
	}
	if err := r.Dir.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestARunIsNotStartedOverAnother(t *testing.T) {
	dir := t.TempDir()
	if _, err := runToy(dir, 5); err != nil {
		t.Fatal(err)
	}
	before := readFile(t, dir, historyFile)
	if _, err := Create(dir, testConfig(), testColumns()); !errors.Is(err, ErrExists) {
		t.Errorf("got %v", err)
	}
	if !bytes.Equal(readFile(t, dir, historyFile), before) {
		t.Error("the history changed")
	}
}

func TestWhereThereIsNoRunNothingIsResumed(t *testing.T) {
	dir := t.TempDir()
	if _, err := Resume(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if names := listing(t, dir); len(names) > 0 {
		t.Errorf("it left %v", names)
	}
}

func TestAHistoryThatSomebodyChangedIsNotResumed(t *testing.T) {
	dir := t.TempDir()
	if _, err := runToy(dir, 20); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, historyFile)
	if err := os.Truncate(path, 60); err != nil {
		t.Fatal(err)
	}
	if _, err := Resume(dir); err == nil || !strings.Contains(err.Error(), path+": 60 bytes, but the checkpoint") {
		t.Errorf("got %v", err)
	}
	if size := len(readFile(t, path)); size != 60 {
		t.Errorf("it was changed: %d bytes", size)
	}
}

func TestTheResultIsReadBack(t *testing.T) {
	dir := t.TempDir()
	var got map[string]int
	if err := ReadResult(dir, &got); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, err := runToy(dir, 9); err != nil {
		t.Fatal(err)
	}
	if err := ReadResult(dir, &got); err != nil || got["steps"] != 9 {
		t.Errorf("got %v, %v", got, err)
	}
	if !json.Valid(readFile(t, dir, resultFile)) {
		t.Error("not JSON")
	}
}

func TestLogLinesHaveTheTime(t *testing.T) {
	dir := t.TempDir()
	d, err := Create(dir, testConfig(), testColumns())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.Logf("loss %g", 0.5), d.Logf("two\nlines"), d.Close()); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(readFile(t, dir, logFile)), "\n"), "\n")
	if len(lines) != 3 || !strings.HasSuffix(lines[0], " loss 0.5") || lines[2] != "\tlines" {
		t.Errorf("got %q", lines)
	}
	if _, err := time.Parse(time.RFC3339, strings.Fields(lines[0])[0]); err != nil {
		t.Error(err)
	}
}
