package main

import (
	"fmt"
	"strings"

	"github.com/mmcloughlin/avo/ir"
)

// A function that takes long from an argument to its result keeps a processor waiting: it looks some hundred instructions ahead, which is little more than one vector. Where several
// vectors are done at a time their instructions alternate, so that it sees all of them.

const (
	strand    = "strand"
	strandEnd = "strands end"
)

// beginStrand says that the i-th of several independent parts of a function follows.
func (m *machine) beginStrand(i int) { m.Comment(fmt.Sprint(strand, i)) }

// endStrands says that they end.
func (m *machine) endStrands() { m.Comment(strandEnd) }

// alternate puts the parts' instructions in turn, one of each, and takes the marks out.
func alternate(file *ir.File) {
	for _, f := range file.Functions() {
		var out []ir.Node
		var parts [][]ir.Node
		for _, n := range f.Nodes {
			c, mark := n.(*ir.Comment)
			switch {
			case mark && c.Lines[0] == strandEnd:
				out = append(out, inTurn(parts)...)
				parts = nil
			case mark && strings.HasPrefix(c.Lines[0], strand):
				parts = append(parts, nil)
			case len(parts) > 0:
				last := &parts[len(parts)-1]
				*last = append(*last, n)
			default:
				out = append(out, n)
			}
		}
		f.Nodes = out
	}
}

func inTurn(parts [][]ir.Node) []ir.Node {
	var out []ir.Node
	for i := 0; ; i++ {
		n := len(out)
		for _, p := range parts {
			if i < len(p) {
				out = append(out, p[i])
			}
		}
		if len(out) == n {
			return out
		}
	}
}
