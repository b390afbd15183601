package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"shadowflow/internal/atomicfile"
	"shadowflow/internal/userfile"
)

// writeJSON makes v, as JSON, the content of a file.
func writeJSON(path string, v any) error {
	data, err := formatJSON(path, v)
	if err != nil {
		return err
	}
	return atomicfile.WriteBytes(path, data)
}

// formatJSON returns v as a file of JSON has it.
func formatJSON(path string, v any) ([]byte, error) {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return append(data, '\n'), nil
}

// readJSON reads a file of JSON into v.
func readJSON(path string, v any) error {
	data, err := userfile.ReadAll(path)
	if err != nil {
		return err
	}
	return parseJSON(path, data, v)
}

// parseJSON reads what a file of JSON has into v.
func parseJSON(path string, data []byte, v any) error {
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// isJSONError reports whether an error is of what stands in a file of JSON, and not of reading it.
func isJSONError(err error) bool {
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	return errors.As(err, &syntax) || errors.As(err, &typ)
}

// A Number is a float64 that may not be finite: JSON then has null.
type Number float64

// Numbers returns floats as JSON is to have them.
func Numbers(x []float64) []Number {
	out := make([]Number, len(x))
	for i, v := range x {
		out[i] = Number(v)
	}
	return out
}

// MarshalJSON implements json.Marshaler.
func (n Number) MarshalJSON() ([]byte, error) {
	if x := float64(n); math.IsNaN(x) || math.IsInf(x, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// UnmarshalJSON implements json.Unmarshaler; null is NaN.
func (n *Number) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*n = Number(math.NaN())
		return nil
	}
	return json.Unmarshal(text, (*float64)(n))
}
