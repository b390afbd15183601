package run

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shadowflow/experiment/record"
	"shadowflow/internal/plural"
	"shadowflow/schema"
)

func TestAnAlteredRecordIsNotGoneOnFrom(t *testing.T) {
	whole := filepath.Join(t.TempDir(), "whole")
	runIn(t, whole, parse(t, brief))
	begun := filepath.Join(t.TempDir(), "begun")
	interrupted(t, begun, 10, brief)
	lines := bytes.SplitAfter(fileBytes(t, begun, "history.csv"), []byte("\n"))
	behind := func(rows int) int { return len(bytes.Join(lines[:1+rows], nil)) } // bytes of the header and so many rows
	for name, c := range map[string]struct {
		file string
		at   int
		want string // of the error
		note string // of a run that goes on from the older checkpoint
	}{
		"a number before both checkpoints": {"history.csv", behind(3) + 3, "history.csv was altered: its first ", ""},
		"the header":                       {"history.csv", 2, "history.csv was altered: its first ", ""},
		"a number between them":            {"history.csv", behind(8) + 3, "", "resuming from checkpoint-000000000008.safetensors, step 8"},
		"the columns":                      {"columns.csv", -3, "columns.csv was altered", ""},
		"the newest checkpoint":            {"checkpoint-000000000010.safetensors", -5, "", "resuming from checkpoint-000000000008.safetensors, step 8"},
		"the times":                        {"times.csv", 14, "", "times.csv was damaged, cut or removed: it goes on without the times of 1 recorded step"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			copyDir(t, begun, dir)
			path := filepath.Join(dir, c.file)
			if c.at < 0 {
				c.at += len(fileBytes(t, dir, c.file))
			}
			flip(t, path, c.at)
			before := fileBytes(t, dir, c.file)
			var notes []string
			_, err := Resume(t.Context(), dir, notesOf(&notes))
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v", err)
				}
				if !bytes.Equal(fileBytes(t, dir, c.file), before) || len(checkpoints(t, dir)) != 2 {
					t.Error("what was refused was changed")
				}
				return
			}
			if err != nil || !strings.Contains(strings.Join(notes, "\n"), c.note) {
				t.Errorf("%v; said %q", err, notes)
			}
			if log := string(fileBytes(t, dir, "log.txt")); !strings.Contains(log, c.note) {
				t.Errorf("the log says %s", log)
			}
			wantSameHistory(t, dir, whole)
		})
	}
}

func TestWhatIsLostBesideTheHistoryIsSaid(t *testing.T) {
	whole, begun := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "begun")
	runIn(t, whole, parse(t, brief))
	interrupted(t, begun, 10, brief)
	times := fileBytes(t, begun, "times.csv")
	lines := bytes.SplitAfter(times, []byte("\n"))
	rows := len(bytes.Split(fileBytes(t, begun, "history.csv"), []byte("\n"))) - 2 // the header, and behind the last end
	lost := func(n int) string {
		return fmt.Sprintf("times.csv was damaged, cut or removed: it goes on without the times of %s", plural.Of(n, "recorded step"))
	}
	for name, c := range map[string]struct {
		file string
		left []byte // of the file; nil to remove it
		want string
	}{
		"times of nothing":     {"times.csv", []byte{}, lost(rows)},
		"no times":             {"times.csv", nil, lost(rows)},
		"times cut behind two": {"times.csv", bytes.Join(lines[:3], nil), lost(rows - 2)},
		"times of strangers":   {"times.csv", slices.Concat(times, []byte("a stranger's,line\n")), "times.csv was damaged: it goes on without 1 line of it"},
		"times as they were":   {"times.csv", times, ""},
		"no program":           {"version.json", nil, "version.json was not there: it is written anew"},
		"another program's":    {"version.json", []byte("{}"), ""}, // the checkpoint knows which it was
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			copyDir(t, begun, dir)
			path := filepath.Join(dir, c.file)
			err := os.Remove(path)
			if c.left != nil {
				err = os.WriteFile(path, c.left, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
			var notes []string
			if _, err := Resume(t.Context(), dir, notesOf(&notes)); err != nil || strings.Join(notes, "\n") != c.want {
				t.Errorf("%v; said %q, want %q", err, notes, c.want)
			}
			wantSameHistory(t, dir, whole)
			if got := fileBytes(t, dir, "version.json"); !bytes.Equal(got, fileBytes(t, whole, "version.json")) {
				t.Errorf("version.json is %s", got)
			}
		})
	}
}

func TestARunThatHasEndedGetsItsProgramBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	runIn(t, dir, parse(t, brief))
	path := filepath.Join(dir, "version.json")
	before := fileBytes(t, dir, "version.json")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	var notes []string
	if _, err := Resume(t.Context(), dir, notesOf(&notes)); err != nil || len(notes) != 1 || !strings.Contains(notes[0], "version.json was not there") {
		t.Errorf("%v; said %q", err, notes)
	}
	if got := fileBytes(t, dir, "version.json"); !bytes.Equal(got, before) {
		t.Errorf("version.json is %s, was %s", got, before)
	}
}

func TestADamagedEndIsMadeAgain(t *testing.T) {
	whole := filepath.Join(t.TempDir(), "whole")
	runIn(t, whole, parse(t, brief))
	for name, damage := range map[string]func(dir string) error{
		"an empty result":     func(dir string) error { return os.Truncate(filepath.Join(dir, "result.json"), 0) },
		"a result of nothing": func(dir string) error { return os.WriteFile(filepath.Join(dir, "result.json"), []byte("{}"), 0o644) },
		"half a result":       func(dir string) error { return os.Truncate(filepath.Join(dir, "result.json"), 40) },
		"no result":           func(dir string) error { return os.Remove(filepath.Join(dir, "result.json")) },
		"a result of another end": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "result.json"), []byte(`{"status": "finished", "step": 1000000000, "parameters": 7}`), 0o644)
		},
		"a result of no known end": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "result.json"), []byte(`{"status": "bogus", "step": 12, "parameters": 7}`), 0o644)
		},
		"a result with another loss": func(dir string) error { return change(dir, "result.json", `"loss": `, `"loss": 1`) },
		"cut weights":                func(dir string) error { return os.Truncate(filepath.Join(dir, record.WeightsFile), 900) },
		"weights with another bit": func(dir string) error {
			flip(t, filepath.Join(dir, record.WeightsFile), len(fileBytes(t, dir, record.WeightsFile))-5)
			return nil
		},
		"another standardization": func(dir string) error { return change(dir, "standardization.json", `"mean": [`, `"mean": [ 7,`) },
		"no standardization":      func(dir string) error { return os.Remove(filepath.Join(dir, "standardization.json")) },
		"cut sums":                func(dir string) error { return os.Truncate(filepath.Join(dir, "SHA256SUMS"), 100) },
		"no sums":                 func(dir string) error { return os.Remove(filepath.Join(dir, "SHA256SUMS")) },
		"no weights":              func(dir string) error { return os.Remove(filepath.Join(dir, record.WeightsFile)) },
		"a cut history": func(dir string) error {
			return os.Truncate(filepath.Join(dir, "history.csv"), int64(len(historyBytes(t, dir))-9))
		},
		"a damaged checkpoint of the end": func(dir string) error { return os.Truncate(endOf(t, dir), 90) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			copyDir(t, whole, dir)
			if err := damage(dir); err != nil {
				t.Fatal(err)
			}
			result, err := Resume(t.Context(), dir, Options{})
			if err != nil || result.Status != Finished || result.Step != 12 {
				t.Fatalf("%+v, %v", result, err)
			}
			wantSameHistory(t, dir, whole)
			if again, err := ReadResult(dir); err != nil || again.Step != 12 {
				t.Errorf("the result is %+v, %v", again, err)
			}
			for _, name := range []string{record.WeightsFile, "standardization.json"} {
				if !bytes.Equal(fileBytes(t, dir, name), fileBytes(t, whole, name)) {
					t.Errorf("%s is not that of the end", name)
				}
			}
			var notes []string
			if _, err := Resume(t.Context(), dir, notesOf(&notes)); err != nil || len(notes) > 0 {
				t.Errorf("made again it is not whole: %v, %q", err, notes)
			}
		})
	}
}

// change replaces a text, where it first stands in a file.
func change(dir, name, text, by string) error {
	before, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	after := bytes.Replace(before, []byte(text), []byte(by), 1)
	if bytes.Equal(before, after) {
		return fmt.Errorf("%s has no %q", name, text)
	}
	return os.WriteFile(filepath.Join(dir, name), after, 0o644)
}

// endOf returns the checkpoint of a run's end.
func endOf(t *testing.T, dir string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "checkpoint-*-ended.safetensors"))
	if err != nil || len(names) != 1 {
		t.Fatalf("%v, %v", names, err)
	}
	return names[0]
}

