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
