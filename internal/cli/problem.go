package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"shadowflow/objective"
	"shadowflow/rule"
)

// optimizerFlags choose a rule.
type optimizerFlags struct {
	name string
	set  []string
}

func (f *optimizerFlags) bindSet(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&f.set, "set", nil, "the optimizer's hyperparameters, key=value,...")
}

func (f *optimizerFlags) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.name, "optimizer", "adam", "one of "+strings.Join(rule.Names(), ", "))
	f.bindSet(cmd)
}

func (f *optimizerFlags) config() (rule.Config, error) {
	values, err := keyValues("--set", f.set)
	if err != nil {
		return rule.Config{}, err
	}
	return rule.Parse(f.name, values)
}

func (f *optimizerFlags) rule() (*rule.Rule, rule.Config, error) {
	c, err := f.config()
	if err != nil {
		return nil, c, err
	}
	r, err := c.Rule()
	return r, c, err
}

// keyValues reads key=value pairs.
func keyValues(flag string, pairs []string) (map[string]string, error) {
	values := map[string]string{}
	for _, p := range pairs {
		k, v, ok := strings.Cut(p, "=")
		if !ok || k == "" {
			return nil, fmt.Errorf("%s %q: want key=value,key=value", flag, p)
		}
		values[strings.TrimSpace(k)] = strings.TrimSpace(v)
	}
	return values, nil
}

// objectiveFlags choose a loss and a point.
type objectiveFlags struct {
	name  string
	set   []string
	pairs string
	theta string
}

func (f *objectiveFlags) bind(cmd *cobra.Command) {
	f.bindLoss(cmd)
	cmd.Flags().StringVar(&f.theta, "theta", "", "the parameters, a,b,... (default: the objective's own start)")
}

func (f *objectiveFlags) bindLoss(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.name, "objective", "bilinear", "one of "+strings.Join(objective.Names(), ", "))
	cmd.Flags().StringSliceVar(&f.set, "objective-set", nil, "the objective's options, key=value,...")
	cmd.Flags().StringVar(&f.pairs, "pairs", "", "pairs x:y,x:y,... of bilinear and cubic, one a batch (default 2:1.5)")
}

func (f *objectiveFlags) objective() (objective.Objective, error) {
	values, err := keyValues("--objective-set", f.set)
	if err != nil {
		return nil, err
	}
	if f.pairs != "" {
		values["pairs"] = f.pairs
	}
	return objective.New(f.name, values)
}

// point returns the objective and the parameters, those of --theta or the objective's start.
func (f *objectiveFlags) point() (objective.Objective, []float64, error) {
	o, err := f.objective()
	if err != nil {
		return nil, nil, err
	}
	if f.theta == "" {
		s, ok := o.(objective.Starter)
		if !ok {
			return nil, nil, errors.New("--theta: this objective has no start of its own: want its parameters, a,b,")
		}
		return o, s.Start(), nil
	}
	theta, err := floats("--theta", f.theta)
	if err != nil {
		return nil, nil, err
	}
	if len(theta) != o.Dim() {
		return nil, nil, fmt.Errorf("--theta has %d numbers: objective %s has %d parameters", len(theta), f.name, o.Dim())
	}
	return o, theta, nil
}

// floats reads finite numbers separated by commas.
func floats(flag, s string) ([]float64, error) {
	var out []float64
	for _, field := range strings.Split(s, ",") {
		v, err := strconv.ParseFloat(strings.TrimSpace(field), 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("%s: %q is not a finite number", flag, field)
		}
		out = append(out, v)
	}
	return out, nil
}

// printJSON writes v on one line.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
