// Package cluster hands the runs of a sweep to the scheduler of a cluster: as job arrays to Slurm, or as a list of commands to any other.
//
// Nothing of a run's state is kept here: a run is made by sweep run-one in its own directory, which says how far it has come. What a submission adds
// is a folder in the sweep's directory with the scripts, the list of each task's runs, and the numbers that Slurm gave the jobs.
package cluster

import (
	"math"
	"slices"
	"time"

	"shadowflow/experiment/sweep"
)

// A Job is a job array whose tasks ask for the same.
type Job struct {
	// Tasks are the indexes of the runs that each task makes, one after the other.
	Tasks [][]int
	// Bytes is the memory of a task, 0 where it is not known: then the cluster's default holds.
	Bytes int64
	// Limit is the time limit of a task, 0 where nothing is known: then the cluster's default holds.
	Limit time.Duration
	// Stage counts from 0: a job of stage n begins when all jobs of the stage before have ended.
	Stage int
}

// Needs say how runs are put into jobs.
type Needs struct {
	sweep.Slurm
	// MaxArray is Slurm's MaxArraySize: the indexes of an array's tasks are below it, and so is their number.
	MaxArray int
	// Queued are the runs that a job already has.
	Queued map[int]bool
	// RetryFailed makes runs again that failed.
	RetryFailed bool
	// Stages is how many jobs make each run in turn, one where 0: a sweep with halving has one for each rung, and one more.
	Stages int
}

// DefaultMaxArray is Slurm's MaxArraySize where its configuration says nothing.
const DefaultMaxArray = 1001

// What a task asks for beyond its estimates. Estimates of time come from one machine and of memory from the program's own arrays; a limit is no
// longer than a day, since a run that needs more is queued again and goes on.
const (
	timeFactor   = 2
	timeMargin   = 10 * time.Minute
	longestLimit = 24 * time.Hour
	memoryFactor = 1.25
	memoryMargin = 256 << 20
)

// missing returns the runs of a plan that are to be made, and that no job has.
func (n Needs) missing(p *sweep.Plan) []sweep.PlannedRun {
	var out []sweep.PlannedRun
	for _, r := range p.Runs {
		if r.Missing(n.RetryFailed) && !n.Queued[r.Run.Index] {
			out = append(out, r)
		}
	}
	return out
}

// Jobs returns job arrays that make the missing runs of a plan, each once a stage. Runs that ask for the same memory share an array, in their order, and short
// ones a task.
func (n Needs) Jobs(p *sweep.Plan) []Job {
	byMemory := map[int64][]sweep.PlannedRun{}
	var sizes []int64
	for _, r := range n.missing(p) {
		bytes := n.memoryOf(r)
		if byMemory[bytes] == nil {
			sizes = append(sizes, bytes)
		}
		byMemory[bytes] = append(byMemory[bytes], r)
	}
	var first []Job
	for _, bytes := range sizes {
		tasks := n.pack(byMemory[bytes])
		for chunk := range slices.Chunk(tasks, max(1, n.MaxArray-1)) {
			first = append(first, n.job(chunk, bytes))
		}
	}
	var out []Job
	for stage := range max(1, n.Stages) {
		for _, j := range first {
			j.Stage = stage
			out = append(out, j)
		}
	}
	return out
}

// task is what one task makes, with the estimate of its time in seconds, NaN where it is not known.
type task struct {
	runs    []int
	seconds float64
}

// pack puts runs into tasks. A run whose time is not known has a task of its own.
func (n Needs) pack(runs []sweep.PlannedRun) []task {
	var out []task
	most := n.PackTime().Seconds()
	if limit := (n.Limit() - n.GraceTime()).Seconds(); n.Limit() > 0 {
		most = min(most, limit/timeFactor)
	}
	for _, r := range runs {
		seconds := secondsLeft(r)
		if last := len(out) - 1; last >= 0 && out[last].seconds+seconds <= most {
			out[last].runs, out[last].seconds = append(out[last].runs, r.Run.Index), out[last].seconds+seconds
			continue
		}
		out = append(out, task{[]int{r.Run.Index}, seconds})
	}
	return out
}

// secondsLeft is the estimate of what is left of a run, NaN where it is not known.
func secondsLeft(r sweep.PlannedRun) float64 {
	steps := r.Run.Config.Steps
	if r.Seconds <= 0 || steps <= 0 {
		return math.NaN()
	}
	return r.Seconds * float64(max(1, steps-r.Step)) / float64(steps)
}

func (n Needs) job(tasks []task, bytes int64) Job {
	j := Job{Bytes: bytes, Limit: n.Limit()}
	longest := 0.0
	for _, t := range tasks {
		j.Tasks = append(j.Tasks, t.runs)
		longest = max(longest, t.seconds) // NaN if any is
	}
	if j.Limit == 0 && longest > 0 {
		estimate := min(timeFactor*longest, longestLimit.Seconds())
		j.Limit = min(longestLimit, (time.Duration(estimate*float64(time.Second)) + timeMargin + n.GraceTime()).Round(time.Minute))
	}
	return j
}

// memoryOf returns what a run asks for, in steps that are at most a quarter of it, so that runs of about one size share an array.
func (n Needs) memoryOf(r sweep.PlannedRun) int64 {
	if given := n.Memory(); given > 0 || r.Bytes <= 0 || n.MemoryInOptions() {
		return given
	}
	need := int64(float64(r.Bytes)*memoryFactor) + memoryMargin
	step := int64(memoryMargin)
	for step*8 <= need {
		step *= 2
	}
	return (need + step - 1) / step * step
}
