package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"shadowflow/internal/atomicfile"
	"shadowflow/internal/userfile"
)

// sumsFile has the SHA-256 of each file that a run ends with, in the form that sha256sum writes and checks. It is written before the result, which is the
// mark that a run has ended, and it goes before anything of an ended run changes.
const sumsFile = "SHA256SUMS"

// sums are the SHA-256 of files, in hexadecimal, by their names.
type sums map[string]string

// errSums marks a file of sums that is none.
var errSums = errors.New("not what the run wrote")

// readSums reads the sums of a run directory, nil if it has none: the run has not ended, or is of an earlier version.
func readSums(dir string) (sums, error) {
	path := filepath.Join(dir, sumsFile)
	text, err := userfile.ReadAll(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s, err := parseSums(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w; run --resume writes it anew", path, err)
	}
	return s, nil
}

// parseSums reads what format writes, and nothing else.
func parseSums(text string) (sums, error) {
	s, before := sums{}, ""
	for line := range strings.Lines(text) {
		sum, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		_, err := hex.DecodeString(sum)
		switch {
		case err != nil || len(sum) != hex.EncodedLen(sha256.Size) || strings.ToLower(sum) != sum || !strings.HasSuffix(line, "\n"):
			return nil, fmt.Errorf("%w: %.80q is not the SHA-256 of a file and its name", errSums, line)
		case name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\\\x00"):
			return nil, fmt.Errorf("%w: %.80q is not a file of the directory", errSums, name)
		case name <= before:
			return nil, fmt.Errorf("%w: %.80q is not in its place", errSums, name)
		}
		s[name], before = sum, name
	}
	if len(s) == 0 {
		return nil, fmt.Errorf("%w: it is empty", errSums)
	}
	return s, nil
}

// format returns the sums as text, sorted by name.
func (s sums) format() []byte {
	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(s)) {
		fmt.Fprintf(&b, "%s  %s\n", s[name], name)
	}
	return b.Bytes()
}

// check returns an error, which wraps errAltered, if a file that the sums have is not there as it was.
func (s sums) check(dir, name string) error {
	want, ok := s[name]
	if !ok {
		return nil
	}
	path := filepath.Join(dir, name)
	switch got, err := sumOf(path); {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s is not there, which the run ended with: it was %w", path, errAltered)
	case err != nil:
		return err
	case got != want:
		return fmt.Errorf("%s was %w since the run ended: its SHA-256 is %.12s, was %.12s", path, errAltered, got, want)
	}
	return nil
}

// writeSums writes the sums of files of the directory and of the result that is about to be written.
func (d *Dir) writeSums(result []byte, files []string) error {
	s := sums{resultFile: sumOfBytes(result)}
	densities, err := d.densities()
	if err != nil {
		return err
	}
	for _, name := range slices.Concat(files, []string{configFile, columnsFile, historyFile, standardFile}, densities) {
		sum, err := sumOf(d.file(name))
		if errors.Is(err, fs.ErrNotExist) && name == standardFile { // of data that was left as it is
			continue
		}
		if err != nil {
			return err
		}
		s[name] = sum
	}
	return atomicfile.WriteBytes(d.file(sumsFile), s.format())
}

// Changed says what is wrong with the files that a run ended with, beside config, columns, history and result, a sentence each; none if they are as they
// were. Where nothing says what they were, for SHA256SUMS is not there, bound is false and the one sentence says that.
func (d *Dir) Changed() (wrong []string, bound bool, err error) {
	s, err := readSums(d.path)
	switch {
	case errors.Is(err, errSums):
		return []string{fmt.Sprintf("%s is damaged", d.file(sumsFile))}, true, nil
	case err != nil:
		return nil, false, err
	case s == nil:
		return []string{fmt.Sprintf("%s is not there", d.file(sumsFile))}, false, nil
	}
	for _, name := range slices.Sorted(maps.Keys(s)) {
		if slices.Contains([]string{configFile, columnsFile, historyFile, resultFile}, name) {
			continue
		}
		switch err := s.check(d.path, name); {
		case errors.Is(err, errAltered):
			wrong = append(wrong, err.Error())
		case err != nil:
			return nil, true, err
		}
	}
	return wrong, true, nil
}

// CutOff says what becomes of a history that is not the one that the run ended with, where the run goes on from a checkpoint of Newest; "" for one that is.
// Of a run that has not ended nothing is said: rows behind a checkpoint are then what an interruption left.
func (d *Dir) CutOff(c *Checkpoint) (note string, err error) {
	s, err := readSums(d.path)
	if errors.Is(err, errSums) { // which Changed says
		return "", nil
	}
	if err != nil {
		return "", err
	}
	err = s.check(d.path, historyFile)
	if errors.Is(err, errAltered) {
		return fmt.Sprintf("%v; what stands behind its first %d bytes, those of %s, is cut off", err, c.history.size, c.name), nil
	}
	return "", err
}

// sumOf returns the SHA-256 of a file.
func sumOf(path string) (string, error) {
	file, _, err := userfile.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }() // it was only read
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// sumOfBytes returns the SHA-256 of what a file has.
func sumOfBytes(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
