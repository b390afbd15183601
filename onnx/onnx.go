// Package onnx reads ONNX files: the graph of operators that a framework exported, its weights, and the shapes of what goes in and comes out. It says
// what stands in a file and knows nothing of what operators do.
//
// A file is one protobuf message (https://github.com/onnx/onnx, onnx.proto), of which the fields that a network needs are read and all others passed
// over. What a file may cost is bounded: its size, the number of its parts, and elements, which are counted before they are allocated. Elements that
// lie in files beside it are read from its own folder alone.
package onnx

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"shadowflow/internal/memory"
	"shadowflow/internal/userfile"
	"shadowflow/internal/visible"
)

// Model is what a file holds.
type Model struct {
	Producer string           // the program that wrote it, with its version; may be empty
	Opsets   map[string]int64 // version of each domain's operators; that of ONNX's own has the domain ""
	Graph    *Graph
	Sum      string // SHA-256 of the file and, behind it, of the elements that lie in files beside it
}

// Graph is a list of operators in an order in which they can run: each reads what stands before it.
type Graph struct {
	Nodes        []Node
	Initializers []Tensor
	Inputs       []ValueInfo // without those that are initializers
	Outputs      []ValueInfo
}

// Node is one operator.
type Node struct {
	Name       string // may be empty
	Op         string // like Conv
	Domain     string // empty for ONNX's own operators
	Inputs     []string
	Outputs    []string // an input or output that is left out has no name
	Attributes []Attribute
	Namespace  string // the modules that it stands in, as PyTorch's newer exporter writes them; may be empty
	Rule       string // the rewriting of onnxscript's that made it; may be empty
	index      int
}

// String names a node for errors: by its operator, and by its name or its place in the graph.
func (n *Node) String() string {
	op := n.Op
	if n.Domain != "" {
		op = n.Domain + "." + op
	}
	if n.Name == "" {
		return fmt.Sprintf("node %d (%s)", n.index, visible.Name(op))
	}
	return fmt.Sprintf("node %q (%s)", visible.Name(n.Name), visible.Name(op))
}

// Attribute returns the attribute of that name, nil if the node has none.
func (n *Node) Attribute(name string) *Attribute {
	for i := range n.Attributes {
		if n.Attributes[i].Name == name {
			return &n.Attributes[i]
		}
	}
	return nil
}

// Attribute is a named constant of a node. Value is a float32, int64, string or *Tensor, or a []float32, []int64 or []string; nil for
// what is not read: graphs within the graph, types, sparse tensors.
type Attribute struct {
	Name  string
	Value any
}

// ValueInfo is the name, type and shape of what goes into a graph or comes out.
type ValueInfo struct {
	Name  string
	Type  Type
	Shape []Dim // nil where the file does not say
}

// Dim is the length of an axis.
type Dim struct {
	Size int    // -1 where it is not fixed
	Name string // of a length that is not fixed; may be empty
}

func (d Dim) String() string {
	switch {
	case d.Size >= 0:
		return fmt.Sprint(d.Size)
	case d.Name != "":
		return visible.Name(d.Name)
	}
	return "?"
}

// FormatError says why a file cannot be read.
type FormatError struct {
	File   string // empty if it has no name
	Where  string // the part of it, like: node "fc" (Gemm), attribute "alpha"; may be empty
	Reason string
}

func (e *FormatError) Error() string {
	var parts []string
	for _, part := range []string{visible.Line(e.File), e.Where, e.Reason} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ": ")
}

func malformed(format string, args ...any) error {
	return &FormatError{Reason: fmt.Sprintf(format, args...)}
}

// within says of an error in which part of the file it is.
func within(err error, format string, args ...any) error {
	fault := (*FormatError)(nil)
	if !errors.As(err, &fault) {
		return err
	}
	if where := fmt.Sprintf(format, args...); fault.Where == "" {
		fault.Where = where
	} else {
		fault.Where = where + ", " + fault.Where
	}
	return fault
}

// maxSize is the most bytes that a protobuf message may have, by its definition.
const maxSize = 1 << 31

// ReadFile reads a file, and what lies beside it in its folder. Faults of the content are reported as *FormatError.
func ReadFile(path string) (*Model, error) {
	f, size, err := userfile.Open(path)
	if err != nil {
		return nil, err
	}
	f.Close()
	if size > maxSize {
		return nil, &FormatError{File: path, Reason: fmt.Sprintf("it has %s, want at most 2 GiB, as protobuf has it: the elements of larger networks lie in files beside it", memory.Format(size))}
	}
	raw, err := userfile.ReadAll(path)
	if err != nil {
		return nil, err
	}
	m, err := Read(raw, filepath.Dir(path))
	fault := (*FormatError)(nil)
	if errors.As(err, &fault) {
		fault.File = path
		if what := userfile.ExplainBinary(bytes.NewReader(raw)); what != "" && !userfile.IsProtobuf(raw) {
			fault.Where, fault.Reason = "", "this is no ONNX file"+what
		}
		return nil, fault
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", visible.Line(path), err)
	}
	return m, nil
}

// Read reads a file's content. Elements in other files are looked for in the folder; an empty one stands for none. Faults of the content
// are reported as *FormatError.
func Read(raw []byte, folder string) (*Model, error) {
	sum := sha256.New()
	sum.Write(raw)
	r := &reader{folder: folder, parts: maxParts, sum: sum}
	m, err := r.model(raw)
	if err != nil {
		return nil, err
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	m.Sum = fmt.Sprintf("%x", sum.Sum(nil))
	return m, nil
}
