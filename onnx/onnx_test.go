package onnx

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// describe says what testdata/files.py says of a file.
func describe(m *Model, original []string) string {
	var b strings.Builder
	for _, domain := range original {
		fmt.Fprintf(&b, "opset '%s' %d\n", domain, m.Opsets[domain])
	}
	values := func(what string, list []ValueInfo) {
		for _, v := range list {
			shape := "unknown"
			if v.Shape != nil {
				shape = "[" + strings.Join(texts("%v", v.Shape), ",") + "]"
			}
			fmt.Fprintf(&b, "%s %s %d %s\n", what, v.Name, v.Type, shape)
		}
	}
	values("input", m.Graph.Inputs)
	values("output", m.Graph.Outputs)
	for _, t := range m.Graph.Initializers {
		fmt.Fprintf(&b, "initializer %s %d [%s] %s\n", t.Name, t.Type, strings.Join(texts("%d", t.Shape), ","), elements(&t))
	}
	for _, n := range m.Graph.Nodes {
		fmt.Fprintf(&b, "node %s '%s' '%s' %s %s\n", n.Op, n.Name, n.Domain, strings.Join(n.Inputs, ","), strings.Join(n.Outputs, ","))
		for _, a := range n.Attributes {
			fmt.Fprintf(&b, "attribute %s %s\n", a.Name, valueText(a.Value))
		}
	}
	return b.String()
}

func texts[T any](format string, list []T) []string {
	var out []string
	for _, v := range list {
		out = append(out, fmt.Sprintf(format, v))
	}
	return out
}

func elements(t *Tensor) string {
	switch data := t.Data.(type) {
	case []float32:
		return strings.Join(texts("%.17g", float64s(data)), ",")
	case []float64:
		return strings.Join(texts("%.17g", data), ",")
	}
	return strings.Join(texts("%d", t.Data.([]int64)), ",")
}

func float64s(data []float32) []float64 {
	var out []float64
	for _, v := range data {
		out = append(out, float64(v))
	}
	return out
}

func valueText(v any) string {
	switch v := v.(type) {
	case float32:
		return fmt.Sprintf("%.9g", v)
	case []float32:
		return strings.Join(texts("%.9g", v), ",")
	case []int64:
		return strings.Join(texts("%d", v), ",")
	case []string:
		return strings.Join(v, ",")
	case *Tensor:
		return elements(v)
	}
	return fmt.Sprint(v)
}

func TestFilesAreReadAsTheirOwnLibraryReadsThem(t *testing.T) {
	for name, opsets := range map[string][]string{"convolutional": {""}, "mlp": {""}, "outside": {""}, "types": {"", "elsewhere"}} {
		t.Run(name, func(t *testing.T) {
			m, err := ReadFile(filepath.Join("testdata", name+".onnx"))
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Split(describe(m, opsets), "\n")
			for i, line := range strings.Split(string(want), "\n") {
				if i >= len(got) || got[i] != line {
					t.Fatalf("line %d: %q, want %q", i+1, got[min(i, len(got)-1)], line)
				}
			}
		})
	}
}

func TestTheProducerIsRead(t *testing.T) {
	m, err := ReadFile("testdata/types.onnx")
	if err != nil {
		t.Fatal(err)
	}
	if m.Producer != "files.py" {
		t.Errorf("producer %q", m.Producer)
	}
}

// bytesField, numberField and message write parts of files.
func bytesField(number protowire.Number, content string) string {
	return string(protowire.AppendString(protowire.AppendTag(nil, number, protowire.BytesType), content))
}

func numberField(number protowire.Number, v uint64) string {
	return string(protowire.AppendVarint(protowire.AppendTag(nil, number, protowire.VarintType), v))
}

// graph makes a file of parts of a graph, with an input x that is its output.
func graph(parts ...string) string {
	x := bytesField(1, "x")
	return bytesField(7, bytesField(11, x)+strings.Join(parts, "")+bytesField(12, x))
}

func node(name, op, in, out string, more ...string) string {
	return bytesField(1, bytesField(1, in)+bytesField(2, out)+bytesField(3, name)+bytesField(4, op)+strings.Join(more, ""))
}

func initializer(name string, parts ...string) string {
	return bytesField(5, bytesField(8, name)+strings.Join(parts, ""))
}

func elsewhere(pairs ...string) string {
	all := numberField(14, 1)
	for i := 0; i < len(pairs); i += 2 {
		all += bytesField(13, bytesField(1, pairs[i])+bytesField(2, pairs[i+1]))
	}
	return all
}

