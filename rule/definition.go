package rule

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"shadowflow/rule/formula"
	"shadowflow/schema"
)

// Definition is an optimizer as text says it: hyperparameters, the formulas of its state, and that of its update.
//
// In the formulas, g is the gradient, theta the parameters, n the step counted from 0, lr the step size, and hessian an estimate of
// the Hessian's diagonal; a hyperparameter stands by its name. An entry of state is set in its turn: a name on the right is the
// value of the step before, unless it is set above. ema(x, beta) is beta times the entry's value before plus (1 - beta) x, sum(x,
// beta) is beta times that plus x, and corrected(m) is such an entry m divided by the sum of its weights so far. if(flag, a, b) is
// a where the hyperparameter flag is true, else b; instead of the flag a comparison may stand, of each element if need be. All
// entries are 0 before the first step: if(n > 0, m, a) stands for an m that was a. average, norm, rows and columns (means of each),
// orthogonal, polar, matrix and aspect are made of each weight, total of all parameters; matmul, transpose, identity, orthonormal
// and inverse_root of the matrices among the weights, others being left as they are. every(n, k) is 1 in each k-th step, the first
// among them. plane_rows and plane_columns are rows and columns of a kernel's planes, height by width. The step is theta - lr times the update, where a division by lr is cancelled. An entry that is never read before it
// is set is no array, but a name for its formula.
type Definition struct {
	Name  string
	Title string // a line that says what it is
	Paper string // where it comes from
	// Remembers says, of an optimizer without the memory form, what it remembers that no means of functions of the gradient are.
	Remembers string
	// Note says, in a clause, what a library or the paper has otherwise that no preset sets and a user would not suspect. Runs begin with it.
	Note string
	// LR is the default step size.
	LR float64
	// Let are the hyperparameters, in the order of the text.
	Let []schema.Key
	// State are its entries, in order.
	State  []Entry
	Update *formula.Formula
	forms  map[string]formula.Form // of entries
	// Presets are other conventions: values of lr and hyperparameters that are not the defaults, by the name of who has them. The defaults are
	// called Paper.
	Presets map[string]map[string]any
}

// The names of conventions: of the definition as it stands, and of torch.optim.
const (
	Paper   = "paper"
	PyTorch = "pytorch"
)

// Preset returns the default of a key, lr or a hyperparameter, under a convention.
func (d *Definition) Preset(name string, k schema.Key) any {
	if v, ok := d.Presets[name][k.Name]; ok {
		return v
	}
	return k.Default
}

// Entry is one line of a state.
type Entry struct {
	Name    string
	Formula *formula.Formula
}

var definitionKeys = []string{"title", "paper", "remembers", "note", "let", "presets", "state", "update"}

// DefinitionKeys returns the keys of a definition beside name and lr, which every optimizer has.
func DefinitionKeys() []string { return slices.Clone(definitionKeys) }

// DefinitionIn returns those of the settings of a section optimizer that define one, nil if there are no formulas among them. The others
// may be values of its hyperparameters; what cannot be is a key misspelt, and stays for the error.
func DefinitionIn(section []schema.Setting) []schema.Setting {
	has := func(key string) bool {
		return slices.ContainsFunc(section, func(s schema.Setting) bool { return s.Key == key })
	}
	if !has("let") && !has("state") && !has("update") {
		return nil
	}
	var definition []schema.Setting
	for _, s := range section {
		misspelt := !has("update") && schema.Nearest(s.Key, []string{"update"}) != ""
		if s.Key == "name" || s.Key == "lr" || slices.Contains(definitionKeys, s.Key) || misspelt {
			definition = append(definition, s)
		}
	}
	return definition
}

// ParseDefinition reads a definition from YAML, a section optimizer and nothing else. name is what errors call the text. The errors, each a
// *schema.Error, say line, column, what stands there, and what would be right.
func ParseDefinition(name string, src []byte) (*Definition, error) {
	document, err := schema.Parse(name, src)
	if err != nil {
		return nil, err
	}
	for _, s := range document {
		if s.Key != "optimizer" {
			return nil, s.KeyError(s.Key, "expected a section optimizer and nothing else")
		}
	}
	if len(document) == 0 {
		return nil, &schema.Error{Place: schema.Place{Source: name}, Problem: "expected a section optimizer"}
	}
	section, ok := document[0].Value.([]schema.Setting)
	if !ok || len(section) == 0 {
		return nil, document[0].ValueError("optimizer", "expected its keys: name, lr, %s", strings.Join(definitionKeys, ", "))
	}
	return DefinitionOf(section)
}

