package sweep

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/parquet-go/parquet-go"

	"shadowflow/diagnose"
	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/experiment/run"
)

// fake is a Runner that records a decaying loss and fails or diverges where it is told to.
type fake struct {
	mu        sync.Mutex
	made      []string // directories
	threads   []int
	fail      func(c *config.Config) error
	busy, top atomic.Int64
	pause     time.Duration
}

func columns() []record.Column {
	return []record.Column{
		{Name: "step", Type: record.IntColumn}, {Name: "loss", Type: record.FloatColumn},
		{Name: "excess", Type: record.FloatColumn}, {Name: "bias_share", Type: record.FloatColumn},
	}
}

func (f *fake) run(ctx context.Context, c *config.Config, dir string) error {
	f.mu.Lock()
	f.made = append(f.made, filepath.Base(dir))
	f.threads = append(f.threads, c.Threads)
	f.mu.Unlock()
	now := f.busy.Add(1)
	defer f.busy.Add(-1)
	for top := f.top.Load(); now > top && !f.top.CompareAndSwap(top, now); top = f.top.Load() {
	}
	time.Sleep(f.pause)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if f.fail != nil {
		if err := f.fail(c); err != nil {
			return err
		}
	}
	d, err := record.Create(dir, c.YAML(), columns())
	if err != nil {
		return err
	}
	for n := range 10 {
		row := []record.Value{record.Int(int64(n)), record.Float(math.Exp(-float64(n))),
			record.Float(c.Optimizer.Value("beta2") + float64(c.Seed)/100), {}}
		if n%4 == 0 {
			row[3] = record.Float(float64(n))
		}
		if err := d.Append(row); err != nil {
			return err
		}
	}
	result := run.Result{Status: run.Finished, Step: 9, Parameters: 1, Loss: 0.1, Seconds: 0.9}
	if c.Optimizer.LR > 1 {
		result.Status = run.Diverged
	}
	return errors.Join(d.WriteResult(result), d.Close())
}

func (f *fake) options() Options {
	return Options{Parallel: 2, Run: f.run, Memory: 100, Size: func(context.Context, *config.Config) (int64, error) { return 10, nil }}
}

const betas = "grid: {optimizer.beta2: [0.9, 0.99]}\nseeds: 3\nat_loss: [0.01]\n"

func TestFinishedRunsAreNotMadeAgain(t *testing.T) {
	dir, s, f := t.TempDir(), mustParse(t, betas), &fake{}
	for range 2 {
		if err := s.Execute(t.Context(), dir, f.options()); err != nil {
			t.Fatal(err)
		}
	}
	if len(f.made) != 6 {
		t.Errorf("%d runs were made, want 6: %v", len(f.made), f.made)
	}
	grown := mustParse(t, "grid: {optimizer.beta2: [0.5, 0.9, 0.99]}\nseeds: 3")
	if err := grown.Execute(t.Context(), dir, f.options()); err != nil {
		t.Fatal(err)
	}
	if len(f.made) != 9 {
		t.Errorf("a sweep with three runs more made %d, want 3", len(f.made)-6)
	}
	changed := mustParse(t, "base: {steps: 3}\n"+betas)
	if err := changed.Execute(t.Context(), dir, f.options()); err != nil {
		t.Fatal(err)
	}
	if len(f.made) != 15 {
		t.Errorf("a changed config made %d runs, want 6", len(f.made)-9)
	}
}