func TestARunThatHasEndedIsLeftAsItIs(t *testing.T) {
	whole := filepath.Join(t.TempDir(), "whole")
	runIn(t, whole, parse(t, brief))
	damage := func(dir string) error {
		var errs []error
		for _, path := range checkpoints(t, dir) {
			errs = append(errs, os.Truncate(path, 90))
		}
		return errors.Join(errs...)
	}
	remove := func(dir string) error {
		var errs []error
		for _, path := range checkpoints(t, dir) {
			errs = append(errs, os.Remove(path))
		}
		return errors.Join(errs...)
	}
	for name, c := range map[string]struct {
		change   func(dir string) error
		settings string
		notes    []string // the beginning or the end of each
	}{
		"as it is":                       {func(string) error { return nil }, "", nil},
		"without checkpoints":            {remove, "", nil},
		"without that of the end":        {func(dir string) error { return os.Remove(endOf(t, dir)) }, "", nil},
		"with all of them damaged":       {damage, "", []string{"checkpoint not used", "checkpoint not used", "checkpoint not used", "no checkpoint is whole"}},
		"given more, with no checkpoint": {remove, "steps=15", []string{"starting again from step 0"}},
		"given more, with all damaged":   {damage, "steps=15", []string{"checkpoint not used", "checkpoint not used", "checkpoint not used", "no checkpoint is whole", "starting again from step 0"}},
		"given what makes no difference": {func(string) error { return nil }, "threads=1", []string{"the run has ended, finished at step 12"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			copyDir(t, whole, dir)
			if err := c.change(dir); err != nil {
				t.Fatal(err)
			}
			before := fileBytes(t, dir, "result.json")
			var notes []string
			opt := notesOf(&notes)
			if c.settings != "" {
				opt.Settings = settings(t, c.settings)
			}
			result, err := Resume(t.Context(), dir, opt)
			if err != nil || result.Status != Finished || len(notes) != len(c.notes) {
				t.Fatalf("%+v, %v; said %q", result, err, notes)
			}
			for i, want := range c.notes {
				if !strings.HasPrefix(notes[i], want) {
					t.Errorf("it says %q, want %q", notes[i], want)
				}
			}
			more := c.settings == "steps=15"
			if after := fileBytes(t, dir, "result.json"); bytes.Equal(before, after) == more {
				t.Errorf("its result is\n%s", after)
			}
			if more {
				from := filepath.Join(t.TempDir(), "from the start")
				runIn(t, from, parse(t, brief, c.settings))
				wantSameHistory(t, dir, from)
			}
		})
	}
}

func TestARunThatHasEndedTakesNoChangeThatItCannotGoOnWith(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	runIn(t, dir, parse(t, brief))
	before := fileBytes(t, dir, "result.json")
	for _, fewer := range []string{"steps=3", "stop.seconds=100", "schedule.shape=cosine", "data.subset=40", "optimizer.lr=0.5", "seed=7"} {
		var ended *EndedError
		_, err := Resume(t.Context(), dir, Options{Settings: settings(t, fewer)})
		if key, _, _ := strings.Cut(fewer, "="); !errors.As(err, &ended) || !strings.Contains(err.Error(), "finished at step 12") || !strings.Contains(err.Error(), key+" was ") {
			t.Errorf("%s: %v", fewer, err)
		}
	}
	opt := Options{AcceptChanged: true, Settings: settings(t, "optimizer.lr=0.5")}
	if _, err := Resume(t.Context(), dir, opt); err == nil || !strings.Contains(err.Error(), "optimizer.lr was") || !strings.Contains(err.Error(), "of another run: begin one") {
		t.Errorf("%v", err)
	}
	if !bytes.Equal(before, fileBytes(t, dir, "result.json")) {
		t.Error("its result changed")
	}
}

func TestNoAdviceIsGivenThatWouldBeRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	interrupted(t, dir, 10, brief)
	for setting, helps := range map[string]bool{"optimizer.lr=0.5": true, "dtype=float64": false, "model.hidden=[5]": false, "optimizer.name=gd": false} {
		t.Run(setting, func(t *testing.T) {
			var changed *ChangedError
			_, err := Resume(t.Context(), dir, Options{Settings: settings(t, setting)})
			if !errors.As(err, &changed) || strings.Contains(err.Error(), "say --accept-changed") != helps {
				t.Fatalf("advises --accept-changed: want %v: %v", helps, err)
			}
			if helps {
				return
			}
			if _, err := Resume(t.Context(), dir, Options{Settings: settings(t, setting), AcceptChanged: true}); err == nil {
				t.Error("it goes on with --accept-changed, and the advice was not given")
			}
		})
	}
}

func TestARunOfAnEarlierVersionGoesOnAndItSaysSo(t *testing.T) {
	whole, dir := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "run")
	runIn(t, whole, parse(t, brief))
	interrupted(t, dir, 10, brief)
	for _, path := range checkpoints(t, dir) {
		rebind(t, path, func(m map[string]string) {
			for _, name := range []string{"config", "program", "contents", "history_sha256", "columns_sha256"} {
				if m[name] == "" {
					t.Errorf("a checkpoint has no %s", name)
				}
				delete(m, name)
			}
		})
	}
	if err := os.Remove(filepath.Join(dir, "version.json")); err != nil {
		t.Fatal(err)
	}
	var notes []string
	if _, err := Resume(t.Context(), dir, notesOf(&notes)); err != nil || len(notes) != 1 || !strings.Contains(notes[0], "the checkpoint of step 10 is of a version that did not say what its steps were made of") {
		t.Errorf("%v; said %q", err, notes)
	}
	wantSameHistory(t, dir, whole)
}

