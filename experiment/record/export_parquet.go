package record

import (
	"io"

	"github.com/parquet-go/parquet-go"
)

// orderedGroup is a parquet group whose fields keep the order of the columns; a
// parquet.Group sorts them by name.
type orderedGroup struct {
	parquet.Group
	columns []Column
}

// Fields returns the columns in their order.
func (g orderedGroup) Fields() []parquet.Field {
	byName := map[string]parquet.Field{}
	for _, f := range g.Group.Fields() {
		byName[f.Name()] = f
	}
	fields := make([]parquet.Field, len(g.columns))
	for i, c := range g.columns {
		fields[i] = byName[c.Name]
	}
	return fields
}

// writeParquet writes the history as one table, all columns optional but the step.
// Units and meanings are in the file's metadata, under the columns' names.
func writeParquet(w io.Writer, h *History) error {
	group := orderedGroup{Group: parquet.Group{}, columns: h.Columns}
	options := []parquet.WriterOption{parquet.Compression(&parquet.Zstd)}
	for i, c := range h.Columns {
		node := parquetNode(c.Type)
		if i > 0 {
			node = parquet.Optional(node)
		}
		group.Group[c.Name] = node
		options = append(options, parquet.KeyValueMetadata(c.Name, describeColumn(c)))
	}
	out := parquet.NewGenericWriter[any](w, append(options, parquet.NewSchema("history", group))...)
	rows := make([]parquet.Row, len(h.Rows))
	for i, row := range h.Rows {
		rows[i] = parquetRow(row)
	}
	if _, err := out.WriteRows(rows); err != nil {
		return err
	}
	return out.Close()
}

func parquetNode(typ ColumnType) parquet.Node {
	switch typ {
	case IntColumn:
		return parquet.Int(64)
	case FloatColumn:
		return parquet.Leaf(parquet.DoubleType)
	}
	return parquet.String()
}

func parquetRow(row []Value) parquet.Row {
	out := make(parquet.Row, len(row))
	for i, v := range row {
		level := 1
		switch {
		case i == 0:
			level = 0 // the step is not optional
			out[i] = parquet.Int64Value(v.Int())
		case !v.Measured():
			level = 0
			out[i] = parquet.NullValue()
		case v.typ == IntColumn:
			out[i] = parquet.Int64Value(v.Int())
		case v.typ == FloatColumn:
			out[i] = parquet.DoubleValue(v.Float())
		default:
			out[i] = parquet.ByteArrayValue([]byte(v.text))
		}
		out[i] = out[i].Level(0, level, i)
	}
	return out
}

// describeColumn returns a column's meaning and unit in one line.
func describeColumn(c Column) string {
	if c.Unit == "" {
		return c.Meaning
	}
	return c.Meaning + " [" + c.Unit + "]"
}
