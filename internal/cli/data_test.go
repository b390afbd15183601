package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sbinet/npyio/npz"
	"gonum.org/v1/gonum/mat"
)

func TestDataInfoTellsATable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.csv")
	if err := os.WriteFile(path, []byte("a,b,price\n1,2,10\n3,2,20\n5,2,60\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	out := printed(t, "data", "info", "--set", "data={name: csv, path: "+path+", target: [price], standardize_target: true, test_fraction: 0}")
	for _, want := range []string{
		"csv: 3 examples to train on, 0 to test, shape [2], 1 to predict",
		"target price: 10 to 60, standardized by mean 30, deviation 21.6025",
		"a: standardized by mean 3, deviation 1.63299", "b: standardized by mean 2, deviation 0",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
}

func TestDataInfoSaysWhatLooksLikeAMistake(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.npz")
	if err := npz.Write(path, map[string]any{"X": mat.NewDense(3, 2, []float64{1, 2, 3, 4, 5, 6}), "y": []int64{1, 2, 3}}); err != nil {
		t.Fatal(err)
	}
	if out := printed(t, "data", "info", "--set", "data={name: npz, path: "+path+"}"); !strings.Contains(out, "look: labels start at 1, not at 0") {
		t.Errorf("it says\n%s", out)
	}
}

func TestDataInfoAndARunSayThatTargetsLookLikeClasses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "t.csv")
	if err := os.WriteFile(path, []byte("a,label\n"+strings.Repeat("1,0\n2,1\n3,2\n", 5)), 0o644); err != nil {
		t.Fatal(err)
	}
	const note = `the column "label" holds the whole numbers 0 to 2 alone, taken as numbers to predict (regression): if they are classes, say data.task: classification`
	data := "data={name: csv, path: " + path + ", target: [label], test_fraction: 0}"
	for args, want := range map[string]bool{"": true, "data.task=regression": false, "data.task=classification": false, "loss=mse": true, "loss=binary-cross-entropy": false} {
		given := []string{"data", "info", "--set", data}
		if args != "" {
			given = append(given, "--set", args)
		}
		if out := printed(t, given...); strings.Contains(out, "look: "+note) != want {
			t.Errorf("%s: it says\n%s", args, out)
		}
	}
	if out := printed(t, "data", "info", "--json", "--set", data); !strings.Contains(out, "taken as numbers to predict") {
		t.Errorf("as JSON:\n%s", out)
	}
	_, stderr, code := shadowflow("run", "--set", data, "--set", "loss=mse,steps=1,model.hidden=[2]", "--out", filepath.Join(dir, "run"))
	if code != 0 || !strings.Contains(stderr, "data: "+note) {
		t.Errorf("exit %d, a run says\n%s", code, stderr)
	}
}
