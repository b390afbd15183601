package cluster

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"shadowflow/internal/userfile"
)

// byHand returns the jobs in Slurm's queue whose scripts are those of a sweep, and which no note has: people submitted them, or a process that ended before it noted them. They are found
// by where their scripts lie. Of a script without a list beside it, a copy under another name, the runs are not known, and the job is left out.
func byHand(ctx context.Context, dir string, noted []Submitted) ([]Submitted, error) {
	folders, err := folders(dir)
	if err != nil || len(folders) == 0 {
		return nil, err
	}
	text, err := call(ctx, "", "squeue", "--noheader", "--me", "--format=%F|%j|%o")
	if err != nil {
		return nil, err
	}
	ours := infos(folders)
	var out []Submitted
	for line := range strings.Lines(text) {
		f := strings.SplitN(strings.TrimSpace(line), "|", 3)
		if len(f) < 3 {
			continue
		}
		id, err := strconv.Atoi(f[0])
		script := f[2]
		is := func(j Submitted) bool { return j.ID == id }
		if err != nil || slices.ContainsFunc(noted, is) || slices.ContainsFunc(out, is) || !within(script, ours) {
			continue
		}
		tasks, err := readList(strings.TrimSuffix(script, ".sh") + ".runs")
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return nil, err
		}
		out = append(out, Submitted{ID: id, Name: f[1], File: script, Tasks: tasks})
	}
	return out, nil
}

// infos returns what the file system says of folders, but for those that are gone.
func infos(folders []string) []fs.FileInfo {
	var out []fs.FileInfo
	for _, f := range folders {
		if info, err := os.Stat(f); err == nil {
			out = append(out, info)
		}
	}
	return out
}

// within reports whether a file lies in one of some folders, whose paths may be others here than where it was submitted.
func within(path string, folders []fs.FileInfo) bool {
	at, err := os.Stat(filepath.Dir(path))
	return err == nil && slices.ContainsFunc(folders, func(f fs.FileInfo) bool { return os.SameFile(at, f) })
}

// readList reads a list of runs as [Job.List] writes it. What people put there that is no number is no run.
func readList(path string) ([][]int, error) {
	text, err := userfile.Read(path, maxNote)
	if err != nil {
		return nil, err
	}
	var out [][]int
	for line := range strings.Lines(string(text)) {
		var runs []int
		for _, word := range strings.Fields(line) {
			if run, err := strconv.Atoi(word); err == nil && run >= 0 {
				runs = append(runs, run)
			}
		}
		out = append(out, runs)
	}
	return out, nil
}
