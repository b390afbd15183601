package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"shadowflow/experiment/sweep"
	"shadowflow/internal/atomicfile"
	"shadowflow/internal/userfile"
)

// Names in the directory of a sweep: a folder for each submission, counted from 001, and in it what was submitted.
const (
	folder   = "slurm"
	jobsFile = "jobs.json"
)

// Submitted is a job that Slurm has taken.
type Submitted struct {
	// ID is Slurm's number of it.
	ID    int     `json:"job"`
	Name  string  `json:"name"`
	File  string  `json:"script"` // its path
	Stage int     `json:"stage"`
	Tasks [][]int `json:"tasks"` // of each task, the runs
}

// A Script is a file of a submission.
type Script struct {
	Job
	// Path is where the script lies, or is to; List, an absolute path, is its list of runs.
	Path, List string
	Name, Text string // of the job, and what the script says
}

// Scripts returns the files of a submission, whose folder [Next] says, without writing them. Jobs are called after the sweep's directory.
func Scripts(at string, jobs []Job, p Place, s sweep.Slurm) ([]Script, error) {
	absolute, err := filepath.Abs(at)
	if err != nil {
		return nil, err
	}
	if strings.ContainsAny(absolute, `%\`) { // which stand for other things in names of Slurm's logs
		return nil, fmt.Errorf("%s: Slurm writes no logs into a directory with %% or \\ in its path; choose another one by --out", absolute)
	}
	out := make([]Script, len(jobs))
	for i, j := range jobs {
		file := fmt.Sprintf("job-%d", i)
		out[i] = Script{Job: j, Path: filepath.Join(at, file+".sh"), List: filepath.Join(absolute, file+".runs")}
		out[i].Name = jobName(filepath.Base(p.Sweep))
		out[i].Text = j.script(p, out[i].Name, s, file, out[i].List)
	}
	return out, nil
}

// Next returns the folder of the next submission from a sweep's directory. It is to be asked for before the queue is: then what another process submits after the queue was read
// has this folder, and [Submit] refuses it.
func Next(dir string) (string, error) {
	folders, err := folders(dir)
	last := 0
	if len(folders) > 0 {
		last, _ = strconv.Atoi(filepath.Base(folders[len(folders)-1])) // they are numbers
	}
	return filepath.Join(dir, folder, fmt.Sprintf("%03d", last+1)), err
}

// folders returns those of the submissions, in their order.
func folders(dir string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(dir, folder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var numbers []int
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil && n > 0 && e.IsDir() {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	out := make([]string, len(numbers))
	for i, n := range numbers {
		out[i] = filepath.Join(dir, folder, fmt.Sprintf("%03d", n))
	}
	return out, nil
}

// Arguments returns those of the sbatch that submits a script, behind the jobs of the stage before.
func (s Script) Arguments(before []string) []string {
	out := []string{"--parsable"}
	if s.Stage > 0 {
		out = append(out, "--dependency=afterany:"+strings.Join(before, ":"))
	}
	return append(out, filepath.Base(s.Path))
}

// Submit writes scripts and hands them to Slurm. What it took is noted before the next is handed over; it is returned also beside an error.
func Submit(ctx context.Context, scripts []Script) ([]Submitted, error) {
	if len(scripts) == 0 {
		return nil, nil
	}
	if err := makeFolder(filepath.Dir(scripts[0].Path)); err != nil {
		return nil, err
	}
	for _, s := range scripts {
		if err := s.write(); err != nil {
			return nil, err
		}
	}
	var taken []Submitted
	for _, s := range scripts {
		var before []string
		for _, t := range taken {
			if t.Stage == s.Stage-1 {
				before = append(before, strconv.Itoa(t.ID))
			}
		}
		said, err := call(ctx, filepath.Dir(s.Path), "sbatch", s.Arguments(before)...)
		if err != nil {
			return taken, fmt.Errorf("%s: %w", s.Path, err)
		}
		number, _, _ := strings.Cut(strings.TrimSpace(said), ";") // a cluster's name may follow
		id, err := strconv.Atoi(number)
		if err != nil || id <= 0 {
			return taken, fmt.Errorf("%s: sbatch printed %q; expected the number of a job", s.Path, said)
		}
		taken = append(taken, Submitted{id, s.Name, s.Path, s.Stage, s.Tasks})
		if err := note(filepath.Dir(s.Path), taken); err != nil {
			return taken, err
		}
	}
	return taken, nil
}

// makeFolder makes the folder of a submission, which no other may have made.
func makeFolder(at string) error {
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	err := os.Mkdir(at, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there: the sweep was submitted meanwhile by another process; look at its status, and submit again", at)
	}
	return err
}

func (s Script) write() error {
	return errors.Join(atomicfile.WriteBytes(s.List, []byte(s.Job.List())), atomicfile.WriteBytes(s.Path, []byte(s.Text)))
}

func note(at string, taken []Submitted) error {
	text, err := json.MarshalIndent(taken, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.WriteBytes(filepath.Join(at, jobsFile), append(text, '\n'))
}

// maxNote bounds the length of a note that is read, in bytes: 100,000 runs take some hundred kilobytes.
const maxNote = 64 << 20

// submissions returns the jobs that were submitted from a sweep's directory, the oldest first.
func submissions(dir string) ([]Submitted, error) {
	folders, err := folders(dir)
	if err != nil {
		return nil, err
	}
	var out []Submitted
	for _, at := range folders {
		jobs, err := readNote(filepath.Join(at, jobsFile))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		out = append(out, jobs...)
	}
	return out, nil
}

func readNote(path string) ([]Submitted, error) {
	text, err := userfile.Read(path, maxNote)
	if err != nil {
		return nil, err
	}
	jobs, err := parseNote(text)
	if err != nil {
		return nil, fmt.Errorf("%s is not what a submission writes (%w); remove it, and its jobs are no longer known", path, err)
	}
	return jobs, nil
}

func parseNote(text []byte) ([]Submitted, error) {
	var jobs []Submitted
	if err := json.Unmarshal(text, &jobs); err != nil {
		return nil, err
	}
	for i, j := range jobs {
		if j.ID <= 0 {
			return nil, fmt.Errorf("job %d of %d has the number %d", i+1, len(jobs), j.ID)
		}
	}
	return jobs, nil
}

// A Queue is what Slurm has of a sweep.
type Queue struct {
	Jobs []Submitted
	// Tasks are those that Slurm knows.
	Tasks map[TaskID]Task
}

// ReadQueue asks Slurm for the jobs that were submitted from the directory of a sweep. Without a submission it asks nothing.
func ReadQueue(ctx context.Context, dir string) (*Queue, error) {
	jobs, err := submissions(dir)
	if err != nil {
		return nil, err
	}
	more, err := byHand(ctx, dir, jobs)
	if err != nil {
		return nil, err
	}
	jobs = append(jobs, more...)
	ids := make([]int, len(jobs))
	for i, j := range jobs {
		ids[i] = j.ID
	}
	tasks, err := tasksOf(ctx, ids)
	return &Queue{jobs, tasks}, err
}

// Of returns by runs what Slurm has of them: the first task of a run that waits or runs, or the last that is over.
func (q *Queue) Of() map[int]Task {
	out := map[int]Task{}
	for _, j := range q.Jobs {
		for i, runs := range j.Tasks {
			t, known := q.Tasks[TaskID{j.ID, i}]
			if !known {
				continue
			}
			for _, run := range runs {
				if before, there := out[run]; !there || !before.Queued() {
					out[run] = t
				}
			}
		}
	}
	return out
}

// Queued returns the runs that wait or run.
func (q *Queue) Queued() map[int]bool {
	out := map[int]bool{}
	for run, t := range q.Of() {
		if t.Queued() {
			out[run] = true
		}
	}
	return out
}

// Completing counts the runs whose tasks Slurm is ending: cancelled or queued again, it does not say.
func (q *Queue) Completing() int {
	n := 0
	for _, t := range q.Of() {
		if t.State == "COMPLETING" {
			n++
		}
	}
	return n
}

// Cancel has Slurm cancel the jobs of a sweep that wait or run, and returns their tasks. Slurm counts jobs from the start again when it has
// very many: of those that are not called as what was submitted none is touched.
func (q *Queue) Cancel(ctx context.Context) ([]Task, error) {
	var tasks []Task
	ids := map[string][]string{} // by names, since scancel takes one
	for _, j := range q.Jobs {
		before := len(tasks)
		for i := range j.Tasks {
			if t, ok := q.Tasks[TaskID{j.ID, i}]; ok && t.Queued() {
				tasks = append(tasks, t)
			}
		}
		if len(tasks) > before {
			ids[j.Name] = append(ids[j.Name], strconv.Itoa(j.ID))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(ids)) {
		args := ids[name]
		if name != "" { // earlier versions noted none
			args = append([]string{"--name=" + name}, args...)
		}
		if _, err := call(ctx, "", "scancel", args...); err != nil {
			return nil, err
		}
	}
	return tasks, nil
}
