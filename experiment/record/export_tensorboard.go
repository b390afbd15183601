package record

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"shadowflow/internal/plural"
	"shadowflow/internal/userfile"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of TensorFlow's event.proto and summary.proto.
const (
	eventWallTime       protowire.Number = 1 // double, seconds since 1970
	eventStep           protowire.Number = 2 // int64
	eventFileVersion    protowire.Number = 3 // string
	eventSummary        protowire.Number = 5 // Summary
	summaryValue        protowire.Number = 1 // repeated Summary.Value
	valueTag            protowire.Number = 1 // string
	valueSimple         protowire.Number = 2 // float
	valueTensor         protowire.Number = 8 // TensorProto
	valueMetadata       protowire.Number = 9 // SummaryMetadata
	metadataPlugin      protowire.Number = 1 // PluginData
	metadataDescription protowire.Number = 3 // string
)

// writeTensorBoard writes an event a row, with a scalar for each number measured, at the time when it was; before them the run's config as what
// TensorBoard calls hyperparameters, behind them how it ended.
func writeTensorBoard(w io.Writer, dir string, h *History) (notes []string, err error) {
	start, err := startOf(dir)
	if err != nil {
		return nil, err
	}
	if start == 0 {
		notes = append(notes, "nothing says when the run began: its points begin in 1970")
	}
	elapsed, err := ReadTimes(dir)
	if err != nil {
		return nil, err
	}
	resumed, err := resumptionsOf(dir)
	if err != nil {
		return nil, err
	}
	clock := newClock(start, resumed, elapsed)
	session, err := sessionOf(dir)
	if err != nil {
		return nil, err
	}
	events := [][]byte{
		event(start, 0, appendText(nil, eventFileVersion, "brain.Event:2")),
		event(start, 0, appendMessage(nil, eventSummary, session.start(start))),
	}
	wall, unknown := start, 0
	described := make([]bool, len(h.Columns))
	for _, row := range h.Rows {
		s, ok := elapsed[int(row[0].Int())]
		if ok {
			wall = max(wall, clock.at(int(row[0].Int()), s))
		} else {
			unknown++
		}
		events = append(events, event(wall, row[0].Int(), appendMessage(nil, eventSummary, summary(row, h.Columns, described))))
	}
	if unknown > 0 {
		notes = append(notes, fmt.Sprintf("%s has no time of %d of %s, which get that of the point before", filepath.Join(dir, timesFile), unknown, plural.Count(len(h.Rows), "point")))
	}
	for _, e := range append(events, event(wall, 0, appendMessage(nil, eventSummary, session.end(wall)))) {
		if err := writeTFRecord(w, e); err != nil {
			return nil, err
		}
	}
	return notes, nil
}

// startOf returns when the run in a directory began, in seconds since 1970: as the first line of its log says or, where that was altered
// or removed, when its config was written; 0 for a history alone.
func startOf(dir string) (float64, error) {
	file, _, err := userfile.Open(filepath.Join(dir, logFile))
	switch {
	case err == nil:
		defer func() { _ = file.Close() }() // it was only read
		line, _ := bufio.NewReader(io.LimitReader(file, 1<<10)).ReadString(' ')
		if t, err := time.Parse(time.RFC3339, strings.TrimSpace(line)); err == nil {
			return float64(t.Unix()), nil
		}
	case !errors.Is(err, fs.ErrNotExist):
		return 0, err
	}
	written, err := os.Stat(filepath.Join(dir, configFile))
	if err != nil { // a history alone
		return 0, nil
	}
	return float64(written.ModTime().Unix()), nil
}

// A resumption is when, in seconds since 1970, a run went on, and from which step.
type resumption struct {
	step int
	at   float64
}

