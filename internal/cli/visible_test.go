package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"shadowflow/safetensors"
)

// steering is what a terminal must not be given: colours, a window's title, a bell, a return, C1 codes as a character and as a byte, and another
// direction of writing.
const steering = "\x1b[31m\x1b]0;title\x07\r\u009b31m\x9b31m\u202e"

// Whatever the names are of files, folders, keys, columns, classes and weights, nothing that is printed steers a terminal.
func TestNamesSteerNoTerminal(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Skip("no files of such names:", err)
		}
		return path
	}
	valid := strings.ToValidUTF8(steering, "")
	table := write("t.csv", "a,b"+steering+"\n1,x"+steering+"\n2,y\n3,x"+steering+"\n4,y\n")
	images := filepath.Dir(filepath.Dir(write("images/class"+steering+"/a.png", "GIF89a")))
	weights := filepath.Join(dir, "w.safetensors")
	var file bytes.Buffer
	if err := safetensors.Write(&file, []safetensors.Tensor{{Name: "w" + valid, Shape: []int{1}, Data: []float32{1}}}, nil); err != nil {
		t.Fatal(err)
	}
	write("w.safetensors", file.String())
	for name, args := range map[string][]string{
		"a file that is not there":  {"config", "none" + steering + ".yaml"},
		"a file that is":            {"config", write("is"+steering+".yaml", "a: [\n")},
		"a folder":                  {"config", filepath.Join(images, "class"+steering)},
		"a key":                     {"config", write("key.yaml", "\"k"+strings.ReplaceAll(valid, "\r", `\r`)+"\": 1\n")},
		"a value":                   {"config", write("value.yaml", "optimizer: {name: \""+strings.ReplaceAll(valid, "\r", `\r`)+"\"}\n")},
		"a value in a flag":         {"config", "--set", "optimizer.name=" + valid},
		"a flag":                    {"config", "--" + steering},
		"a command":                 {steering},
		"a column that is not":      {"data", "info", "--set", "data={name: csv, path: " + table + ", target: [c]}"},
		"a class and a column":      {"data", "info", "--set", "data={name: csv, path: " + table + ", target: [\"b" + strings.ReplaceAll(valid, "\r", `\r`) + "\"]}"},
		"a class's folder":          {"data", "info", "--set", "data={name: images, path: " + images + ", size: 8}"},
		"weights":                   {"run", "--out", filepath.Join(dir, "run"), "--set", "model.weights=" + weights + ",steps=1"},
		"an optimizer":              {"derive", "--optimizer", "x" + steering},
		"an optimizer's file":       {"derive", "--optimizer", write("o"+steering+".yaml", "optimizer: {name: a, lr: 1, update: \"g"+steering+"\"}\n")},
		"a run that is not there":   {"report", "none" + steering},
		"a sweep's file":            {"sweep", "plan", write("s"+steering+".yaml", "sweep: {}\n")},
		"a config shown, with JSON": {"config", "--json", "--set", "data={name: text, path: \"p" + strings.ReplaceAll(valid, "\r", `\r`) + "\"}"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, err bytes.Buffer
			Main(t.Context(), args, &out, &err)
			text := out.String() + err.String()
			if strings.TrimSpace(text) == "" {
				t.Error("nothing is printed")
			}
			if at := strings.IndexFunc(text, func(c rune) bool {
				return c != '\n' && c != '\t' && (unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c))
			}); at >= 0 || strings.ToValidUTF8(text, "") != text {
				t.Errorf("%q", text)
			}
			if len(text) > 20_000 {
				t.Errorf("%d bytes are printed", len(text))
			}
		})
	}
}
