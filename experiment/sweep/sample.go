package sweep

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/stat/distuv"
	"gonum.org/v1/gonum/stat/sampleuv"

	"shadowflow/schema"
)

// sample is the section of a sweep's file that draws values at random.
type sample struct {
	N      int              `yaml:"n" doc:"draws" range:"[1,100000]"`
	Seed   uint64           `yaml:"seed" doc:"seed of the draws; the values of a key depend on it, on n and on the key's name alone"`
	Method string           `yaml:"method" doc:"random draws each value by itself, latin-hypercube one in each of n parts of equal probability" oneof:"random|latin-hypercube"`
	Keys   []schema.Setting `yaml:"keys" doc:"where values are drawn from, by keys: {linear: [a, b]}, {log: [a, b]}, {integer: [a, b]} or {choice: [a, b, c]}"`
}

var sampleSchema = schema.New(schema.KeysOf(struct {
	Sample sample `yaml:"sample"`
}{sample{N: 10, Method: "random"}}))

// readSample keeps the section as it was given; what it says is looked at where values are drawn.
func (s *Spec) readSample(at schema.Setting) error {
	inside, ok := at.Value.([]schema.Setting)
	if !ok {
		return at.KeyError("sample", "expected keys and values, like {n: 50, seed: 0, keys: {optimizer.lr: {log: [1e-4, 1e-2]}}}")
	}
	s.Sample = inside
	return nil
}

// draws returns the dimension of the sample: a choice a draw.
func (s *Spec) draws() (dimension, error) {
	at := schema.Set("sample", s.Sample)
	if read, ok := s.at["sample"]; ok {
		at = read
	}
	d := dimension{name: "sample", setting: at}
	r := sampleSchema.Resolve([]schema.Setting{at})
	if err := r.Err(); err != nil {
		return d, err
	}
	var of struct {
		Sample sample `yaml:"sample"`
	}
	r.Values.Store(&of)
	keys, ok := r.Given("sample.keys")
	if !ok {
		return d, d.fail("no keys: want where values are drawn from, like keys: {optimizer.lr: {log: [1e-4, 1e-2]}}")
	}
	ranges, err := distributions(keys, "")
	if err != nil {
		return d, err
	}
	d.choices = make([]choice, of.Sample.N)
	for _, from := range ranges {
		for i, u := range of.Sample.uniform(from.setting.Key) {
			d.choices[i] = append(d.choices[i], from.at(u))
		}
	}
	return d, d.different()
}

// different refuses a draw that gives what an earlier one gave, as where few values are there: its run would be the same.
func (d dimension) different() error {
	seen := map[string]int{}
	for i, c := range d.choices {
		text := schema.Format([]schema.Setting(c))
		if j, ok := seen[text]; ok {
			return d.fail("draws %d and %d of %d are both %s; want a smaller n, another seed, or more values to draw from", j, i, len(d.choices), text)
		}
		seen[text] = i
	}
	return nil
}

// uniform returns n numbers from 0 up to 1 for a key.
func (s sample) uniform(key string) []float64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(key)) // it never fails
	src := rand.NewPCG(s.Seed, h.Sum64())
	out := make([]float64, s.N)
	var by sampleuv.Sampler = sampleuv.IIDer{Dist: distuv.Uniform{Max: 1, Src: src}}
	if s.Method != "random" {
		by = sampleuv.LatinHypercube{Q: distuv.UnitUniform, Src: src}
	}
	by.Sample(out)
	for i := range out { // rounded up it may be 1
		out[i] = min(out[i], math.Nextafter(1, 0))
	}
	return out
}

// A distribution is where the values of a key are drawn from.
type distribution struct {
	setting   schema.Setting // the key, with its place
	kind      string
	low, high float64
	items     []schema.Setting // of a choice
}

// kinds are the words for distributions.
var kinds = []string{"linear", "log", "integer", "choice"}

