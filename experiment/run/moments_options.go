package run

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"shadowflow/experiment/config"
	"shadowflow/internal/visible"
	"shadowflow/rule"
)

// torchOptions are options of PyTorch's optimizers that no hyperparameter here stands for, with the value by which the definitions here go, and what
// has another value's effect, where anything does.
var torchOptions = map[string]struct {
	is   any
	hint string
}{
	"dampening":       {0.0, ": that is name: sgd"}, // of heavy-ball and nesterov
	"lr_decay":        {0.0, ", by which lr is divided by 1 + lr_decay n in step n = 0, 1, ...: that is schedule: {shape: file}"},
	"ns_steps":        {5.0, ""},
	"ns_coefficients": {[]float64{3.4445, -4.7750, 2.0315}, ""},
	"eps":             {1e-7, ""}, // of Muon's norm
	"adjust_lr_fn":    {"original", ", whose steps are longer by a factor of each weight's shape, and its decay is not: that is lr_scale in optimizer.groups, and weight_decay over it"},
	"r":               {0.0, ""}, // schedule-free
	"weight_lr_power": {2.0, ""},
	"warmup_steps":    {0.0, ": that is schedule: {warmup: ...}"},
	"growth_rate":     {math.Inf(1), ""}, // Prodigy
	"d_coef":          {1.0, ""},
	"slice_p":         {1.0, ""},
	"scale_parameter": {true, ""}, // Adafactor of fairseq, transformers and pytorch_optimizer
	"relative_step":   {true, ""},
	"grad_averaging":  {true, ""}, // LAMB
	"max_grad_norm":   {0.0, ": that is optimizer.clip_norm"},
}

// ofNoEffect are entries of groups that are said elsewhere or do not change the next step: flags of weight decay, of what is remembered, and of how steps are
// computed; hyperparameters that an optimizer of one's own may call otherwise; what schedules keep; and numbers that are remembered. The first sum of
// squares has no effect behind the first step.
var ofNoEffect = strings.Fields(`
	decouple decoupled decoupled_weight_decay weight_decouple maximize amsgrad ams_bound train_mode
	foreach fused capturable differentiable fsdp_in_use
	betas momentum
	initial_lr max_lr min_lr max_momentum base_momentum scheduled_lr
	lr_max weight_sum d d_max d_hat d_numerator d_denom k step
	param_names name initial_accumulator_value
`)

// option compares an option for which the config has no key, and says of one that is not known that it is on.
func (c *comparison) option(name string, there any) {
	known, ok := torchOptions[name]
	switch {
	case ok && !alike(known.is, there):
		c.notes = append(c.notes, fmt.Sprintf("%sname %s goes by %s %v, where the optimizer of %s had %s%s", c.prefix, c.of.Name, name, known.is, c.file,
			shown(there), known.hint))
	case !ok && !slices.Contains(ofNoEffect, name) && there != false && !alike(there, 0.0) && !c.of.Own():
		c.hasNo(visible.Name(name), shown(there))
	}
}

// shown returns a value of a file as text of one short line.
func shown(v any) string { return visible.Line(fmt.Sprintf("%.100s", fmt.Sprint(v))) }

// torchKind is an optimizer of torch.optim.
type torchKind struct {
	class string
	keys  []string // by which a group is known to be one of its
	names []string // of the optimizers here that it can be
	// goesBy are values of hyperparameters here that it has no name for.
	goesBy map[string]any
}

// torchKinds are looked for in this order.
var torchKinds = []torchKind{
	{"Adam or AdamW", []string{"amsgrad", "maximize"}, []string{"adam", "adamw", "amsgrad", "muon"}, map[string]any{"bias_correction": true}},
	{"NAdam", []string{"momentum_decay", "maximize"}, []string{"nadam"}, nil},
	{"RAdam", []string{"betas", "decoupled_weight_decay", "maximize"}, []string{"radam"}, map[string]any{"threshold": 5.0}},
	{"SGD", []string{"dampening"}, []string{"sgd", "heavy-ball", "nesterov"}, nil},
	{"Adagrad", []string{"lr_decay", "initial_accumulator_value"}, []string{"adagrad"}, nil},
	{"Adadelta", []string{"rho", "maximize"}, []string{"adadelta"}, nil},
	{"RMSprop", []string{"alpha", "centered"}, []string{"rmsprop"}, map[string]any{"bias_correction": false}},
	{"Rprop", []string{"etas", "step_sizes"}, []string{"rprop"}, nil},
	{"Adafactor", []string{"beta2_decay", "d"}, []string{"adafactor"}, map[string]any{"planes": true, "eps1": 0.0}},
	{"Muon", []string{"ns_steps", "adjust_lr_fn"}, []string{"muon"}, map[string]any{"exact": false}},
	{"Muon", []string{"ns_steps", "ns_coefficients"}, []string{"muon"}, map[string]any{"exact": false}}, // whose adjust_lr_fn is None
	{"Adamax or SparseAdam", []string{"betas", "maximize"}, []string{"adamax", "adam"}, nil},
}

// kindOf returns the optimizer of torch.optim that a group is of, nil if it is of none of them, or of a PyTorch before 1.12.
func kindOf(group map[string]any) *torchKind {
	for i, kind := range torchKinds {
		if !slices.ContainsFunc(kind.keys, func(key string) bool { return group[key] == nil }) {
			return &torchKinds[i]
		}
	}
	return nil
}

// isBuiltIn reports whether an optimizer is one of those that the program defines.
func isBuiltIn(o config.Optimizer) bool { return !o.Own() && slices.Contains(rule.Names(), o.Name) }

// kind says where the config's optimizer is another one than the file's, or goes by other conventions.
func (c *comparison) kind(there *torchKind) {
	if !slices.Contains(there.names, c.of.Name) {
		c.notes = append(c.notes, fmt.Sprintf("%sname is %s, where %s is of torch.optim's %s: want %s", c.prefix, c.of.Name, c.file, there.class,
			strings.Join(there.names, " or ")))
		return
	}
	for _, name := range []string{"bias_correction", "threshold", "planes", "eps1", "exact"} {
		if value := there.goesBy[name]; value != nil && c.of.Values[name] != nil {
			c.note(name, c.of.Values[name], value)
		}
	}
}

// minimizing refuses an optimizer that goes up.
func minimizing(groups []torchGroup) error {
	if slices.ContainsFunc(groups, func(g torchGroup) bool { return g.settings["maximize"] == true }) {
		return errors.New("it is of an optimizer with maximize: true, which goes up what this program goes down; where that is minus the config's loss, its " +
			`moments are those of the loss: say so, by state["param_groups"][i]["maximize"] = False before saving`)
	}
	return nil
}
