package formula

import (
	"fmt"
	"slices"

	"shadowflow/graph"
)

// Form is what an array of a formula holds of each weight. A weight of two or more axes counts as a matrix, a kernel of a
// convolution of one column an output channel; others have no part in the forms of matrices.
type Form int

// The forms. An Open one is not known yet: of what is made of itself.
const (
	Open     Form = iota
	One           // a number for all weights
	Elements      // the weight's own elements
	Left          // rows by rows
	Right         // columns by columns
	Turned        // columns by rows
)

func (f Form) String() string {
	return [...]string{"of no form", "a number", "of the weights' shapes", "of rows by rows", "of columns by columns", "of columns by rows"}[f]
}

// ofMatrices reports whether weights that are no matrices have no part in the form.
func (f Form) ofMatrices() bool { return f >= Left }

// square reports whether the form's matrices have as many rows as columns.
func (f Form) square() bool { return f == Left || f == Right }

// Layout says what the arrays behind a formula's names are: those of all weights, one after another.
type Layout struct {
	// Weights are what the parameters consist of; nil stands for one vector.
	Weights []graph.Block
	// Forms are those of names; what has none here is a number.
	Forms map[string]Form
}

func (l Layout) form(name string) Form { return max(l.Forms[name], One) }

// Parts returns what an array of a form consists of. Of Elements, and of a One, it is nil without weights.
func (l Layout) Parts(form Form) []graph.Block {
	switch form {
	case Elements:
		return l.Weights
	case Open, One:
		return nil
	}
	var parts []graph.Block
	offset := 0
	for _, w := range l.Weights {
		if len(w.Shape) < 2 {
			continue
		}
		rows, columns := sides(w.Shape)
		shapes := [...][]int{Left: {rows, rows}, Right: {columns, columns}, Turned: {columns, rows}}
		part := graph.Block{Name: w.Name, Shape: shapes[form], Offset: offset}
		offset += part.Size()
		parts = append(parts, part)
	}
	return parts
}

// Length returns the number of elements of an array of a form, where the parameters are dim.
func (l Layout) Length(form Form, dim int) int {
	switch {
	case form == One:
		return 1
	case !form.ofMatrices():
		return dim
	}
	n := 0
	for _, p := range l.Parts(form) {
		n += p.Size()
	}
	return n
}

// sides returns the number of rows and columns of a weight as a matrix.
func sides(shape []int) (rows, columns int) {
	rows, columns = 1, shape[len(shape)-1]
	for _, k := range shape[:len(shape)-1] {
		rows *= k
	}
	return rows, columns
}

// A FormError says which part of a formula puts together what does not fit.
type FormError struct {
	Part    *Formula
	Problem string
}

func (e *FormError) Error() string { return fmt.Sprintf("%s: %s", e.Part, e.Problem) }

// Form returns the form of a formula's value, from those of its names; what has none here is a number. The error is a *FormError.
func (f *Formula) Form(forms map[string]Form) (Form, error) {
	switch {
	case f.Name != "":
		if form, ok := forms[f.Name]; ok {
			return form, nil
		}
		return One, nil
	case f.Op == "":
		return One, nil
	}
	args := make([]Form, len(f.Args))
	for i, a := range f.Args {
		var err error
		if args[i], err = a.Form(forms); err != nil {
			return Open, err
		}
	}
	form, problem := f.combine(args)
	if problem != "" {
		return Open, &FormError{f, problem}
	}
	return form, nil
}

// combine returns the form of an operation on arguments of some forms.
func (f *Formula) combine(args []Form) (form Form, problem string) {
	op := operations[f.Op]
	switch {
	case f.Op == "total":
		return One, ""
	case op.matrices != nil:
		return op.matrices.form(args)
	}
	for _, a := range args {
		if form > One && a > One && a != form {
			return form, fmt.Sprintf("it is made of what is %v and what is %v; want one form, or numbers", form, a)
		}
		form = max(form, a)
	}
	if form == One && slices.Contains(args, Open) { // it may turn out to be an array
		form = Open
	}
	return form, ""
}
