package cli

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shadowflow/experiment/run"
	"shadowflow/serve"
)

func TestProgressOutsideATerminalIsALineNowAndThen(t *testing.T) {
	at := run.Progress{Step: 30, Steps: 100, Loss: 0.5, Excess: 2, RealizedDrive: -1, StateDefect: math.NaN()}
	for _, c := range []struct {
		name  string
		quiet bool
		since time.Duration
		want  string
	}{
		{"a line when the last is old", false, 2 * lineEvery, "step 30 of 100  loss 0.5  norm 2  realized bias - lowers  time left"},
		{"a line at once", false, 0, "step 30 of 100  loss 0.5"},
		{"nothing soon after a line", false, lineEvery / 2, ""},
		{"nothing when quiet", true, 2 * lineEvery, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			p := newProgress(&out, c.quiet)
			p.started, p.first = time.Now().Add(-time.Minute), 10
			if p.shown = time.Now().Add(-c.since); c.name == "a line at once" {
				p.shown = time.Time{}
			}
			p.show(at)
			if got := out.String(); !strings.HasPrefix(got, c.want) || (c.want == "") != (got == "") {
				t.Errorf("printed %q, want it to begin with %q", got, c.want)
			}
		})
	}
}

func TestShortWorkShowsNoProgress(t *testing.T) {
	var out strings.Builder
	p := newLateProgress(&out, false)
	p.at(1, 2, func() string { return "lr 0.1" })
	if out.Len() > 0 {
		t.Errorf("printed %q", out.String())
	}
	p.shown = time.Now().Add(-2 * lineEvery)
	p.at(2, 2, func() string { return "lr 0.1" })
	if got := out.String(); !strings.HasPrefix(got, "step 2 of 2  lr 0.1  time left 0s") {
		t.Errorf("printed %q", got)
	}
}

func TestTimeLeftFollowsTheStepsDone(t *testing.T) {
	var out strings.Builder
	p := newProgress(&out, false)
	p.started, p.first = time.Now().Add(-20*time.Second), 10
	p.shown = time.Now().Add(-2 * lineEvery)
	p.show(run.Progress{Step: 30, Steps: 50, RealizedDrive: math.NaN()}) // 20 steps took 20 s, 20 are left
	if got := out.String(); !strings.Contains(got, "time left 20s") || !strings.Contains(got, "realized bias not known") {
		t.Errorf("printed %q, want 20 s left and a realized bias not known", got)
	}
}

func TestProgressSaysOnceWhereThePageIs(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	dir := filepath.Join(t.TempDir(), "runs", "one")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s, err := serve.New(filepath.Dir(dir), "a token that nobody sees", nil)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	p := newProgress(&out, false)
	p.page = &pageLine{kind: "run", dir: dir}
	show := func() string { // what is new, when it is time to look again
		out.Reset()
		p.page.asked = p.page.asked.Add(-2 * lineEvery)
		p.show(run.Progress{Step: 1, Steps: 9})
		return out.String()
	}
	p.show(run.Progress{Steps: 9})
	if got := out.String(); !strings.HasPrefix(got, "no page is served; to see this in a browser: shadowflow serve "+filepath.Dir(dir)+"\nstep 0") {
		t.Errorf("without a server %q", got)
	}
	if got := show(); strings.Contains(got, "serve") {
		t.Errorf("again %q", got)
	}
	withdraw, err := s.Announce("http://127.0.0.1:8077/")
	if err != nil {
		t.Fatal(err)
	}
	defer withdraw()
	if got := show(); got != "page: http://127.0.0.1:8077/?run=one\n" {
		t.Errorf("with one %q", got)
	}
	if got := show(); got != "" {
		t.Errorf("again %q", got)
	}
}
