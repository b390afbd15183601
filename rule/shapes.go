package rule

import (
	"errors"

	"shadowflow/graph"
	"shadowflow/rule/formula"
)

// shapes finds the forms of the entries, and what in formulas does not fit. An entry may wait for another that stands below; those
// that wait for one another alone are numbers.
func (r *reader) shapes() {
	d := r.d
	d.forms = map[string]formula.Form{}
	for _, e := range d.State {
		d.forms[e.Name] = formula.Open
	}
	for {
		changed, open := false, []string{}
		for i, e := range d.State {
			form, err := e.Formula.Form(d.layout(nil).Forms)
			if err != nil {
				r.misfit(err, place{r.at[e.Name], path("state", e.Name), i})
				return
			}
			if form > d.forms[e.Name] {
				d.forms[e.Name], changed = form, true
			}
			if d.forms[e.Name] == formula.Open {
				open = append(open, e.Name)
			}
		}
		for _, name := range open {
			if !changed {
				d.forms[name] = formula.One
			}
		}
		if !changed && len(open) == 0 {
			break
		}
	}
	at := place{r.at["update"], path("update"), len(d.State)}
	switch form, err := d.Update.Form(d.layout(nil).Forms); {
	case err != nil:
		r.misfit(err, at)
	case form > formula.Elements:
		r.wrong(d.Update, at, "it is %v; want what is of the weights' shapes", form)
	}
}

func (r *reader) misfit(err error, at place) {
	var e *formula.FormError
	errors.As(err, &e)
	r.wrong(e.Part, at, "%s", e.Problem)
}

// layout returns that of the arrays of the definition's formulas, for the weights that the parameters consist of; nil for one vector.
func (d *Definition) layout(weights []graph.Block) formula.Layout {
	forms := map[string]formula.Form{"g": formula.Elements, "theta": formula.Elements, hessian: formula.Elements}
	for name, form := range d.forms {
		forms[name], forms[before(name)], forms[corrected(name)] = form, form, form
	}
	return formula.Layout{Weights: weights, Forms: forms}
}
