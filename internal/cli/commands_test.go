package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"shadowflow/experiment/config"
	"shadowflow/schema"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "write what commands print into docs/commands.md")

// A fence is a block of a page in Markdown between lines of three backticks.
type fence struct {
	language, text string
	from, to       int // bytes of the text in the page
	before         string
}

func fences(page string) []fence {
	var out []fence
	end := 0
	for _, at := range regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$").FindAllStringSubmatchIndex(page, -1) {
		out = append(out, fence{page[at[2]:at[3]], page[at[4]:at[5]], at[4], at[5], page[end:at[0]]})
		end = at[1]
	}
	return out
}

// words splits a command line as a shell does, as far as help and docs need it.
func words(line string) []string {
	var out []string
	for _, m := range regexp.MustCompile(`(?:"[^"]*"|'[^']*'|[^\s"'])+`).FindAllString(line, -1) {
		out = append(out, strings.NewReplacer(`"`, "", "'", "").Replace(m))
	}
	return out
}

// decoded returns the one value of JSON that a text is.
func decoded(t *testing.T, text string) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v: %.300s", err, text)
	}
	if d.More() {
		t.Fatalf("more than one value: %.300s", text)
	}
	return v
}

// shape writes into out the kinds of the values at each path of a value. Items of a list have one path.
func shape(out map[string]map[string]bool, path string, v any) {
	kind := "null"
	switch v := v.(type) {
	case map[string]any:
		kind = "object"
		for k, item := range v {
			shape(out, path+"."+k, item)
		}
	case []any:
		kind = "list"
		for _, item := range v {
			shape(out, path+"[]", item)
		}
	case string:
		kind = "text"
	case float64:
		kind = "number"
	case bool:
		kind = "bool"
	}
	if out[path] == nil {
		out[path] = map[string]bool{}
	}
	out[path][kind] = true
}

// differences compares the shapes of an example and of what is printed. Optional keys may lack in either; loose ones are of several types.
func differences(example, printed any, optional, loose []string) []string {
	shapes := [2]map[string]map[string]bool{{}, {}}
	shape(shapes[0], "", example)
	shape(shapes[1], "", printed)
	// lacks reports whether a path may lack, because a key of it may or a list above it is empty.
	lacks := func(path string, where map[string]map[string]bool) bool {
		for i, r := range path {
			if r == '[' && where[path[:i]]["list"] || r == '.' && !where[path[:i]]["object"] && where[path[:i]]["null"] {
				if _, items := where[path[:i]+"[]"]; !items {
					return true
				}
			}
		}
		return slices.ContainsFunc(strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' }),
			func(key string) bool { return slices.Contains(optional, key) })
	}
	var out []string
	for _, path := range slices.Sorted(maps.Keys(shapes[0])) {
		kinds, there := shapes[1][path]
		if !there {
			if !lacks(path, shapes[1]) {
				out = append(out, path+" is not printed")
			}
			continue
		}
		if slices.ContainsFunc(loose, func(key string) bool { return strings.HasSuffix(path, "."+key) }) {
			continue
		}
		for kind := range kinds {
			if !shapes[0][path][kind] && kind != "null" && !shapes[0][path]["null"] {
				out = append(out, fmt.Sprintf("%s is a %s, not %v", path, kind, slices.Sorted(maps.Keys(shapes[0][path]))))
			}
		}
	}
	for _, path := range slices.Sorted(maps.Keys(shapes[1])) {
		if _, there := shapes[0][path]; !there && !lacks(path, shapes[0]) {
			out = append(out, path+" is not documented")
		}
	}
	return out
}

// cut returns a value with lists of at most two items, for people to read.
func cut(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, item := range v {
			v[k] = cut(item)
		}
	case []any:
		v = v[:min(2, len(v))]
		for i, item := range v {
			v[i] = cut(item)
		}
		return v
	}
	return v
}

