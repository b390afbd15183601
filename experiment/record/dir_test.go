package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"shadowflow/safetensors"
)

func readFile(t *testing.T, elem ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return data
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
	if err := tryToResume(dir); err == nil || !strings.Contains(err.Error(), "checkpoint-000000000500.ckpt is of an earlier version") {
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
			{[]int{35, 28}, "no checkpoint is whole"},
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
	if _, err := Open(dir); !errors.Is(err, fs.ErrNotExist) {
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
	if err := tryToResume(dir); err == nil || !strings.Contains(err.Error(), path+" was altered: it has 60 bytes, and the checkpoint of step 7") {
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
