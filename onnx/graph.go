package onnx

import (
	"math"
	"strings"

	"shadowflow/internal/plural"
	"shadowflow/internal/visible"
)

// The numbers of fields are those of onnx.proto.

func (r *reader) model(raw []byte) (*Model, error) {
	m := &Model{Opsets: map[string]int64{}}
	functions, version := 0, ""
	err := r.each(raw, func(f field) (err error) {
		switch f.number {
		case 2:
			m.Producer, err = f.text()
		case 3:
			version, err = f.text()
		case 7:
			if m.Graph != nil {
				return malformed("the file has two graphs: it is damaged")
			}
			var b []byte
			if b, err = f.message(); err == nil {
				m.Graph, err = r.graph(b)
			}
		case 8:
			err = r.opset(f, m)
		case 25:
			functions++
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	m.Producer = strings.TrimSpace(m.Producer + " " + version)
	switch {
	case m.Graph == nil:
		return nil, malformed("the file has no graph: it is no ONNX file, or cut short")
	case functions > 0:
		return nil, malformed("the file defines %s of its own, want only operators: onnx.inliner.inline_local_functions(model) puts their bodies where they are called", plural.Count(functions, "function"))
	}
	return m, nil
}

func (r *reader) opset(f field, m *Model) error {
	b, err := f.message()
	if err != nil {
		return err
	}
	domain, version := "", int64(0)
	err = r.each(b, func(f field) (err error) {
		switch f.number {
		case 1:
			domain, err = f.text()
		case 2:
			version, err = f.integer()
		}
		return err
	})
	m.Opsets[ownDomain(domain)] = version
	return within(err, "an opset")
}

// ownDomain returns a domain's name, that of ONNX's own operators, which has two, as the empty one.
func ownDomain(domain string) string {
	if domain == "ai.onnx" {
		return ""
	}
	return domain
}

// pair reads a message of two texts.
func (r *reader) pair(f field) (key, value string, err error) {
	b, err := f.message()
	if err != nil {
		return "", "", err
	}
	err = r.each(b, func(f field) (err error) {
		switch f.number {
		case 1:
			key, err = f.text()
		case 2:
			value, err = f.text()
		}
		return err
	})
	return key, value, err
}

func (r *reader) graph(raw []byte) (*Graph, error) {
	g := &Graph{}
	kinds := map[string]string{} // of initializers
	err := r.each(raw, func(f field) error {
		switch f.number {
		case 1, 5, 11, 12, 13:
		case 15:
			return malformed("it has sparse initializers: want dense ones")
		default:
			return nil
		}
		b, err := f.message()
		if err != nil {
			return err
		}
		switch f.number {
		case 1:
			var n Node
			n, err = r.node(b, len(g.Nodes))
			g.Nodes = append(g.Nodes, n)
		case 5:
			var t Tensor
			t, err = r.tensor(b)
			g.Initializers = append(g.Initializers, t)
			err = within(err, "initializer %q", visible.Name(t.Name))
		case 11:
			g.Inputs, err = r.value(b, g.Inputs)
			err = within(err, "an input of the graph")
		case 12:
			g.Outputs, err = r.value(b, g.Outputs)
			err = within(err, "an output of the graph")
		case 13:
			err = within(r.kind(b, kinds), "an array's type")
		}
		return err
	})
	for i := range g.Initializers {
		g.Initializers[i].Kind = kinds[g.Initializers[i].Name]
	}
	return g, err
}

// kind takes down what an initializer is, if what is said of an array says that.
func (r *reader) kind(raw []byte, kinds map[string]string) error {
	name, kind := "", ""
	err := r.each(raw, func(f field) (err error) {
		switch f.number {
		case 1:
			name, err = f.text()
		case 4:
			var key, text string
			if key, text, err = r.pair(f); key == "pkg.torch.export.graph_signature.InputSpec.kind" {
				kind = text
			}
		}
		return err
	})
	if kind != "" {
		kinds[name] = kind
	}
	return err
}

// maxAttributes is the most attributes of a node, several times what an operator of the standard has.
const maxAttributes = 64

func (r *reader) node(raw []byte, index int) (Node, error) {
	n := Node{index: index}
	var attributes [][]byte // read last, so that an error in one can name the node
	err := r.each(raw, func(f field) error {
		var text string
		var err error
		switch f.number {
		case 1, 2, 3, 4, 7:
			if text, err = f.text(); err != nil {
				return err
			}
		}
		switch f.number {
		case 1:
			n.Inputs = append(n.Inputs, text)
		case 2:
			n.Outputs = append(n.Outputs, text)
		case 3:
			n.Name = text
		case 4:
			n.Op = text
		case 5:
			var b []byte
			b, err = f.message()
			attributes = append(attributes, b)
		case 7:
			n.Domain = ownDomain(text)
		case 9:
			var key string
			switch key, text, err = r.pair(f); key {
			case "namespace":
				n.Namespace = text
			case "pkg.onnxscript.rewriter.rule_name":
				n.Rule = text
			}
		}
		return err
	})
	if err == nil && len(attributes) > maxAttributes {
		err = malformed("it has %s, want at most %d", plural.Count(len(attributes), "attribute"), maxAttributes)
	}
	for i := 0; i < len(attributes) && err == nil; i++ {
		var a Attribute
		a, err = r.attribute(attributes[i])
		if err == nil && n.Attribute(a.Name) != nil {
			err = malformed("it is there twice")
		}
		n.Attributes = append(n.Attributes, a)
		err = within(err, "attribute %q", visible.Name(a.Name))
	}
	return n, within(err, "%s", n.String())
}

// The types of attributes, by their numbers in the format.
const (
	floatAttribute   = 1
	integerAttribute = 2
	textAttribute    = 3
	tensorAttribute  = 4
	floatsAttribute  = 6
	intsAttribute    = 7
	textsAttribute   = 8
)

func (r *reader) attribute(raw []byte) (Attribute, error) {
	var a Attribute
	var kind, integer int64
	var float float32
	var text string
	var tensor *Tensor
	floats, integers, texts := []float32{}, []int64{}, []string{}
	err := r.each(raw, func(f field) (err error) {
		switch f.number {
		case 1:
			a.Name, err = f.text()
		case 2:
			float, err = f.float()
		case 3:
			integer, err = f.integer()
		case 4:
			var b []byte // of any kind, though all that we know are texts
			b, err = f.message()
			text = string(b)
		case 5:
			var b []byte
			if b, err = f.message(); err == nil {
				var t Tensor
				t, err = r.tensor(b)
				tensor = &t
			}
		case 7:
			floats, err = r.floats(f, floats)
		case 8:
			integers, err = r.integers(f, integers)
		case 9:
			var b []byte
			b, err = f.message()
			texts = append(texts, string(b))
		case 20:
			kind, err = f.integer()
		}
		return err
	})
	if err != nil {
		return a, err
	}
	switch kind {
	case floatAttribute:
		a.Value = float
	case integerAttribute:
		a.Value = integer
	case textAttribute:
		a.Value = text
	case tensorAttribute:
		if tensor == nil {
			return a, malformed("it is said to be a tensor, and there is none")
		}
		a.Value = tensor
	case floatsAttribute:
		a.Value = floats
	case intsAttribute:
		a.Value = integers
	case textsAttribute:
		a.Value = texts
	}
	return a, nil
}

// value appends what goes into a graph or comes out.
func (r *reader) value(raw []byte, to []ValueInfo) ([]ValueInfo, error) {
	var v ValueInfo
	err := r.each(raw, func(f field) (err error) {
		switch f.number {
		case 1:
			v.Name, err = f.text()
		case 2:
			err = r.inside(f, 1, func(f field) error { return r.tensorType(f, &v) })
		}
		return err
	})
	return append(to, v), err
}

// inside calls use with the fields of one number of a message.
func (r *reader) inside(f field, number int32, use func(field) error) error {
	b, err := f.message()
	if err != nil {
		return err
	}
	return r.each(b, func(f field) error {
		if int32(f.number) != number {
			return nil
		}
		return use(f)
	})
}

func (r *reader) tensorType(f field, v *ValueInfo) error {
	b, err := f.message()
	if err != nil {
		return err
	}
	return r.each(b, func(f field) error {
		switch f.number {
		case 1:
			n, err := f.integer()
			v.Type = Type(n)
			return err
		case 2:
			v.Shape = []Dim{}
			return r.inside(f, 1, func(f field) error {
				d, err := r.dim(f)
				v.Shape = append(v.Shape, d)
				return err
			})
		}
		return nil
	})
}

func (r *reader) dim(f field) (Dim, error) {
	d := Dim{Size: -1}
	b, err := f.message()
	if err != nil {
		return d, err
	}
	err = r.each(b, func(f field) (err error) {
		switch f.number {
		case 1:
			var n int64
			if n, err = f.integer(); err == nil && (n < 0 || n > math.MaxInt32) {
				return malformed("an axis has the length %d, want 0 to 2^31-1", n)
			}
			d.Size = int(n)
		case 2:
			d.Name, err = f.text()
		}
		return err
	})
	return d, err
}
