package experiment

import (
	"shadowflow/dataset"
	"shadowflow/nn"
	"shadowflow/rule"
)

// Config says everything that a run depends on. ParseConfig makes one from YAML,
// DefaultConfig is the run with no arguments, and Keys documents every key from the
// tags below:
//
//   - doc is the key's meaning;
//   - range is an interval for numbers (for each number, in a list), oneof the
//     words that a text may be;
//   - selector marks the key whose value decides which others of its section
//     are of use, and for lists the values of it that a key is for;
//   - hash:"-" marks what cannot change a run's results.
type Config struct {
	Seed    uint64 `yaml:"seed" doc:"seed of every random choice: initial weights, order of batches, augmentation"`
	Steps   int    `yaml:"steps" range:"[0,inf)" doc:"optimizer steps to take"`
	DType   string `yaml:"dtype" oneof:"float32|float64" doc:"precision of all arithmetic on parameters"`
	Threads int    `yaml:"threads" range:"[0,4096]" hash:"-" doc:"threads to compute with, 0 for all processors; the results do not depend on it"`

	Data        dataset.Spec `yaml:"data"`
	Model       Model        `yaml:"model"`
	Loss        string       `yaml:"loss" oneof:"cross-entropy|mse" doc:"loss function; mse is on one-hot targets"`
	Optimizer   Optimizer    `yaml:"optimizer"`
	Batch       Batch        `yaml:"batch"`
	Regularizer Regularizer  `yaml:"regularizer"`
	Bias        Bias         `yaml:"bias"`
	Stop        Stop         `yaml:"stop"`
	Record      Record       `yaml:"record"`
	Flow        Flow         `yaml:"flow"`
	Checkpoint  Checkpoints  `yaml:"checkpoint"`
}

// Model is the section model: the network and its size.
type Model struct {
	Name       string `yaml:"name" selector:"true" oneof:"mlp|cnn|resnet18|resnet34|resnet50|resnet101|vit" doc:"network"`
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
	MLPDim     int    `yaml:"mlp_dim" for:"vit" range:"[1,65536]" doc:"hidden width of a block's MLP"`
	Weights    string `yaml:"weights" doc:"safetensors file to start from, with the names of the PyTorch state_dict; empty: initialized as PyTorch does, from seed"`
}

// Optimizer is the section optimizer. The paper's beta and rho are beta1 and beta2
// here, its h is lr. It converts to a rule.Config.
type Optimizer struct {
	Name           string  `yaml:"name" selector:"true" oneof:"gd|heavy-ball|nesterov|rmsprop|adam|adamw|nadam|signum|lion" doc:"memory rule; signum and lion are smoothed by eps"`
	LR             float64 `yaml:"lr" range:"(0,inf)" doc:"learning rate, the step size h of the modified equations"`
	Beta1          float64 `yaml:"beta1" for:"heavy-ball|nesterov|adam|adamw|nadam|signum|lion" range:"[0,1)" doc:"decay of the mean of gradients (momentum)"`
	Beta2          float64 `yaml:"beta2" for:"rmsprop|adam|adamw|nadam|lion" range:"[0,1)" doc:"decay of the mean of squared gradients; lion: of the momentum that is kept"`
	Eps            float64 `yaml:"eps" for:"rmsprop|adam|adamw|nadam|signum|lion" range:"(0,inf)" doc:"added to the mean of squared gradients, or to its root if eps_inside is false"`
	WeightDecay    float64 `yaml:"weight_decay" for:"adamw|lion" range:"[0,inf)" doc:"decoupled weight decay lambda"`
	EpsInside      bool    `yaml:"eps_inside" for:"rmsprop|adam|adamw|nadam" doc:"eps inside the root, as in the paper; false: outside, as in PyTorch"`
	BiasCorrection bool    `yaml:"bias_correction" for:"rmsprop|adam|adamw|nadam|signum" doc:"divide the moments by the sum of their weights so far"`
}

// Batch is the section batch: which examples a step sees.
type Batch struct {
	Mode     string `yaml:"mode" selector:"true" oneof:"full|cyclic|shuffled|sampled" doc:"full: all examples each step; cyclic: mini-batches in a fixed order; shuffled: in a new order each epoch; sampled: drawn with replacement"`
	Size     int    `yaml:"size" for:"cyclic|shuffled|sampled" range:"[1,1e9]" doc:"examples of a mini-batch"`
	Physical int    `yaml:"physical" range:"[1,1e9]" doc:"size of a micro-batch, the most examples evaluated at once; gradients are averaged over them, batch norm sees one"`
	Shuffle  bool   `yaml:"shuffle" for:"full" doc:"draw new micro-batches each step, which matters with batch norm only"`
}

// Regularizer is the section regularizer: an explicit penalty added to the loss.
type Regularizer struct {
	Kind   string  `yaml:"kind" selector:"true" oneof:"none|perturbed-one-norm|two-norm-squared" doc:"perturbed-one-norm: the perturbed one-norm of the loss gradient, with the optimizer's eps; two-norm-squared: its squared two-norm"`
	Weight float64 `yaml:"weight" for:"perturbed-one-norm|two-norm-squared" range:"(-inf,inf)" doc:"factor of the penalty"`
}

