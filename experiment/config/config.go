package config

import (
	"shadowflow/dataset"
	"shadowflow/nn"
	"shadowflow/nn/imported"
	"shadowflow/schema"
)

// Config says everything that a run depends on. The tags, which package schema reads, state the keys; the further keys of the sections
// optimizer and objective are those of the optimizer and of the objective.
type Config struct {
	Seed    uint64 `yaml:"seed" time:"-" doc:"seed of every random choice: initial weights, order of batches, augmentation"`
	Steps   int    `yaml:"steps" range:"[0,inf)" time:"-" doc:"optimizer steps to take"`
	DType   string `yaml:"dtype" oneof:"float32|float64" doc:"precision of all arithmetic on parameters"`
	Threads int    `yaml:"threads" range:"[0,4096]" hash:"-" doc:"threads to compute with, 0 for all processors, of which, or of eight, no more are taken; the results do not depend on it"`

	Objective   Objective    `yaml:"objective"`
	Data        dataset.Spec `yaml:"data" when:"objective.name=network"`
	Model       Model        `yaml:"model" when:"objective.name=network"`
	Loss        string       `yaml:"loss" when:"objective.name=network" oneof:"cross-entropy|mse|huber|binary-cross-entropy" doc:"loss function, as PyTorch defines it: of classes cross-entropy, or any of the others on one-hot targets (binary-cross-entropy of two classes has one logit); of numbers mse, huber (delta 1) or, from 0 to 1, binary-cross-entropy of logits"`
	Optimizer   Optimizer    `yaml:"optimizer"`
	Schedule    Schedule     `yaml:"schedule"`
	Batch       Batch        `yaml:"batch"`
	Regularizer Regularizer  `yaml:"regularizer" when:"objective.name=network"`
	Bias        Bias         `yaml:"bias"`
	Stop        Stop         `yaml:"stop"`
	Record      Record       `yaml:"record"`
	Beside      []string     `yaml:"beside" oneof:"state-1|state-2|state-3|state-4|memoryless-1|memoryless-2|memoryless-3|memoryless-4|iteration-1|iteration-2|gradient-flow|lift-1|lift-2|central" doc:"what moves beside the optimizer from the same point on the same data: modified equations with memory as state, those that eliminate it, the iterations without memory, gradient flow, the period-two lifts, and the central flow of gradient descent or RMSProp; the number is the order, of which 3 and 4 are of the full batch on a loss whose graph code is at hand"`
	Flow        Flow         `yaml:"flow"`
	Checkpoint  Checkpoints  `yaml:"checkpoint"`
}

// Names of objectives that are not in closed form: a network on data, a program that serves a loss, and that of a training loop in Python that was
// watched (docs/watch.md), which has a record, and no loss that could be evaluated here.
const (
	Network = "network"
	Worker  = "worker"
	Watched = "watched"
)

// Objective is the section objective: what is minimized.
type Objective struct {
	Name string `yaml:"name,omitempty" selector:"true" doc:"loss: a network on data, one that a program of yours serves, worker, or one in closed form; watched is that of a loop in Python, in the record that its watch writes"`
	// Command and Timeout are those of a worker.
	Command []string `yaml:"command" for:"worker" repeat:"true" doc:"program that serves the loss, and its arguments, as [python3, model.py]; docs/worker.md has the protocol"`
	Timeout float64  `yaml:"timeout" for:"worker" range:"(0,1e6]" hash:"-" doc:"longest time that one of its answers may take, in seconds"`
	// Theta is where a loss in closed form starts from; empty for its own start.
	Theta []float64 `yaml:"theta"`
	// Values are the options of a loss in closed form, by key.
	Values map[string]any `yaml:",inline"`
}

