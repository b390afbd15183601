package record

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of TensorFlow's event.proto and summary.proto.
const (
	eventWallTime    protowire.Number = 1 // double
	eventStep        protowire.Number = 2 // int64
	eventFileVersion protowire.Number = 3 // string
	eventSummary     protowire.Number = 5 // Summary
	summaryValue     protowire.Number = 1 // repeated Summary.Value
	valueTag         protowire.Number = 1 // string
	valueSimple      protowire.Number = 2 // float
)

// writeTensorBoard writes an event a row, with a scalar for each number measured.
func writeTensorBoard(w io.Writer, h *History) error {
	version := protowire.AppendTag(nil, eventFileVersion, protowire.BytesType)
	version = protowire.AppendString(version, "brain.Event:2")
	if err := writeTFRecord(w, version); err != nil {
		return err
	}
	seconds := h.Index("seconds")
	for _, row := range h.Rows {
		wall := 0.0
		if seconds >= 0 && row[seconds].Measured() {
			wall = row[seconds].Float()
		}
		event := protowire.AppendTag(nil, eventWallTime, protowire.Fixed64Type)
		event = protowire.AppendFixed64(event, math.Float64bits(wall))
		event = protowire.AppendTag(event, eventStep, protowire.VarintType)
		event = protowire.AppendVarint(event, uint64(row[0].Int()))
		event = protowire.AppendTag(event, eventSummary, protowire.BytesType)
		event = protowire.AppendBytes(event, summary(row, h.Columns))
		if err := writeTFRecord(w, event); err != nil {
			return err
		}
	}
	return nil
}

func summary(row []Value, columns []Column) []byte {
	var out []byte
	for i, v := range row {
		if i == 0 || !v.Measured() || columns[i].Type == TextColumn {
			continue
		}
		value := protowire.AppendTag(nil, valueTag, protowire.BytesType)
		value = protowire.AppendString(value, columns[i].Name)
		value = protowire.AppendTag(value, valueSimple, protowire.Fixed32Type)
		value = protowire.AppendFixed32(value, math.Float32bits(float32(v.Float())))
		out = protowire.AppendTag(out, summaryValue, protowire.BytesType)
		out = protowire.AppendBytes(out, value)
	}
	return out
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
