package shadowflow_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "shadowflow/"

// house is the table of docs/design.md: names of packages, a name that ends in "/..." being that of all packages below it.
type house map[string]place

// place is where the table names packages.
type place struct{ floor, turn int }

// above reports whether packages at p may import those at q.
func (p place) above(q place) bool {
	return p.floor > q.floor || p.floor == q.floor && p.turn > q.turn
}

var (
	tableRow   = regexp.MustCompile(`(?m)^\| (\d+) \|([^|]*)\|`)
	quotedName = regexp.MustCompile("`([^`]+)`")
)

// houseOf reads the table from the text of docs/design.md.
func houseOf(t *testing.T, design string) house {
	t.Helper()
	_, section, _ := strings.Cut(design, "\n## The house\n")
	section, _, _ = strings.Cut(section, "\n## ")
	h := house{}
	for _, row := range tableRow.FindAllStringSubmatch(section, -1) {
		floor, err := strconv.Atoi(row[1])
		if err != nil {
			t.Fatal(err)
		}
		for turn, name := range quotedName.FindAllStringSubmatch(row[2], -1) {
			if _, twice := h[name[1]]; twice {
				t.Errorf("docs/design.md has %s on two floors", name[1])
			}
			h[name[1]] = place{floor, turn}
		}
	}
	if len(h) == 0 {
		t.Fatal("docs/design.md has no table of floors")
	}
	return h
}

// nameOf returns the name by which the table knows a package, "" if it does not.
func (h house) nameOf(pkg string) string {
	if _, ok := h[pkg]; ok {
		return pkg
	}
	for dir := pkg; dir != "."; dir = path.Dir(dir) {
		if _, ok := h[dir+"/..."]; ok {
			return dir + "/..."
		}
	}
	return ""
}

// allows reports whether one package may import the other: packages that the table knows by one name may import each other.
func (h house) allows(from, to string) bool {
	from, to = h.nameOf(from), h.nameOf(to)
	return from != "" && to != "" && (from == to || h[from].above(h[to]))
}

func readHouse(t *testing.T) house {
	t.Helper()
	design, err := os.ReadFile("docs/design.md")
	if err != nil {
		t.Fatal(err)
	}
	return houseOf(t, string(design))
}

