package rule

import (
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"shadowflow/schema"
)

// The optimizers of the literature, one a file that is called after it.
//
//go:embed definitions/*.yaml
var files embed.FS

// builtin reads the files, in the order of their names.
var builtin = sync.OnceValue(func() []*Definition {
	entries, err := files.ReadDir("definitions")
	if err != nil {
		panic(err) // it is embedded
	}
	var all []*Definition
	for _, e := range entries {
		src, err := files.ReadFile("definitions/" + e.Name())
		if err != nil {
			panic(err) // it is embedded
		}
		d, err := ParseDefinition(e.Name(), src)
		if err != nil {
			panic(err) // tests read them all
		}
		all = append(all, d)
	}
	return all
})

// Names returns the names of the built-in optimizers.
func Names() []string {
	var names []string
	for _, d := range builtin() {
		names = append(names, d.Name)
	}
	return names
}

// Find returns the definition of a built-in optimizer.
func Find(name string) (*Definition, error) {
	for _, d := range builtin() {
		if d.Name == name {
			return d, nil
		}
	}
	if near := schema.Nearest(name, Names()); near != "" {
		return nil, fmt.Errorf("no optimizer %q: did you mean %s? (there are %s)", name, near, strings.Join(Names(), ", "))
	}
	return nil, fmt.Errorf("no optimizer %q: expected one of %s", name, strings.Join(Names(), ", "))
}

// Source returns the file of a built-in optimizer, with its comments, to start one's own from.
func Source(name string) ([]byte, error) {
	if _, err := Find(name); err != nil {
		return nil, err
	}
	return files.ReadFile("definitions/" + name + ".yaml")
}

// Keys returns the settings of a built-in optimizer: lr, and then its hyperparameters.
func Keys(name string) ([]schema.Key, error) {
	d, err := Find(name)
	if err != nil {
		return nil, err
	}
	return d.Keys(), nil
}

// IsFile reports whether what should name an optimizer is the path of a file with its definition: it has a folder in it, or ends in .yaml
// or .yml.
func IsFile(name string) bool {
	ext := filepath.Ext(name)
	return strings.ContainsRune(name, '/') || strings.ContainsRune(name, os.PathSeparator) || ext == ".yaml" || ext == ".yml"
}
