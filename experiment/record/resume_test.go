package record

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestACheckpointOfAnEarlierVersionIsReadWithoutItsBonds(t *testing.T) {
	got, err := openCheckpoint(filepath.Join("testdata", "checkpoint-unbound.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	want := goldenCheckpoint()
	want.history = binding{size: want.history.size}
	got.history.columns, got.history.sum = "", ""
	wantSameCheckpoint(t, got, want)
}

func TestARunIsOnlyBegunWhereNothingElseIs(t *testing.T) {
	for name, c := range map[string]struct {
		there []string // files, and their texts behind a colon
		want  string   // nil: it is begun
	}{
		"nothing":                        {nil, ""},
		"what a killed start leaves":     {[]string{"lock", "lock.json", "log.txt:begun", "columns.csv:x", "history.csv:step\n", ".shadowflow-0.tmp"}, ""},
		"an empty history":               {[]string{"history.csv"}, ""},
		"what a failed run leaves":       {[]string{"failure.json:{}", "log.txt"}, ""},
		"a file of somebody's":           {[]string{"notes.txt:mine"}, `"notes.txt" and no run is in it; choose one that is new or empty`},
		"many":                           {[]string{"a", "b", "c", "d", "e"}, `"a, b, c and 2 more" and no run`},
		"checkpoints without a config":   {[]string{"checkpoint-000000000500.safetensors:x"}, `"checkpoint-000000000500.safetensors" and no run`},
		"rows without a config":          {[]string{"history.csv:step\n0\n"}, `"history.csv" and no run`},
		"a row cut short":                {[]string{"history.csv:step\n0"}, `"history.csv" and no run`},
		"a result without a config":      {[]string{"result.json:{}"}, `"result.json" and no run`},
		"a run":                          {[]string{"config.yaml:seed: 0"}, "there is a run in it already; go on with it by shadowflow run --resume "},
		"a name with an escape sequence": {[]string{"\x1b[31m"}, `"\x1b[31m" and no run`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, file := range c.there {
				file, text, _ := strings.Cut(file, ":")
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			before := listing(t, dir)
			d, err := Create(dir, testConfig(), testColumns())
			if c.want == "" {
				if err == nil {
					err = d.Close()
				}
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
			if after := listing(t, dir); !errors.Is(err, ErrExists) && !reflect.DeepEqual(after, before) {
				t.Errorf("it has %q now, and had %q", after, before)
			}
		})
	}
}

func TestAnAlteredHistoryIsLeftAsItIsOrCutToWhatIsWhole(t *testing.T) {
	const steps = 40 // checkpoints at 28 and 35
	want := uninterrupted(t, steps)
	old := bytes.Index(want, []byte("\n28,"))
	for at := 0; at < len(want)-1; at += 61 {
		dir := t.TempDir()
		if _, err := runToy(dir, steps); err != nil {
			t.Fatal(err)
		}
		altered := bytes.Clone(want)
		altered[at] ^= 1
		if err := os.WriteFile(filepath.Join(dir, historyFile), altered, 0o644); err != nil {
			t.Fatal(err)
		}
		notes, err := runToy(dir, steps)
		got := readFile(t, dir, historyFile)
		switch {
		case at <= old:
			if err == nil || !strings.Contains(err.Error(), "history.csv was altered: its first ") || !bytes.Equal(got, altered) {
				t.Errorf("byte %d: %v", at, err)
			}
		case err != nil || !bytes.Equal(got, want):
			t.Errorf("byte %d: %v; the history is %v", at, err, bytes.Equal(got, want))
		case at < bytes.Index(want, []byte("\n35,")) && len(notes) != 2:
			t.Errorf("byte %d: it says %q", at, notes)
		}
	}
}

func TestDamagedTimesAreLeftOut(t *testing.T) {
	for name, c := range map[string]struct {
		text    string
		want    string
		damaged int
	}{
		"none":                {"", "", 0},
		"whole":               {"step,seconds\n0,0.1\n1,0.2\n", "0,0.1\n1,0.2\n", 0},
		"of later steps":      {"step,seconds\n0,0.1\n5,0.2\n6,0.3\n", "0,0.1\n", 0},
		"cut short":           {"step,seconds\n0,0.1\n1,0.", "0,0.1\n", 0},
		"no number":           {"step,seconds\n0,0.1\nx,0.2\n2,0.3\n", "0,0.1\n2,0.3\n", 1},
		"a step twice":        {"step,seconds\n0,0.1\n0,0.2\n1,0.3\n", "0,0.1\n1,0.3\n", 1},
		"not finite":          {"step,seconds\n0,NaN\n1,Inf\n2,-1\n3,0.1\n", "3,0.1\n", 3},
		"another header":      {"stop,seconds\n0,0.1\n", "0,0.1\n", 1},
		"the header twice":    {"step,seconds\n0,0.1\nstep,seconds\n", "0,0.1\n", 1},
		"falling, or huge":    {"step,seconds\n0,0.2\n1,0.1\n2,1e300\n3,0.3\n", "0,0.2\n3,0.3\n", 2},
		"bytes of no meaning": {"\x00\xff\n\"\n,,,\n", "", 3},
	} {
		t.Run(name, func(t *testing.T) {
			kept, damaged := keepTimes([]byte(c.text), 5)
			if string(kept) != timesHeader+"\n"+c.want || damaged != c.damaged {
				t.Errorf("kept %q, %d damaged", kept, damaged)
			}
		})
	}
}

// FuzzKeepTimes keeps what is kept.
func FuzzKeepTimes(f *testing.F) {
	f.Add([]byte("step,seconds\n0,0.1\n1,0.2\n"))
	f.Add([]byte("step,seconds\n0,0.1\nx\n\n2,0."))
	f.Fuzz(func(t *testing.T, data []byte) {
		kept, _ := keepTimes(data, 3)
		again, damaged := keepTimes(kept, 3)
		if !bytes.Equal(again, kept) || damaged != 0 {
			t.Errorf("%q became %q, %d damaged", kept, again, damaged)
		}
	})
}

func TestALostDirectoryTakesNoFurtherRow(t *testing.T) {
	for name, c := range map[string]struct {
		take func(dir string) error
		want string
	}{
		"moved":    {func(dir string) error { return os.Rename(dir, dir+"-elsewhere") }, "it was moved or deleted"},
		"unlocked": {func(dir string) error { return os.Remove(filepath.Join(dir, lockFile)) }, "its lock was removed or replaced"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			d, err := Create(dir, testConfig(), testColumns())
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(d.Append(newToy().row()), c.take(dir)); err != nil {
				t.Fatal(err)
			}
			var lost *LostError
			for what, write := range map[string]func() error{
				"a row": func() error { return d.Append(newToy().row()) }, "a checkpoint": func() error { return d.WriteCheckpoint(&Checkpoint{Step: 1}) },
			} {
				if err := write(); !errors.As(err, &lost) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%s: %v", what, err)
				}
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTheStateBeforeTheLastRowIsKeptBesideThatOfTheEnd(t *testing.T) {
	dir := t.TempDir()
	d, err := Create(dir, testConfig(), testColumns())
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []int{3, 6, 9} {
		err = errors.Join(err, d.WriteCheckpoint(&Checkpoint{Step: step}))
	}
	if err = errors.Join(err, d.Append(newToy().row()), d.WriteCheckpoint(&Checkpoint{Step: 9, Ended: true}), d.WriteResult(1), d.Close()); err != nil {
		t.Fatal(err)
	}
	name := func(step int, mark string) string { return fmt.Sprintf("checkpoint-%012d%s.safetensors", step, mark) }
	if names, err := d.checkpoints(); err != nil || !reflect.DeepEqual(names, []string{name(6, ""), name(9, ""), name(9, "-ended")}) {
		t.Errorf("%q, %v", names, err)
	}
	if d, err = Open(dir); err != nil {
		t.Fatal(err)
	}
	asked := []string{}
	c, notes, err := d.Newest(func(c *Checkpoint) (bool, error) {
		asked = append(asked, c.name)
		return len(asked) > 1, nil
	})
	if err != nil || c == nil || c.Step != 9 || len(notes) > 0 || !reflect.DeepEqual(asked, []string{name(9, "-ended"), name(9, "")}) {
		t.Fatalf("asked for %q; %+v, %q, %v", asked, c, notes, err)
	}
	if err := errors.Join(d.GoOn(c, testConfig()), d.Close()); err != nil {
		t.Fatal(err)
	}
	if names, err := d.checkpoints(); err != nil || !reflect.DeepEqual(names, []string{name(6, ""), name(9, "")}) {
		t.Errorf("%q, %v", names, err)
	}
	if _, err := os.Stat(filepath.Join(dir, resultFile)); err == nil {
		t.Error("the result of the end is still there")
	}
	if got := readFile(t, dir, historyFile); int64(len(got)) != headerSize(got) {
		t.Errorf("the history is %q", got)
	}
}
