package run

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"shadowflow/experiment/config"
	"shadowflow/internal/plural"
	"shadowflow/nn"
	"shadowflow/rule"
	"shadowflow/torchfile"
)

// torchGroup is a group of parameters of an optimizer of PyTorch's: its hyperparameters by PyTorch's names, and which weights it
// has.
type torchGroup struct {
	settings map[string]any
	weights  []string
	epsilon  float64 // of the type of what it remembers
}

func torchGroups(o *torchfile.Optimizer, names []string) []torchGroup {
	var out []torchGroup
	state := o.State
	for i, settings := range o.Groups {
		n := o.Sizes[i]
		out = append(out, torchGroup{settings, names[:n], epsilonOf(state[:n])})
		names, state = names[n:], state[n:]
	}
	return out
}

// epsilonOf returns the distance from 1 to the next number of the type of the first array that is remembered, that of float64 where there is none.
func epsilonOf(state []*torchfile.Remembered) float64 {
	for _, of := range state {
		if of != nil && len(of.Arrays) > 0 && of.Arrays[0].DType() == "F32" {
			return 0x1p-23
		}
	}
	return 0x1p-52
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
		names, _ := model.Unwrap(o.Names)
		return names, nil
	case len(o.State) != len(params) && len(params) == len(model.Params()):
		return nil, fmt.Errorf("an optimizer of %d parameters; the model has %d: for weights that it does not move want lr_scale: 0 in optimizer.groups",
			len(o.State), len(params))
	case len(o.State) != len(params):
		return nil, fmt.Errorf("an optimizer of %s; the model has %d, of which %d move", plural.Count(len(o.State), "parameter"), len(model.Params()), len(params))
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
			m.compareWith(c.Optimizer, "optimizer.", c.Optimizer.Moments, there, factor)
		}
		for _, p := range r.Parts() {
			if !slices.ContainsFunc(p.Weights, func(w string) bool { return slices.Contains(there.weights, w) }) {
				continue
			}
			prefix := "optimizer."
			if p.Group > 0 {
				prefix = fmt.Sprintf("optimizer.groups: group %d: ", p.Group)
			}
			m.compareWith(c.Optimizer.Part(p.Group), prefix, c.Optimizer.Moments, there, factor)
		}
	}
}

// compareWith compares an optimizer with the hyperparameters of one of PyTorch's in a file.
func (m *Moments[T]) compareWith(o config.Optimizer, prefix, file string, of torchGroup, factor float64) {
	c := comparison{of: o, prefix: prefix, file: file, group: of.settings}
	if kind := kindOf(of.settings); kind != nil && isBuiltIn(o) {
		c.kind(kind)
	}
	for _, name := range slices.Sorted(maps.Keys(of.settings)) {
		c.setting(name, of, factor)
	}
	c.decay()
	if o.Values["eps_inside"] == true && of.settings["eps"] != nil {
		c.note("eps_inside", true, false)
	}
	for _, text := range c.notes {
		if !slices.Contains(m.Notes, text) {
			m.Notes = append(m.Notes, text)
		}
	}
}

// comparison is one of an optimizer of the config with a group of a file's.
type comparison struct {
	of           config.Optimizer
	prefix, file string
	group        map[string]any
	notes        []string
}

// note says that a hyperparameter differs, if it does.
func (c *comparison) note(name string, here, there any, that ...string) {
	if !alike(here, there) {
		c.notes = append(c.notes, fmt.Sprintf("%s%s is %v, where the optimizer of %s had %v%s", c.prefix, name, here, c.file, there, strings.Join(that, "")))
	}
}

