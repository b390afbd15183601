package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestALanguageModelIsTrainedAndSampled(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	out := printed(t, "run", "--out", dir, "--set", "steps=4", "--set", "data={name: text, subset: 10, test_subset: 5}",
		"--set", "model={name: gpt, depth: 1, heads: 1, dim: 4, context: 8}")
	if !strings.Contains(out, "text with gpt") || !strings.Contains(out, "bits per byte of the test data ended at") {
		t.Errorf("the run says\n%s", out)
	}
	sample := func(args ...string) string {
		return printed(t, append([]string{"sample", dir, "--prompt", "To be", "--length", "12"}, args...)...)
	}
	one := sample("--seed", "5")
	if !strings.HasPrefix(one, "To be") || len(one) != len("To be")+12+len("\n") || sample("--seed", "5") != one {
		t.Errorf("the sample is %q", one)
	}
	var inJSON struct {
		Text  string
		Bytes []byte
	}
	if err := json.Unmarshal([]byte(sample("--seed", "5", "--json")), &inJSON); err != nil || string(inJSON.Bytes)+"\n" != one || !strings.HasPrefix(inJSON.Text, "To be") {
		t.Errorf("%v: in JSON it is %q, %q", err, inJSON.Text, inJSON.Bytes)
	}
	if _, stderr, _ := shadowflow("sample", dir); stderr != "" {
		t.Errorf("of a run that has ended it says %q", stderr)
	}

	// as a kill before the result leaves it
	for _, name := range []string{"result.json", "SHA256SUMS", "weights.safetensors"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	text, stderr, code := shadowflow("sample", dir, "--prompt", "To be", "--length", "12", "--seed", "5")
	if code != exitDone || text != one || !strings.Contains(stderr, dir+" has not ended: the weights are those of its newest checkpoint, behind 4 of 4 steps") {
		t.Errorf("code %d: %q, and says %q", code, text, stderr)
	}
	var ofCheckpoint struct {
		Step  int
		Ended bool
	}
	if err := json.Unmarshal([]byte(sample("--json")), &ofCheckpoint); err != nil || ofCheckpoint.Step != 4 || ofCheckpoint.Ended {
		t.Errorf("%v: in JSON %+v", err, ofCheckpoint)
	}
}

func TestDataOfATextCountsTheBytesThatOccur(t *testing.T) {
	out := printed(t, "data", "show", "--set", "data.name=text")
	if !strings.Contains(out, "shape [64], 256 classes") || !strings.Contains(out, "\n  \"e\": ") || strings.Contains(out, ": 0\n") ||
		!strings.Contains(out, "Open Shakespeare") || strings.Contains(out, "look:") {
		t.Errorf("data show says\n%s", out)
	}
}