// Model is the section model: the network and its size.
type Model struct {
	Name       string `yaml:"name" selector:"true" oneof:"mlp|cnn|resnet18|resnet34|resnet50|resnet101|vit|gpt|onnx" doc:"network; gpt is a language model, for data.name: text; onnx one that another program exported"`
	Path       string `yaml:"path" for:"onnx" doc:"ONNX file of the network, whose weights it starts from; docs/onnx.md says how to export it"`
	BatchNorm  string `yaml:"batch_norm" for:"onnx" oneof:"file|batch|running" doc:"what batch normalization is that the file has in evaluation mode: batch, by each batch's statistics, or running, by the file's running averages; file refuses it"`
	Hidden     []int  `yaml:"hidden" for:"mlp" range:"[1,65536]" doc:"widths of the hidden layers; [] for a linear model"`
	Activation string `yaml:"activation" for:"mlp" oneof:"tanh|relu|gelu|silu|sigmoid|identity" doc:"activation behind each hidden layer"`
	Channels   []int  `yaml:"channels" for:"cnn" range:"[1,65536]" doc:"channels of the convolutional stages"`
	Dense      int    `yaml:"dense" for:"cnn" range:"[1,65536]" doc:"width of the dense layer behind the convolutions"`
	Width      int    `yaml:"width" for:"resnet18|resnet34|resnet50|resnet101" range:"[1,4096]" doc:"channels of the stem and the first stage, doubled from stage to stage"`
	Patch      int    `yaml:"patch" for:"vit" range:"[1,1024]" doc:"side of a patch, in pixels"`
	Dim        int    `yaml:"dim" for:"vit" range:"[1,65536]" doc:"width of the token embedding"`
	Depth      int    `yaml:"depth" for:"vit" range:"[1,1024]" doc:"number of transformer blocks"`
	Heads      int    `yaml:"heads" for:"vit" range:"[1,1024]" doc:"attention heads of a block"`
	DimHead    int    `yaml:"dim_head" for:"vit" range:"[1,65536]" doc:"width of an attention head"`
	Context    int    `yaml:"context" for:"gpt|onnx" range:"[1,65536]" doc:"tokens of a window of text"`
	Tied       bool   `yaml:"tied" for:"gpt" doc:"the head's weight is the token embedding"`
	MLPDim     int    `yaml:"mlp_dim" for:"vit" range:"[1,65536]" doc:"hidden width of a block's MLP"`
	Weights    string `yaml:"weights" doc:"file to start from, with the names of the PyTorch state_dict: safetensors, what torch.save wrote (.pt, .pth), or a run's checkpoint; empty: initialized as PyTorch does, from seed"`
}

// Optimizer is the section optimizer. The paper's beta and rho are beta1 and beta2 here, its h is lr.
type Optimizer struct {
	Name string  `yaml:"name" selector:"true" doc:"update rule; signum and lion are smoothed by eps"`
	LR   float64 `yaml:"lr"`
	// Groups are weights with optimizers of their own, as they were resolved; see Parts.
	Groups [][]schema.Setting `yaml:"groups,omitempty" doc:"weights with settings of their own, the first group that holds a weight counts: match has patterns of names, as [*.bias, norm*.weight], dims numbers of dimensions; and what is different for them: lr, or lr_scale, a factor of optimizer.lr, any setting of the optimizer, or the name of another with its own"`
	// What is done to the gradient before the rule sees it.
	ClipValue float64 `yaml:"clip_value,omitempty" range:"[0,inf)" doc:"bound of the size of the gradient's elements, beyond which they are clipped; 0: none"`
	ClipNorm  float64 `yaml:"clip_norm,omitempty" range:"[0,inf)" doc:"bound of the gradient's two-norm over all parameters, beyond which it is clipped; 0: none"`
	L2        float64 `yaml:"l2,omitempty" range:"[0,inf)" doc:"coupled weight decay: l2 theta is added to the gradient, behind clipping and before the moments"`
	SAM       float64 `yaml:"sam,omitempty" range:"[0,inf)" doc:"rho of sharpness-aware minimization: the gradient is taken at theta + rho g/|g|; 0: at theta"`
	// Where the optimizer comes from.
	Moments      string `yaml:"moments,omitempty" doc:"file of what the optimizer remembers at the start, also written as state: a run's checkpoint, safetensors with its names, or torch.save(optimizer.state_dict()); empty: nothing"`
	MomentsSteps int    `yaml:"moments_steps,omitempty" range:"[0,1e9]" time:"-" doc:"number of steps that optimizer.moments are the memory of; 0: as the file says"`
	// The groups, and their settings as they were given.
	parts  []Group          `yaml:"-"`
	placed []schema.Setting `yaml:"-"`
	// Values are the hyperparameters of the rule, by key: float64 or bool. An optimizer that the config defines has the keys of its
	// definition here, too, as they were given.
	Values map[string]any `yaml:",inline"`
}

// Schedule is the section schedule: lr is multiplied by a factor in each step.
type Schedule struct {
	Shape  string  `yaml:"shape,omitempty" selector:"true" oneof:"constant|linear|cosine|step|wsd|file" doc:"how the factor of optimizer.lr goes on behind the warmup: constant, linear or along half a cosine to final, by steps, constant and then linear to final (warmup, stable, decay), or as a file says"`
	Warmup int     `yaml:"warmup,omitempty" range:"[0,1e9]" time:"-" doc:"steps n of warmup W, with the factor (n+1)/W"`
	Steps  int     `yaml:"steps" for:"linear|cosine|wsd" range:"[0,1e9]" time:"-" doc:"step at which final is reached; 0: the run's steps"`
	Final  float64 `yaml:"final" for:"linear|cosine|wsd" range:"[0,inf)" time:"-" doc:"factor there, and from there on"`
	Every  int     `yaml:"every" for:"step" range:"[1,1e9]" time:"-" doc:"steps after which the factor is multiplied once more"`
	Factor float64 `yaml:"factor" for:"step" range:"(0,inf)" time:"-" doc:"what it is multiplied by"`
	Stable int     `yaml:"stable" for:"wsd" range:"[0,1e9]" time:"-" doc:"steps with the factor 1 between warmup and decay"`
	Path   string  `yaml:"path" for:"file" doc:"text file with the factor of each step, a number a line; the last holds on. With optimizer.lr 1 they are the step sizes"`
}