// readImports returns what the packages of this module import, tests apart, in files for any processor.
func readImports(t *testing.T) map[string][]string {
	t.Helper()
	imports := map[string][]string{}
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skipped(file)
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		paths, err := importsOf(file)
		pkg := path.Dir(filepath.ToSlash(file))
		imports[pkg] = append(imports[pkg], paths...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return imports
}

func importsOf(file string) ([]string, error) {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, spec := range f.Imports {
		paths = append(paths, strings.Trim(spec.Path.Value, "\"`"))
	}
	return paths, nil
}

// skipped returns fs.SkipDir for the directories that Go looks for no packages in.
func skipped(dir string) error {
	name := filepath.Base(dir)
	if dir != "." && (name[0] == '.' || name[0] == '_' || name == "testdata") {
		return fs.SkipDir
	}
	return nil
}

func TestEveryPackageIsOnAFloorOfTheHouse(t *testing.T) {
	h, lived := readHouse(t), map[string]bool{}
	for pkg := range readImports(t) {
		name := h.nameOf(pkg)
		if name == "" {
			t.Errorf("package %s is on no floor of the table in docs/design.md: name it on one", pkg)
		}
		lived[name] = true
	}
	for name := range h {
		if !lived[name] {
			t.Errorf("the table in docs/design.md names %s: there is no such package", name)
		}
	}
}

func TestPackagesImportOnlyPackagesBelowThem(t *testing.T) {
	h, imports := readHouse(t), readImports(t)
	for _, pkg := range slices.Sorted(maps.Keys(imports)) {
		for _, path := range imports[pkg] {
			to, own := strings.CutPrefix(path, module)
			if own && !h.allows(pkg, to) {
				t.Errorf("package %s imports %s: want only packages that docs/design.md has on lower floors, or before it on its own", pkg, to)
			}
		}
	}
}

func TestNoPackageImportsTestingOrACommand(t *testing.T) {
	for pkg, imports := range readImports(t) {
		for _, path := range imports {
			if path == "testing" || strings.HasPrefix(path, "testing/") || strings.HasPrefix(path, module+"cmd/") {
				t.Errorf("package %s imports %s: want neither testing nor a command outside of tests", pkg, path)
			}
		}
	}
}

func TestTheHouseAllowsImportsDownAndOfThoseNamedBefore(t *testing.T) {
	h := houseOf(t, "# Design\n\n## The house\n\n| floor | package | what lives there |\n|---|---|---|\n"+
		"| 1 | `attic`, `attic/window` | `cellar` is not named here |\n"+
		"| 0 | `cellar/...`, `cellar/door` | wine |\n\n## The garden\n\n| 0 | `garden` | trees |\n")
	for _, c := range []struct {
		from, to string
		want     bool
	}{
		{"attic", "cellar/wine", true},
		{"attic", "cellar/door", true},
		{"attic/window", "attic", true},
		{"attic", "attic/window", false},
		{"cellar/wine", "attic", false},
		{"cellar/wine", "cellar/coal/heap", true},
		{"cellar/coal/heap", "cellar/wine", true},
		{"cellar/door", "cellar/wine", true},
		{"cellar/wine", "cellar/door", false},
		{"attic", "garden", false},
		{"garden", "attic", false},
	} {
		t.Run(c.from+" imports "+c.to, func(t *testing.T) {
			if got := h.allows(c.from, c.to); got != c.want {
				t.Errorf("allowed: %v, want %v", got, c.want)
			}
		})
	}
}

// Whatever a user names may be a pipe, a device, or larger than the memory: files are opened in one place, which knows of that.
func TestFilesAreOpenedByUserfileAlone(t *testing.T) {
	opens := regexp.MustCompile(`\bos\.(Open|ReadFile)\b`) // called, or handed over
	allowed := []string{
		"internal/userfile/userfile.go",
		"internal/atomicfile/atomicfile.go", // a folder, to sync it
		"internal/version/version.go",       // the program itself
	}
	found := map[string]bool{}
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return skipped(file)
		case !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(file)
		if file = filepath.ToSlash(file); err == nil && opens.Match(text) {
			if found[file] = true; !slices.Contains(allowed, file) {
				t.Errorf("%s opens files itself: want internal/userfile", file)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range allowed {
		if !found[file] {
			t.Errorf("%s opens no files any more", file)
		}
	}
}

// TestTheTestsThatTheDocsNameAreThere looks for each test that docs/reliability.md names in the package that is named before it: `go test -run` takes a
// name that no test has for nothing to do.
func TestTheTestsThatTheDocsNameAreThere(t *testing.T) {
	text, err := os.ReadFile("docs/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	isTest := regexp.MustCompile(`^(Test|Fuzz)[A-Z0-9]\w*$`)
	named, pkg := 0, ""
	for _, m := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(string(text), -1) {
		name := m[1]
		if !isTest.MatchString(name) {
			if info, err := os.Stat(name); err == nil && info.IsDir() {
				pkg = name
			}
			continue
		}
		named++
		if !declares(t, pkg, name) {
			t.Errorf("docs/reliability.md names %s in %q, where there is no such test", name, pkg)
		}
	}
	if named < 100 {
		t.Errorf("found %d names of tests in docs/reliability.md, want 100 and more: its tables are no longer read rightly", named)
	}
}

// declares reports whether a package's tests have a function of this name.
func declares(t *testing.T, pkg, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(pkg, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(source), "\nfunc "+name+"(") {
			return true
		}
	}
	return false
}

// TestTheDocsNameEveryFuzzTarget holds docs/reliability.md to say of each fuzz target how long it ran.
func TestTheDocsNameEveryFuzzTarget(t *testing.T) {
	text, err := os.ReadFile("docs/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	target := regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)
	err = filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return skipped(file)
		}
		if !strings.HasSuffix(file, "_test.go") {
			return nil
		}
		source, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for _, m := range target.FindAllStringSubmatch(string(source), -1) {
			if !strings.Contains(string(text), "`"+m[1]+"`") {
				t.Errorf("docs/reliability.md does not name %s of %s", m[1], file)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
