package record

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"strconv"

	"shadowflow/internal/userfile"
	"shadowflow/safetensors"
)

// A Checkpoint is the state of a run between two steps: everything that the next step depends on.
type Checkpoint struct {
	// Step is the number of steps taken.
	Step int
	// Metadata holds the small things, as text: states of random generators, counters, times. The names below are the record's.
	Metadata map[string]string
	// Tensors holds the large ones.
	Tensors []safetensors.Tensor
	// Ended says, where it is written, that the last row of a run is in the history: a run that is extended goes on from before it.
	Ended bool

	history binding
	name    string // of the file that it was read from
}

// A binding is what was recorded up to a checkpoint.
type binding struct {
	// size is the length of the history, in bytes.
	size int64
	// sum is the SHA-256 of these bytes, columns that of the file of columns, both in hexadecimal; empty in checkpoints of earlier versions.
	sum, columns string
}

// isOf reports whether a history, no shorter than it was then, begins as it was then.
func (b binding) isOf(history []byte) bool {
	history = history[:b.size]
	if b.sum == "" { // a checkpoint of an earlier version knows the length alone
		return b.size == 0 || history[b.size-1] == '\n'
	}
	return b.sum == sumOfBytes(history)
}

// A checkpoint is a safetensors file with these names in its metadata beside the run's own. The checksum is made and checked this way in every
// version, such that a changed byte is never taken for another version.
const (
	versionName    = safetensors.CheckpointVersion
	stepName       = "step"
	historyName    = "history_size"
	historySumName = "history_sha256"
	columnsSumName = "columns_sha256"
	sumName        = safetensors.Sum

	checkpointVersion = "1"
)

// writeTo writes the checkpoint. It asks for the elements of each tensor twice: to compute the checksum, which comes first in the
// file, and to write them.
func (c *Checkpoint) writeTo(w io.Writer) error {
	metadata := map[string]string{
		versionName: checkpointVersion, stepName: strconv.Itoa(c.Step), historyName: strconv.FormatInt(c.history.size, 10),
		historySumName: c.history.sum, columnsSumName: c.history.columns, sumName: "",
	}
	for name, text := range c.Metadata {
		if _, taken := metadata[name]; taken {
			return fmt.Errorf("checkpoint of step %d: metadata %q is the record's own; choose another name", c.Step, name)
		}
		metadata[name] = text
	}
	return safetensors.WriteSummed(w, c.Tensors, metadata)
}

// errDamaged marks a checkpoint that is not what was written. Any other error of reading says nothing about the checkpoint.
var errDamaged = errors.New("damaged")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errDamaged, fmt.Sprintf(format, args...))
}

// openCheckpoint reads a checkpoint's file.
func openCheckpoint(path string) (*Checkpoint, error) {
	file, size, err := userfile.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	c, err := readCheckpoint(file, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// peekCheckpoint reads what a checkpoint's header says, and does not ask whether the file is whole.
func peekCheckpoint(path string) (*Checkpoint, error) {
	file, size, err := userfile.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	metadata, err := safetensors.ReadMetadata(file, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, judge(err))
	}
	c, err := fromFile(&safetensors.File{Metadata: metadata})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// readCheckpoint reads a checkpoint from a file of the given size. Nothing larger than that is ever allocated, whatever the bytes
// claim.
func readCheckpoint(r io.Reader, size int64) (*Checkpoint, error) {
	file, whole, err := safetensors.ReadSummed(r, size)
	if err != nil {
		return nil, judge(err)
	}
	if !whole {
		return nil, damaged("%v", safetensors.ErrSum)
	}
	return fromFile(file)
}

// judge calls a checkpoint damaged where the error is one of its content.
func judge(err error) error {
	var format *safetensors.FormatError
	switch {
	case errors.As(err, &format):
		return damaged("%v", err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return damaged("cut short: %v", err)
	}
	return err
}

// fromFile takes the record's own metadata out of a file that is what was written.
func fromFile(file *safetensors.File) (*Checkpoint, error) {
	own := map[string]string{}
	for _, name := range []string{versionName, stepName, historyName, historySumName, columnsSumName, sumName} {
		own[name] = file.Metadata[name]
	}
	if v := own[versionName]; v != checkpointVersion {
		return nil, fmt.Errorf("version %q of the format; this program reads %q", v, checkpointVersion)
	}
	maps.DeleteFunc(file.Metadata, func(name, _ string) bool { _, ok := own[name]; return ok })
	c := &Checkpoint{Metadata: file.Metadata, Tensors: file.Tensors, history: binding{sum: own[historySumName], columns: own[columnsSumName]}}
	var err error
	if c.Step, err = strconv.Atoi(own[stepName]); err != nil || c.Step < 0 {
		return nil, damaged("%s %q: expected a whole number of at least 0", stepName, own[stepName])
	}
	if c.history.size, err = strconv.ParseInt(own[historyName], 10, 64); err != nil || c.history.size < 0 {
		return nil, damaged("%s %q: expected a whole number of at least 0", historyName, own[historyName])
	}
	return c, nil
}
