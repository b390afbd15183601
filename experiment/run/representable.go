package run

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"sort"
	"strings"

	"shadowflow/dataset"
	"shadowflow/experiment/config"
	"shadowflow/graph"
	"shadowflow/rule/stepsize"
	"shadowflow/schema"
)

// ofTheHost are the sections, and a key, whose numbers no arithmetic in a run's precision sees: bounds, tolerances, shares of examples. Those of the schedule
// are factors of lr, and looked at with it.
var ofTheHost = []string{"data", "stop", "record", "flow", "checkpoint", "schedule", "objective.timeout"}

// Representable refuses a config with numbers that are infinite in its dtype, or 0 and were not, before its data is read; see representable. A file of
// a schedule is read.
func Representable(c *config.Config) error {
	plan, err := c.Plan()
	if err != nil {
		return err
	}
	if c.DType == graph.Float64.String() {
		return settingsRepresentable[float64](c, plan)
	}
	return settingsRepresentable[float32](c, plan)
}

// representable refuses numbers that are infinite in T, or 0 and were not: of the settings, the data and the start.
func representable[T graph.Float](c *config.Config, s *source, plan stepsize.Schedule) error {
	if err := settingsRepresentable[T](c, plan); err != nil {
		return err
	}
	if s.data != nil {
		if err := dataset.Representable[T](s.data); err != nil {
			return fmt.Errorf("data: %w", err)
		}
	}
	for i, v := range s.start.Theta {
		if math.IsInf(float64(T(v)), 0) {
			return fmt.Errorf("parameter %d of the start is %g, and infinite in %s; want dtype float64, or other weights", i, v, c.DType)
		}
	}
	return nil
}

// settingsRepresentable looks at all numbers of the config but those of the host, by its schema, so that no key is forgotten.
func settingsRepresentable[T graph.Float](c *config.Config, plan stepsize.Schedule) error {
	paths := slices.DeleteFunc(c.Schema().Paths(), func(path string) bool {
		section, _, _ := strings.Cut(path, ".")
		return slices.Contains(ofTheHost, path) || slices.Contains(ofTheHost, section)
	})
	for i, value := range c.Values(paths) {
		if v, ok := lost[T](numbersOf(value)); ok {
			return unrepresentable[T](c, paths[i], "", v)
		}
	}
	if err := groupsRepresentable[T](c); err != nil {
		return err
	}
	return stepsRepresentable[T](c, plan)
}

// groupsRepresentable looks at the groups' settings, which are no keys of the config's schema.
func groupsRepresentable[T graph.Float](c *config.Config) error {
	for i, g := range c.Optimizer.Parts() {
		numbers := map[string]any{"lr": g.Optimizer.LR, "lr_scale": g.Scale, "l2": g.Optimizer.L2}
		maps.Copy(numbers, g.Optimizer.Values)
		for _, name := range slices.Sorted(maps.Keys(numbers)) {
			if v, ok := lost[T](numbersOf(numbers[name])); ok {
				return unrepresentable[T](c, "optimizer.groups", fmt.Sprintf("group %d: %s: ", i+1, name), v)
			}
		}
	}
	return nil
}

// stepsRepresentable looks at the sizes of steps that a schedule makes of lr, at its ends, between which they lie. The decay by
// steps may end below any number: a size of 0 is what it comes to. A file says 0 itself where that is meant.
func stepsRepresentable[T graph.Float](c *config.Config, plan stepsize.Schedule) error {
	lr, k := c.Optimizer.LR, c.Schedule
	switch plan.Shape {
	case stepsize.Linear, stepsize.Cosine, stepsize.WSD:
		if v, ok := lost[T]([]float64{lr * k.Final}); ok {
			return unrepresentable[T](c, "schedule.final", "lr times it, ", v)
		}
	case stepsize.Step:
		if v, ok := lost[T]([]float64{lr * k.Factor}); ok {
			return unrepresentable[T](c, "schedule.factor", "lr times it, ", v)
		}
		infinite := func(n int) bool { return math.IsInf(float64(T(lr*plan.At(n))), 0) }
		if infinite(max(0, c.Steps-1)) { // as all steps behind the first such are
			n := sort.Search(c.Steps, infinite)
			return unrepresentable[T](c, "schedule.factor", fmt.Sprintf("the size of step %d, ", n), lr*plan.At(n))
		}
	case stepsize.File:
		for i, factor := range plan.Factors {
			if v, ok := lost[T]([]float64{lr * factor}); ok {
				return unrepresentable[T](c, "schedule.path", fmt.Sprintf("lr times number %d of the file, ", i+1), v)
			}
		}
	}
	return nil
}

func unrepresentable[T graph.Float](c *config.Config, key, what string, v float64) error {
	return &schema.Error{Key: key, Problem: fmt.Sprintf("%s%g is %g in %s; want dtype float64, or a number that it has", what, v, T(v), c.DType)}
}

// lost returns the first number that is infinite in T, or 0 and was not.
func lost[T graph.Float](numbers []float64) (float64, bool) {
	for _, v := range numbers {
		if math.IsInf(float64(T(v)), 0) || T(v) == 0 && v != 0 {
			return v, true
		}
	}
	return 0, false
}

// numbersOf returns the numbers of a key's value.
func numbersOf(value any) []float64 {
	switch v := value.(type) {
	case float64:
		return []float64{v}
	case []float64:
		return v
	case [][2]float64:
		var all []float64
		for _, pair := range v {
			all = append(all, pair[:]...)
		}
		return all
	}
	return nil
}
