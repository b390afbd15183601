package dataset

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func sumOf(t *testing.T, s Spec) string {
	t.Helper()
	d, err := Load(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return d.Sum()
}

func TestTheSumIsOfTheExamplesAndNotOfTheirPlace(t *testing.T) {
	table := "a,b,y\n1,2,3\n4,5,6\n7,8,9\n10,11,13\n"
	write := func(text string) Spec {
		path := filepath.Join(t.TempDir(), "t.csv")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		s := DefaultSpec()
		s.Name, s.Path, s.Target, s.Task = NameCSV, path, []string{"y"}, TaskRegression
		return s
	}
	want := sumOf(t, write(table))
	if got := sumOf(t, write(table)); got != want {
		t.Error("a copy elsewhere has another sum")
	}
	for name, other := range map[string]string{
		"another input":    strings.Replace(table, "5", "5.5", 1),
		"another target":   strings.Replace(table, "13", "12", 1),
		"one example less": strings.TrimSuffix(table, "10,11,13\n"),
	} {
		t.Run(name, func(t *testing.T) {
			if sumOf(t, write(other)) == want {
				t.Error("it has the same sum")
			}
		})
	}
	s := write(table)
	s.Standardize = false
	if sumOf(t, s) == want {
		t.Error("what standardizes the inputs is not in the sum")
	}
}

func TestTheSumOfPackedDataIsThatOfTheData(t *testing.T) {
	dir := t.TempDir()
	images := append([]byte{0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2}, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
	labels := []byte{0, 0, 8, 1, 0, 0, 0, 3, 0, 1, 1}
	pack := func(data []byte) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		w.Write(data)
		w.Close()
		return b.Bytes()
	}
	spec := func(suffix string, as func([]byte) []byte) Spec {
		s := DefaultSpec()
		s.Name, s.TrainImages, s.TrainLabels = NameIDX, filepath.Join(dir, "images"+suffix), filepath.Join(dir, "labels"+suffix)
		writeFile(t, s.TrainImages, as(images))
		writeFile(t, s.TrainLabels, as(labels))
		return s
	}
	if sumOf(t, spec("", bytes.Clone)) != sumOf(t, spec(".gz", pack)) {
		t.Error("the sums differ")
	}
}
