package record

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"shadowflow/internal/atomicfile"
	"shadowflow/schema"
)

// An exportFormat writes a history in one format.
type exportFormat struct {
	name  string
	file  string // the file's name if none is given
	isDir bool   // what is given is the directory to put it in
	write func(w io.Writer, h *History) error
	// run writes a history with what else the run's directory says, where the format has a place for it.
	run func(w io.Writer, dir string, h *History) (notes []string, err error)
}

func exportFormats() []exportFormat {
	return []exportFormat{
		{name: "parquet", file: "export.parquet", write: writeParquet},
		{name: "csv", file: "export.csv", write: writeCSV},
		{name: "npz", file: "export.npz", write: writeNPZ},
		// TensorBoard looks for tfevents in the names of files, in any directory.
		{name: "tensorboard", file: "events.out.tfevents.0.shadowflow", isDir: true, run: writeTensorBoard},
	}
}

// ExportFormats returns the names of the formats that Export knows.
func ExportFormats() []string {
	var names []string
	for _, f := range exportFormats() {
		names = append(names, f.name)
	}
	return names
}

// Export writes the history of a run directory, which may be in use, in another
// format, and returns the path of the file it wrote, and what of it is not as it should be, a sentence each. A file of that name is replaced.
//
//   - parquet: a column each, null where nothing was measured.
//   - csv: the history's complete lines.
//   - npz: an array each; where nothing was measured floats are NaN and texts empty, and a
//     column of whole numbers becomes one of floats.
//   - tensorboard: a scalar each of the columns that are numbers, in float32 as TensorBoard has them, in groups, at the time when the run
//     began (the first line of its log; 1970 without one) and the seconds of work since; and the config as hyperparameters. A point whose
//     time is not known is at that of the one before it.
//
// out is the file, and for tensorboard the directory; if empty it is in the run directory.
func Export(dir, format, out string) (path string, notes []string, err error) {
	f, err := findExportFormat(format)
	if err != nil {
		return "", nil, err
	}
	h, err := ReadHistory(dir)
	if err != nil {
		return "", nil, err
	}
	path = f.path(dir, out)
	for _, run := range []string{dir, filepath.Dir(path)} { // this one, and that it is put into
		if err := refuseRecord(run, path); err != nil {
			return "", nil, err
		}
	}
	if f.isDir {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return "", nil, err
		}
	}
	err = atomicfile.Write(path, func(w io.Writer) error {
		if f.run == nil {
			return f.write(w, h)
		}
		notes, err = f.run(w, dir, h)
		return err
	})
	return path, notes, err
}

// ExportPath returns the file that Export would write.
func ExportPath(dir, format, out string) (string, error) {
	f, err := findExportFormat(format)
	return f.path(dir, out), err
}

func (f exportFormat) path(dir, out string) string {
	switch {
	case out == "":
		return filepath.Join(dir, f.file)
	case f.isDir:
		return filepath.Join(out, f.file)
	}
	return out
}

func findExportFormat(name string) (exportFormat, error) {
	for _, f := range exportFormats() {
		if f.name == name {
			return f, nil
		}
	}
	return exportFormat{}, fmt.Errorf("unknown format %q; %s", name, schema.Suggest(name, ExportFormats()))
}

// RefuseRecord returns an error where a path is that of a file of the record of a run, be it there or not: what else wrote it would be taken for the run's
// own, or replaced by it.
func RefuseRecord(path string) error { return refuseRecord(filepath.Dir(path), path) }

// refuseRecord keeps a file of the record of the run in a directory from being written by anything else.
func refuseRecord(dir, path string) error {
	names := []string{
		historyFile, columnsFile, timesFile, configFile, logFile, resultFile, failureFile, VersionFile, standardFile, sumsFile, lockFile, holderFile, WeightsFile, AverageFile,
	}
	there, err := os.Stat(path)
	exists := err == nil
	of, err := os.Stat(filepath.Dir(path))
	run, missing := os.Stat(dir)
	if err != nil || missing != nil {
		return nil // who writes there says what is wrong
	}
	name := filepath.Base(path)
	for _, recorded := range names {
		record, err := os.Stat(filepath.Join(dir, recorded))
		same := exists && err == nil && os.SameFile(there, record) // by whatever name
		if same || os.SameFile(of, run) && isRun(dir) && strings.EqualFold(name, recorded) {
			return fmt.Errorf("%s is part of the run's record; choose another file", path)
		}
	}
	if strings.EqualFold(name, SweepFile) && isSweep(filepath.Dir(path)) {
		return fmt.Errorf("%s is what the sweep there is; choose another file", path)
	}
	if isCheckpoint(strings.ToLower(name)) && (exists || isRun(dir)) {
		return fmt.Errorf("%s is named like a checkpoint; choose another file", path)
	}
	return nil
}

// SweepFile is, in the directory of a sweep, the copy of its file, and SweepRuns the directory of its runs.
const (
	SweepFile = "sweep.yaml"
	SweepRuns = "runs"
)

// isSweep reports whether a directory is one of a sweep.
func isSweep(dir string) bool {
	for _, name := range []string{SweepFile, SweepRuns} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}

// RefuseTaken returns an error where a run or a sweep is in a directory that something else is to be written into.
func RefuseTaken(dir string) error {
	what := ""
	switch {
	case isRun(dir):
		what = "run"
	case isSweep(dir):
		what = "sweep"
	default:
		return nil
	}
	return fmt.Errorf("%s: a %s is in it; choose another directory, new or empty", dir, what)
}

// isRun reports whether a directory is one of a run, or is about to be.
func isRun(dir string) bool {
	for _, name := range []string{configFile, historyFile, columnsFile} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}

// writeCSV writes the table as it is in the record.
func writeCSV(w io.Writer, h *History) error {
	header := make([]string, len(h.Columns))
	for i, c := range h.Columns {
		header[i] = c.Name
	}
	if _, err := w.Write(formatRecord(header)); err != nil {
		return err
	}
	for _, row := range h.Rows {
		line, err := formatRow(row, h.Columns)
		if err != nil {
			return err
		}
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return nil
}
