// Command asm writes the assembly of package vec, its Go declarations, and the tables of functions that call it.
//
// Every function is written once, on a machine that emits AVX-512 or AVX2 instructions for float32 or float64.
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
	"text/template"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
)

//go:embed table.go.tmpl
var tableText string

func main() {
	log.SetFlags(0)
	dir := flag.String("dir", ".", "the `folder` of package vec")
	flag.Parse()
	for _, avx512 := range []bool{true, false} {
		if err := generate(*dir, avx512); err != nil {
			log.Fatal(err)
		}
	}
}

// generate writes the three files of one instruction set.
func generate(dir string, avx512 bool) error {
	ctx := build.NewContext()
	base := machine{Context: ctx, avx512: avx512, width: 32, spare: 5, data: map[string]operand.Mem{}}
	suffix := "avx2"
	if avx512 {
		base.width, base.spare, suffix = 64, 13, "avx512"
	}
	addLaneTables(ctx)
	if !avx512 {
		addMaskTable(ctx)
	}
	types := make([]machine, 2)
	for i := range types {
		m := base
		m.double = i == 1
		m.emit()
		types[i] = m
	}
	file, err := ctx.Result()
	if err != nil {
		return fmt.Errorf("%s: %w", suffix, err)
	}
	if err := pass.Compile.Execute(file); err != nil {
		return fmt.Errorf("%s: %w", suffix, err)
	}
	if !avx512 {
		if err := checkRegisters(file); err != nil {
			return err
		}
	}
	config := printer.Config{Argv: []string{"go", "run", "./asm", "-dir", "."}, Pkg: "vec"}
	assembly, err := printer.NewGoAsm(config).Print(file)
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
		"kernels_" + suffix + "_amd64.s":  assembly,
		"kernels_" + suffix + "_amd64.go": stubs,
		"table_" + suffix + "_amd64.go":   table,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (m *machine) emit() {
	for _, f := range functions() {
		m.elementwise(f)
		m.hoisted = nil
	}
	m.fill()
	for _, f := range rowReductions() {
		m.rows(f)
	}
	m.addRows()
	m.windows()
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
