package rule

import (
	"errors"

	"shadowflow/graph"
	"shadowflow/rule/formula"
)

// shapes finds the forms of the entries, and what in formulas does not fit.
func (r *reader) shapes() {
	d := r.d
	d.forms = map[string]formula.Form{}
	for range len(d.State) + 1 { // an entry may wait for another that stands below
		for i, e := range d.State {
			form, err := e.Formula.Form(d.layout(nil).Forms)
			if form = max(form, d.forms[e.Name]); err != nil {
				r.misfit(err, place{r.at[e.Name], path("state", e.Name), i})
				return
			}
			d.forms[e.Name] = form
		}
	}
	for name, form := range d.forms {
		if form == formula.Open { // it is made of itself alone
			d.forms[name] = formula.Elements
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
	forms := map[string]formula.Form{"g": formula.Elements, "theta": formula.Elements}
	for name, form := range d.forms {
		forms[name], forms[before(name)], forms[corrected(name)] = form, form, form
	}
	return formula.Layout{Weights: weights, Forms: forms}
}
