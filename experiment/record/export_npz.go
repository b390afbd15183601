package record

import (
	"archive/zip"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/sbinet/npyio"
)

// writeNPZ writes each column as an array of NumPy's.
func writeNPZ(w io.Writer, h *History) error {
	archive := zip.NewWriter(w)
	for i, c := range h.Columns {
		file, err := archive.CreateHeader(&zip.FileHeader{Name: c.Name + ".npy", Method: zip.Deflate})
		if err != nil {
			return err
		}
		if err := writeNPY(file, h, i); err != nil {
			return fmt.Errorf("column %s: %w", c.Name, err)
		}
	}
	return archive.Close()
}

func writeNPY(w io.Writer, h *History, column int) error {
	switch typ := h.Columns[column].Type; {
	case typ == TextColumn:
		return writeTextNPY(w, h, column)
	case typ == IntColumn && allMeasured(h, column):
		values := make([]int64, len(h.Rows))
		for i, row := range h.Rows {
			values[i] = row[column].Int()
		}
		return npyio.Write(w, values)
	}
	values := make([]float64, len(h.Rows))
	for i, row := range h.Rows {
		values[i] = row[column].Float()
	}
	return npyio.Write(w, values)
}

func allMeasured(h *History, column int) bool {
	for _, row := range h.Rows {
		if !row[column].Measured() {
			return false
		}
	}
	return true
}

// writeTextNPY writes texts as NumPy's <U, which npyio does not: UTF-32, padded to the
// longest (NEP 1).
func writeTextNPY(w io.Writer, h *History, column int) error {
	longest := 1
	for _, row := range h.Rows {
		longest = max(longest, utf8.RuneCountInString(row[column].text))
	}
	header := fmt.Sprintf("{'descr': '<U%d', 'fortran_order': False, 'shape': (%d,), }", longest, len(h.Rows))
	const magic = "\x93NUMPY\x01\x00"
	pad := 63 - (len(magic)+2+len(header))%64
	header += strings.Repeat(" ", pad) + "\n"
	out := binary.LittleEndian.AppendUint16([]byte(magic), uint16(len(header)))
	out = append(out, header...)
	for _, row := range h.Rows {
		count := 0
		for _, r := range row[column].text {
			out = binary.LittleEndian.AppendUint32(out, uint32(r))
			count++
		}
		out = append(out, make([]byte, 4*(longest-count))...)
	}
	_, err := w.Write(out)
	return err
}
