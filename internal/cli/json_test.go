package cli

import (
	"bytes"
	"math"
	"testing"

	"shadowflow/experiment/record"
)

func TestWhatJSONHasNotIsNullOrEmpty(t *testing.T) {
	type inner struct {
		A float64   `json:"a"`
		B *float64  `json:"b,omitempty"`
		C []float32 `json:"c"`
		N int       `json:"n,omitempty"`
	}
	nan := math.NaN()
	for want, v := range map[string]any{
		`null`:                       nan,
		`[]`:                         []string(nil),
		`{}`:                         map[string]int(nil),
		`{"a":null,"c":[1,null]}`:    inner{A: math.Inf(1), C: []float32{1, float32(math.Inf(-1))}},
		`{"a":0.1,"b":null,"c":[]}`:  inner{A: 0.1, B: &nan},
		`["a < b & c",1e-7,1e+21,3]`: []any{"a < b & c", 1e-7, 1e21, 3},
		`{"x":[null,2]}`:             map[string]any{"x": []record.Number{record.Number(nan), 2}},
	} {
		t.Run(want, func(t *testing.T) {
			var b bytes.Buffer
			if err := printJSON(&b, v); err != nil || b.String() != want+"\n" {
				t.Errorf("%q, %v", b.String(), err)
			}
		})
	}
}
