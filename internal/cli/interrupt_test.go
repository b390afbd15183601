package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"shadowflow/internal/bench"
)

// What takes many times as long as it is left, minutes or for ever, of each command. It is to end within about a second; the bound is far beyond what a busy machine adds to that.
func TestEveryCommandEndsWhereverItIsInterrupted(t *testing.T) {
	const big, wide = "--set model.hidden=[1500,1500],threads=1 ", "--set model.hidden=[300,300],threads=1 "
	sweep := filepath.Join(t.TempDir(), "many.yaml")
	if err := os.WriteFile(sweep, []byte("grid: {optimizer.lr: [1e-3, 1e-4]}\nseeds: 50\nbase: {model: {hidden: [700, 700]}}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	pending := filepath.Join(t.TempDir(), "pending.yaml")
	if err := os.WriteFile(pending, []byte("grid: {optimizer.lr: [1e-3, 1e-4]}\nseeds: 40000\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string]string{
		"run, memory as state":         "run --out OUT " + big + "--set beside=[state-2]",
		"run, memory eliminated":       "run --out OUT " + big + "--set beside=[memoryless-2]",
		"run, a lift":                  "run --out OUT " + big + "--set beside=[lift-2]",
		"run, the central flow":        "run --out OUT " + big + "--set beside=[central],optimizer.name=gd",
		"run, mini-batches":            "run --out OUT " + big + "--set batch.mode=shuffled,batch.size=100",
		"run, sharpness":               "run --out OUT " + big + "--set record.sharpness=1",
		"run, steps of matrices":       "run --out OUT " + big + "--set optimizer.name=shampoo",
		"run, a program of many parts": "run --out OUT " + big + "--set optimizer.name=soap",
		"sweep":                        "sweep " + sweep + " --out OUT",
		"sweep plan":                   "sweep plan " + sweep + " --out OUT --probe 100",
		"sweep table":                  "sweep table " + pending + " --yes --out OUT",
		"sweep run-one":                "sweep run-one " + sweep + " 1 --out OUT",
		"sweep submit":                 "sweep submit " + sweep + " --slurm --out OUT --probe 100",
		"reproduce":                    "reproduce norm-vs-beta2 --out OUT",
		"map":                          "map --out OUT",
		"verify":                       "verify --objective network " + wide,
		"verify, order 5":              "verify --objective network --orders 5 " + wide,
		"verify, memory as state":      "verify --memory state --objective network --orders 1,2,3 " + wide,
		"verify, many steps":           "verify --lr 2e-8",
		"verify state, many steps":     "verify --memory state --lr 2e-8",
		"iterate":                      "iterate --objective network --steps 40 --flow 1,2 " + big,
		"iterate, many steps":          "iterate --steps 20000000 --flow 3",
		"spectrum":                     "spectrum --density --set model.hidden=[400,400],threads=1",
		"spectrum, into a file":        "spectrum --vectors OUT --set model.hidden=[400,400],threads=1",
		"probe":                        "probe --set model.hidden=[3000,3000],threads=1",
		"probe, into a file":           "probe --out OUT --set model.hidden=[3000,3000],threads=1",
		"verify, into a file":          "verify --plot OUT.svg --objective network " + wide,
		"field":                        "field --objective network --order 6 --set model.hidden=[200,200],threads=1",
		"check":                        "check --objective network " + big,
		"check --batches":              "check --batches --orders 100000000",
		"bench":                        "bench",
	} {
		t.Run(name, func(t *testing.T) {
			const after, bound = 700 * time.Millisecond, 20 * time.Second
			ctx, cancel := context.WithCancelCause(t.Context())
			began := time.Now()
			time.AfterFunc(after, func() { cancel(Interrupted{os.Interrupt}) })
			var out, errs bytes.Buffer
			args := strings.Fields(strings.ReplaceAll(args, "OUT", filepath.Join(t.TempDir(), "out")))
			if code := Main(ctx, args, &out, &errs); code != 130 {
				t.Errorf("code %d: %s", code, errs.String())
			}
			if took := time.Since(began) - after; took > bound {
				t.Errorf("it went on for %v", took)
			}
		})
	}
}

func TestWhatIsKeptOfAnInterruptedCommandIsSaidHowToGoOnWith(t *testing.T) {
	stopped := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-stopped:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(stopped)
	dir := t.TempDir()
	sweep := filepath.Join(dir, "long.yaml")
	if err := os.WriteFile(sweep, []byte("base: {steps: 100000000, record: {bias: 0, sharpness: 0, test: 0, state: 0}, beside: []}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"data fetch cifar10 --quiet --dir " + dir + " --url " + server.URL: "interrupted; go on with: shadowflow data fetch cifar10 --dir " + dir + "\n",
		"sweep run-one " + sweep + " 0 --out " + dir + "/long":             "interrupted; go on with: shadowflow sweep run-one " + dir + "/long 0\n",
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(500*time.Millisecond, func() { cancel(Interrupted{os.Interrupt}) })
		var out, errs bytes.Buffer
		if code := Main(ctx, strings.Fields(args), &out, &errs); code != 130 || !strings.HasSuffix(errs.String(), want) {
			t.Errorf("code %d, %q; want %q", code, errs.String(), want)
		}
	}
}

// An afterwards does something when it is first written to.
type afterwards struct {
	buf  bytes.Buffer
	once sync.Once
	do   func()
}

func (w *afterwards) Write(p []byte) (int, error) {
	w.once.Do(w.do)
	return w.buf.Write(p)
}

func TestAnInterruptedBenchPrintsWhatItMeasured(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	var out bytes.Buffer
	errs := afterwards{do: func() { cancel(Interrupted{os.Interrupt}) }} // its first line tells of the first work's end
	if code := Main(ctx, []string{"bench", "--json", "--budget", "1ms"}, &out, &errs); code != 130 {
		t.Errorf("code %d: %s", code, errs.buf.String())
	}
	var got []bench.Result
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || len(got) != 1 || got[0].Seconds <= 0 {
		t.Errorf("%v, error %v: %s", got, err, out.String())
	}
}

// A command that is writing a file of the user's is waited for, so that nothing is left beside it.
func TestWhatWritesIsNotBrokenOff(t *testing.T) {
	for _, c := range []struct {
		args string
		want bool
	}{
		{"run", true}, {"sweep plan s.yaml", true}, {"data fetch cifar10", true}, {"export runs/1", true}, {"field --order 2", false},
		{"bench", false}, {"bench --json", true}, {"probe", false}, {"spectrum --plot x.svg", false}, {"spectrum --vectors x", true}, {"probe --out x", true}, {"probe --out=x", true}, {"verify --orders 1,2", false}, {"verify --plot x.svg", true}, {"verify --plot=x.svg", true},
	} {
		t.Run(c.args, func(t *testing.T) {
			args := strings.Fields(c.args)
			cmd, _, err := New(io.Discard, io.Discard).Find(args)
			if err != nil {
				t.Fatal(err)
			}
			if got := keeps(cmd, args); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}