// DefinitionOf reads a definition from the settings of a section optimizer; see ParseDefinition.
func DefinitionOf(section []schema.Setting) (*Definition, error) {
	r := &reader{d: &Definition{}, used: map[string]bool{}, at: map[string]schema.Setting{}}
	r.section(section)
	if len(r.errors) == 0 {
		r.check()
	}
	if len(r.errors) == 0 && r.presets.Key != "" {
		r.preset(r.inside(r.presets))
	}
	if len(r.errors) == 0 { // what depends on numbers, with the default ones
		if c, err := r.d.New(nil); err != nil {
			r.errors = append(r.errors, err)
		} else if _, err := c.Rule(); err != nil {
			r.errors = append(r.errors, r.at["update"].ValueError("optimizer", "with the default hyperparameters: %v", err))
		}
	}
	return r.d, schema.Join(r.errors)
}

// reader reads a definition.
type reader struct {
	d        *Definition
	at       map[string]schema.Setting // where keys, hyperparameters and entries are set
	used     map[string]bool           // names that formulas use
	elements map[string]dependence     // of entries
	presets  schema.Setting            // read when the hyperparameters are known
	errors   []error
}

func (r *reader) fail(err error) { r.errors = append(r.errors, err) }

// path is what errors call a key of the section, or of a part of it.
func path(names ...string) string { return "optimizer." + strings.Join(names, ".") }

var optimizerName = regexp.MustCompile(`^[\pL\pN_.+-]+$`)

func (r *reader) section(section []schema.Setting) {
	for _, s := range section {
		r.at[s.Key] = s
		text, isText := s.Text()
		switch s.Key {
		case "name":
			if r.d.Name = text; !optimizerName.MatchString(text) || IsFile(text) {
				r.fail(s.ValueError(path("name"), "expected a name of letters, digits and _ . + -, got %s", schema.Format(s.Value)))
			}
		case "title", "paper", "remembers", "note":
			if !isText {
				r.fail(s.ValueError(path(s.Key), "expected text"))
			}
			*map[string]*string{"title": &r.d.Title, "paper": &r.d.Paper, "remembers": &r.d.Remembers, "note": &r.d.Note}[s.Key] = text
		case "lr":
			lr, problem := lrKey(0).Convert(s.Value)
			if problem != "" {
				r.fail(s.ValueError(path("lr"), "%s", problem))
				continue
			}
			r.d.LR = lr.(float64)
		case "let":
			r.let(r.inside(s))
		case "presets":
			r.presets = s
		case "state":
			r.state(r.inside(s))
		case "update":
			r.d.Update = r.formula(s, path("update"))
		default:
			r.fail(s.KeyError(path(s.Key), "unknown key; %s", schema.Suggest(s.Key, append([]string{"name", "lr"}, definitionKeys...))))
		}
	}
	for _, key := range []string{"name", "lr", "update"} {
		if _, ok := r.at[key]; !ok {
			r.fail(section[0].KeyError(path(key), "missing; a definition has name, lr and update, and mostly let and state"))
		}
	}
}

// maxEntries bounds the hyperparameters, and the entries of a state: each is an array of the length of all parameters.
const maxEntries = 64

// inside returns the keys and values that a key holds.
func (r *reader) inside(s schema.Setting) []schema.Setting {
	inside, ok := s.Value.([]schema.Setting)
	if len(inside) > maxEntries {
		r.fail(s.ValueError(path(s.Key), "%d entries; expected at most %d", len(inside), maxEntries))
		return nil
	}
	if !ok && s.Value != nil {
		r.fail(s.ValueError(path(s.Key), "expected keys and values, like %s", map[string]string{
			"let": "{beta1: 0.9}", "state": "m: ema(g, beta1)",
		}[s.Key]))
	}
	return inside
}

// reserved are the names that formulas know already.
var reserved = map[string]string{
	"g": "the gradient", "theta": "the parameters", "n": "the step", "lr": "the step size", hessian: "the estimate of the Hessian's diagonal",
}

const hessian = "hessian"

// named checks a name that is given to a hyperparameter or an entry.
func (r *reader) named(s schema.Setting, in string) bool {
	f, err := formula.Parse(s.Key)
	what, taken := reserved[s.Key]
	if slices.Contains(formula.Functions(), s.Key) {
		what, taken = "a function", true
	}
	if slices.Contains(definitionKeys, s.Key) || slices.Contains(conditioningKeys, s.Key) || s.Key == "name" {
		what, taken = "a key of the section", true
	}
	_, twice := r.at[s.Key]
	switch {
	case err != nil || f.Name != s.Key:
		r.fail(s.KeyError(path(in, s.Key), "expected a name of letters, digits and _ (within braces, a formula with a comma wants quotes)"))
	case taken:
		r.fail(s.KeyError(path(in, s.Key), "%s is %s; expected another name", s.Key, what))
	case twice:
		r.fail(s.KeyError(path(in, s.Key), "%s is set twice; expected another name", s.Key))
	default:
		r.at[s.Key] = s
		return true
	}
	return false
}

