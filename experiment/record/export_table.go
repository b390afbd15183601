package record

import (
	"fmt"
	"io"

	"shadowflow/internal/atomicfile"
)

// WriteTable writes a table that is not a history in one of the formats of Export: a sweep's, with one row a run. Its first
// column must be of whole numbers, and measured in each row.
func WriteTable(w io.Writer, format string, table *History) error {
	f, err := findExportFormat(format)
	if err != nil {
		return err
	}
	if f.write == nil {
		return fmt.Errorf("format %s is for the history of a run", format)
	}
	if len(table.Columns) == 0 || table.Columns[0].Type != IntColumn {
		return fmt.Errorf("the first column of a table must be of type %s", IntColumn)
	}
	return f.write(w, table)
}

// WriteTableFile makes a table, as WriteTable writes it, the content of a file.
func WriteTableFile(path, format string, table *History) error {
	return atomicfile.Write(path, func(w io.Writer) error { return WriteTable(w, format, table) })
}