// Bias is the section bias: an intervention on the implicit bias itself.
type Bias struct {
	Scale float64 `yaml:"scale" range:"(-inf,inf)" doc:"subtract scale h^2 C from each step: 0 the optimizer as it is, -1 without its second-order bias, 1 with twice that"`
}

// Stop is the section stop: what ends a run before its steps are done.
type Stop struct {
	Loss    float64 `yaml:"loss" range:"[0,inf)" doc:"stop when the training loss is below this; 0: never"`
	Seconds float64 `yaml:"seconds" range:"[0,inf)" doc:"stop after this wall time, in seconds; 0: never"`
}

// Record is the section record: every how many steps something is measured, 0 for never.
type Record struct {
	Every     int `yaml:"every" range:"[0,inf)" doc:"steps between records of loss, accuracy and gradient norms; 0: never"`
	Bias      int `yaml:"bias" range:"[0,inf)" doc:"steps between measurements of the bias, its signs and the one-step defects; 0: never"`
	Sharpness int `yaml:"sharpness" range:"[0,inf)" doc:"steps between measurements of the sharpness, plain and preconditioned; 0: never"`
	Test      int `yaml:"test" range:"[0,inf)" doc:"steps between evaluations of the test data; 0: never"`
}

// Flow is the section flow: the modified equations to integrate beside the run.
type Flow struct {
	Orders []int   `yaml:"orders" range:"[1,2]" doc:"orders of the modified equations integrated from the same start on the same data"`
	Method string  `yaml:"method" selector:"true" oneof:"rk4|euler|dopri5|dop853" doc:"integrator; rk4 and euler take fixed steps"`
	Steps  int     `yaml:"steps" for:"rk4|euler" range:"[1,1e6]" doc:"integrator steps for one optimizer step"`
	RelTol float64 `yaml:"rel_tol" for:"dopri5|dop853" range:"(0,1)" doc:"relative tolerance of a step"`
	AbsTol float64 `yaml:"abs_tol" for:"dopri5|dop853" range:"(0,inf)" doc:"absolute tolerance of a step"`
}

// Checkpoints is the section checkpoint.
type Checkpoints struct {
	Every int `yaml:"every" range:"[0,inf)" hash:"-" doc:"steps between checkpoints; 0: only where the run ends or is interrupted"`
}

// DefaultConfig returns the run with no arguments: full-batch Adam on the
// handwritten digits.
func DefaultConfig() *Config {
	return defaultsFor(choices{model: "mlp", optimizer: "adam", batch: "full", regularizer: "none", flow: "rk4"})
}

// choices are the values of the selectors, on which the other defaults depend.
type choices struct {
	model, optimizer, batch, regularizer, flow string
}

func defaultsFor(c choices) *Config {
	return &Config{
		Steps:       900,
		DType:       "float32",
		Data:        dataset.DefaultSpec(),
		Model:       defaultModel(c.model),
		Loss:        "cross-entropy",
		Optimizer:   defaultOptimizer(c.optimizer),
		Batch:       defaultBatch(c.batch),
		Regularizer: Regularizer{Kind: c.regularizer},
		Record:      Record{Every: 1, Bias: 10, Sharpness: 50, Test: 10},
		Flow:        defaultFlow(c.flow),
		Checkpoint:  Checkpoints{Every: 100},
	}
}

func defaultModel(name string) Model {
	m := Model{Name: name}
	architecture, err := nn.Named(name)
	if err != nil {
		return m // the name is refused where it stands
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
	}
	return m
}

// defaultBeta2 is that of a run of Adam or its relatives: close enough to beta1 for the
// modified equation to hold, unlike the 0.999 of most code.
const defaultBeta2 = 0.99

func defaultOptimizer(name string) Optimizer {
	d, err := rule.Defaults(name)
	if err != nil {
		return Optimizer{Name: name} // the name is refused where it stands
	}
	if d.Beta2 > 0 {
		d.Beta2 = defaultBeta2
	}
	return Optimizer(d)
}

func defaultBatch(mode string) Batch {
	b := Batch{Mode: mode, Physical: 500}
	if mode != "full" {
		b.Size = 100
	}
	return b
}

func defaultFlow(method string) Flow {
	f := Flow{Method: method}
	switch method {
	case "rk4", "euler":
		f.Steps = 1
	case "dopri5", "dop853":
		f.RelTol, f.AbsTol = 1e-6, 1e-9
	}
	return f
}

// Rule returns the optimizer as the rules' package takes it.
func (o Optimizer) Rule() (*rule.Rule, error) { return rule.Config(o).Rule() }

// Architecture returns the network as the networks' package takes it.
func (m Model) Architecture() (nn.Architecture, error) {
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
	}
	return architecture, err
}
