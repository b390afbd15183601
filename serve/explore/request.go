package explore

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"shadowflow/experiment/config"
	"shadowflow/objective/closed"
	"shadowflow/rule"
	"shadowflow/schema"
)

// Request is a question of the page.
type Request struct {
	// Set are keys of a config and their values: numbers, texts, flags, or lists.
	Set map[string]any `json:"set"`
	// Own is an optimizer that was typed in, the YAML that a config's section optimizer takes; empty: a built-in one.
	Own string `json:"own,omitempty"`
	// View is the part of the plane that is shown: the least and the largest of the first parameter, then of the second.
	View []float64 `json:"view,omitempty"`
	// Want says what is asked for, of run, surface and field.
	Want []string `json:"want"`
	// Draft asks for less, of what is about to change again: no monitors, and fewer points.
	Draft bool `json:"draft,omitempty"`
}

// The bounds of one request. No config of the page comes near them; a context bounds the rest.
const (
	maxQuestion  = 16 << 10 // bytes
	maxOwn       = 6000     // bytes of what is typed in
	maxFormulas  = 1000     // of them the formulas, whose derivatives of high order are compiled
	maxSteps     = 20_000
	maxTrained   = 400 // steps of a network
	maxList      = 32  // numbers in one setting
	maxSamples   = 500
	maxSubsteps  = 8
	largestCoord = 1e6 // of the view
)

