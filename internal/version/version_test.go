package version

import (
	"reflect"
	"runtime/debug"
	"strings"
	"testing"
)

func TestTheProgramSaysWhatItIs(t *testing.T) {
	p := Current()
	if p.Version == "" || !strings.HasPrefix(p.Go, "go") || !strings.Contains(p.System, "/") || p.Instructions == "" {
		t.Errorf("got %+v", p)
	}
	if p.Commit == "" && len(p.Binary) != 64 {
		t.Errorf("nothing says what it was built from: %+v", p)
	}
	for _, want := range []string{p.Version, p.Go, p.System, p.Instructions} {
		if !strings.Contains(p.String(), want) {
			t.Errorf("%q is not in %s", want, p)
		}
	}
}

func TestABuildTellsItsCommit(t *testing.T) {
	p := Program{Version: "(devel)"}
	p.built(&debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"}, {Key: "-trimpath", Value: "true"},
	}})
	if want := (Program{Version: "v1.2.3", Commit: "abc", Modified: true}); p != want {
		t.Errorf("got %+v, want %+v", p, want)
	}
}

func TestChangesAreThoseThatMayChangeBits(t *testing.T) {
	before := Program{Version: "v1", Commit: "a", Go: "go1.26", System: "linux/amd64", Instructions: "avx2"}
	for name, c := range map[string]struct {
		change func(p *Program)
		want   []string
	}{
		"none":              {func(*Program) {}, nil},
		"another commit":    {func(p *Program) { p.Commit = "b" }, []string{"build was commit a, is commit b"}},
		"changes beside it": {func(p *Program) { p.Modified, p.Binary = true, "12" }, []string{"build was commit a, is commit a, binary 12"}},
		"another machine":   {func(p *Program) { p.Instructions = "avx512" }, []string{"instruction set was avx2, is avx512"}},
		"version and Go":    {func(p *Program) { p.Version, p.Go = "v2", "go1.27" }, []string{"version was v1, is v2", "Go was go1.26, is go1.27"}},
	} {
		t.Run(name, func(t *testing.T) {
			now := before
			c.change(&now)
			if got := before.Changes(now); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
