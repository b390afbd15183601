package record

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheSumsAreThoseThatSha256sumChecks(t *testing.T) {
	dir := endedRun(t)
	path, err := exec.LookPath("sha256sum")
	if err != nil {
		t.Skip(err)
	}
	check := exec.Command(path, "--check", "--strict", sumsFile)
	check.Dir = dir
	if out, err := check.CombinedOutput(); err != nil || strings.Count(string(out), ": OK") != 5 {
		t.Errorf("%v: %s", err, out)
	}
}

// endedRun returns the directory of a run that has ended, with a file of its own.
func endedRun(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	d, err := Create(dir, testConfig(), testColumns())
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(d.Append(newToy().row()), os.WriteFile(filepath.Join(dir, "own"), []byte("weights"), 0o600), d.WriteResult(1, "own"), d.Close())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestWhatARunEndedWithIsKnownByItsSums(t *testing.T) {
	dir := endedRun(t)
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if wrong, bound, err := d.Changed(); len(wrong) > 0 || !bound || err != nil {
		t.Errorf("as it is: %q, %v, %v", wrong, bound, err)
	}
	for _, c := range []struct {
		change func() error
		want   string
	}{
		{func() error { return os.WriteFile(filepath.Join(dir, "own"), []byte("weightz"), 0o600) }, "own was altered since the run ended: its SHA-256 is "},
		{func() error { return os.Remove(filepath.Join(dir, "own")) }, "own is not there, which the run ended with"},
		{func() error { return os.Truncate(filepath.Join(dir, sumsFile), 30) }, "SHA256SUMS is damaged"},
		{func() error { return os.Remove(filepath.Join(dir, sumsFile)) }, "SHA256SUMS is not there"},
	} {
		if err := c.change(); err != nil {
			t.Fatal(err)
		}
		wrong, bound, err := d.Changed()
		if len(wrong) != 1 || !strings.Contains(wrong[0], c.want) || bound == strings.HasSuffix(c.want, "SHA256SUMS is not there") || err != nil {
			t.Errorf("%q, %v, %v, want %q", wrong, bound, err, c.want)
		}
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

func TestSumsThatAreNoneAreRefused(t *testing.T) {
	const sum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for name, c := range map[string]struct{ text, want string }{
		"nothing":                  {"", "it is empty"},
		"a line cut short":         {sum + "  a", "is not the SHA-256 of a file"},
		"a short sum":              {sum[2:] + "  a\n", "is not the SHA-256 of a file"},
		"capitals":                 {strings.ToUpper(sum) + "  a\n", "is not the SHA-256 of a file"},
		"no name":                  {sum + "  \n", "is not a file of the directory"},
		"one space":                {sum + " a\n", "is not the SHA-256 of a file"},
		"a file of another folder": {sum + "  ../a\n", "is not a file of the directory"},
		"the folder itself":        {sum + "  ..\n", "is not a file of the directory"},
		"a name twice":             {sum + "  a\n" + sum + "  a\n", "is not in its place"},
		"names in another order":   {sum + "  b\n" + sum + "  a\n", "is not in its place"},
	} {
		t.Run(name, func(t *testing.T) {
			if s, err := parseSums(c.text); !errors.Is(err, errSums) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, %v", s, err)
			}
		})
	}
}

// FuzzParseSums reads what is written, and writes what is read.
func FuzzParseSums(f *testing.F) {
	f.Add("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  history.csv\n")
	f.Add("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  ../history.csv\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseSums(text)
		if err == nil && string(s.format()) != text {
			t.Errorf("%q became %q", text, s.format())
		}
	})
}
