package cluster

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"shadowflow/experiment/config"
	"shadowflow/experiment/sweep"
)

// planned returns a plan of n pending runs of 100 steps, which an estimate says take so many seconds and bytes.
func planned(n int, seconds float64, bytes int64) *sweep.Plan {
	p := &sweep.Plan{}
	for i := range n {
		r := sweep.PlannedRun{Bytes: bytes, Seconds: seconds}
		r.Run = sweep.Run{Index: i, Config: &config.Config{Steps: 100}}
		r.State = sweep.Pending
		p.Runs = append(p.Runs, r)
	}
	return p
}

func tasks(jobs []Job) [][][]int {
	var out [][][]int
	for _, j := range jobs {
		out = append(out, j.Tasks)
	}
	return out
}

func TestRunsBecomeArraysOfTasks(t *testing.T) {
	const gib = 1 << 30
	for _, c := range []struct {
		name   string
		plan   *sweep.Plan
		change func(*sweep.Plan)
		needs  Needs
		want   [][][]int
	}{
		{"long runs are tasks of their own", planned(3, 3600, gib), nil, Needs{}, [][][]int{{{0}, {1}, {2}}}},
		{"short ones share a task", planned(5, 60, gib), nil, Needs{Slurm: sweep.Slurm{Pack: "2m"}}, [][][]int{{{0, 1}, {2, 3}, {4}}}},
		{"within half of the time limit", planned(4, 60, gib), nil, Needs{Slurm: sweep.Slurm{Pack: "1h", Time: "6m", Grace: "2m"}}, [][][]int{{{0, 1}, {2, 3}}}},
		{"those of unknown time do not", planned(2, 0, gib), nil, Needs{Slurm: sweep.Slurm{Pack: "1h"}}, [][][]int{{{0}, {1}}}},
		{"arrays are below MaxArraySize", planned(5, 0, gib), nil, Needs{MaxArray: 3}, [][][]int{{{0}, {1}}, {{2}, {3}}, {{4}}}},
		{"runs of other memory are in another array", planned(3, 0, gib), func(p *sweep.Plan) { p.Runs[1].Bytes = 8 * gib }, Needs{}, [][][]int{{{0}, {2}}, {{1}}}},
		{"unless the memory is given", planned(3, 0, gib), func(p *sweep.Plan) { p.Runs[1].Bytes = 8 * gib }, Needs{Slurm: sweep.Slurm{Mem: "9GiB"}}, [][][]int{{{0}, {1}, {2}}}},
		{"what is queued, ended, running or failed is left out", planned(6, 0, gib), func(p *sweep.Plan) {
			p.Runs[1].State, p.Runs[2].State, p.Runs[3].State, p.Runs[4].State = sweep.Ended, sweep.Running, sweep.Failed, sweep.Interrupted
		}, Needs{Queued: map[int]bool{0: true}}, [][][]int{{{4}, {5}}}},
		{"those that failed are made again where that is asked", planned(2, 0, gib), func(p *sweep.Plan) { p.Runs[1].State = sweep.Failed }, Needs{RetryFailed: true}, [][][]int{{{0}, {1}}}},
		{"but not the damaged", planned(2, 0, gib), func(p *sweep.Plan) { p.Runs[1].State, p.Runs[1].Damaged = sweep.Failed, true }, Needs{RetryFailed: true}, [][][]int{{{0}}}},
		{"what is interrupted takes what is left", planned(2, 100, gib), func(p *sweep.Plan) { p.Runs[0].State, p.Runs[0].Step = sweep.Interrupted, 90 }, Needs{Slurm: sweep.Slurm{Pack: "110s"}}, [][][]int{{{0, 1}}}},
		{"nothing is no job", planned(0, 1, gib), nil, Needs{}, nil},
		{"each stage makes all", planned(2, 0, gib), nil, Needs{Stages: 2}, [][][]int{{{0}, {1}}, {{0}, {1}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.change != nil {
				c.change(c.plan)
			}
			if c.needs.MaxArray == 0 {
				c.needs.MaxArray = DefaultMaxArray
			}
			if got := tasks(c.needs.Jobs(c.plan)); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestATaskAsksForMoreThanItsEstimate(t *testing.T) {
	for _, c := range []struct {
		seconds float64
		bytes   int64
		asked   sweep.Slurm
		mib     int64
		limit   time.Duration
	}{
		{0, 0, sweep.Slurm{}, 0, 0},
		{60, 100 << 20, sweep.Slurm{Grace: "2m"}, 512, 14 * time.Minute},
		{36000, 4 << 30, sweep.Slurm{}, 6144, 20*time.Hour + 10*time.Minute},
		{1e9, 4 << 30, sweep.Slurm{}, 6144, 24 * time.Hour},
		{0, 100 << 20, sweep.Slurm{Options: []string{"--mem-bind=none"}}, 512, 0},
		{0, 100 << 20, sweep.Slurm{Options: []string{"--exclusive", "--mem-per-cpu=1G"}}, 0, 0},
		{0, 100 << 20, sweep.Slurm{Options: []string{"--mem 0"}}, 0, 0},
		{60, 100 << 20, sweep.Slurm{Time: "1-00:00:30", Mem: "3GiB"}, 3072, 24*time.Hour + 30*time.Second},
	} {
		t.Run(fmt.Sprintf("%g s, %d bytes, %+v", c.seconds, c.bytes, c.asked), func(t *testing.T) {
			j := Needs{Slurm: c.asked, MaxArray: DefaultMaxArray}.Jobs(planned(1, c.seconds, c.bytes))[0]
			if j.Bytes != c.mib<<20 || j.Limit != c.limit {
				t.Errorf("asks for %d MiB and %v, want %d and %v", j.Bytes>>20, j.Limit, c.mib, c.limit)
			}
		})
	}
}

func TestNoRunIsLostOrTwiceInAStage(t *testing.T) {
	plan := planned(1234, 7, 1<<28)
	for i := range plan.Runs {
		plan.Runs[i].Seconds, plan.Runs[i].Bytes = float64(i%90), int64(i%7)<<27
	}
	var runs []int
	for _, j := range (Needs{Slurm: sweep.Slurm{Pack: "1m"}, MaxArray: 50}).Jobs(plan) {
		if len(j.Tasks) >= 50 {
			t.Errorf("an array of %d tasks", len(j.Tasks))
		}
		runs = append(runs, slices.Concat(j.Tasks...)...)
	}
	slices.Sort(runs)
	for i, run := range runs {
		if i != run || len(runs) != 1234 {
			t.Fatalf("run %d is at place %d of %d", run, i, len(runs))
		}
	}
}
