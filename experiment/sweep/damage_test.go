package sweep

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/experiment/run"
	"shadowflow/schema"
)

func TestASweepIsNamedAsADirectoryMayBe(t *testing.T) {
	for name, want := range map[string]string{
		"": "names no directory", ".": "names no directory", "..": "names no directory",
		"a/b": "has a separator of paths", `a\b`: "has a separator of paths", "../up": "has a separator of paths",
		"a\nb": "has a character that names of files may not have", "a\x1b[31mb": "has a character that names of files may not have",
		"a:b": "has a character that names of files may not have", "what?": "has a character that names of files may not have",
		"betas.yaml": "looks like the name of a file", "betas.YML": "looks like the name of a file",
		" betas": "begins or ends with a space", "betas.": "ends with a point",
		strings.Repeat("n", 101): "is longer than 100 bytes",
		"betas":                  "", "β over ε, v1.2": "",
	} {
		t.Run(name, func(t *testing.T) {
			src := "seeds: 1\nname: " + schema.Format(name)
			s, err := Parse("betas.yaml", []byte(src), Limit)
			if want == "" {
				if err != nil || s.Name != name {
					t.Errorf("%+v, %v", s, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "2:") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAFileWhoseNameNoDirectoryMayHaveWantsAName(t *testing.T) {
	for _, file := range []string{"a\nb.yaml", "x.yaml.yaml", ".yaml"} {
		t.Run(file, func(t *testing.T) {
			if _, err := Parse(filepath.Join("dir", file), []byte("seeds: 1"), Limit); err == nil || !strings.Contains(err.Error(), "say name: in the file") {
				t.Errorf("got %v", err)
			}
			if s, err := Parse(filepath.Join("dir", file), []byte("seeds: 1\nname: right"), Limit); err != nil || s.Name != "right" {
				t.Errorf("%+v, %v", s, err)
			}
		})
	}
}

// tiny is a sweep of real runs of a moment.
const tiny = "base: {steps: 3, data: {subset: 20, test_subset: 10}, model: {hidden: [4]}, record: {every: 1, bias: 0, sharpness: 0, test: 0}}\nseeds: 2\n"

func TestADamagedMemberIsMadeAgain(t *testing.T) {
	whole, s := t.TempDir(), mustParse(t, tiny)
	if err := s.Execute(t.Context(), whole, Options{}); err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func(run string) error{
		"an empty result":     func(run string) error { return os.Truncate(filepath.Join(run, "result.json"), 0) },
		"a result of nothing": func(run string) error { return os.WriteFile(filepath.Join(run, "result.json"), []byte("{}"), 0o644) },
		"half a result":       func(run string) error { return os.Truncate(filepath.Join(run, "result.json"), 30) },
		"a result and no lock": func(run string) error {
			return errors.Join(os.Remove(filepath.Join(run, "result.json")), os.Remove(filepath.Join(run, "lock")))
		},
		"no directory":           os.RemoveAll,
		"a directory of nothing": func(run string) error { return errors.Join(os.RemoveAll(run), os.Mkdir(run, 0o755)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "sweep")
			if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			member := s.RunDirs(dir)[1]
			if err := damage(member); err != nil {
				t.Fatal(err)
			}
			statuses, err := s.Status(t.Context(), dir)
			if err != nil || statuses[0].State != Ended || statuses[1].State == Ended {
				t.Fatalf("%+v, %v", statuses, err)
			}
			if err := s.Execute(t.Context(), dir, Options{}); err != nil {
				t.Fatal(err)
			}
			if statuses, err = s.Status(t.Context(), dir); err != nil || statuses[1].State != Ended {
				t.Errorf("%+v, %v", statuses[1], err)
			}
			for i, there := range s.RunDirs(dir) {
				got, errA := os.ReadFile(filepath.Join(there, "history.csv"))
				want, errB := os.ReadFile(filepath.Join(s.RunDirs(whole)[i], "history.csv"))
				if errA != nil || errB != nil || string(got) != string(want) {
					t.Errorf("run %d has another history: %v, %v", i, errA, errB)
				}
			}
		})
	}
}

func TestASweepWhoseDirectoryIsTakenAwayEnds(t *testing.T) {
	for name, take := range map[string]func(dir string) error{
		"moved":     func(dir string) error { return os.Rename(dir, dir+"-elsewhere") },
		"deleted":   os.RemoveAll,
		"made anew": func(dir string) error { return errors.Join(os.Rename(dir, dir+"-elsewhere"), os.Mkdir(dir, 0o755)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir, s := filepath.Join(t.TempDir(), "sweep"), mustParse(t, betas)
			made := 0
			opt := (&fake{}).options()
			opt.Parallel = 1
			opt.Run = func(context.Context, *config.Config, string) error {
				if made++; made == 2 {
					return errors.Join(take(dir), &record.LostError{Dir: dir, What: "it was taken"})
				}
				return nil
			}
			err := s.Execute(t.Context(), dir, opt)
			if err == nil || !strings.Contains(err.Error(), "was moved or deleted while it went on: no run is begun") || !strings.Contains(err.Error(), "it was taken") {
				t.Errorf("got %v", err)
			}
			if made != 2 {
				t.Errorf("%d runs were begun", made)
			}
			if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
				t.Errorf("%d entries are where the directory was", len(entries))
			}
		})
	}
}

func TestAMemberWhoseDataChangedGoesOnOnlyWhereThatIsAccepted(t *testing.T) {
	file, dir := filepath.Join(t.TempDir(), "t.csv"), t.TempDir()
	write := func(first string) {
		if err := os.WriteFile(file, []byte("a,y\n"+first+",1\n2,2\n3,4\n5,1\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("1")
	s := mustParse(t, "base: {steps: 5, loss: mse, data: {name: csv, path: "+schema.Format(file)+
		", target: [y], test_fraction: 0}, model: {hidden: [2]}, record: {every: 1, bias: 0, sharpness: 0, test: 0}}\n")
	member := s.RunDirs(dir)[0]
	ctx, cancel := context.WithCancel(t.Context())
	opt := run.Options{Progress: func(p run.Progress) {
		if p.Step == 3 {
			cancel()
		}
	}}
	if r, err := run.Run(ctx, s.Runs[0].Config, member, opt); err != nil || r.Status != run.Interrupted {
		t.Fatalf("%+v, %v", r, err)
	}
	write("7")
	if err := s.Execute(t.Context(), dir, Options{}); err != nil {
		t.Fatal(err)
	}
	statuses, err := s.Status(t.Context(), dir)
	if err != nil || statuses[0].State != Failed || !strings.Contains(statuses[0].Reason, "data: the contents of "+file+" changed") {
		t.Fatalf("%+v, %v", statuses, err)
	}
	if err := s.Execute(t.Context(), dir, Options{RetryFailed: true, AcceptChanged: true}); err != nil {
		t.Fatal(err)
	}
	statuses, err = s.Status(t.Context(), dir)
	if err != nil || statuses[0].State != Ended || len(statuses[0].Result.Changed) != 1 {
		t.Errorf("%+v, %v", statuses, err)
	}
}

// named gives the directory of a run the name that earlier versions gave it.
func named(t *testing.T, r Run, dir string) string {
	t.Helper()
	name := filepath.Join(filepath.Dir(dir), filepath.Base(dir)[:len("0000-")]+r.Hash[:earlierLength])
	if err := os.Rename(dir, name); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestDirectoriesKeepTheNamesOfEarlierVersions(t *testing.T) {
	dir, s, f := t.TempDir(), mustParse(t, betas), &fake{}
	if err := s.Execute(t.Context(), dir, f.options()); err != nil {
		t.Fatal(err)
	}
	made, want := len(f.made), s.RunDirs(dir)
	for i, r := range s.Runs {
		want[i] = named(t, r, want[i])
	}
	if err := s.Execute(t.Context(), dir, f.options()); err != nil {
		t.Fatal(err)
	}
	if got := s.RunDirs(dir); len(f.made) != made || !slices.Equal(got, want) {
		t.Errorf("%d runs were made again; directories %v, want %v", len(f.made)-made, got, want)
	}
}

func TestRunsThatShareTheStartOfAHashAreNotMixed(t *testing.T) {
	dir, s, f := t.TempDir(), mustParse(t, betas), &fake{}
	if err := s.Execute(t.Context(), dir, f.options()); err != nil {
		t.Fatal(err)
	}
	first := named(t, s.Runs[0], s.RunDirs(dir)[0])
	own := s.Runs[1].Hash
	s.Runs[1].Hash = s.Runs[0].Hash[:earlierLength] + own[earlierLength:]
	if dirs := s.RunDirs(dir); dirs[0] != first || dirs[1] == first {
		t.Errorf("directories %v, of which %s is the first's", dirs[:2], first)
	}
	s.Runs[1].Hash = own
	second := s.RunDirs(dir)[1]
	s.Runs[0].Hash = own[:shortLength] + s.Runs[0].Hash[shortLength:]
	statuses, err := s.Status(t.Context(), dir)
	if err != nil || statuses[0].Dir != second || !statuses[0].Damaged || !strings.Contains(statuses[0].Reason, "holds another config than run 0") {
		t.Errorf("%+v, %v", statuses[0], err)
	}
}
