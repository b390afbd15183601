package report

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// watchedDir returns a directory as a watch over a loop in Python writes it: three rows, two of them clipped or not.
func watchedDir(t *testing.T, factor string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"config.yaml": "dtype: \"float32\"\nobjective:\n  name: \"watched\"\noptimizer:\n  name: \"adamw\"\n  preset: \"pytorch\"\n  lr: 0.01\n" +
			"batch:\n  mode: \"sampled\"\nrecord:\n  every: 50\n  bias: 50\n",
		"columns.csv": "name,type,unit,meaning\nstep,int,steps,\nloss,float,loss,\nexcess,float,loss/parameter,\ndrive.main,float,1/h,\n" +
			"drive.realized,float,1/h,\ndrive.observed,float,1/h,\nlr,float,,\nclip.factor,float,,\n",
		"history.csv": "step,loss,excess,drive.main,drive.realized,drive.observed,lr,clip.factor\n" +
			"0,2.31,1.95,-20.5,0,-19.5,0.01,1\n50,2.1,1.8,-4.5,1.5,-2.9,0.01," + factor + "\n100,1.9,1.7,-2.5,1,-1.4,0.005,1\n",
		"times.csv": "step,seconds\n0,0.5\n50,1\n100,1.5\n",
		"result.json": `{"status": "finished", "step": 120, "parameters": 226, "examples": 0, "loss": 1.9, "accuracy": null, "regime": "unknown", "seconds": 2,
			"groups": [{"holds": "param_groups[0]", "weights": 2, "parameters": 208, "optimizer": "AdamW(lr=0.01)"}], "costs": [{"kind": "watching", "count": 3, "seconds": 0.1}]}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestAWatchedLoopHasAPage(t *testing.T) {
	dir := watchedDir(t, "0.25")
	r, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	said := strings.Join(r.Sentences(), "\n")
	for _, want := range []string{
		"a loop in Python, watched: 226 parameters; the run took 120 steps in 2 s", "Training loss of single batches went from 2.31 to 1.9.",
		"hindered N's fall at 2 of 3 measured steps", "clipped at 1 of 3 recorded steps, to 25.0% of it", "Groups: param_groups[0] (2 weights, 208 parameters): AdamW(lr=0.01).",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("nothing says %q in\n%s", want, said)
		}
	}
	for _, no := range []string{"examples;", "Conventions", "all its"} {
		if strings.Contains(said, no) {
			t.Errorf("%q is said, which a watch does not know, in\n%s", no, said)
		}
	}
	if got := r.Document().Sources[0].Text; strings.Contains(got, "steps:") || !strings.Contains(got, "watched") {
		t.Errorf("the page's config has keys that the loop had not:\n%s", got)
	}
	page, err := r.Write(t.Context(), PageStyle)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(page); err != nil {
		t.Error(err)
	}
}

func TestAWatchedLoopThatWasNotClippedIsNotSaidToHaveABound(t *testing.T) {
	r, err := Read(watchedDir(t, "1"))
	if err != nil {
		t.Fatal(err)
	}
	if said := strings.Join(r.Sentences(), "\n"); strings.Contains(said, "bound") {
		t.Error(said)
	}
}