// distributions takes keys, dotted or nested, with their distributions.
func distributions(at schema.Setting, prefix string) ([]distribution, error) {
	inside, _ := at.Value.([]schema.Setting)
	if len(inside) == 0 {
		return nil, at.KeyError("sample.keys", "expected keys, like {optimizer.lr: {log: [1e-4, 1e-2]}}")
	}
	var out []distribution
	for _, s := range inside {
		s.Key = prefix + s.Key
		says, ok := s.Value.([]schema.Setting)
		if !ok || len(says) == 0 {
			return nil, s.KeyError("sample.keys: "+s.Key, "expected where its values are drawn from, like {log: [1e-4, 1e-2]}")
		}
		if slices.Contains(kinds, says[0].Key) {
			d, err := distributionOf(s, says)
			if err != nil {
				return nil, err
			}
			out = append(out, d)
			continue
		}
		if _, ok := says[0].Value.([]schema.Setting); !ok || strings.Count(s.Key, ".") > 8 {
			return nil, says[0].KeyError("sample.keys: "+s.Key, "unknown distribution %q; %s", says[0].Key, schema.Suggest(says[0].Key, kinds))
		}
		deeper, err := distributions(s, s.Key+".")
		if err != nil {
			return nil, err
		}
		out = append(out, deeper...)
	}
	return out, nil
}

func distributionOf(s schema.Setting, says []schema.Setting) (distribution, error) {
	d := distribution{setting: s, kind: says[0].Key}
	name := "sample.keys: " + s.Key
	if len(says) > 1 {
		return d, says[1].KeyError(name, "expected one distribution, and %s is there already", d.kind)
	}
	items, ok := says[0].Items()
	if d.kind == "choice" {
		if d.items = items; !ok || len(items) == 0 {
			return d, says[0].ValueError(name, "expected a list of values, like {choice: [adam, rmsprop]}")
		}
		return d, nil
	}
	if !ok || len(items) != 2 {
		return d, says[0].ValueError(name, "expected the two ends of a range, like {%s: [1, 100]}", d.kind)
	}
	for i, end := range []*float64{&d.low, &d.high} {
		typ := schema.Number
		if d.kind == "integer" {
			typ = schema.Whole
		}
		value, problem := (&schema.Key{Type: typ}).Convert(items[i].Value)
		if problem != "" {
			return d, items[i].ValueError(name, "%s", problem)
		}
		switch x := value.(type) {
		case int:
			*end = float64(x)
		case float64:
			*end = x
		}
	}
	const largest = 1 << 53 // whole numbers up to it are exact
	switch {
	case !(d.low < d.high):
		return d, says[0].ValueError(name, "%g and %g: expected the lower end first", d.low, d.high)
	case d.kind == "log" && d.low <= 0:
		return d, says[0].ValueError(name, "%g has no logarithm; expected ends above 0", d.low)
	case math.IsInf(d.high-d.low, 0) || d.kind == "integer" && max(-d.low, d.high) > largest:
		return d, says[0].ValueError(name, "from %g to %g is too wide", d.low, d.high)
	}
	return d, nil
}

// at returns the key with its value for a number from 0 up to 1.
func (d distribution) at(u float64) schema.Setting {
	s := d.setting
	switch d.kind {
	case "choice":
		item := d.items[int(u*float64(len(d.items)))]
		item.Key = s.Key
		return item
	case "integer":
		s.Value = int(d.low + math.Floor(u*(d.high-d.low+1)))
	case "log":
		s.Value = d.round(math.Exp(math.Log(d.low) + u*(math.Log(d.high)-math.Log(d.low))))
	default:
		s.Value = d.round(d.low + u*(d.high-d.low))
	}
	return s
}

// round leaves a value twelve digits: exponentials differ in their last bits from processor to processor, and a run is known by its config.
func (d distribution) round(x float64) float64 {
	rounded, _ := strconv.ParseFloat(fmt.Sprintf("%.12g", x), 64) // which is a number
	return min(max(rounded, d.low), d.high)
}