func TestAFailingRunIsARowAndStopsNothing(t *testing.T) {
	dir, s, f := t.TempDir(), mustParse(t, betas), &fake{}
	f.fail = func(c *config.Config) error {
		switch {
		case c.Seed == 1 && c.Optimizer.Value("beta2") == 0.9:
			return errors.New("the disk\nis full")
		case c.Seed == 2 && c.Optimizer.Value("beta2") == 0.9:
			panic("boom")
		}
		return nil
	}
	if err := s.Execute(t.Context(), dir, f.options()); err != nil {
		t.Fatal(err)
	}
	table, err := s.Table(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, row := range table.Rows {
		got = append(got, fmt.Sprint(row[0], " ", row[table.Index("status")], " ", row[table.Index("reason")]))
	}
	want := []string{"0 finished ", "1 failed the disk is full", "2 failed internal error: boom", "3 finished ", "4 finished ", "5 finished "}
	if !slices.Equal(got, want) {
		t.Errorf("rows\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	means, err := Means(t.Context(), table)
	if err != nil {
		t.Fatal(err)
	}
	if n, out := means.Floats("runs"), means.Floats("left_out"); !slices.Equal(n, []float64{1, 3}) || !slices.Equal(out, []float64{2, 0}) {
		t.Errorf("means of %v runs, %v left out", n, out)
	}

	made := len(f.made)
	f.fail = nil
	if err := s.Execute(t.Context(), dir, f.options()); err != nil || len(f.made) != made {
		t.Errorf("failed runs were made again without being asked for: %v, %v", f.made[made:], err)
	}
	opt := f.options()
	opt.RetryFailed = true
	if err := s.Execute(t.Context(), dir, opt); err != nil || len(f.made) != made+2 {
		t.Errorf("made again: %v, %v", f.made[made:], err)
	}
	statuses, err := s.Status(t.Context(), dir)
	if err != nil || slices.ContainsFunc(statuses, func(s Status) bool { return s.State != Ended || s.Reason != "" }) {
		t.Errorf("after that: %+v, %v", statuses, err)
	}
}

func TestADivergedRunHasItsReasonAndIsNotMadeAgain(t *testing.T) {
	dir, s, f := t.TempDir(), mustParse(t, "grid: {optimizer.lr: [0.1, 10]}"), &fake{}
	for range 2 {
		if err := s.Execute(t.Context(), dir, f.options()); err != nil {
			t.Fatal(err)
		}
	}
	statuses, err := s.Status(t.Context(), dir)
	if err != nil || len(f.made) != 2 || statuses[1].Reason != "diverged at step 9" || statuses[0].Reason != "" {
		t.Errorf("%+v, made %v, %v", statuses, f.made, err)
	}
}

func TestRunsSideBySideShareTheProcessors(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8))
	s, f := mustParse(t, "base: {threads: 3}\nseeds: 4"), &fake{pause: 20 * time.Millisecond}
	if err := s.Execute(t.Context(), t.TempDir(), f.options()); err != nil {
		t.Fatal(err)
	}
	if f.top.Load() != 2 || !slices.Equal(f.threads, []int{4, 4, 4, 4}) {
		t.Errorf("%d runs at once with %v threads, want 2 with 4 each of 8", f.top.Load(), f.threads)
	}
	opt := f.options()
	opt.Parallel, f.threads = 16, nil
	f.top.Store(0)
	if err := mustParse(t, "base: {threads: 3}\nseeds: 10").Execute(t.Context(), t.TempDir(), opt); err != nil {
		t.Fatal(err)
	}
	if f.top.Load() != 10 || slices.Min(f.threads) != 1 || slices.Max(f.threads) != 1 {
		t.Errorf("%d runs at once with %v threads, want 10 with 1 each of 8", f.top.Load(), f.threads)
	}
	opt = f.options()
	opt.Parallel, f.threads = 1, nil
	f.top.Store(0)
	if err := s.Execute(t.Context(), t.TempDir(), opt); err != nil {
		t.Fatal(err)
	}
	if f.top.Load() != 1 || !slices.Equal(f.threads, []int{3, 3, 3, 3}) {
		t.Errorf("%d runs at once with %v threads, want 1 with 3 each", f.top.Load(), f.threads)
	}
}

func TestRunsThatDoNotFitInMemoryWait(t *testing.T) {
	s, f := mustParse(t, "seeds: 4"), &fake{pause: 10 * time.Millisecond}
	for size, want := range map[int64]int64{60: 1, 50: 2, 1000: 1} {
		t.Run(fmt.Sprintf("runs of %d bytes", size), func(t *testing.T) {
			opt := f.options()
			opt.Size = func(context.Context, *config.Config) (int64, error) { return size, nil }
			f.top.Store(0)
			if err := s.Execute(t.Context(), t.TempDir(), opt); err != nil {
				t.Fatal(err)
			}
			if f.top.Load() != want {
				t.Errorf("%d at once in 100 bytes, want %d", f.top.Load(), want)
			}
		})
	}
}

func TestARunOfUnknownSizeIsMadeAlone(t *testing.T) {
	s, f := mustParse(t, "seeds: 4"), &fake{pause: 10 * time.Millisecond}
	opt := f.options()
	opt.Size = func(context.Context, *config.Config) (int64, error) { return 0, errAskedFor }
	if err := s.Execute(t.Context(), t.TempDir(), opt); err != nil {
		t.Fatal(err)
	}
	if len(f.made) != 4 || f.top.Load() != 1 {
		t.Errorf("%d runs, %d at once, want 4, one at a time", len(f.made), f.top.Load())
	}
}

func TestOneSizeIsMeasuredAtATime(t *testing.T) {
	asked, release := atomic.Int64{}, make(chan struct{})
	sched := newScheduler(nil, Options{Size: func(context.Context, *config.Config) (int64, error) {
		asked.Add(1)
		<-release
		return 7, nil
	}})
	for range 2 { // the first is given up and goes on
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if n := sched.size(ctx, &config.Config{}); !errors.Is(n.err, context.DeadlineExceeded) {
			t.Errorf("%+v, want the context's end", n)
		}
		cancel()
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("%d measurements at once", n)
	}
	close(release)
	if n := sched.size(t.Context(), &config.Config{}); n != (needed{bytes: 7}) {
		t.Errorf("after its end: %+v", n)
	}
}

func TestAnInterruptionLeavesTheRestForLater(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	dir, s, f := t.TempDir(), mustParse(t, "seeds: 6"), &fake{}
	f.fail = func(c *config.Config) error {
		if c.Seed == 2 {
			cancel()
			return ctx.Err()
		}
		return nil
	}
	if err := s.Execute(ctx, dir, f.options()); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	f.fail = nil
	if err := s.Execute(t.Context(), dir, f.options()); err != nil {
		t.Fatal(err)
	}
	statuses, err := s.Status(t.Context(), dir)
	if err != nil || slices.ContainsFunc(statuses, func(s Status) bool { return s.State != Ended }) {
		t.Errorf("%+v, %v", statuses, err)
	}
}

func TestRunOneMakesExactlyOne(t *testing.T) {
	dir, s, f := t.TempDir(), mustParse(t, betas), &fake{}
	for range 2 {
		if err := s.RunOne(t.Context(), dir, 4, f.options()); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(f.made, []string{s.Runs[4].DirName()}) {
		t.Errorf("made %v", f.made)
	}
	if err := s.RunOne(t.Context(), dir, 6, f.options()); err == nil || !strings.Contains(err.Error(), "has 6, counted from 0") {
		t.Errorf("error %v", err)
	}
	again, where, err := Open(dir, Limit)
	if err != nil || where != dir || len(again.Runs) != 6 {
		t.Errorf("the directory does not tell its sweep: %v", err)
	}
}

// Each looks before the first has begun, and comes to the directory when it has ended.
func TestARunThatManyProcessesBeginAtOnceIsMadeByOneAndFailsForNone(t *testing.T) {
	s := mustParse(t, "base: {objective: {name: rosenbrock}, steps: 5, optimizer: {name: gd, lr: 1e-4}}")
	for range 2 {
		dir := t.TempDir()
		if err := s.Prepare(dir); err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		const processes = 8
		for range processes {
			go func() { done <- s.RunOne(t.Context(), dir, 0, Options{Wait: time.Minute}) }()
		}
		for range processes {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		statuses, err := s.Status(t.Context(), dir)
		if err != nil || statuses[0].State != Ended {
			t.Fatalf("%+v, %v", statuses, err)
		}
		if reason, failed := record.ReadFailure(statuses[0].Dir); failed {
			t.Fatalf("the run ended, and says that it failed: %s", reason)
		}
	}
}

func TestTheTableHasConfigsAndResults(t *testing.T) {
	dir, s, f := t.TempDir(), mustParse(t, betas), &fake{}
	if err := s.RunOne(t.Context(), dir, 3, f.options()); err != nil {
		t.Fatal(err)
	}
	if err := s.RunOne(t.Context(), dir, 5, f.options()); err != nil {
		t.Fatal(err)
	}
	table, err := s.Table(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	row := table.Rows[3]
	for name, want := range map[string]string{
		"index": "3", "optimizer.beta2": "0.99", "seed": "0", "status": "finished", "steps_taken": "9", "loss": "0.1",
		"step_at_loss_0.01": "4.605170185988092", "bias_share_at_loss_0.01": "4.605170185988092", "excess_max": "0.99",
	} {
		if got := row[table.Index(name)].String(); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if got := table.Rows[0][table.Index("status")].String(); got != "pending" {
		t.Errorf("a run that was not made is %s", got)
	}
	means, err := Means(t.Context(), table)
	if err != nil {
		t.Fatal(err)
	}
	mean, half := means.Floats("excess_last_mean"), means.Floats("excess_last_ci95")
	// 0.99 and 1.01: deviation 0.02/sqrt(2), and the quantile of Student's t with one degree of freedom is 12.7062.
	if !math.IsNaN(mean[0]) || math.Abs(mean[1]-1) > 1e-12 || math.Abs(half[1]-12.7062*0.01) > 1e-5 {
		t.Errorf("mean %v, half-width %v", mean, half)
	}

	regime := table.Index("regime")
	was := table.Rows[3][regime]
	table.Rows[3][regime] = record.Text(string(diagnose.Diverged)) // having taken all its steps
	without, err := Means(t.Context(), table)
	if err != nil {
		t.Fatal(err)
	}
	if n := without.Rows[1][without.Index("left_out")].String(); n != "2" { // this one, and one that was not made
		t.Errorf("%s left out of the means", n)
	}
	table.Rows[3][regime] = was

	var csv, pq bytes.Buffer
	if err := record.WriteTable(&csv, "csv", table); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(csv.String(), "\n"); lines != 7 {
		t.Errorf("%d lines of csv", lines)
	}
	if err := record.WriteTable(&pq, "parquet", means); err != nil {
		t.Fatal(err)
	}
	file, err := parquet.OpenFile(bytes.NewReader(pq.Bytes()), int64(pq.Len()))
	if err != nil || file.NumRows() != 2 {
		t.Errorf("parquet: %v", err)
	}
}

func TestPlanTakesTimesFromEndedRunsAndProbes(t *testing.T) {
	dir, s, f := t.TempDir(), mustParse(t, "base: {steps: 100}\ngrid: {optimizer.beta2: [0.9, 0.99], dtype: [float32, float64]}"), &fake{}
	opt := PlanOptions{Options: f.options()}
	if err := s.RunOne(t.Context(), dir, 0, opt.Options); err != nil {
		t.Fatal(err)
	}
	p, err := s.Plan(t.Context(), dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	if p.Unknown != 2 || math.Abs(p.Seconds-5) > 1e-9 || p.Runs[2].Seconds != 10 || p.Runs[1].Bytes != 10 || p.Parallel != 2 {
		t.Errorf("%+v", p)
	}
	opt.Probe = 1
	if p, err = s.Plan(t.Context(), dir, opt); err != nil || p.Unknown != 0 || p.Runs[1].From != "a probe of 9 steps" {
		t.Errorf("%+v, %v", p, err)
	}
	if len(f.made) != 2 {
		t.Errorf("%d runs and probes, want one of each", len(f.made))
	}
}

func TestRealRunsGiveTheSameBitsHoweverManyAtOnce(t *testing.T) {
	s := mustParse(t, "base: {steps: 3, data: {subset: 100}, model: {hidden: [8]}, record: {bias: 1, sharpness: 2}}\ngrid: {optimizer.beta2: [0.9, 0.99]}")
	var histories [2][]string
	for i, parallel := range []int{1, 2} {
		dir := t.TempDir()
		if err := s.Execute(t.Context(), dir, Options{Parallel: parallel}); err != nil {
			t.Fatal(err)
		}
		for _, d := range s.RunDirs(dir) {
			data, err := os.ReadFile(filepath.Join(d, "history.csv"))
			if err != nil {
				t.Fatal(err)
			}
			histories[i] = append(histories[i], string(data))
		}
	}
	if !slices.Equal(histories[0], histories[1]) {
		t.Errorf("histories differ:\n%s\n%s", histories[0], histories[1])
	}
}

// sizeOfConfig returns a config, and its memory as planned.
func sizeOfConfig(t *testing.T, src string, overrides ...string) (*config.Config, int64) {
	t.Helper()
	c, err := config.Parse("c", []byte(src), overrides)
	if err != nil {
		t.Fatal(err)
	}
	n, err := (&sizer{}).of(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return c, n
}

// What a run asks for is one mechanism with what is planned, see run.Rooms; this is that all which is measured is in it.
func TestWhatIsMeasuredIsPlanned(t *testing.T) {
	for _, objective := range []string{"objective={name: quadratic, spectrum: [1, 2, 3]}", "model.hidden=[300]"} {
		_, bare := sizeOfConfig(t, "record: {bias: 0, sharpness: 0, state: 0}\nbeside: []", objective)
		for _, more := range []string{"record.state=1", "dtype=float64", "record.sharpness=1", "record.bias=1", "beside=[state-2, central]", "optimizer.name=adamax,record.bias=1"} {
			t.Run(objective+" "+more, func(t *testing.T) {
				if _, planned := sizeOfConfig(t, "record: {bias: 0, sharpness: 0, state: 0}\nbeside: []", objective, more); planned <= bare {
					t.Errorf("%d bytes are planned, and %d of nothing measured", planned, bare)
				}
			})
		}
	}
}

func TestMemoryGrowsWithTheBatchAndIsKnownForDataThatIsNotThere(t *testing.T) {
	size := func(src string, overrides ...string) int64 {
		_, n := sizeOfConfig(t, src, overrides...)
		return n
	}
	src := "{data: {name: cifar10, path: nowhere}, model: {name: cnn, channels: [4, 8], dense: 16}}"
	few, more := size(src, "batch.physical=100"), size(src, "batch.physical=400")
	if few <= 0 || more <= few {
		t.Errorf("%d bytes with 100 examples at once, %d with 400", few, more)
	}
	whole := "{data: {name: digits}, model: {name: mlp, hidden: [64]}, record: {bias: 1}, batch: {physical: 64}}"
	if one, several := size(whole), size(whole, "batch.mode=cyclic", "batch.size=64"); several <= one {
		t.Errorf("%d bytes with the Hessian-vector product of full batches, %d with those of mini-batches", one, several)
	}
	wide := "{data: {name: digits}, model: {name: mlp, hidden: [300]}, record: {bias: 0, state: 0}, batch: {physical: 64}}" // rows by rows of the first weight are 90,000
	if plain, matrices := size(wide), size(wide, "optimizer={name: shampoo}"); matrices < plain+4*2*90_000 {
		t.Errorf("%d bytes with what Adam remembers, %d with Shampoo's matrices, too", plain, matrices)
	}
	// Far more than this machine has: nothing of it is allocated.
	huge := "{data: {name: cifar10, path: nowhere}, model: {name: resnet50}, record: {bias: 1}}"
	if n := size(huge, "batch.physical=50000"); n < 1<<40 {
		t.Errorf("%d bytes for a network on all of 50000 images at once", n)
	}
}

func TestARunOfAnotherProcessIsWaitedFor(t *testing.T) {
	s, err := Parse("s.yaml", []byte("base: {objective: {name: rosenbrock}, steps: 5}\n"), 0)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	tries := 0
	opt := Options{Wait: time.Minute, Run: func(context.Context, *config.Config, string) error {
		if tries++; tries == 1 {
			return &record.InUseError{Dir: dir}
		}
		return nil
	}}
	if err := s.RunOne(t.Context(), dir, 0, opt); err != nil || tries != 2 {
		t.Errorf("%d tries, %v", tries, err)
	}
	tries, opt.Wait = 0, 0
	var inUse *record.InUseError
	if err := s.RunOne(t.Context(), dir, 0, opt); !errors.As(err, &inUse) || tries != 1 {
		t.Errorf("%d tries, %v", tries, err)
	}
}

func TestWhileItsLockIsHeldARunIsNotTriedAgain(t *testing.T) {
	s, err := Parse("s.yaml", []byte("base: {objective: {name: rosenbrock}, steps: 5}\n"), 0)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	other := s.RunDirs(dir)[0]
	tries := 0
	opt := Options{Wait: time.Minute, Run: func(context.Context, *config.Config, string) error {
		if tries++; tries > 1 {
			if record.InUse(other) {
				t.Errorf("try %d: the lock is held", tries)
			}
			return nil
		}
		if err := os.MkdirAll(other, 0o755); err != nil {
			return err
		}
		lock := flock.New(filepath.Join(other, "lock"))
		if err := lock.Lock(); err != nil {
			return err
		}
		time.AfterFunc(1500*time.Millisecond, func() { _ = lock.Unlock() })
		return &record.InUseError{Dir: other}
	}}
	if err := s.RunOne(t.Context(), dir, 0, opt); err != nil || tries != 2 {
		t.Errorf("%d tries, %v", tries, err)
	}
}
