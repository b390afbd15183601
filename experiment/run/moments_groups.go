package run

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"shadowflow/experiment/config"
	"shadowflow/nn"
	"shadowflow/rule"
	"shadowflow/torchfile"
)

// torchGroup is a group of parameters of an optimizer of PyTorch's: its hyperparameters by PyTorch's names, and which weights it
// has.
type torchGroup struct {
	settings map[string]any
	weights  []string
}

func torchGroups(o *torchfile.Optimizer, names []string) []torchGroup {
	var out []torchGroup
	for i, settings := range o.Groups {
		out = append(out, torchGroup{settings, names[:o.Sizes[i]]})
		names = names[o.Sizes[i]:]
	}
	return out
}

// parameterNames returns the names of an optimizer's parameters: its own; or the model's in their order; or those of the rule's
// groups, where the shapes of what is remembered tell which these are.
func parameterNames(o *torchfile.Optimizer, model *nn.Model, r *rule.Rule) ([]string, error) {
	params := model.Params()
	if stay := staying(r); len(o.State) != len(params) {
		params = slices.DeleteFunc(slices.Clone(params), func(p nn.Param) bool { return stay[p.Name] })
	}
	switch {
	case o.Names != nil:
		prefix, names := model.Prefix(o.Names), slices.Clone(o.Names)
		for i := range names {
			names[i] = strings.TrimPrefix(names[i], prefix)
		}
		return names, nil
	case len(o.State) != len(params) && len(params) == len(model.Params()):
		return nil, fmt.Errorf("an optimizer of %d parameters; the model has %d: for weights that it does not move want lr_scale: 0 in optimizer.groups",
			len(o.State), len(params))
	case len(o.State) != len(params):
		return nil, fmt.Errorf("an optimizer of %d parameters; the model has %d, of which %d move", len(o.State), len(model.Params()), len(params))
	case len(o.Groups) > 1:
		if names := namesByShape(o, params, r); names != nil {
			return names, nil
		}
		return nil, fmt.Errorf("%d groups of parameters without names, and no optimizer.groups of which the shapes tell which these are, so that "+
			"their order is unknown; want names: torch.optim.Adam(model.named_parameters(), ...), or param_names in param_groups", len(o.Groups))
	}
	var names []string
	for _, p := range params {
		names = append(names, p.Name)
	}
	return names, nil
}

// namesByShape returns the names of the parameters of several groups, if each has the shapes of one group of the rule's, in the
// model's order, and of no other; else nil.
func namesByShape(o *torchfile.Optimizer, params []nn.Param, r *rule.Rule) []string {
	var names []string
	taken := map[int]bool{}
	state := o.State
	for _, size := range o.Sizes {
		var fits []int
		for i, p := range r.Parts() {
			if ofShapes(state[:size], params, p.Weights) {
				fits = append(fits, i)
			}
		}
		if len(fits) != 1 || taken[fits[0]] {
			return nil
		}
		taken[fits[0]] = true
		names, state = append(names, r.Parts()[fits[0]].Weights...), state[size:]
	}
	return names
}

// ofShapes reports whether what is remembered has the shapes of weights.
func ofShapes(remembered []*torchfile.Remembered, params []nn.Param, weights []string) bool {
	if len(remembered) != len(weights) {
		return false
	}
	for i, m := range remembered {
		at := slices.IndexFunc(params, func(p nn.Param) bool { return p.Name == weights[i] })
		if m == nil || at < 0 || len(m.Arrays) == 0 || !slices.Equal(m.Arrays[0].Shape, params[at].Torch) {
			return false
		}
	}
	return true
}

// compare notes where the optimizer that the moments are of had other hyperparameters than the config says; factor is the
// schedule's of the coming step.
func (m *Moments[T]) compare(c *config.Config, r *rule.Rule, factor float64) {
	if m == nil {
		return
	}
	for _, there := range m.groups {
		if r.Parts() == nil {
			m.compareWith(c.Optimizer, "optimizer.", c.Optimizer.Moments, there.settings, factor)
		}
		for _, p := range r.Parts() {
			if !slices.ContainsFunc(p.Weights, func(w string) bool { return slices.Contains(there.weights, w) }) {
				continue
			}
			prefix := "optimizer."
			if p.Group > 0 {
				prefix = fmt.Sprintf("optimizer.groups: group %d: ", p.Group)
			}
			m.compareWith(c.Optimizer.Part(p.Group), prefix, c.Optimizer.Moments, there.settings, factor)
		}
	}
}