func TestARunWhoseDirectoryIsTakenAwayEndsWithASentence(t *testing.T) {
	for name, c := range map[string]struct {
		take func(dir string) error
		want string
	}{
		"moved":     {func(dir string) error { return os.Rename(dir, dir+"-elsewhere") }, "it was moved or deleted while the run went on"},
		"deleted":   {os.RemoveAll, "it was moved or deleted while the run went on"},
		"made anew": {func(dir string) error { return errors.Join(os.Rename(dir, dir+"-elsewhere"), os.Mkdir(dir, 0o755)) }, "its lock was removed or replaced"},
		"without its columns": {func(dir string) error {
			return os.Rename(filepath.Join(dir, "columns.csv"), filepath.Join(dir, "..", "columns.csv"))
		}, "its file columns.csv was moved or deleted while the run went on"},
		"without its lock": {func(dir string) error { return os.Remove(filepath.Join(dir, "lock")) }, "its lock was removed or replaced"},
		"with another's lock": {func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, "lock")), os.WriteFile(filepath.Join(dir, "lock"), nil, 0o644))
		}, "its lock was removed or replaced"},
	} {
		t.Run(name, func(t *testing.T) {
			whole, dir := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "run")
			var fault error
			_, err := Run(t.Context(), parse(t, brief), dir, Options{Progress: func(p Progress) {
				if p.Step == 6 {
					fault = c.take(dir)
				}
			}})
			var lost *record.LostError
			if fault != nil || !errors.As(err, &lost) || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, %v", err, fault)
			}
			if name == "deleted" {
				return
			}
			if _, err := os.Stat(dir + "-elsewhere"); err == nil {
				if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
					t.Errorf("%d files are where the directory was", len(entries))
				}
				dir += "-elsewhere"
			}
			if name == "without its columns" {
				if err := os.Rename(filepath.Join(dir, "..", "columns.csv"), filepath.Join(dir, "columns.csv")); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := Resume(t.Context(), dir, Options{}); err != nil {
				t.Fatal(err)
			}
			runIn(t, whole, parse(t, brief))
			wantSameHistory(t, dir, whole)
		})
	}
}

func TestWhatStandsBehindTheHistoryOfARunThatHasEndedIsCutOffAndSaid(t *testing.T) {
	base := filepath.Join(t.TempDir(), "base")
	runIn(t, base, parse(t, brief))
	history := fileBytes(t, base, "history.csv")
	lines := bytes.SplitAfter(history, []byte("\n"))
	_, last, _ := bytes.Cut(lines[len(lines)-2], []byte(",")) // behind the last end of a line there is nothing
	for name, behind := range map[string][]byte{
		"a row":          append([]byte("999,"), last...),
		"the last again": lines[len(lines)-2],
		"an empty line":  []byte("\n"),
		"half a row":     []byte("99"),
	} {
		for command, more := range map[string][][]schema.Setting{"as it is": nil, "with more steps": {{schema.Set("steps", 16)}}} {
			t.Run(name+", "+command, func(t *testing.T) {
				dir, whole := filepath.Join(t.TempDir(), "run"), filepath.Join(t.TempDir(), "whole")
				for _, d := range []string{dir, whole} {
					copyDir(t, base, d)
				}
				if err := os.WriteFile(filepath.Join(dir, "history.csv"), slices.Concat(history, behind), 0o644); err != nil {
					t.Fatal(err)
				}
				var notes, none []string
				opt, quiet := notesOf(&notes), notesOf(&none)
				opt.Settings, quiet.Settings = more, more
				_, err := Resume(t.Context(), dir, opt)
				const want = "history.csv was altered since the run ended: "
				if said := strings.Join(notes, "\n"); err != nil || strings.Count(said, want) != 1 || !strings.HasSuffix(said, "is cut off") {
					t.Errorf("%v; said %q", err, notes)
				}
				if log := string(fileBytes(t, dir, "log.txt")); !strings.Contains(log, want) {
					t.Errorf("the log says %s", log)
				}
				if _, err := Resume(t.Context(), whole, quiet); err != nil || strings.Contains(strings.Join(none, "\n"), want) {
					t.Errorf("of a history as it was: %v; said %q", err, none)
				}
				wantSameHistory(t, dir, whole)
				if _, err := record.ReadHistory(dir); err != nil {
					t.Error(err)
				}
			})
		}
	}
}