// Batch is the section batch: which examples a step sees.
type Batch struct {
	Mode string `yaml:"mode" selector:"true" oneof:"full|cyclic|shuffled|sampled" doc:"full: all examples each step; cyclic: mini-batches in a fixed order; shuffled: in a new order each epoch; sampled: drawn with replacement"`
	Size int    `yaml:"size" when:"objective.name=network" for:"cyclic|shuffled|sampled" range:"[1,1e9]" doc:"examples of a mini-batch; what does not fill one is not trained on, and said"`
	// Physical is smaller by default for a language model, whose windows have many tokens.
	Physical int  `yaml:"physical" when:"objective.name=network" range:"[1,1e9]" doc:"size of a micro-batch, the most examples evaluated at once; gradients are averaged over them, batch norm sees one"`
	Shuffle  bool `yaml:"shuffle" when:"objective.name=network" for:"full" doc:"draw new micro-batches each step, which matters with batch norm only"`
}

// Mini reports whether a step sees a part of the examples.
func (b Batch) Mini() bool { return b.Mode != "full" && b.Mode != "" }

// Regularizer is the section regularizer: an explicit penalty added to the loss.
type Regularizer struct {
	Kind   string  `yaml:"kind" selector:"true" oneof:"none|perturbed-one-norm|two-norm-squared" doc:"perturbed-one-norm: the perturbed one-norm of the loss gradient, with the optimizer's eps; two-norm-squared: its squared two-norm"`
	Weight float64 `yaml:"weight" for:"perturbed-one-norm|two-norm-squared" range:"(-inf,inf)" time:"-" doc:"factor of the penalty"`
}

// Kinds of bias.
const (
	Predicted = "predicted"
	Realized  = "realized"
)

// Bias is the section bias: an intervention on the implicit bias itself.
type Bias struct {
	Scale float64 `yaml:"scale" range:"(-inf,inf)" doc:"subtract scale times the bias from each step: 0 the optimizer as it is, -1 without that bias, 1 with twice that"`
	Of    string  `yaml:"of" oneof:"predicted|realized" doc:"which bias: predicted, h^2 C of the second-order equation, or realized, h (U - F), what the step itself has beyond the update without memory"`
}

// Stop is the section stop: what ends a run before its steps are done.
type Stop struct {
	Loss    float64 `yaml:"loss" range:"[0,inf)" time:"-" doc:"stop when the training loss is below this; with mini-batches, that over all examples, looked at once an epoch; 0: never"`
	Seconds float64 `yaml:"seconds" range:"[0,inf)" time:"-" doc:"stop after this wall time, in seconds; 0: never"`
}

// Record is the section record: every how many steps something is measured, 0 for never.
type Record struct {
	Every     int  `yaml:"every" range:"[0,inf)" doc:"steps between records of loss, accuracy and gradient norms; 0: never"`
	Bias      int  `yaml:"bias" range:"[0,inf)" doc:"steps between measurements of the realized and the predicted bias, their signs and the one-step defects; 0: never"`
	Blocks    bool `yaml:"blocks,omitempty" doc:"measure the bias of every weight, too, of at most 256 weights"`
	Sharpness int  `yaml:"sharpness" range:"[0,inf)" doc:"steps between measurements of the sharpness, plain and preconditioned, and of the noise of gradients; 0: never"`
	Spectrum  int  `yaml:"spectrum,omitempty" range:"[0,inf)" doc:"steps between measurements of the Hessian's largest eigenvalues, plain and preconditioned, its smallest, its trace, and how much of gradient, step and bias lies along the largest; some dozens of products each time; 0: never"`
	Modes     int  `yaml:"modes,omitempty" range:"[1,100]" doc:"number of largest eigenvalues that record.spectrum measures, whose directions are those that gradient, step and bias are compared with; each takes seven vectors of parameters, and some ten products"`
	Density   int  `yaml:"density,omitempty" range:"[0,inf)" doc:"steps between densities of all eigenvalues, each kept beside the history as density-STEP.json and drawn by report; 256 Hessian-vector products each time, in memory for 132 vectors of parameters, or as many products as there are parameters where those are fewer; 0: never"`
	State     int  `yaml:"state" range:"[0,inf)" doc:"steps between measurements of how well the equation with memory as state predicts a step, which take some dozens of gradients; 0: never"`
	// Average is the decay of a mean of the weights that is kept beside the run.
	Average float64 `yaml:"average,omitempty" range:"[0,1)" doc:"decay of an exponential moving average of the weights beside the run, recorded and saved; 0: none"`
	Test    int     `yaml:"test" when:"objective.name=network|worker" range:"[0,inf)" doc:"steps between evaluations of the test data; 0: never"`
}