func (r *reader) let(settings []schema.Setting) {
	for _, s := range settings {
		if !r.named(s, "let") {
			continue
		}
		k, given := schema.Key{Name: s.Key}, s
		if about, ok := s.Value.([]schema.Setting); ok {
			given = r.about(s, about, &k)
		}
		if _, flag := given.Value.(bool); flag {
			k.Type = schema.Flag
		}
		var problem string
		if k.Default, problem = k.Convert(given.Value); problem != "" {
			r.fail(given.ValueError(path("let", s.Key), "%s", problem))
		}
		r.d.Let = append(r.d.Let, k)
	}
}

// about reads a hyperparameter written as keys and values, and returns the setting of its default.
func (r *reader) about(s schema.Setting, about []schema.Setting, k *schema.Key) (given schema.Setting) {
	given = s
	given.Value = nil
	for _, a := range about {
		text, isText := a.Text()
		switch a.Key {
		case "default":
			given = a
		case "doc":
			k.Doc = text
		case "range":
			var err error
			if k.Range, err = schema.ReadInterval(text); err != nil {
				r.fail(a.ValueError(path("let", s.Key, "range"), "%v", err))
			}
		default:
			r.fail(a.KeyError(path("let", s.Key, a.Key), "unknown key; %s", schema.Suggest(a.Key, []string{"default", "range", "doc"})))
		}
		if a.Key != "default" && !isText {
			r.fail(a.ValueError(path("let", s.Key, a.Key), "expected text"))
		}
	}
	return given
}

// preset reads the values of other conventions.
func (r *reader) preset(settings []schema.Setting) {
	r.d.Presets = map[string]map[string]any{}
	for _, s := range settings {
		values, ok := s.Value.([]schema.Setting)
		if !ok && s.Value != nil || s.Key == Paper {
			r.fail(s.ValueError(path("presets", s.Key), "expected keys and values, like {beta2: 0.999}, of another name than %s", Paper))
			continue
		}
		r.d.Presets[s.Key] = map[string]any{}
		for _, v := range values {
			i := slices.IndexFunc(r.d.Keys(), func(k schema.Key) bool { return k.Name == v.Key })
			if i < 0 {
				r.fail(v.KeyError(path("presets", s.Key, v.Key), "unknown key; want lr or a hyperparameter"))
				continue
			}
			k := r.d.Keys()[i]
			value, problem := k.Convert(v.Value)
			if problem != "" {
				r.fail(v.ValueError(path("presets", s.Key, v.Key), "%s", problem))
			}
			r.d.Presets[s.Key][v.Key] = value
		}
	}
}

func (r *reader) state(settings []schema.Setting) {
	for _, s := range settings {
		if f := r.formula(s, path("state", s.Key)); r.named(s, "state") {
			r.d.State = append(r.d.State, Entry{s.Key, f})
		}
	}
}

// formula reads the formula of a key. Where it is wrong it is 0.
func (r *reader) formula(s schema.Setting, key string) *formula.Formula {
	text, ok := s.Text()
	if !ok {
		r.fail(s.ValueError(key, "expected a formula, like m / (sqrt(v) + eps)"))
		return formula.Number(0)
	}
	f, err := formula.Parse(text)
	var wrong *formula.Error
	if errors.As(err, &wrong) {
		r.fail(s.TextError(key, wrong.Column, "%s", wrong.Problem()))
		return formula.Number(0)
	}
	return f
}

func lrKey(lr float64) *schema.Key {
	return &schema.Key{
		Name: "lr", Default: lr, Range: schema.ParseInterval("(0,inf)"), Doc: "learning rate, the step size h of the modified equations",
	}
}

// Keys returns the settings of the optimizer: lr, and then its hyperparameters.
func (d *Definition) Keys() []schema.Key { return append([]schema.Key{*lrKey(d.LR)}, d.Let...) }

// index returns the place of an entry of the state, -1 if there is none of that name.
func (d *Definition) index(name string) int {
	return slices.IndexFunc(d.State, func(e Entry) bool { return e.Name == name })
}

// key returns a hyperparameter, nil if there is none of that name.
func (d *Definition) key(name string) *schema.Key {
	i := slices.IndexFunc(d.Let, func(k schema.Key) bool { return k.Name == name })
	if i < 0 {
		return nil
	}
	return &d.Let[i]
}

// String returns the definition's formulas, a line each.
func (d *Definition) String() string {
	var b strings.Builder
	for _, e := range d.State {
		fmt.Fprintf(&b, "%s = %s\n", e.Name, e.Formula)
	}
	fmt.Fprintf(&b, "U = %s\n", d.Update)
	return b.String()
}
