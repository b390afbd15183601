// Command asm writes the assembly of package vec, its Go declarations, and the tables of functions that call it.
//
// Every function is written once, on a machine that emits AVX-512, AVX2 or NEON instructions for float32 or float64.
package main

import (
	"bytes"
	_ "embed"
	"flag"
	"fmt"
	"go/format"
	"log"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"

	"shadowflow/internal/kernel/neon"
)

//go:embed table.go.tmpl
var tableText string

func main() {
	log.SetFlags(0)
	dir := flag.String("dir", ".", "the `folder` of package vec")
	flag.Parse()
	for _, t := range targets() {
		if err := generate(*dir, t); err != nil {
			log.Fatal(err)
		}
	}
}

// target is an instruction set to write kernels for.
type target struct {
	suffix string // of the files' names
	machine
}

func targets() []target {
	return []target{
		{"avx512_amd64", machine{avx512: true, width: 64, spare: 13}},
		{"avx2_amd64", machine{width: 32, spare: 5}},
		{"neon_arm64", machine{neon: true, width: 16, spare: 14}},
	}
}

// generate writes the three files of one instruction set.
func generate(dir string, t target) error {
	ctx := build.NewContext()
	base := t.machine
	base.Context, base.data = ctx, map[string]operand.Mem{}
	addLaneTables(ctx)
	if !t.avx512 && !t.neon {
		addMaskTable(ctx)
	}
	types := make([]machine, 2)
	for i := range types {
		m := base
		m.double = i == 1
		m.pool = newPool(m.size())
		m.emit()
		types[i] = m
		if m.neon {
			m.pool.add(ctx)
		}
	}
	file, err := ctx.Result()
	if err != nil {
		return fmt.Errorf("%s: %w", t.suffix, err)
	}
	alternate(file)
	if err := pass.Compile.Execute(file); err != nil {
		return fmt.Errorf("%s: %w", t.suffix, err)
	}
	config := printer.Config{Argv: []string{"go", "run", "./asm", "-dir", "."}, Pkg: "vec"}
	assembly, err := assemble(file, t, config)
	if err != nil {
		return err
	}
	stubs, err := printer.NewStubs(config).Print(file)
	if err != nil {
		return err
	}
	table, err := tableOf(types)
	if err != nil {
		return err
	}
	for name, text := range map[string][]byte{
		"kernels_" + t.suffix + ".s":  assembly,
		"kernels_" + t.suffix + ".go": stubs,
		"table_" + t.suffix + ".go":   table,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func assemble(file *ir.File, t target, config printer.Config) ([]byte, error) {
	if t.neon {
		return neon.Print(file, strings.Join(config.Argv, " "))
	}
	if !t.avx512 {
		if err := checkRegisters(file); err != nil {
			return nil, err
		}
	}
	return printer.NewGoAsm(config).Print(file)
}

func (m *machine) emit() {
	for _, f := range functions() {
		m.elementwise(f)
		m.hoisted = nil
	}
	m.fill()
	m.addScaled()
	for _, f := range rowReductions() {
		m.rows(f)
	}
	m.addRows()
	m.windows()
	if !m.double {
		m.places("windowTake", false)
		m.places("windowPut", true)
	}
	if m.double {
		m.sizes(true)
		m.sizes(false)
	}
}

// kernel is what the table's template knows of an elementwise function.
type kernel struct {
	Name, Field, Symbol, Arguments string
	Sources                        []string
	Exact                          bool
}

// Kernels lists the elementwise functions for the table's template.
func (m machine) Kernels() []kernel {
	var list []kernel
	for _, f := range functions() {
		list = append(list, kernel{f.name, f.field, m.symbol(f.name), arguments[f.arity], []string{"x", "y", "z"}[:f.arity], f.exact})
	}
	return list
}

// Float is the element type, for the table's template.
func (m machine) Float() string { return m.float() }

// Symbol is the name of an assembly function, for the table's template.
func (m machine) Symbol(kernel string) string { return m.symbol(kernel) }

func tableOf(types []machine) ([]byte, error) {
	t, err := template.New("table").Parse(tableText)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, types); err != nil {
		return nil, err
	}
	return format.Source(out.Bytes())
}
