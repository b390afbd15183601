package run

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shadowflow/experiment/record"
	"shadowflow/internal/version"
	"shadowflow/safetensors"
	"shadowflow/schema"
)

// brief is the shortest run that has a state, and checkpoints at 4, 8 and the end.
const brief = `
steps: 12
data: {name: digits, subset: 30, test_subset: 10}
model: {name: mlp, hidden: [4]}
record: {every: 1, bias: 3, sharpness: 0, test: 5}
checkpoint: {every: 4}
`

// settings are those that --set makes.
func settings(t *testing.T, texts ...string) [][]schema.Setting {
	t.Helper()
	var out [][]schema.Setting
	for _, text := range texts {
		group, err := schema.ParseSet("--set", text)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, group)
	}
	return out
}

// interrupted makes a run up to a step.
func interrupted(t *testing.T, dir string, step int, src string, overrides ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	opt := Options{Progress: func(p Progress) {
		if p.Step == step {
			cancel()
		}
	}}
	if r, err := Run(ctx, parse(t, src, overrides...), dir, opt); err != nil || r.Status != Interrupted {
		t.Fatalf("%+v, %v", r, err)
	}
}

func notesOf(notes *[]string) Options {
	return Options{Notice: func(text string) { *notes = append(*notes, text) }}
}

func edit(t *testing.T, path, old, new string) {
	t.Helper()
	data := fileBytes(t, filepath.Dir(path), filepath.Base(path))
	if !bytes.Contains(data, []byte(old)) {
		t.Fatalf("no %q in %s", old, path)
	}
	if err := os.WriteFile(path, bytes.Replace(data, []byte(old), []byte(new), 1), 0o644); err != nil {
		t.Fatal(err)
	}
}

// flip changes a bit of a file.
func flip(t *testing.T, path string, at int) {
	t.Helper()
	data := fileBytes(t, filepath.Dir(path), filepath.Base(path))
	data[at] ^= 1
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// rebind writes a checkpoint with other metadata, and the checksum of what it is then.
func rebind(t *testing.T, path string, change func(metadata map[string]string)) {
	t.Helper()
	file, err := safetensors.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	change(file.Metadata)
	none := strings.Repeat("0", 64)
	file.Metadata["sha256"] = none
	var b bytes.Buffer
	if err := safetensors.Write(&b, file.Tensors, file.Metadata); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b.Bytes())
	data := bytes.Replace(b.Bytes(), []byte(`"sha256":"`+none), []byte(`"sha256":"`+hex.EncodeToString(sum[:])), 1)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func checkpoints(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "checkpoint-*"))
	if err != nil || len(names) == 0 {
		t.Fatalf("%v, %v", names, err)
	}
	return names
}

// copyDir copies the files of a directory.
func copyDir(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

func TestAnExtendedRunIsThatOfSoManyStepsFromTheStart(t *testing.T) {
	for name, c := range map[string]struct {
		overrides []string
		first     string // what ends the run
		then      string // the settings that let it go on
	}{
		"steps":             {nil, "steps=12", "steps=23"},
		"no checkpoint due": {[]string{"checkpoint.every=0"}, "steps=12", "steps=17"},
		"a loss to reach":   {[]string{"steps=20", "optimizer.lr=0.01"}, "stop.loss=2", "stop.loss=0"},
		"a schedule with its own end": {[]string{"schedule={shape: cosine, steps: 12, warmup: 3}", "record.average=0.9"},
			"steps=12", "steps=20"},
		"a decay that begins where the run ended": {[]string{"schedule.shape=wsd,schedule.warmup=2,schedule.stable=10"},
			"steps=12,schedule.steps=13", "steps=20,schedule.steps=20"},
		"everything beside it": {[]string{"beside=[memoryless-1, state-2, lift-1]", "flow.start=3", "record.sharpness=5", "optimizer.clip_norm=0.5",
			"batch.physical=9", "record.blocks=true"}, "steps=11", "steps=19"},
		"mini-batches":          {[]string{"batch={mode: shuffled, size: 7}", "record.bias=6"}, "steps=11", "steps=19"},
		"the spectrum":          {[]string{"beside=[lift-1]", "flow.start=3", "record.spectrum=3", "record.modes=7"}, "steps=11", "steps=19"},
		"batch norm":            {[]string{"model={name: resnet18, width: 2}", "record.bias=0", "data.subset=10", "data.test_subset=5"}, "steps=4", "steps=7"},
		"a row that is not due": {[]string{"record.every=5"}, "steps=12", "steps=18"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, whole := filepath.Join(t.TempDir(), "run"), filepath.Join(t.TempDir(), "whole")
			runIn(t, dir, parse(t, brief, append(slices.Clone(c.overrides), c.first)...))
			first := historyBytes(t, dir)
			result, err := Resume(t.Context(), dir, Options{Settings: settings(t, c.then)})
			if err != nil || result.Status != Finished {
				t.Fatalf("%+v, %v", result, err)
			}
			runIn(t, whole, parse(t, brief, append(slices.Clone(c.overrides), c.first, c.then)...))
			wantSameHistory(t, dir, whole)
			for _, file := range []string{record.WeightsFile, "config.yaml", "columns.csv"} {
				if !bytes.Equal(fileBytes(t, dir, file), fileBytes(t, whole, file)) {
					t.Errorf("%s is not that of a run from the start", file)
				}
			}
			if bytes.HasPrefix(historyBytes(t, dir), first) {
				t.Error("the row of the first end, with what is measured at an end alone, is still there")
			}
		})
	}
}