// ParseRequest reads a question. The error says what was wrong with it.
func ParseRequest(text string) (*Request, error) {
	if len(text) > maxQuestion {
		return nil, fmt.Errorf("q: %d bytes; want at most %d", len(text), maxQuestion)
	}
	q := &Request{}
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(q); err != nil {
		return nil, fmt.Errorf("q: not a question as JSON: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("q: something stands behind the question")
	}
	return q, q.check()
}

var wants = []string{"run", "surface", "field"}

func (q *Request) check() error {
	for _, w := range q.Want {
		if !slices.Contains(wants, w) {
			return fmt.Errorf("want: %q; want some of %s", w, strings.Join(wants, ", "))
		}
	}
	if len(q.Own) > maxOwn {
		return fmt.Errorf("own: %d bytes; want at most %d", len(q.Own), maxOwn)
	}
	if q.View == nil {
		return nil
	}
	if len(q.View) != 4 {
		return fmt.Errorf("view: %d numbers; want 4", len(q.View))
	}
	for _, v := range q.View {
		if math.Abs(v) > largestCoord {
			return fmt.Errorf("view: %g; want numbers of at most %g", v, largestCoord)
		}
	}
	if !(q.View[1]-q.View[0] > 1e-9) || !(q.View[3]-q.View[2] > 1e-9) {
		return fmt.Errorf("view: %v; want each end above its beginning", q.View)
	}
	return nil
}

// wants reports whether something is asked for.
func (q *Request) wants(what string) bool { return slices.Contains(q.Want, what) }

// mayBeSet are the keys that a question may set, beside those of the losses and the optimizers. None of them names a file or a program.
var mayBeSet = []string{
	"seed", "steps", "beside", "batch.mode", "batch.size", "stop.loss", "bias.scale", "flow.start", "flow.steps", "flow.noise", "objective.name", "objective.theta",
	"schedule.shape", "schedule.warmup", "schedule.steps", "schedule.final", "schedule.every", "schedule.factor", "schedule.stable",
}

// ofFiles are the keys of the section optimizer that name files, or bring whole sections.
var ofFiles = []string{"moments", "moments_steps", "groups"}

// allowed reports whether a question may set a key.
func allowed(key string) bool {
	if slices.Contains(mayBeSet, key) {
		return true
	}
	if name, ok := strings.CutPrefix(key, "objective."); ok {
		return slices.ContainsFunc(closed.Names(), func(loss string) bool {
			return slices.ContainsFunc(closed.Keys(loss), func(k schema.Key) bool { return k.Name == name })
		})
	}
	name, ok := strings.CutPrefix(key, "optimizer.")
	return ok && !strings.Contains(name, ".") && !slices.Contains(ofFiles, name) && !slices.Contains(rule.DefinitionKeys(), name)
}

// settings returns the settings of a question: those of the optimizer that was typed in, and the others, in the order of their keys.
func (q *Request) settings() (own, set []schema.Setting, err error) {
	if strings.TrimSpace(q.Own) != "" {
		if own, err = definition(q.Own); err != nil {
			return nil, nil, err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(q.Set)) {
		if !allowed(key) {
			return nil, nil, fmt.Errorf("%q: the explorer does not set this key", clip(key))
		}
		value := q.Set[key]
		if err := plain(value, 0); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", key, err)
		}
		if name, ok := value.(string); ok && key == "optimizer.name" && rule.IsFile(name) {
			return nil, nil, fmt.Errorf("%s: %q is the path of a file; want a built-in optimizer, or its text as own", key, clip(name))
		}
		set = append(set, schema.Set(key, value))
	}
	return own, set, nil
}

// definition reads an optimizer that was typed in.
func definition(text string) ([]schema.Setting, error) {
	document, err := schema.Parse("formulas", []byte(text))
	if err != nil {
		return nil, err
	}
	var section []schema.Setting
	if config.OptimizerAlone(document) {
		section, _ = document[0].Value.([]schema.Setting)
	}
	has := func(key string) bool {
		return slices.ContainsFunc(section, func(s schema.Setting) bool { return s.Key == key })
	}
	if !has("update") {
		return nil, fmt.Errorf("formulas: expected a section optimizer and nothing else, with name, lr, update, and mostly let and state")
	}
	for _, s := range section {
		if slices.Contains(ofFiles, s.Key) {
			return nil, s.KeyError("optimizer."+s.Key, "the explorer does not set this key")
		}
		if name, ok := s.Text(); ok && s.Key == "name" && rule.IsFile(name) {
			return nil, s.ValueError("optimizer.name", "%q is the path of a file; want a name", clip(name))
		}
	}
	d, err := rule.DefinitionOf(rule.DefinitionIn(section))
	if err != nil {
		return nil, err
	}
	if n := len(d.String()); n > maxFormulas {
		return nil, fmt.Errorf("formulas: %d characters; want at most %d here", n, maxFormulas)
	}
	return document, nil
}

// keys returns the hyperparameters of an optimizer that was typed in, nil if none was.
func (q *Request) keys() ([]Key, error) {
	own, _, err := q.settings()
	if err != nil || own == nil {
		return nil, err
	}
	inside, _ := own[0].Value.([]schema.Setting)
	d, err := rule.DefinitionOf(rule.DefinitionIn(inside))
	if err != nil {
		return nil, err
	}
	var out []Key
	for _, k := range d.Keys() {
		out = append(out, keyOf(k))
	}
	return out, nil
}

// plain refuses values that are no number, text, flag, or list of such that is short.
func plain(value any, depth int) error {
	switch v := value.(type) {
	case float64, bool:
		return nil
	case string:
		if len(v) > 100 {
			return fmt.Errorf("a text of %d bytes; want at most 100", len(v))
		}
		return nil
	case []any:
		if depth > 1 || len(v) > maxList {
			return fmt.Errorf("a list that is too long or too deep; want at most %d numbers, or pairs", maxList)
		}
		for _, item := range v {
			if err := plain(item, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("want a number, a text, true or false, or a list")
}

func clip(s string) string {
	const shown = 60
	if len(s) > shown {
		return s[:shown] + "..."
	}
	return s
}

// Config returns the config that answers a question, and the settings that make it of nothing.
func (q *Request) Config() (*config.Config, []schema.Setting, error) {
	own, set, err := q.settings()
	if err != nil {
		return nil, nil, err
	}
	base := fixed(q.Set["objective.name"])
	c, err := config.Resolve(base, own, set)
	if err != nil {
		return nil, nil, err
	}
	if err := bounded(c); err != nil {
		return nil, nil, err
	}
	recorded := q.recorded(c)
	all := slices.Concat(base, own, set, recorded)
	c, err = config.Resolve(base, own, set, recorded)
	return c, all, err
}

// fixed are the settings of all questions: one loss in float64, which two parameters have, or a small network on some of the digits.
func fixed(objective any) []schema.Setting {
	out := []schema.Setting{schema.Set("dtype", "float64"), schema.Set("threads", 1), schema.Set("checkpoint.every", 0)}
	switch objective {
	case config.Network:
		return append(out, schema.Set("data.subset", 100), schema.Set("model.hidden", []int{8}), schema.Set("record.test", 0))
	case nil:
		return append(out, schema.Set("objective.name", closed.Names()[0]))
	}
	return out
}

// bounded refuses a config that asks for more than one request is given.
func bounded(c *config.Config) error {
	network, o := c.Objective.Name == config.Network, c.Objective
	most := maxSteps
	if network {
		most = maxTrained
	}
	switch {
	case !network && !slices.Contains(closed.Names(), o.Name):
		return fmt.Errorf("objective.name: %s; want network, or one of %s", o.Name, strings.Join(closed.Names(), ", "))
	case c.Steps > most:
		return fmt.Errorf("steps: %d; want at most %d here", c.Steps, most)
	case c.Flow.Steps > maxSubsteps:
		return fmt.Errorf("flow.steps: %d; want at most %d here", c.Flow.Steps, maxSubsteps)
	case network:
		return nil
	}
	for key, v := range o.Values {
		if n, ok := v.(int); ok && key != "rotation" && n > maxSamples {
			return fmt.Errorf("objective.%s: %d; want at most %d here", key, n, maxSamples)
		}
	}
	f, _, err := o.New()
	if err == nil && f.Dim != drawn {
		err = fmt.Errorf("objective %s: %d parameters; want %d, to be drawn", o.Name, f.Dim, drawn)
	}
	return err
}

// drawn is the number of parameters of a loss whose surface is drawn.
const drawn = 2

// rows is about how many rows a run has, and a draft; measurements how often the monitors of a run are read, and sharpnesses how often that of a network, which
// takes longest.
const rows, draftRows, measurements, sharpnesses = 300, 80, 15, 5

// recorded says how often things are recorded, for rows enough to be drawn.
func (q *Request) recorded(c *config.Config) []schema.Setting {
	apart := func(n int) int { return max(1, (c.Steps+n-1)/n) }
	if q.Draft {
		return []schema.Setting{
			schema.Set("beside", affordable(c)), schema.Set("record.every", apart(draftRows)), schema.Set("record.bias", 0), schema.Set("record.sharpness", 0), schema.Set("record.state", 0),
		}
	}
	every := apart(rows)
	less := func(n int) int { return every * max(1, (c.Steps/every+n-1)/n) }
	sharpness := less(measurements)
	if c.Objective.Name == config.Network {
		sharpness = less(sharpnesses)
	}
	return []schema.Setting{
		schema.Set("record.every", every), schema.Set("record.bias", less(measurements)), schema.Set("record.sharpness", sharpness), schema.Set("record.state", less(measurements)),
	}
}

// costs are about what equations of two parameters cost, in microseconds: to be compiled, and in each step.
var costs = map[string][2]int{
	"memoryless-1": {1000, 8}, "memoryless-2": {3000, 15}, "memoryless-3": {3000, 12}, "memoryless-4": {12_000, 25}, "iteration-1": {1000, 5}, "iteration-2": {3000, 8}, "gradient-flow": {500, 5},
	"state-1": {1000, 10}, "state-2": {1500, 12}, "state-3": {5000, 30}, "state-4": {12_000, 45}, "lift-1": {1500, 15}, "lift-2": {4000, 60},
}

// affordableWork is what the equations of a draft may cost, in microseconds, ofNetwork by how much more they cost beside the small network, and
// ofBatches by how much more those that look back over all steps that the memory holds, where these saw other batches.
const affordableWork, ofNetwork, ofBatches = 40_000, 12, 80

// affordable returns the equations beside a draft: of those that are asked for, the cheapest first, as many as can follow a hand. They keep their order.
func affordable(c *config.Config) []string {
	times := c.Steps * max(1, c.Flow.Steps)
	if c.Objective.Name == config.Network {
		times *= ofNetwork
	}
	cost := func(name string) int {
		each := costs[name][1]
		if c.Batch.Mini() && (name == "memoryless-2" || name == "iteration-2") {
			each *= ofBatches
		}
		return costs[name][0] + each*times
	}
	left, keep := affordableWork, []string{}
	for _, name := range slices.SortedStableFunc(slices.Values(c.Beside), func(a, b string) int { return cost(a) - cost(b) }) {
		if left -= cost(name); left >= 0 && costs[name] != [2]int{} {
			keep = append(keep, name)
		}
	}
	return slices.DeleteFunc(slices.Clone(c.Beside), func(name string) bool { return !slices.Contains(keep, name) })
}
