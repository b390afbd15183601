package record

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A density has a file of its own, by its step: density-000000000120.json.
const (
	densityPrefix = "density-"
	densitySuffix = ".json"
)

func densityFile(step int) string {
	return fmt.Sprintf("%s%012d%s", densityPrefix, step, densitySuffix)
}

// WriteDensity makes v, as JSON, the density of eigenvalues behind so many steps.
func (d *Dir) WriteDensity(step int, v any) error {
	if err := d.check(); err != nil {
		return err
	}
	return writeJSON(d.file(densityFile(step)), v)
}

// ReadDensity reads into v the density of eigenvalues that a run wrote behind so many steps. Of a run that has ended it is the one that the run ended with. The
// error is fs.ErrNotExist if there is none.
func ReadDensity(dir string, step int, v any) error {
	if err := CheckFile(dir, densityFile(step)); err != nil {
		return err
	}
	return readJSON(filepath.Join(dir, densityFile(step)), v)
}

// densities returns the names of the files of densities.
func (d *Dir) densities() ([]string, error) {
	entries, err := os.ReadDir(d.path)
	var names []string
	for _, e := range entries {
		step, ours := strings.CutPrefix(strings.TrimSuffix(e.Name(), densitySuffix), densityPrefix)
		if n, err := strconv.Atoi(step); ours && err == nil && e.Name() == densityFile(n) {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// cutDensities removes those that the run makes again where it goes on from a checkpoint, and those that are not as it wrote them.
func (d *Dir) cutDensities(c *Checkpoint) error {
	names, err := d.densities()
	if err != nil {
		return err
	}
	s, err := readSums(d.path)
	if err != nil && !errors.Is(err, errSums) {
		return err
	}
	first := 0
	if c != nil {
		if first = c.Step; ofEnded(c.name) {
			first++
		}
	}
	for _, name := range names {
		if name < densityFile(first) {
			altered := s.check(d.path, name)
			if altered == nil {
				continue
			}
			if err := d.Logf("%v: it is removed", altered); err != nil {
				return err
			}
		}
		if err := os.Remove(d.file(name)); err != nil {
			return err
		}
	}
	return nil
}
