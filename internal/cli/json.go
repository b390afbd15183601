package cli

import (
	"bytes"
	"errors"
	"io"
	"math"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"
	"github.com/spf13/cobra"
)

// bindJSON gives a command the flag to print JSON.
func bindJSON(cmd *cobra.Command, asJSON *bool) {
	cmd.Flags().BoolVar(asJSON, "json", false, "print JSON, of the shape that docs/commands.md shows")
}

// asJSON is how values become JSON: as encoding/json has them, but numbers that are not finite are null, for JSON has none such, and lists and
// maps that are nil are empty.
var asJSON = json.JoinOptions(
	jsonv1.DefaultOptionsV1(), jsontext.EscapeForHTML(false), jsontext.EscapeForJS(false),
	json.FormatNilSliceAsNull(false), json.FormatNilMapAsNull(false),
	json.WithMarshalers(json.JoinMarshalers(json.MarshalToFunc(finite[float64]), json.MarshalToFunc(finite[float32]))),
)

// finite writes null for a number that is not, and leaves the others to the encoder.
func finite[T float32 | float64](enc *jsontext.Encoder, x T) error {
	if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
		return enc.WriteToken(jsontext.Null)
	}
	return errors.ErrUnsupported
}

// printJSON writes v on one line.
func printJSON(w io.Writer, v any) error { return printAsJSON(w, v, jsontext.Multiline(false)) }

// printIndented writes v on many lines.
func printIndented(w io.Writer, v any) error { return printAsJSON(w, v, jsontext.WithIndent("  ")) }

func printAsJSON(w io.Writer, v any, form json.Options) error {
	data, err := json.Marshal(v, asJSON, form)
	if err != nil {
		return err
	}
	data = bytes.ReplaceAll(data, []byte{0x7f}, []byte(`\u007f`)) // the one character that is seen as an escape which JSON does not have
	_, err = w.Write(append(data, '\n'))
	return err
}
