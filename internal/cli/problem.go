package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"shadowflow/objective"
	"shadowflow/objective/closed"
	"shadowflow/rule"
	"shadowflow/schema"
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
	cmd.Flags().StringVar(&f.name, "objective", "bilinear", "one of "+strings.Join(closed.Names(), ", "))
	cmd.Flags().StringSliceVar(&f.set, "objective-set", nil, "the objective's options, key=value,...")
	cmd.Flags().StringVar(&f.pairs, "pairs", "", "pairs x:y,x:y,... of bilinear and cubic, one a batch (default 2:1.5)")
}

func (f *objectiveFlags) objective() (*objective.Numeric[float64], error) {
	written, err := keyValues("--objective-set", f.set)
	if err != nil {
		return nil, err
	}
	if f.pairs != "" {
		written["pairs"] = f.pairs
	}
	values, err := objectiveValues(f.name, written)
	if err != nil {
		return nil, err
	}
	loss, err := closed.New(f.name, values)
	if err != nil {
		return nil, err
	}
	return objective.NewNumeric[float64](loss, 0), nil
}

// objectiveValues reads options as the types of an objective's keys want them. What it does not know it leaves as text, for closed.New to
// refuse.
func objectiveValues(name string, written map[string]string) (map[string]any, error) {
	values := map[string]any{}
	for _, option := range slices.Sorted(maps.Keys(written)) {
		s := written[option]
		values[option] = s
		for _, k := range closed.Keys(name) {
			if k.Name != option {
				continue
			}
			v, err := parseValue(k, s)
			if err != nil {
				return nil, fmt.Errorf("objective %s: %s: %w", name, option, err)
			}
			values[option] = v
		}
	}
	return values, nil
}

// parseValue reads a value: numbers of a list have colons between them, pairs are x:y,x:y.
func parseValue(k schema.Key, s string) (any, error) {
	var v any
	var err error
	switch k.Type {
	case schema.Whole:
		v, err = strconv.Atoi(s)
	case schema.Seed:
		v, err = strconv.ParseUint(s, 10, 64)
	case schema.Number:
		v, err = strconv.ParseFloat(s, 64)
	case schema.Numbers:
		v, err = numbersBetween(s, ":")
	case schema.Pairs:
		return parsePairs(s)
	}
	if err != nil {
		return nil, fmt.Errorf("%q: want %s", s, k.Wants())
	}
	return v, nil
}

// parsePairs reads pairs written x:y,x:y.
func parsePairs(s string) ([][2]float64, error) {
	var pairs [][2]float64
	for i, field := range strings.Split(s, ",") {
		xy, err := numbersBetween(field, ":")
		if err != nil || len(xy) != 2 {
			return nil, fmt.Errorf("pair %d, %q: want two finite numbers x:y", i+1, field)
		}
		pairs = append(pairs, [2]float64(xy))
	}
	return pairs, nil
}

// point returns the objective and the parameters, those of --theta or the objective's start.
func (f *objectiveFlags) point() (*objective.Numeric[float64], []float64, error) {
	o, err := f.objective()
	if err != nil {
		return nil, nil, err
	}
	if f.theta == "" {
		return o, o.Start(), nil
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
	out, err := numbersBetween(s, ",")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	return out, nil
}

// numbersBetween reads finite numbers with a separator between them.
func numbersBetween(s, separator string) ([]float64, error) {
	var out []float64
	for _, field := range strings.Split(s, separator) {
		v, err := strconv.ParseFloat(strings.TrimSpace(field), 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("%q is not a finite number", field)
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

// numbers are printed in JSON with null for what is not finite.
type numbers []float64

func (n numbers) MarshalJSON() ([]byte, error) {
	out := make([]*float64, len(n))
	for i, v := range n {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			out[i] = &n[i]
		}
	}
	return json.Marshal(out)
}
