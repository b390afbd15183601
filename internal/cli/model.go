package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"shadowflow/engine"
	"shadowflow/graph"
	"shadowflow/internal/memory"
	"shadowflow/internal/plural"
	"shadowflow/internal/visible"
	"shadowflow/nn"
	onnxnet "shadowflow/nn/imported"
	"shadowflow/objective"
	"shadowflow/objective/network"
	"shadowflow/onnx"
)

func newModel() *cobra.Command {
	cmd := &cobra.Command{Use: "model", Short: "Say what an ONNX file's network is"}
	cmd.AddCommand(newModelShow())
	return cmd
}

// mostExamples bounds the examples of a program that is measured.
const mostExamples = 1 << 20

func newModelShow() *cobra.Command {
	var asJSON bool
	var input []int
	var examples, threads int
	var dtype, norm string
	cmd := &cobra.Command{
		Use:   "show net.onnx",
		Short: "Show an ONNX file's operators, shapes and weights, and what a gradient and a Hessian-vector product cost",
		Long: `show records the network of an ONNX file, as a run of model: {name: onnx, path: net.onnx} does, and says what its operators give, which weights it
has, and for a batch of examples what the programs of a gradient, and of a gradient with a Hessian-vector product, compute and hold. Nothing is computed. Operators that depend on
neither examples nor weights are evaluated before a run, and marked. What cannot be recorded is said with its operator.`,
		Example: "  shadowflow model show net.onnx\n  shadowflow model show net.onnx --examples 500 --dtype float64",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if examples < 1 || examples > mostExamples || threads < 0 {
				return misuse("--examples %d, --threads %d: want from 1 to %d, and at least 0", examples, threads, mostExamples)
			}
			t, ok := map[string]graph.DType{"float32": graph.Float32, "float64": graph.Float64}[dtype]
			if !ok {
				return misuse("--dtype %q: want float32 or float64", dtype)
			}
			if modes := []string{onnxnet.AsExported, onnxnet.OfBatch, onnxnet.OfRunning}; !slices.Contains(modes, norm) {
				return misuse("--batch-norm %q: want one of %s", norm, strings.Join(modes, ", "))
			}
			d, err := (&onnxnet.Net{Path: args[0], BatchNorm: norm}).Describe(input)
			if file := (*onnxnet.FileError)(nil); errors.As(err, &file) {
				return err
			}
			if err != nil {
				return misused{err}
			}
			out, err := modelOutputOf(d, t, examples, threads)
			if err != nil {
				return err
			}
			if asJSON {
				return printIndented(cmd.OutOrStdout(), out)
			}
			printModel(cmd.OutOrStdout(), out)
			return nil
		},
	}
	f := cmd.Flags()
	bindJSON(cmd, &asJSON)
	f.IntSliceVar(&input, "input", nil, "shape of an example as the file has it, like 3,32,32; by default the file's own")
	f.StringVar(&norm, "batch-norm", onnxnet.AsExported, "as model.batch_norm: what batch normalization is that the file has in evaluation mode: file (refused), batch or running")
	f.IntVar(&examples, "examples", 32, "examples of the batch whose programs are measured")
	f.StringVar(&dtype, "dtype", "float32", "numbers of these programs: float32 or float64")
	f.IntVar(&threads, "threads", 0, "threads of these programs, which each have memory of their own; 0 for all cores")
	return cmd
}

// modelOutput is what model show prints as JSON.
type modelOutput struct {
	Producer   string         `json:"producer"`
	Opset      int64          `json:"opset"`
	Input      valueOutput    `json:"input"`
	Output     valueOutput    `json:"output"`
	Nodes      []nodeOutput   `json:"nodes"`
	Weights    []weightOutput `json:"weights"`
	Running    []string       `json:"running_averages"`
	Notes      []string       `json:"notes"`
	Parameters int            `json:"parameters"`
	Examples   int            `json:"examples"`
	Gradient   costOutput     `json:"gradient"`
	Pair       costOutput     `json:"gradient_and_product"`
}

type valueOutput struct {
	Name  string   `json:"name"`
	Shape []string `json:"shape"` // a length that the file leaves open has a name, or is ?
}

type nodeOutput struct {
	Name   string  `json:"name"`
	Op     string  `json:"op"`
	Shapes [][]int `json:"shapes"` // of two examples
	Known  bool    `json:"known"`
}

type weightOutput struct {
	Name    string `json:"name"`
	File    string `json:"file_name"`
	Shape   []int  `json:"shape"`
	Readers int    `json:"readers"`
	Merged  bool   `json:"merged"`
	// Transposed is of what the file has: it has the weight's transpose.
	Transposed bool `json:"transposed"`
}

