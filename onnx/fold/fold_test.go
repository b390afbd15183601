package fold

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"shadowflow/onnx"
)

// evaluate evaluates a graph's nodes in their order, and returns all arrays by their names.
func evaluate(m *onnx.Model) (map[string]*Array, error) {
	known := map[string]*Array{}
	for i := range m.Graph.Initializers {
		known[m.Graph.Initializers[i].Name] = Of(&m.Graph.Initializers[i])
	}
	var f Folder
	for i := range m.Graph.Nodes {
		n := &m.Graph.Nodes[i]
		if !Knows(n) {
			return nil, fmt.Errorf("%s is not known", n)
		}
		var in []*Array
		for _, name := range n.Inputs {
			in = append(in, known[name])
		}
		out, err := f.Eval(n, in)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n, err)
		}
		for i, name := range n.Outputs {
			if i < len(out) {
				known[name] = out[i]
			}
		}
	}
	return known, nil
}

func TestOperatorsAgreeWithTheReferenceImplementation(t *testing.T) {
	m, err := onnx.ReadFile("testdata/operators.onnx")
	if err != nil {
		t.Fatal(err)
	}
	known, err := evaluate(m)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/operators.txt")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSpace(string(want)), "\n") {
		fields := strings.SplitN(line, " ", 4)
		a := known[fields[0]]
		if a == nil {
			t.Errorf("%s: nothing", fields[0])
			continue
		}
		seen[strings.TrimRight(strings.Split(fields[0], "_")[0], "0123456789")] = true
		if got := fmt.Sprintf("%d [%s]", a.Type, strings.Trim(strings.ReplaceAll(fmt.Sprint(a.Shape), " ", ","), "[]")); got != fields[1]+" "+fields[2] {
			t.Errorf("%s: %s, want %s %s", fields[0], got, fields[1], fields[2])
			continue
		}
		if !sameElements(a, fields[3]) {
			t.Errorf("%s: %v %v, want %s", fields[0], a.Ints, a.Floats, fields[3])
		}
	}
	for name := range operators {
		if !seen[name] {
			t.Errorf("testdata/operators.py has no %s", name)
		}
	}
}

// sameElements compares with the text that testdata/operators.py writes of elements, which have 15 digits; functions of libraries differ in the last.
func sameElements(a *Array, text string) bool {
	var want []string
	if text != "" {
		want = strings.Split(text, ",")
	}
	if len(want) != a.Size() || len(a.Ints)+len(a.Floats) != a.Size() {
		return false
	}
	for i, w := range want {
		v, err := strconv.ParseFloat(w, 64)
		tol := 1e-14
		if a.Type == onnx.Float32 {
			tol = 1e-7
		}
		if err != nil || !(math.Abs(a.float(i)-v) <= tol*math.Max(1, math.Abs(v))) {
			return false
		}
	}
	return true
}

// vector and number make inputs of nodes.
func vector(numbers ...int) *Array { return Vector(numbers...) }

// nothing has lengths and no elements.
func nothing(shape ...int) *Array { return &Array{Type: onnx.Int64, Shape: shape} }

func number(v float64) *Array { return &Array{Type: onnx.Float64, Floats: []float64{v}} }