func manyAttributes(n int) string {
	all := ""
	for i := range n {
		all += bytesField(5, bytesField(1, fmt.Sprint(i)))
	}
	return all
}

func TestWhatIsWrongIsSaidWithItsPlace(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "four"), make([]byte, 4), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(folder), "secret"), make([]byte, 4), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../secret", filepath.Join(folder, "link")); err != nil {
		t.Skip(err)
	}
	float := numberField(2, 1)
	one := numberField(1, 1) + float // the shape [1] of float32
	for _, c := range []struct{ name, file, want string }{
		{"nothing", "", "no graph"},
		{"no message", "\xff\xff", "no protobuf message"},
		{"a group", graph() + "\x0b\x0c", ""}, // a field that nobody knows
		{"a wrong type", bytesField(7, numberField(1, 3)), "wire type 0, want 2"},
		{"no text", graph(node("\xff", "Relu", "x", "y")), "no text of UTF-8"},
		{"two graphs", graph() + graph(), "two graphs"},
		{"functions", graph() + bytesField(25, ""), "defines 1 function of its own"},
		{"sparse", graph(bytesField(15, "")), "sparse initializers"},
		{"unknown input", graph(node("n", "Relu", "z", "y")), `node "n" (Relu): it reads "z", which nothing before it gives`},
		{"a node without a name", graph(node("", "Relu", "x", "y"), node("", "Tanh", "z", "w")), `node 1 (Tanh): it reads "z"`},
		{"output twice", graph(node("n", "Relu", "x", "x")), `node "n" (Relu): it gives "x", which is there already`},
		{"initializer twice", graph(initializer("a", float, bytesField(9, "0000")), initializer("a", float, bytesField(9, "0000"))), `initializer "a" is there twice`},
		{"unknown output", bytesField(7, bytesField(12, bytesField(1, "x"))), `nothing gives the graph's output "x"`},
		{"no output", bytesField(7, bytesField(11, bytesField(1, "x"))), "no output"},
		{"attribute twice", graph(node("n", "Relu", "x", "y", bytesField(5, bytesField(1, "a")), bytesField(5, bytesField(1, "a")))), `node "n" (Relu), attribute "a": it is there twice`},
		{"tensor that is none", graph(node("n", "Constant", "", "y", bytesField(5, bytesField(1, "value")+numberField(20, 4)))), `attribute "value": it is said to be a tensor`},
		{"few bytes", graph(initializer("a", one, bytesField(9, "000"))), `initializer "a": it has 3 bytes, want 4`},
		{"few numbers", graph(initializer("a", numberField(1, 2), float, bytesField(4, "0000"))), "it has 1 element, want 2"},
		{"numbers of another type", graph(initializer("a", one, bytesField(7, "\x01"))), "float32 elements stand in field 7"},
		{"half a number", graph(initializer("a", one, bytesField(4, "00000"))), "cut short"},
		{"text elements", graph(initializer("a", numberField(2, 8))), "string, which is not read"},
		{"length below 0", graph(initializer("a", numberField(1, 1<<63), float)), "length below 0"},
		{"more than there is", graph(initializer("a", numberField(1, 1<<30), numberField(1, 1<<30), float)), "more elements than a machine holds"},
		{"lengths beside none", graph(initializer("a", numberField(1, 0), numberField(1, 1<<30), numberField(1, 1<<30), float)), "more elements than a machine holds"},
		{"many attributes", graph(node("n", "Relu", "x", "y", manyAttributes(65))), `node "n" (Relu): it has 65 attributes, want at most 64`},
		{"many axes", graph(initializer("a", strings.Repeat(numberField(1, 1), 65), float)), "it has 65 axes"},
		{"outside of the folder", graph(initializer("a", one, elsewhere("location", "../secret"))), "escapes"},
		{"absolute", graph(initializer("a", one, elsewhere("location", filepath.Join(folder, "four")))), "escapes"},
		{"link to outside", graph(initializer("a", one, elsewhere("location", "link"))), "escapes"},
		{"folder", graph(initializer("a", one, elsewhere("location", "."))), "a folder"},
		{"absent", graph(initializer("a", one, elsewhere("location", "none"))), "no such file"},
		{"no place", graph(initializer("a", one, elsewhere())), "not known where"},
		{"behind the end", graph(initializer("a", one, elsewhere("location", "four", "offset", "1"))), "bytes 1 to 5 of \"four\", which has 4 bytes"},
		{"other length", graph(initializer("a", one, elsewhere("location", "four", "length", "8"))), "have 8 bytes, want 4"},
		{"offset below 0", graph(initializer("a", one, elsewhere("location", "four", "offset", "-4"))), `offset of its elements in another file is "-4"`},
		{"inside", graph(initializer("a", one, elsewhere("location", "four", "offset", "0", "length", "4"))), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Read([]byte(c.file), folder)
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if fault := (*FormatError)(nil); !errors.As(err, &fault) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestFilesOfOtherKindsAreNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "net.onnx")
	for content, want := range map[string]string{"PK\x03\x04....": "zip archive", "version https://git-lfs.github.com/spec/v1": "Git LFS pointer", "": "no graph"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadFile(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "net.onnx") {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// What is wrong in a file that says its version and producer first, as exporters write them, is said, and not what kind of file it is.
func TestAFaultOfAnONNXFileIsSaid(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "net.onnx")
	one := numberField(1, 1) + numberField(2, 1)
	file := numberField(1, 10) + bytesField(2, "pytorch") + graph(initializer("w", one, elsewhere("location", "net.onnx.data")))
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := ReadFile(path)
	if fault := (*FormatError)(nil); !errors.As(err, &fault) || !strings.Contains(err.Error(), "net.onnx.data") || !strings.Contains(fault.Where, `"w"`) {
		t.Errorf("%v, want the initializer and the file that is not there", err)
	}
}

func TestTheSumIsOfElementsInOtherFilesToo(t *testing.T) {
	folder := t.TempDir()
	one := numberField(1, 1) + numberField(2, 1)
	file := []byte(graph(initializer("w", one, elsewhere("location", "four"))))
	sums := map[string]bool{}
	for _, elements := range []string{"\x00\x00\x00\x01", "\x00\x00\x00\x02", "\x00\x00\x00\x01"} {
		if err := os.WriteFile(filepath.Join(folder, "four"), []byte(elements), 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := Read(file, folder)
		if err != nil {
			t.Fatal(err)
		}
		sums[m.Sum] = true
	}
	m, err := Read([]byte(graph(initializer("w", one, bytesField(9, "0000")))), folder)
	if want := sha256.Sum256([]byte(graph(initializer("w", one, bytesField(9, "0000"))))); err != nil || m.Sum != fmt.Sprintf("%x", want) || len(sums) != 2 {
		t.Errorf("%d sums of two networks, %v", len(sums), err)
	}
}

func TestSmallPiecesAreCountedTogether(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "four"), make([]byte, 4), 0o600); err != nil {
		t.Fatal(err)
	}
	one := numberField(1, 1) + numberField(2, 1) // the shape [1] of float32
	for name, tensor := range map[string]string{"raw": one + bytesField(9, "0000"), "numbers": one + bytesField(4, "0000"), "outside": one + elsewhere("location", "four")} {
		r := &reader{folder: folder, parts: maxParts, taken: 1 << 60} // as if so much had been made
		if _, err := r.tensor([]byte(tensor)); err == nil || !strings.Contains(err.Error(), "of memory") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, list := range map[string]string{"floats": bytesField(7, "0000"), "whole numbers": bytesField(8, "0")} {
		r := &reader{parts: maxParts, taken: 1 << 60}
		if _, err := r.attribute([]byte(list)); err == nil || !strings.Contains(err.Error(), "of memory") {
			t.Errorf("%s of an attribute: %v", name, err)
		}
	}
}

func TestManyPartsAreRefused(t *testing.T) {
	if _, err := Read([]byte(strings.Repeat(numberField(1, 1), maxParts+1)), ""); err == nil || !strings.Contains(err.Error(), "parts") {
		t.Error(err)
	}
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"convolutional", "mlp", "outside", "types"} {
		raw, err := os.ReadFile(filepath.Join("testdata", name+".onnx"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := Read(raw, "testdata")
		if err != nil {
			if fault := (*FormatError)(nil); !errors.As(err, &fault) || len(err.Error()) > 4000 {
				t.Errorf("an error of %d bytes: %.200v", len(err.Error()), err)
			}
			return
		}
		for _, tensor := range m.Graph.Initializers {
			if elements(&tensor) == "" && tensor.Size() > 0 {
				t.Errorf("%q has no elements", tensor.Name)
			}
		}
	})
}