// remarks say behind a weight's shape what is not as in most files.
func (w weightOutput) remarks() string {
	remarks := ""
	if w.File != w.Name {
		remarks += ", " + visible.Name(w.File) + " in the file"
	}
	if w.Transposed {
		remarks += ", transposed"
	}
	switch {
	case w.Merged:
		remarks += fmt.Sprintf(", likely %d weights made one", w.Readers)
	case w.Readers > 1:
		remarks += fmt.Sprintf(", tied: read by %d operators", w.Readers)
	}
	return remarks
}

type costOutput struct {
	Flops int64 `json:"flops"`
	Bytes int64 `json:"memory_bytes"`
}

func modelOutputOf(d *onnxnet.Description, t graph.DType, examples, threads int) (*modelOutput, error) {
	m := d.Model
	out := &modelOutput{Producer: d.Producer, Opset: d.Opset, Input: valueOf(d.Input), Output: valueOf(d.Output), Parameters: m.NumParams(), Examples: examples, Notes: m.Notes()}
	for _, n := range d.Nodes {
		out.Nodes = append(out.Nodes, nodeOutput{n.Name, n.Op, n.Outputs, n.Known})
	}
	for i, p := range m.Params() {
		w := d.Weights[i]
		out.Weights = append(out.Weights, weightOutput{p.Name, w.FileName, p.Torch, w.Readers, w.Merged, w.Transposed})
	}
	for _, s := range m.Stats() {
		out.Running = append(out.Running, s.Name)
	}
	loss, regression := nn.CrossEntropy, false
	if m.Outputs() == 1 {
		loss, regression = nn.MeanSquared, true
	}
	for _, program := range []struct {
		kind objective.Kind
		to   *costOutput
	}{{objective.Kind{Gradient: true}, &out.Gradient}, {objective.Kind{Gradient: true, Vectors: 1}, &out.Pair}} {
		cost, err := network.Measure(m, loss, t, examples, regression, program.kind, threads)
		if err != nil {
			return nil, err
		}
		*program.to = costOf(cost)
	}
	return out, nil
}

func costOf(c engine.Cost) costOutput { return costOutput{c.Flops, c.PeakBytes} }

func valueOf(v onnx.ValueInfo) valueOutput {
	out := valueOutput{Name: v.Name}
	for _, d := range v.Shape {
		out.Shape = append(out.Shape, d.String())
	}
	return out
}

func printModel(w io.Writer, m *modelOutput) {
	fmt.Fprintf(w, "opset %d", m.Opset)
	if m.Producer != "" {
		fmt.Fprintf(w, ", written by %s", visible.Name(m.Producer))
	}
	fmt.Fprintf(w, "\ninput   %s [%s]\noutput  %s [%s]\n\n", visible.Name(m.Input.Name), strings.Join(m.Input.Shape, ", "), visible.Name(m.Output.Name), strings.Join(m.Output.Shape, ", "))
	fmt.Fprintln(w, "operators, with the shapes that they give for two examples:")
	known := 0
	for _, n := range m.Nodes {
		if n.Known {
			known++
			continue
		}
		var shapes []string
		for _, s := range n.Shapes {
			if s != nil {
				shapes = append(shapes, fmt.Sprint(s))
			}
		}
		fmt.Fprintf(w, "  %-22s %-24s %s\n", visible.Name(n.Op), strings.Join(shapes, " "), visible.Name(n.Name))
	}
	if known > 0 {
		fmt.Fprintf(w, "  and %s of shapes, masks and the like, evaluated before a run\n", plural.Count(known, "operator"))
	}
	fmt.Fprintf(w, "\nweights, %s in all:\n", plural.Of(m.Parameters, "parameter"))
	width := 0
	for _, p := range m.Weights {
		width = max(width, len(visible.Name(p.Name)))
	}
	for _, p := range m.Weights {
		fmt.Fprintf(w, "  %-*s %v%s\n", width, visible.Name(p.Name), p.Shape, p.remarks())
	}
	if len(m.Running) > 0 {
		var names []string
		for _, name := range m.Running {
			names = append(names, visible.Name(name))
		}
		fmt.Fprintf(w, "running averages: %s\n", strings.Join(names, ", "))
	}
	for _, note := range m.Notes {
		fmt.Fprintln(w, note)
	}
	fmt.Fprintf(w, "\nof %s:\n", plural.Of(m.Examples, "example"))
	for _, c := range []struct {
		name string
		costOutput
	}{{"gradient", m.Gradient}, {"with Hessian-vector product", m.Pair}} {
		fmt.Fprintf(w, "  %-28s %s in products, %s beside weights and examples\n", c.name, flops(c.Flops), memory.Format(c.Bytes))
	}
}

// flops writes a number of floating-point operations for people, like 48.6 GFLOP.
func flops(n int64) string {
	x, unit := float64(n), "FLOP"
	for _, next := range []string{"kFLOP", "MFLOP", "GFLOP", "TFLOP"} {
		if x < 999.5 { // what rounds to more takes the next unit
			break
		}
		x, unit = x/1000, next
	}
	return fmt.Sprintf("%.3g %s", x, unit)
}