// pretty writes a value as JSON, what fits on a line on one.
func pretty(t *testing.T, v any, indent string) string {
	var b bytes.Buffer
	if err := printJSON(&b, v); err != nil {
		t.Fatal(err)
	}
	line := strings.TrimSpace(b.String())
	var parts []string
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, fmt.Sprintf("%q: %s", k, pretty(t, v[k], indent+"  ")))
		}
	case []any:
		for _, item := range v {
			parts = append(parts, pretty(t, item, indent+"  "))
		}
	}
	if len(parts) == 0 || len(indent)+len(line) <= 130 {
		return line
	}
	inside := "\n" + indent + "  "
	return line[:1] + inside + strings.Join(parts, ","+inside) + "\n" + indent + line[len(line)-1:]
}

// call runs a command line of a text, and returns what it printed.
func call(t *testing.T, line string) string {
	t.Helper()
	args := words(line)
	if len(args) == 0 || args[0] != "shadowflow" {
		t.Fatalf("%q is no call of shadowflow", line)
	}
	if strings.HasPrefix(line, "shadowflow data fetch ") { // of a server that is not asked here
		var b bytes.Buffer
		if err := printFetched(&b, args[3], filepath.Join("data", "cifar-10-binary.tar.gz"), true); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	stdout, stderr, code := shadowflow(args[1:]...)
	if code != exitDone && code != exitAgainst { // what is found is printed, whatever it is
		t.Fatalf("%s: code %d: %s", line, code, stderr)
	}
	return stdout
}

// exportedNetwork returns a function that writes the ONNX file of a small network.
func exportedNetwork(t *testing.T) func(path string) {
	t.Helper()
	data, err := os.ReadFile("../../nn/imported/testdata/mlp.onnx")
	if err != nil {
		t.Fatal(err)
	}
	return func(path string) {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// keysAfter returns what stands between backticks in the paragraph behind a mark.
func keysAfter(text, mark string) []string {
	var out []string
	_, text, _ = strings.Cut(text, mark)
	text, _, _ = strings.Cut(text, "\n\n")
	for _, m := range regexp.MustCompile("`([^`]*)`").FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	return out
}

// texts returns the texts in a value, in the order of its keys.
func texts(v any) []string {
	var out []string
	switch v := v.(type) {
	case string:
		out = []string{v}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			out = append(out, texts(v[k])...)
		}
	case []any:
		for _, item := range v {
			out = append(out, texts(item)...)
		}
	}
	return out
}

// TestTheDocsShowWhatIsPrintedAsJSON runs the commands of docs/commands.md and compares the keys and types of what they print with those there, and of
// what a formula says every word.
func TestTheDocsShowWhatIsPrintedAsJSON(t *testing.T) {
	path, err := filepath.Abs("../../docs/commands.md")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	exported := exportedNetwork(t)
	t.Chdir(t.TempDir())
	exported("net.onnx")
	var line string
	var optional, loose []string
	shown := map[string]bool{}
	shift := 0
	for _, f := range fences(string(text)) {
		if i := strings.LastIndex(f.before, "### "); i >= 0 {
			optional, loose = keysAfter(f.before, "*Not always there*"), keysAfter(f.before, "*Of several types*")
		}
		switch f.language {
		case "yaml":
			name, _, _ := strings.Cut(strings.TrimPrefix(f.text, "# "), "\n")
			if err := os.WriteFile(name, []byte(f.text), 0o644); err != nil {
				t.Fatal(err)
			}
		case "sh":
			line = strings.TrimSpace(f.text)
			if !strings.Contains(line, "--json") {
				call(t, line)
			}
		case "json":
			got := decoded(t, call(t, line))
			for name := range leaves() {
				if strings.HasPrefix(line+" ", "shadowflow "+name+" ") {
					shown[name] = true
				}
			}
			if *update {
				text := pretty(t, cut(got), "") + "\n"
				page = page[:f.from+shift] + text + page[f.to+shift:]
				shift += len(text) - (f.to - f.from)
				continue
			}
			t.Run(line, func(t *testing.T) {
				for _, d := range differences(decoded(t, f.text), got, optional, loose) {
					t.Error(d)
				}
				if !strings.HasPrefix(line, "shadowflow derive ") { // what it says depends on the formulas alone, not on a path or a measurement
					return
				}
				if shown, now := texts(decoded(t, f.text)), texts(cut(got)); !slices.Equal(shown, now) {
					t.Errorf("docs/commands.md shows\n%q\nand it prints\n%q\nrun go test ./internal/cli -run TheDocs -update", shown, now)
				}
			})
		}
	}
	if *update {
		if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, cmd := range leaves() {
		if strings.HasPrefix(name, "completion") || name == "serve" { // the latter prints an address, and does not end
			continue
		}
		if cmd.Flags().Lookup("json") == nil || !shown[name] {
			t.Errorf("%s has no --json, or docs/commands.md does not show what it prints", name)
		}
	}
}

func TestShapesAreToldApart(t *testing.T) {
	const example = `{"a": 1, "b": [{"c": "x", "d": null}], "e": true}`
	for printed, want := range map[string]int{
		`{"a": 2, "b": [{"c": "y", "d": 3}, {"c": "z", "d": null}], "e": false}`: 0,
		`{"a": null, "b": [], "e": true, "o": 1}`:                                0,
		`{"a": "2", "b": [{"c": "y", "d": 1}], "e": true}`:                       1,
		`{"a": 2, "b": [{"c": "y"}], "e": true}`:                                 1,
		`{"a": 2, "b": [{"c": 1, "d": 1, "f": 1}], "e": 0}`:                      3,
		`[]`: 7,
	} {
		t.Run(printed, func(t *testing.T) {
			if got := differences(decoded(t, example), decoded(t, printed), []string{"o"}, nil); len(got) != want {
				t.Errorf("%q", got)
			}
		})
	}
}

// costly are the examples of help texts that take too long here, or do not end.
var costly = map[string]bool{
	"shadowflow bench": true, "shadowflow bench --scaling --plot scaling.svg": true, "shadowflow bench --set model.name=cnn,data.subset=500,dtype=float64": true,
	"shadowflow map": true, "shadowflow map --at 0.9,0.999": true,
	"shadowflow map --beta1 0.9 --beta2 0.9,0.99,0.999 --lr 1e-4,3e-4,1e-3 --eps 1e-8 --batch 0 --seeds 3": true,
	"shadowflow reproduce norm-vs-beta2": true, "shadowflow bench --peers torch,jax --only gpt": true, "shadowflow bench --objective rosenbrock": true,
	"shadowflow serve": true, "shadowflow serve results --listen 127.0.0.1:0": true,
}

// TestTheExamplesOfTheHelpRun runs them where they are printed, in the order of the commands; those that are costly until they would begin.
func TestTheExamplesOfTheHelpRun(t *testing.T) {
	if testing.Short() {
		t.Skip("nothing here depends on the kernels")
	}
	exported := exportedNetwork(t)
	t.Chdir(t.TempDir())
	exported("net.onnx")
	sweep := "name: betas\nbase: {steps: 2, data: {subset: 50}, model: {hidden: [4]}, record: {bias: 0, sharpness: 0}}\ngrid: {optimizer.beta2: [0.9, 0.99]}\n"
	if err := os.WriteFile("betas.yaml", []byte(sweep), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir("results", 0o755); err != nil { // which serve looks into
		t.Fatal(err)
	}
	for _, dir := range []string{"runs/1", "runs/2"} {
		printed(t, "run", "--out", dir, "--figures=false", "--quiet", "--set", "steps=2", "--set", "data={name: text, subset: 10, test_subset: 5}",
			"--set", "model={name: gpt, depth: 1, heads: 1, dim: 4, context: 8}")
	}
	stopped, stop := context.WithCancelCause(t.Context())
	stop(Interrupted{os.Interrupt})
	all := leaves()
	order := append([]string{"sweep", "optimizers"}, slices.Sorted(maps.Keys(all))...) // what others begin with is made first
	done := map[string]bool{}
	for _, name := range order {
		for line := range strings.Lines(all[name].Example) {
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "#") || done[line] || !strings.HasPrefix(line, "shadowflow") {
				continue
			}
			done[line] = true
			t.Run(line, func(t *testing.T) {
				command, target, redirected := strings.Cut(line, " > ")
				var stdout, stderr bytes.Buffer
				if costly[line] {
					if code := Main(stopped, words(command)[1:], &stdout, &stderr); code != 130 {
						t.Errorf("code %d: %s", code, stderr.String())
					}
					if text := stderr.String(); all[name].Name() != "serve" && !strings.Contains(text, "interrupted; go on with") && !strings.Contains(text, "shadowflow: interrupt\n") {
						t.Errorf("it was not begun: %s", text)
					}
					return
				}
				if code := Main(t.Context(), words(command)[1:], &stdout, &stderr); code != exitDone {
					t.Fatalf("code %d: %s", code, stderr.String())
				}
				if redirected {
					if err := os.WriteFile(target, stdout.Bytes(), 0o644); err != nil {
						t.Fatal(err)
					}
				}
			})
		}
	}
	for line := range costly {
		if !done[line] {
			t.Errorf("%s is no example", line)
		}
	}
}

// What needs no argument runs without any.
func TestCommandsRunByTheirDefaults(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, args := range []string{"verify", "verify --memory state", "iterate", "iterate --flow 1,2", "field", "field --memory state", "check", "check --batches --orders 50",
		"probe", "config", "optimizers", "data info", "version", "reproduce --list"} {
		t.Run(args, func(t *testing.T) { printed(t, strings.Fields(args)...) })
	}
}

// TestTheCallsInTheDocsAreCalls parses every command line of the docs, with its flags, and its settings where no file is beside them.
func TestTheCallsInTheDocsAreCalls(t *testing.T) {
	var pages []string
	for _, pattern := range []string{"../../README.md", "../../docs/*.md", "../../examples/*.md", "../../examples/*/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatal(pattern, err)
		}
		pages = append(pages, found...)
	}
	inline := regexp.MustCompile("`(shadowflow [^`\n]*)`")
	for _, path := range pages {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, m := range inline.FindAllStringSubmatch(string(text), -1) {
			lines = append(lines, m[1])
		}
		for _, f := range fences(string(text)) {
			for line := range strings.Lines(strings.ReplaceAll(f.text, "\\\n", " ")) {
				if line = strings.TrimSpace(line); strings.HasPrefix(line, "shadowflow ") {
					lines = append(lines, line)
				}
			}
		}
		for _, line := range lines {
			t.Run(filepath.Base(path)+": "+line, func(t *testing.T) {
				command, _, _ := strings.Cut(line, " > ")
				command, _, _ = strings.Cut(command, " # ")
				cmd, args, err := New(io.Discard, io.Discard).Find(words(command)[1:])
				if err == nil {
					err = cmd.ParseFlags(args)
				}
				if errors.Is(err, pflag.ErrHelp) {
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if name := cmd.Name(); cmd.HasSubCommands() && cmd.Args == nil {
					t.Errorf("%s wants a subcommand", name)
				}
				var settings [][]schema.Setting
				set, err := cmd.Flags().GetStringArray("set")
				if err != nil || cmd.Flags().NArg() > 0 || cmd.Flags().Changed("resume") {
					return
				}
				for _, short := range []string{"objective", "optimizer", "batches"} {
					if f := cmd.Flags().Lookup(short); f != nil && f.Changed && f.Value.Type() == "string" && !strings.HasSuffix(f.Value.String(), ".yaml") {
						key := map[string]string{"batches": "batch.mode"}[short]
						settings = append(settings, []schema.Setting{schema.Set(cmp.Or(key, short+".name"), f.Value.String())})
					}
				}
				if len(settings) == 0 && slices.Contains([]string{"field", "verify", "iterate"}, cmd.Name()) {
					settings = append(settings, []schema.Setting{aClosedForm})
				}
				for _, text := range set {
					group, err := schema.ParseSet("--set", text)
					if err != nil {
						t.Fatal(err)
					}
					settings = append(settings, group)
				}
				if _, err := config.Resolve(nil, settings...); err != nil && !strings.Contains(line, "...") {
					t.Error(err)
				}
			})
		}
	}
}
