package torchfile

import (
	"fmt"
	"strings"

	"github.com/nlpodyssey/gopickle/types"
)

// opaque stands for a class or a function of Python's that is not known here, and for whatever it makes: training scripts keep numpy's numbers, paths and their
// arguments beside the tensors. It holds nothing of what it is given, and does nothing.
type opaque struct{ name string }

// Call implements [types.Callable].
func (o *opaque) Call(...any) (any, error) { return o, nil }

// PyNew implements [types.PyNewable].
func (o *opaque) PyNew(...any) (any, error) { return o, nil }

// Set implements [types.DictSetter].
func (o *opaque) Set(any, any) {}

// Append implements [types.ListAppender].
func (o *opaque) Append(any) {}

// Add implements [types.SetAdder].
func (o *opaque) Add(any) {}

var (
	_ types.Callable     = (*opaque)(nil)
	_ types.PyNewable    = (*opaque)(nil)
	_ types.DictSetter   = (*opaque)(nil)
	_ types.ListAppender = (*opaque)(nil)
	_ types.SetAdder     = (*opaque)(nil)
)

// String says what it is.
func (o *opaque) String() string {
	for _, prefix := range []string{"torch.nn.", "torchvision."} {
		if strings.HasPrefix(o.name, prefix) {
			return fmt.Sprintf("a whole module (%.100s), whose code only Python has", o.name)
		}
	}
	return fmt.Sprintf("an object %.100s of Python's, which only Python can make", o.name)
}
