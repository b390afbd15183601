package record

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
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
		if d, err = Open(path); err != nil {
			return nil, err
		}
		if notes, err = r.resume(d); err != nil {
			return notes, errors.Join(err, d.Close())
		}
	} else if err != nil {
		return nil, err
	}
	return notes, errors.Join(r.run(d, steps), d.Close())
}

// resume goes on from the newest checkpoint.
func (r *toy) resume(d *Dir) (notes []string, err error) {
	c, notes, err := d.Newest(takeAny)
	if err == nil {
		err = d.GoOn(c, testConfig())
	}
	if err != nil || c == nil {
		return notes, err
	}
	return notes, r.restore(c)
}

// takeAny takes every checkpoint.
func takeAny(*Checkpoint) (bool, error) { return true, nil }

// tryToResume opens a directory and asks for its newest checkpoint.
func tryToResume(dir string) error {
	d, err := Open(dir)
	if err != nil {
		return err
	}
	_, _, err = d.Newest(takeAny)
	return errors.Join(err, d.Close())
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
		var said bytes.Buffer
		cmd.Stdout = &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(5000+rng.IntN(30_000)) * time.Microsecond)
		if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		err := cmd.Wait()
		if err == nil {
			break // it had ended
		}
		if cmd.ProcessState.Exited() {
			t.Fatalf("after %d kills: %v\n%s", killed, err, said.String())
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
