package record

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"shadowflow/safetensors"
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
	return &Checkpoint{
		Step: r.step, Metadata: map[string]string{"rng": hex.EncodeToString(rng)},
		Tensors: []safetensors.Tensor{{Name: "state", Shape: []int{len(r.state)}, Data: r.state}},
	}, nil
}

func (r *toy) restore(c *Checkpoint) error {
	rng, err := hex.DecodeString(c.Metadata["rng"])
	if err != nil {
		return err
	}
	r.step, r.state = c.Step, c.Tensors[0].Data.([]float64)
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

var (
	kills    = flag.Int("kills", 8, "how many times the kill test kills its run")
	killSeed = flag.Uint64("killseed", 0, "seed of the instants at which it does, 0 for another one each time")
)

func TestARunKilledAtAnyInstantEndsWithTheSameBits(t *testing.T) {
	seed := *killSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-killseed=%d", seed)
	steps := 150 * *kills
	want := uninterrupted(t, steps)
	dir := filepath.Join(t.TempDir(), "run")
	rng := rand.New(rand.NewPCG(seed, 0))
	killed := 0
	for killed < *kills {
		cmd := toyProcess(dir, steps)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(5000+rng.IntN(30_000)) * time.Microsecond)
		if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		if cmd.Wait() == nil {
			break // it had ended
		}
		killed++
	}
	t.Logf("killed %d times", killed)
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

func TestACheckpointThatFailsLeavesTheOldOnes(t *testing.T) {
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
	asked := 0
	fails := func() []float64 { // when it is written, after it went into the checksum
		asked++
		return make([]float64, 100/asked)
	}
	err = d.WriteCheckpoint(&Checkpoint{Step: 2, Tensors: []safetensors.Tensor{{Name: "x", Shape: []int{100}, Data: fails}}})
	if err == nil || asked != 2 || !strings.Contains(err.Error(), d.file("checkpoint-000000000002.safetensors")+" was not written") {
		t.Errorf("asked %d times: %v", asked, err)
	}
	if after := listing(t, dir); !reflect.DeepEqual(before, after) {
		t.Errorf("%v became %v", before, after)
	}
}

func TestCheckpointsOfAnEarlierVersionAreNotPassedOver(t *testing.T) {
	dir := t.TempDir()
	if _, err := runToy(dir, 5); err != nil {
		t.Fatal(err)
	}
	want := readFile(t, dir, historyFile)
	if err := os.WriteFile(filepath.Join(dir, "checkpoint-000000000500.ckpt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Resume(dir); err == nil || !strings.Contains(err.Error(), "checkpoint-000000000500.ckpt is of an earlier version") {
		t.Errorf("got %v", err)
	}
	if !bytes.Equal(readFile(t, dir, historyFile), want) {
		t.Error("the history was cut")
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
	if want := []string{"checkpoint-000000001500.safetensors", "checkpoint-000000002000.safetensors"}; err != nil || !reflect.DeepEqual(names, want) {
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
		for _, c := range []struct {
			damaged []int // steps
			last    string
		}{
			{[]int{35}, "resuming from checkpoint-000000000028.safetensors, step 28"},
			{[]int{35, 28}, "no checkpoint is whole: starting again from step 0"},
		} {
			t.Run(fmt.Sprintf("%d %s", len(c.damaged), name), func(t *testing.T) {
				dir := t.TempDir()
				if _, err := runToy(dir, steps); err != nil {
					t.Fatal(err)
				}
				for _, step := range c.damaged {
					if err := damage(filepath.Join(dir, fmt.Sprintf("checkpoint-%012d.safetensors", step))); err != nil {
						t.Fatal(err)
					}
				}
				notes, err := runToy(dir, steps)
				if err != nil {
					t.Fatal(err)
				}
				said := strings.Join(notes, "\n")
				if len(notes) != len(c.damaged)+1 || !strings.HasSuffix(said, c.last) || !strings.Contains(said, "checkpoint-000000000035.safetensors: damaged: ") {
					t.Errorf("said %q", said)
				}
				if log := readFile(t, dir, logFile); !bytes.Contains(log, []byte(c.last)) {
					t.Errorf("the log is %q", log)
				}
				if !bytes.Equal(readFile(t, dir, historyFile), want) {
					t.Error("the history differs")
				}
			})
		}
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