// compareWith compares an optimizer with the hyperparameters of one of PyTorch's in a file.
func (m *Moments[T]) compareWith(o config.Optimizer, prefix, file string, group map[string]any, factor float64) {
	note := func(name string, here, there any, that ...string) {
		text := fmt.Sprintf("%s%s is %v, where the optimizer of %s had %v%s", prefix, name, here, file, there, strings.Join(that, ""))
		if !alike(here, there) && !slices.Contains(m.Notes, text) {
			m.Notes = append(m.Notes, text)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(group)) {
		there, key := group[name], name
		if o.Values[key] == nil {
			key = torchSettings[name]
		}
		switch {
		case name == "lr":
			note("lr of the coming step", o.LR*factor, there)
		case lists[name] != nil:
			several, _ := there.([]float64)
			for i, key := range lists[name][:min(len(several), len(lists[name]))] {
				if o.Values[key] != nil {
					note(key, o.Values[key], several[i])
				}
			}
		case key == "nesterov" && slices.Contains([]string{"heavy-ball", "nesterov"}, o.Name):
			note("name nesterov", o.Name == "nesterov", there)
		case name == "beta2_decay" && o.Values["decay"] != nil:
			exponent, _ := there.(float64)
			note("decay", o.Values["decay"], -exponent)
		case key == "eps" && group["ns_steps"] != nil, key == "weight_decay": // Muon's is of another norm; see below
		case key != "" && o.Values[key] != nil:
			note(key, o.Values[key], there)
		}
	}
	if there, ok := group["weight_decay"].(float64); ok {
		coupled, decoupled := there, 0.0
		if isDecoupled(o, group) {
			coupled, decoupled = 0, there
		}
		if o.Name == "adamw" && coupled != 0 {
			note("l2", o.L2, coupled, ", coupled: that is name: adam with l2")
		} else {
			note("l2", o.L2, coupled)
		}
		switch {
		case o.Values["weight_decay"] != nil:
			note("weight_decay", o.Values["weight_decay"], decoupled)
		case decoupled != 0:
			text := fmt.Sprintf("%sname %s has no weight_decay, where the optimizer of %s had %v, decoupled", prefix, o.Name, file, decoupled)
			if o.Name == "adam" {
				text += ": that is name: adamw"
			}
			m.Notes = append(m.Notes, text)
		}
	}
	if o.Values["eps_inside"] == true && group["eps"] != nil {
		note("eps_inside", true, false)
	}
}

// alike reports whether two hyperparameters are the same, up to the rounding of a factor.
func alike(a, b any) bool {
	x, isNumber := a.(float64)
	y, too := b.(float64)
	return a == b || isNumber && too && math.Abs(x-y) <= 1e-12*math.Abs(y)
}

// torchSettings are the names here of hyperparameters that PyTorch's optimizers call otherwise, by their names there, and lists are the names of those
// that stand there in one.
var (
	torchSettings = map[string]string{
		"momentum": "beta1", "alpha": "beta2", "rho": "beta2", "d": "largest", "initial_accumulator_value": "initial", "nesterov": "nesterov",
	}
	lists = map[string][]string{"betas": {"beta1", "beta2", "beta3"}, "etas": {"shorter", "longer"}, "step_sizes": {"least", "most"}}
)

// isDecoupled reports whether the weight decay of a group in a file is decoupled: as the group says (torch.optim from 2.6 on, pytorch_optimizer,
// authors' code), and where it does not, as that of the config's optimizer is.
func isDecoupled(o config.Optimizer, group map[string]any) bool {
	if o.Name == "adan" { // whose decay is proximal where it is not decoupled
		return true
	}
	for _, name := range []string{"decoupled_weight_decay", "weight_decouple", "decoupled", "decouple"} {
		if is, ok := group[name].(bool); ok {
			return is
		}
	}
	return o.Values["weight_decay"] != nil
}
