// Package version says which program this is, as far as the bits of its results may depend on it.
package version

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"

	"shadowflow/internal/kernel/isa"
)

// A Program is a build on a machine.
type Program struct {
	// Version is that of the module, "(devel)" without one.
	Version string `json:"version"`
	// Commit is what it was built from, empty where the build did not say; Modified says that there were changes beside it.
	Commit   string `json:"commit,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	// Binary is the SHA-256 of the executable where no commit says what it was built from.
	Binary string `json:"binary,omitempty"`
	Go     string `json:"go"`
	// System is operating system and processor, Instructions the set of vector instructions in use.
	System       string `json:"system"`
	Instructions string `json:"instructions"`
}

// Current returns the program that runs.
var Current = sync.OnceValue(func() Program {
	p := Program{Version: "(devel)", Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH}
	set, _ := isa.Best() // what is wrong with a set that was asked for is said where kernels are made
	p.Instructions = set.String()
	if info, ok := debug.ReadBuildInfo(); ok {
		p.built(info)
	}
	if p.Commit == "" || p.Modified {
		p.Binary = binary()
	}
	return p
})

// built takes what the build says of itself.
func (p *Program) built(info *debug.BuildInfo) {
	if info.Main.Version != "" {
		p.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			p.Commit = s.Value
		case "vcs.modified":
			p.Modified = s.Value == "true"
		}
	}
}

// binary returns the executable's hash, empty if it cannot be read.
func binary() string {
	path, err := os.Executable()
	if err != nil {
		return ""
	}
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = file.Close() }() // it was only read
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return ""
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// String returns it in a line.
func (p Program) String() string {
	text := "shadowflow " + p.Version
	if p.Commit != "" {
		text += ", commit " + p.Commit
	}
	if p.Modified {
		text += " with changes"
	}
	if p.Binary != "" {
		text += fmt.Sprintf(", binary %.12s", p.Binary)
	}
	return fmt.Sprintf("%s, %s, %s, %s", text, p.Go, p.System, p.Instructions)
}

// Changes says in what a program differs from the one before it, nothing if its results are the same to the bit.
func (p Program) Changes(now Program) []string {
	var out []string
	for _, c := range []struct{ name, before, now string }{
		{"version", p.Version, now.Version}, {"build", p.source(), now.source()}, {"Go", p.Go, now.Go},
		{"system", p.System, now.System}, {"instruction set", p.Instructions, now.Instructions},
	} {
		if c.before != c.now {
			out = append(out, fmt.Sprintf("%s was %s, is %s", c.name, c.before, c.now))
		}
	}
	return out
}

// source names what a program was built from.
func (p Program) source() string {
	var parts []string
	if p.Commit != "" {
		parts = append(parts, "commit "+p.Commit)
	}
	if p.Binary != "" {
		parts = append(parts, fmt.Sprintf("binary %.12s", p.Binary))
	}
	return strings.Join(parts, ", ")
}
