package config

import (
	"slices"
	"strings"

	"shadowflow/schema"
)

// torchKeys say what PyTorch and its libraries call otherwise, or have where the optimizer here has none of that name.
var torchKeys = []struct {
	key, optimizers string // that it is said of, all if empty
	hint            string
}{
	{"weight_decay", "adam", "its weight decay is coupled, optimizer.l2; decoupled weight decay is name: adamw"},
	{"weight_decay", "", "its weight decay is coupled: optimizer.l2"},
	{"decoupled_weight_decay", "", "decoupled weight decay is weight_decay, of adamw for Adam (of amsgrad with amsgrad), and coupled weight decay optimizer.l2"},
	{"alpha", "rmsprop", "PyTorch's alpha is beta2"},
	{"rho", "adadelta", "PyTorch's rho is beta2"},
	{"rho", "sophia", "the authors' rho is gamma"},
	{"amsgrad", "adamw", "AdamW's amsgrad is name: amsgrad with weight_decay, which is 0 there by default"},
	{"amsgrad", "", "PyTorch's amsgrad is name: amsgrad"},
	{"betas", "", "they are keys of their own: beta1, beta2"},
	{"momentum", "gd", "momentum is name: sgd, or heavy-ball"},
	{"momentum", "adam adamw amsgrad radam nadam adamax adabelief adan ademamix adopt lamb lion signum soap sophia prodigy heavy-ball nesterov", "its momentum is beta1"},
	{"beta1", "sgd rmsprop", "its momentum is momentum"},
	{"nesterov", "heavy-ball gd", "Nesterov's momentum is name: nesterov, or sgd with nesterov: true"},
	{"nesterov", "adam adamw", "Adam with Nesterov's momentum is name: nadam"},
	{"d", "adafactor", "PyTorch's d is largest"},
	{"beta2_decay", "adafactor", "PyTorch's beta2_decay is -decay"},
	{"initial_accumulator_value", "adagrad", "PyTorch's initial_accumulator_value is initial"},
	{"etas", "rprop", "PyTorch's etas are shorter and longer"},
	{"step_sizes", "rprop", "PyTorch's step_sizes are least and most"},
	{"ns_steps", "muon", "the steps are five, or with exact: true the polar factor"},
	{"max_norm", "", "the norm that gradients are clipped at is clip_norm"},
	{"max_grad_norm", "", "the norm that gradients are clipped at is clip_norm"},
	{"grad_clip", "", "the norm that gradients are clipped at is clip_norm"},
	{"gradient_clip_val", "", "the norm that gradients are clipped at is clip_norm"},
}

// hint says of a key of the section optimizer that there is not, or that the optimizer does not have, what it is called here, or which optimizer has it.
func hint(path string, values schema.Values) string {
	key := strings.TrimPrefix(path, "optimizer.") // which a flag may leave out
	optimizer, _ := values["optimizer.name"].(string)
	for _, k := range torchKeys {
		if k.key == key && (k.optimizers == "" || slices.Contains(strings.Fields(k.optimizers), optimizer)) {
			return k.hint
		}
	}
	return ""
}