// Flow is the section flow: how the equations beside the run are integrated.
type Flow struct {
	Start  int     `yaml:"start" range:"[0,inf)" doc:"optimizer steps before what moves beside it begins: an empty memory is nothing that an equation can start from"`
	Noise  float64 `yaml:"noise" range:"(0,1)" time:"-" doc:"floor of a lift's amplitude, over the two-norm of the parameters: rounding in a real run keeps oscillations from dying out"`
	Method string  `yaml:"method" selector:"true" oneof:"rk4|euler|dopri5|dop853" doc:"integrator; rk4 and euler take fixed steps"`
	Steps  int     `yaml:"steps" for:"rk4|euler" range:"[1,1e6]" doc:"integrator steps for one optimizer step"`
	RelTol float64 `yaml:"rel_tol" for:"dopri5|dop853" range:"(0,1)" doc:"relative tolerance of a step"`
	AbsTol float64 `yaml:"abs_tol" for:"dopri5|dop853" range:"(0,inf)" doc:"absolute tolerance of a step"`
}

// Checkpoints is the section checkpoint.
type Checkpoints struct {
	Every int `yaml:"every" range:"[0,inf)" hash:"-" doc:"steps between checkpoints; 0: only where the run ends or is interrupted"`
}

// defaults holds the default of every key that a tag states, whatever the selectors.
func defaults() Config {
	return Config{
		Steps:       900,
		DType:       "float32",
		Objective:   Objective{Name: Network, Timeout: 600},
		Data:        dataset.DefaultSpec(),
		Model:       defaultModel(),
		Loss:        "cross-entropy",
		Optimizer:   Optimizer{Name: "adam"},
		Schedule:    Schedule{Shape: "constant", Every: 300, Factor: 0.1},
		Batch:       Batch{Mode: "full", Size: 100, Physical: 500},
		Regularizer: Regularizer{Kind: "none"},
		Bias:        Bias{Of: Predicted},
		Record:      Record{Every: 1, Bias: 10, Sharpness: 50, Modes: 5, State: 50, Test: 10},
		Flow:        Flow{Start: 10, Noise: 1e-5, Method: "rk4", Steps: 1, RelTol: 1e-6, AbsTol: 1e-9},
		Checkpoint:  Checkpoints{Every: 100},
	}
}

// defaultModel has the sizes that the networks have by themselves.
func defaultModel() Model {
	m := Model{Name: "mlp", BatchNorm: imported.AsExported}
	for _, name := range nn.Names() {
		architecture, err := nn.Named(name)
		if err != nil {
			panic(err) // a name of its own
		}
		switch a := architecture.(type) {
		case *nn.MLP:
			m.Hidden, m.Activation = a.Hidden, a.Activation
		case *nn.CNN:
			m.Channels, m.Dense = a.Channels, a.Dense
		case *nn.ResNet:
			m.Width = a.Width
		case *nn.ViT:
			m.Patch, m.Dim, m.Depth, m.Heads, m.DimHead, m.MLPDim = a.Patch, a.Dim, a.Depth, a.Heads, a.DimHead, a.MLP
		case *nn.GPT: // the rest are ownDefaults
			m.Context, m.Tied = a.Context, a.Tied
		}
	}
	return m
}

// ONNX is the name of networks that are read from files.
const ONNX = "onnx"

// Architecture returns the network as the networks' package takes it.
func (m Model) Architecture() (nn.Architecture, error) {
	if m.Name == ONNX {
		if m.Path == "" {
			return nil, &nn.FieldError{Field: "path", Value: `""`, Want: "the ONNX file of the network"}
		}
		return &imported.Net{Path: m.Path, BatchNorm: m.BatchNorm}, nil
	}
	architecture, err := nn.Named(m.Name)
	switch a := architecture.(type) {
	case *nn.MLP:
		a.Hidden, a.Activation = m.Hidden, m.Activation
	case *nn.CNN:
		a.Channels, a.Dense = m.Channels, m.Dense
	case *nn.ResNet:
		a.Width = m.Width
	case *nn.ViT:
		a.Patch, a.Dim, a.Depth, a.Heads, a.DimHead, a.MLP = m.Patch, m.Dim, m.Depth, m.Heads, m.DimHead, m.MLPDim
	case *nn.GPT:
		a.Depth, a.Heads, a.Dim, a.Context, a.Tied = m.Depth, m.Heads, m.Dim, m.Context, m.Tied
	}
	return architecture, err
}
