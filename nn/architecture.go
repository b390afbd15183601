package nn

import (
	"fmt"
	"strings"

	"shadowflow/internal/visible"
)

// Architecture is a network's kind and widths, from which it is built for given data.
type Architecture interface {
	// Build makes the network for examples of shape input, [D] or [H, W, C] or a number of tokens, and that many outputs of each: logits of
	// classes, or numbers ([Loss.Outputs] has their number). Settings out of range are reported as a *FieldError.
	Build(input []int, outputs int) (*Model, error)
}

// FieldError is a setting out of range.
type FieldError struct {
	Field string // as configs spell it
	Value any
	Want  string
}

func (e *FieldError) Error() string {
	return fmt.Sprintf("%s is %s: want %s", e.Field, visible.Clip(fmt.Sprint(e.Value)), e.Want)
}

var (
	_ Architecture = (*MLP)(nil)
	_ Architecture = (*CNN)(nil)
	_ Architecture = (*ResNet)(nil)
	_ Architecture = (*ViT)(nil)
	_ Architecture = (*GPT)(nil)
)

// Names returns the names that [Named] knows.
func Names() []string {
	return []string{"mlp", "cnn", "resnet18", "resnet34", "resnet50", "resnet101", "vit", "gpt"}
}

// Named returns a fresh architecture of that name with default settings, a pointer to a struct whose fields may then be set.
// The defaults of cnn, resnet and vit are the full-sized networks that the paper trains; that of gpt is small enough for the embedded text.
func Named(name string) (Architecture, error) {
	switch name {
	case "mlp":
		return &MLP{Hidden: []int{64, 64}, Activation: "tanh"}, nil
	case "cnn":
		return &CNN{Channels: []int{32, 64, 128}, Dense: 512}, nil
	case "resnet18":
		return &ResNet{Blocks: []int{2, 2, 2, 2}, Width: 64}, nil
	case "resnet34":
		return &ResNet{Blocks: []int{3, 4, 6, 3}, Width: 64}, nil
	case "resnet50":
		return &ResNet{Blocks: []int{3, 4, 6, 3}, Width: 64, Bottleneck: true}, nil
	case "resnet101":
		return &ResNet{Blocks: []int{3, 4, 23, 3}, Width: 64, Bottleneck: true}, nil
	case "vit":
		return &ViT{Patch: 4, Dim: 512, Depth: 6, Heads: 16, DimHead: 64, MLP: 1024}, nil
	case "gpt":
		return &GPT{Depth: 4, Heads: 4, Dim: 128, Context: 64, Tied: true}, nil
	}
	return nil, &FieldError{"name", fmt.Sprintf("%q", name), "one of " + strings.Join(Names(), ", ")}
}

// Limits that keep every size computed from settings far from overflow.
const (
	maxWidth = 1 << 16
	maxDepth = 1 << 10
)

// field is an integer setting and the largest value it may have.
type field struct {
	name  string
	value int
	most  int
}

func inRange(fields ...field) error {
	for _, f := range fields {
		if f.value < 1 || f.value > f.most {
			return &FieldError{f.name, f.value, fmt.Sprintf("1 to %d", f.most)}
		}
	}
	return nil
}

// listInRange checks a list of integer settings, and its length.
func listInRange(name string, values []int, least, most int) error {
	if len(values) < least || len(values) > maxDepth {
		return &FieldError{name, values, fmt.Sprintf("%d to %d numbers", least, maxDepth)}
	}
	for i, v := range values {
		if err := inRange(field{fmt.Sprintf("%s[%d]", name, i), v, most}); err != nil {
			return err
		}
	}
	return nil
}

// checkData checks the shape of an example and the number of outputs.
func checkData(input []int, outputs int) error {
	if len(input) != 1 && len(input) != 3 {
		return &FieldError{"the shape of an example", input, "[D] or [H, W, C]"}
	}
	for _, d := range input {
		if d < 1 || d > 1<<20 {
			return &FieldError{"the shape of an example", input, "lengths from 1 to 1048576"}
		}
	}
	if outputs < 1 || outputs > maxWidth {
		return &FieldError{"the number of outputs", outputs, fmt.Sprintf("1 to %d", maxWidth)}
	}
	return nil
}

// checkImages is checkData for a network that needs images.
func checkImages(input []int, outputs int) error {
	if err := checkData(input, outputs); err != nil {
		return err
	}
	if len(input) != 3 {
		return &FieldError{"the shape of an example", input, "[H, W, C]: this network takes images, use mlp for flat data"}
	}
	return nil
}