func TestWhatDoesNotLetARunGoOnLeavesItAsItIs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	runIn(t, dir, parse(t, brief, "stop.loss=2", "steps=20", "optimizer.lr=0.01"))
	before := historyBytes(t, dir)
	var ended *EndedError
	_, err := Resume(t.Context(), dir, Options{Settings: settings(t, "steps=30")})
	if !errors.As(err, &ended) || !strings.Contains(err.Error(), "the run has ended, loss-reached at step") {
		t.Error(err)
	}
	if !bytes.Equal(historyBytes(t, dir), before) || strings.Contains(string(fileBytes(t, dir, "config.yaml")), "steps: 30") {
		t.Error("it is another record")
	}
}

// table writes data that a run can be of.
func table(t *testing.T, path, last string) {
	t.Helper()
	var b strings.Builder
	b.WriteString("a,b,y\n")
	for i := range 40 {
		fmt.Fprintf(&b, "%d,%d,%d\n", i, i*i%7, i%3)
	}
	b.WriteString(last + "\n")
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// threads of a config are nothing that it depends on; what is changed in the cases is.
func TestARunDoesNotGoOnWithSomethingElse(t *testing.T) {
	files := t.TempDir()
	file := func(name string) string { return filepath.Join(files, name) }
	table(t, file("t.csv"), "1,2,3")
	table(t, file("moved.csv"), "1,2,3")
	table(t, file("other.csv"), "1,9,3")
	other := filepath.Join(t.TempDir(), "other")
	runIn(t, other, parse(t, brief, "seed=5"))
	again := filepath.Join(t.TempDir(), "again")
	runIn(t, again, parse(t, brief, "seed=6"))
	factors := func(name, text string) {
		if err := os.WriteFile(file(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	csv := fmt.Sprintf("data={name: csv, path: %q, target: [y], task: classification, test_subset: 5}", file("t.csv"))
	for name, c := range map[string]struct {
		overrides []string
		settings  []string
		change    func(t *testing.T, dir string)
		want      []string // nil: it goes on
	}{
		"nothing":                 {nil, nil, nil, nil},
		"threads and checkpoints": {nil, []string{"threads=1,checkpoint.every=3"}, nil, nil},
		"a setting":               {nil, []string{"optimizer.lr=0.5"}, nil, []string{"optimizer.lr was 0.001, is 0.5"}},
		"the config, by hand": {nil, nil, func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, "config.yaml"), "beta2: 0.99", "beta2: 0.9")
		}, []string{"optimizer.beta2 was 0.99", "is 0.9"}},
		"a key that is not there":       {nil, []string{"optimizer.name=rmsprop"}, nil, []string{"optimizer.name was adam, is rmsprop", "optimizer.beta1 was 0.9, is not there"}},
		"data of the same content":      {[]string{csv}, []string{"data.path=" + file("moved.csv")}, nil, nil},
		"data of another content":       {[]string{csv}, []string{"data.path=" + file("other.csv")}, nil, []string{"data: the contents of " + file("other.csv") + " changed (SHA-256 "}},
		"weights to start from":         {[]string{"model.weights=" + filepath.Join(other, record.WeightsFile)}, []string{"model.weights=" + filepath.Join(again, record.WeightsFile)}, nil, []string{"model.weights: the contents of " + again}},
		"weights no more":               {[]string{"model.weights=" + filepath.Join(other, record.WeightsFile)}, []string{"model.weights=''"}, nil, []string{"model.weights: the contents of what the program has of its own changed (SHA-256 not there, was "}},
		"moments to start from":         {[]string{"optimizer.moments=" + checkpoints(t, other)[0]}, []string{"optimizer.moments=" + checkpoints(t, again)[0]}, nil, []string{"optimizer.moments: the contents of " + again}},
		"a schedule's taken steps":      {[]string{"schedule={shape: file, path: " + file("lr.txt") + "}"}, nil, func(*testing.T, string) { factors("lr.txt", "1\n0.5\n0.25\n") }, []string{"schedule: the sizes of the 6 steps taken", "lr.txt changed"}},
		"a schedule's coming steps":     {[]string{"schedule={shape: file, path: " + file("coming.txt") + "}"}, nil, func(*testing.T, string) { factors("coming.txt", strings.Repeat("1\n", 8)+"0.5\n") }, nil},
		"a schedule with the run's end": {[]string{"schedule={shape: linear}"}, []string{"steps=24"}, nil, []string{"for linear comes to its final value at the run's steps where schedule.steps is 0; schedule.steps=12 keeps them"}},
		"the program": {nil, nil, func(t *testing.T, dir string) {
			rebind(t, checkpoints(t, dir)[1], func(m map[string]string) {
				m["program"] = strings.Replace(m["program"], `"go":"`, `"go":"not `, 1)
			})
		}, []string{"the program: Go was not go"}},
	} {
		t.Run(name, func(t *testing.T) {
			factors("lr.txt", "1\n1\n")
			factors("coming.txt", "1\n1\n")
			dir := filepath.Join(t.TempDir(), "run")
			steps := 6
			if strings.HasPrefix(name, "moments") {
				steps += 8 // those behind the moments count
			}
			interrupted(t, dir, steps, brief, c.overrides...)
			if c.change != nil {
				c.change(t, dir)
			}
			before := historyBytes(t, dir)
			opt := Options{Settings: settings(t, c.settings...)}
			result, err := Resume(t.Context(), dir, opt)
			if c.want == nil {
				if err != nil || result.Status != Finished || len(result.Changed) > 0 {
					t.Errorf("%+v, %v", result, err)
				}
				return
			}
			var changed *ChangedError
			if !errors.As(err, &changed) {
				t.Fatalf("got %v", err)
			}
			advice := "say --accept-changed"
			if name == "a key that is not there" { // another optimizer remembers other things
				advice = "it cannot go on with the change"
			}
			for _, want := range append(c.want, advice) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in %v", want, err)
				}
			}
			if !bytes.Equal(historyBytes(t, dir), before) {
				t.Error("the refused run lost a part of its history")
			}
			if strings.Contains(name, "key") {
				return // there is nothing that it could go on with
			}
			opt.AcceptChanged = true
			result, err = Resume(t.Context(), dir, opt)
			if err != nil || result.Status != Finished || len(result.Changed) == 0 || !strings.Contains(result.Changed[0], fmt.Sprintf("from step %d on ", steps)) {
				t.Errorf("accepted: %+v, %v", result, err)
			}
			if log := string(fileBytes(t, dir, "log.txt")); !strings.Contains(log, "accepted: from step") {
				t.Errorf("the log says %s", log)
			}
		})
	}
}

func TestEveryRunSaysWhichProgramMadeIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	runIn(t, dir, parse(t, brief, "steps=1"))
	if text := string(fileBytes(t, dir, "version.json")); !strings.Contains(text, `"go": "`+version.Current().Go) {
		t.Errorf("version.json is %s", text)
	}
	if log := string(fileBytes(t, dir, "log.txt")); !strings.Contains(log, "begun by "+version.Current().String()) {
		t.Errorf("the log says %s", log)
	}
}