// resumptionsOf returns those of a run that its record is made of, the first step first: what was recorded behind a step is gone where a run went on from it.
// A log that is not there, or was altered, knows of none.
func resumptionsOf(dir string) ([]resumption, error) {
	log, err := userfile.ReadAll(filepath.Join(dir, logFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var out []resumption
	for line := range strings.Lines(string(log)) {
		when, what, _ := strings.Cut(line, " ")
		var r resumption
		t, err := time.Parse(time.RFC3339, when)
		if _, fault := fmt.Sscanf(what, "resumed at step %d by", &r.step); err != nil || fault != nil {
			continue
		}
		r.at = float64(t.Unix())
		out = append(slices.DeleteFunc(out, func(before resumption) bool { return before.step >= r.step }), r)
	}
	return out, nil
}

// A clock tells when steps were recorded: the stretches between interruptions, the first step first.
type clock []stretch

type stretch struct {
	step         int     // the first
	from, before float64 // when it began, in seconds since 1970, and the seconds of work until then
}

// newClock returns the clock of a run that began at a time, given the seconds of work at the end of each recorded step.
func newClock(start float64, resumed []resumption, elapsed map[int]float64) clock {
	out := clock{{0, start, 0}}
	for _, r := range resumed {
		s := stretch{step: r.step, from: r.at}
		for n, seconds := range elapsed {
			if n < r.step {
				s.before = max(s.before, seconds)
			}
		}
		out = append(out, s)
	}
	return out
}

// at returns when, in seconds since 1970, a step was recorded, behind so many seconds of work.
func (c clock) at(step int, seconds float64) float64 {
	i := len(c) - 1
	for i > 0 && c[i].step > step {
		i--
	}
	return c[i].from + seconds - c[i].before
}

// event returns an event of so much behind the wall time and the step.
func event(wall float64, step int64, what []byte) []byte {
	out := protowire.AppendTag(nil, eventWallTime, protowire.Fixed64Type)
	out = protowire.AppendFixed64(out, math.Float64bits(wall))
	out = protowire.AppendTag(out, eventStep, protowire.VarintType)
	out = protowire.AppendVarint(out, uint64(step))
	return append(out, what...)
}

// summary returns the scalars of a row. The first of a column has what it means.
func summary(row []Value, columns []Column, described []bool) []byte {
	var out []byte
	for i, v := range row {
		if i == 0 || !v.Measured() || columns[i].Type == TextColumn {
			continue
		}
		value := appendText(nil, valueTag, tagOf(columns[i].Name))
		value = protowire.AppendTag(value, valueSimple, protowire.Fixed32Type)
		value = protowire.AppendFixed32(value, math.Float32bits(float32(v.Float())))
		if meaning := describeColumn(columns[i]); !described[i] && meaning != "" {
			value = appendMessage(value, valueMetadata, appendText(nil, metadataDescription, meaning))
		}
		described[i] = true
		out = appendMessage(out, summaryValue, value)
	}
	return out
}

// tagGroups are the groups of columns that have none in their names, by the first word.
var tagGroups = map[string]string{
	"accuracy": "score", "r2": "score", "bits": "score",
	"perturbed": "gradient", "excess": "gradient", "one": "gradient", "two": "gradient", "max": "gradient",
	"penalized": "bias", "hindered": "bias", "critical": "bias",
	"defect": "step", "lr": "step",
	"preconditioned": "sharpness", "stability": "sharpness",
}

// tagOf returns the tag of a column, whose part before the slash TensorBoard makes a group of. In drive.main that is what stands before the
// first point; elsewhere the first word, full_ and test_ aside, or the group that tagGroups puts it into: loss/test_loss, score/full_accuracy.
func tagOf(column string) string {
	if group, rest, ok := strings.Cut(column, "."); ok && group != "" && rest != "" {
		return group + "/" + rest
	}
	word := strings.TrimPrefix(strings.TrimPrefix(column, "full_"), "test_")
	word, _, _ = strings.Cut(word, "_")
	if group, ok := tagGroups[word]; ok {
		word = group
	}
	return word + "/" + column
}

func appendText(b []byte, field protowire.Number, text string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), text)
}

func appendMessage(b []byte, field protowire.Number, message []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), message)
}

// writeTFRecord writes data framed as TensorFlow's record files are: its length, the
// length's checksum, data, its checksum.
func writeTFRecord(w io.Writer, data []byte) error {
	frame := binary.LittleEndian.AppendUint64(nil, uint64(len(data)))
	frame = binary.LittleEndian.AppendUint32(frame, maskedCRC(frame))
	frame = append(frame, data...)
	frame = binary.LittleEndian.AppendUint32(frame, maskedCRC(data))
	_, err := w.Write(frame)
	return err
}

// maskedCRC is the CRC-32C, turned and shifted so that the checksum of data with
// checksums in it is not degenerate.
func maskedCRC(data []byte) uint32 {
	c := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
	return (c>>15 | c<<17) + 0xa282ead8
}