func TestWhatCannotBeEvaluatedIsSaid(t *testing.T) {
	attribute := func(name string, v any) []onnx.Attribute { return []onnx.Attribute{{Name: name, Value: v}} }
	for _, c := range []struct {
		op         string
		in         []*Array
		attributes []onnx.Attribute
		want       string
	}{
		{"Add", []*Array{vector(1)}, nil, "no input 1"},
		{"Add", []*Array{vector(1), number(1)}, nil, "int64 and float64"},
		{"Add", []*Array{vector(1, 2), vector(1, 2, 3)}, nil, "do not broadcast"},
		{"Div", []*Array{vector(1), vector(0)}, nil, "by 0"},
		{"Mod", []*Array{vector(1), vector(0)}, nil, "by 0"},
		{"Sqrt", []*Array{vector(1)}, nil, "not evaluated on int64"},
		{"And", []*Array{number(1), number(1)}, nil, "not evaluated on float64"},
		{"Constant", nil, attribute("value_string", "a"), "no number"},
		{"Constant", nil, attribute("value", "a"), "want a tensor"},
		{"Cast", []*Array{vector(1)}, attribute("to", int64(8)), "string"},
		{"Shape", []*Array{vector(1)}, attribute("strat", int64(1)), `"strat" is not known of Shape`},
		{"Shape", []*Array{vector(1)}, attribute("start", "1"), "want a whole number"},
		{"ConstantOfShape", []*Array{vector(-1)}, nil, "at least 0"},
		{"ConstantOfShape", []*Array{vector(1<<40, 1<<40)}, nil, "at most 16,777,216 elements"},
		{"ConstantOfShape", []*Array{{Type: onnx.Int64, Shape: []int{65}, Ints: make([]int64, 65)}}, nil, "65 axes"},
		{"Range", []*Array{number(0), number(1), number(0)}, nil, "want at most"},
		{"Range", []*Array{number(0), number(1), number(math.NaN())}, nil, "want at most"},
		{"Range", []*Array{number(0), number(1), vector(1)}, nil, "one type"},
		{"Gather", []*Array{vector(1, 2), vector(2)}, nil, "place 2 of an axis of length 2"},
		{"Gather", []*Array{vector(1, 2), number(2)}, nil, "want whole numbers"},
		{"Gather", []*Array{vector(1, 2), vector(0)}, attribute("axis", int64(1)), "axis 1 of an array of 1 axes"},
		{"Slice", []*Array{vector(1, 2), vector(0), vector(1), vector(0), vector(0)}, nil, "step along axis 0 is 0"},
		{"Slice", []*Array{vector(1, 2), vector(0), vector(1, 2)}, nil, "1 starts, 2 ends"},
		{"Slice", []*Array{vector(1, 2, 3), vector(1, 1), vector(3, 3), vector(0, -1)}, nil, "cuts axis 0 twice"},
		{"Concat", []*Array{vector(1), number(1)}, nil, "does not fit"},
		{"ScatterND", []*Array{vector(1, 2), vector(1), number(1)}, nil, "it puts float64 of shape [] into int64 of shape [2], want shape []"},
		{"ScatterND", []*Array{vector(1, 2), vector(2), {Type: onnx.Int64, Ints: []int64{1}}}, nil, "place 2 of axis 0 of length 2"},
		{"ScatterND", []*Array{vector(1, 2), vector(0, 1), vector(1)}, nil, "want a last axis of 1 to 1 numbers"},
		{"ScatterND", []*Array{vector(1, 2), vector(0), vector(1)}, attribute("reduction", "add"), `reduction is "add"`},
		{"Expand", []*Array{vector(1, 2), vector(3)}, nil, "do not broadcast"},
		{"Transpose", []*Array{vector(1)}, attribute("perm", []int64{1}), "permutation of the 1 axes"},
		{"Split", []*Array{vector(1, 2), vector(1, 2)}, nil, "into parts of [1 2]"},
		{"Reshape", []*Array{vector(1, 2), vector(3)}, nil, "numbers of elements differ"},
		{"Reshape", []*Array{vector(1, 2), vector(-1, -1)}, nil, "gives shape [2] the shape [-1 -1]"},
		{"Reshape", []*Array{vector(1, 2), vector(1<<40, 1<<40)}, nil, "gives shape"},
		{"Flatten", []*Array{vector(1)}, attribute("axis", int64(2)), "from axis 2 on"},
		{"Squeeze", []*Array{vector(1, 2), vector(0)}, nil, "whose length is not 1"},
		{"Unsqueeze", []*Array{vector(1, 2), vector(0, 0)}, nil, "puts axes [0 0]"},
		{"Where", []*Array{vector(1), vector(1), vector(1)}, nil, "want bool"},
		{"Trilu", []*Array{vector(1)}, nil, "want matrices"},
		{"ReduceSum", []*Array{vector(1), vector(3)}, nil, "axis 3"},
		{"ReduceSum", []*Array{nothing(0, 1<<40), vector(0)}, nil, "at most 16,777,216 elements"},
		{"Transpose", []*Array{nothing(0, 1<<40)}, nil, "at most 16,777,216 elements"},
		{"Slice", []*Array{nothing(1<<40, 0), vector(0), vector(1 << 40)}, nil, "at most 16,777,216 elements"},
		{"Split", []*Array{nothing(0), {Type: onnx.Int64, Shape: []int{1 << 19}, Ints: make([]int64, 1<<19)}}, nil, "into 524288 parts"},
	} {
		t.Run(c.op, func(t *testing.T) {
			var f Folder
			if out, err := f.Eval(&onnx.Node{Op: c.op, Attributes: c.attributes}, c.in); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, %v: want %q", out, err, c.want)
			}
		})
	}
}

func TestEmptyArraysBesideManyCostNothing(t *testing.T) {
	in := []*Array{{Type: onnx.Int64, Shape: []int{1 << 20, 1}, Ints: make([]int64, 1<<20)}}
	for range 1 << 16 {
		in = append(in, nothing(1<<20, 0))
	}
	var f Folder
	out, err := f.Eval(&onnx.Node{Op: "Concat", Attributes: []onnx.Attribute{{Name: "axis", Value: int64(1)}}}, in)
	if err != nil || len(out[0].Ints) != 1<<20 {
		t.Error(err)
	}
}

func TestTheWorkOfAGraphIsBounded(t *testing.T) {
	for op, node := range map[string]onnx.Node{
		"ConstantOfShape": {},
		"Cast":            {Attributes: []onnx.Attribute{{Name: "to", Value: int64(onnx.Float64)}}},
		"Neg":             {},
	} {
		var f Folder
		var err error
		node.Op = op
		for i := 0; i < maxWork/maxElements+1 && err == nil; i++ {
			f.work += maxElements - 1 // as if so much had been made
			_, err = f.Eval(&node, []*Array{vector(1)})
		}
		if err == nil || !strings.Contains(err.Error(), "altogether") {
			t.Errorf("%s: %v", op, err)
		}
	}
}

// FuzzEvaluate evaluates graphs that are read from files; what they hold may be anything.
func FuzzEvaluate(f *testing.F) {
	raw, err := os.ReadFile("testdata/operators.onnx")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := onnx.Read(raw, "")
		if err != nil {
			return
		}
		for _, tensor := range m.Graph.Initializers {
			if tensor.Size() > 1<<10 {
				return
			}
		}
		known, err := evaluate(m)
		if err != nil {
			return
		}
		for name, a := range known {
			if a != nil && len(a.Ints)+len(a.Floats) != a.Size() {
				t.Errorf("%q of shape %v has %d elements", name, a.Shape, len(a.Ints)+len(a.Floats))
			}
		}
	})
}

func TestFloatingPointNumbersOfTwoTypesAreTakenInTheWiderOne(t *testing.T) {
	var f Folder
	single := &Array{Type: onnx.Float32, Floats: []float64{0.5}}
	out, err := f.Eval(&onnx.Node{Op: "Add"}, []*Array{single, number(0.1)})
	if err != nil || out[0].Type != onnx.Float64 || out[0].Floats[0] != 0.6 {
		t.Errorf("%v, %v, want 0.6 of float64", out, err)
	}
}