// setting compares one entry of the group.
func (c *comparison) setting(name string, of torchGroup, factor float64) {
	o, there, key := c.of, of.settings[name], name
	if o.Values[key] == nil {
		key = torchSettings[name]
	}
	list := lists[name]
	if name == "eps" && of.settings["beta2_decay"] != nil {
		list = []string{"least", "eps2"} // of torch.optim.Adafactor
	}
	switch {
	case name == "lr":
		c.note("lr of the coming step", o.LR*factor, there)
	case list != nil:
		several, _ := there.([]float64)
		for i, key := range list[:min(len(several), len(list))] {
			value := several[i]
			if math.IsNaN(value) && key == "least" { // None: the type's
				value = of.epsilon
			}
			if o.Values[key] != nil && !math.IsNaN(value) {
				c.note(key, o.Values[key], value)
			}
		}
	case key == "nesterov" && slices.Contains([]string{"heavy-ball", "nesterov"}, o.Name):
		c.note("name nesterov", o.Name == "nesterov", there)
	case (name == "beta2_decay" || name == "decay_rate") && o.Values["decay"] != nil:
		exponent, _ := there.(float64)
		c.note("decay", o.Values["decay"], -exponent)
	case name == "momentum_decay" && o.Values[name] != nil && there == 0.0:
		if o.Values[name] == 0.0 {
			c.note(name, 0, "0, which in PyTorch keeps momentum at half of beta1: that is nearly momentum_decay: 1e-9 here")
		} else if o.Value(name) > 1e-6 {
			c.note(name, o.Values[name], there)
		}
	case name == "weight_decay": // with l2; see decay
	case name == "eps" && of.settings["ns_steps"] != nil: // of Muon's is of another norm
		c.option(name, there)
	case key != "" && o.Values[key] != nil:
		c.note(key, o.Values[key], there)
	default:
		c.option(name, there)
	}
}

// decay compares weight decay, of which l2 is the coupled one.
func (c *comparison) decay() {
	there, ok := c.group["weight_decay"].(float64)
	if !ok {
		return
	}
	o, coupled, decoupled := c.of, there, 0.0
	if isDecoupled(o, c.group) {
		coupled, decoupled = 0, there
	}
	if o.Name == "adamw" && coupled != 0 {
		c.note("l2", o.L2, coupled, ", coupled: that is name: adam with l2")
	} else {
		c.note("l2", o.L2, coupled)
	}
	switch {
	case o.Values["weight_decay"] != nil:
		c.note("weight_decay", o.Values["weight_decay"], decoupled)
	case decoupled != 0:
		hint := ""
		if o.Name == "adam" {
			hint = ": that is name: adamw"
		}
		c.hasNo("weight_decay", fmt.Sprintf("%v, decoupled%s", decoupled, hint))
	}
}

// hasNo says that the optimizer in the file had what the config's cannot have.
func (c *comparison) hasNo(name string, there any) {
	c.notes = append(c.notes, fmt.Sprintf("%sname %s has no %s, where the optimizer of %s had %v", c.prefix, c.of.Name, name, c.file, there))
}

// alike reports whether two hyperparameters are the same, up to the rounding of a factor.
func alike(a, b any) bool {
	x, isNumber := a.(float64)
	y, too := b.(float64)
	if isNumber && too {
		return x == y || math.Abs(x-y) <= 1e-12*math.Abs(y)
	}
	several, isList := a.([]float64)
	others, too := b.([]float64)
	if isList && too {
		return slices.EqualFunc(several, others, func(x, y float64) bool { return alike(x, y) })
	}
	return !isList && !too && a == b
}

// torchSettings are the names here of hyperparameters that PyTorch's optimizers call otherwise, by their names there, and lists are the names of those
// that stand there in one.
var (
	torchSettings = map[string]string{
		"momentum": "beta1", "alpha": "beta2", "rho": "beta2", "d": "largest", "clip_threshold": "largest", "nesterov": "nesterov",
	}
	lists = map[string][]string{"betas": {"beta1", "beta2", "beta3"}, "etas": {"shorter", "longer"}, "step_sizes": {"least", "most"}}
)

// isDecoupled reports whether the weight decay of a group in a file is decoupled: as the group says (torch.optim from 2.6 on, pytorch_optimizer,
// authors' code), and where it does not, as that of the config's optimizer is. Those that have it as an option say so where they have it on, but for
// AMSGrad, which may be Adam's or AdamW's.
func isDecoupled(o config.Optimizer, group map[string]any) bool {
	if o.Name == "adan" { // whose decay is proximal where it is not decoupled
		return true
	}
	for _, name := range []string{"decoupled_weight_decay", "weight_decouple", "decoupled", "decouple"} {
		if is, ok := group[name].(bool); ok {
			return is
		}
	}
	switch o.Name {
	case "nadam", "radam":
		return false
	case "amsgrad":
		return o.Value("weight_decay") != 0
	}
	return o.Values["weight_decay"] != nil
}
