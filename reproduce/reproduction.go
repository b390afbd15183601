package reproduce

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"shadowflow/dataset"
	"shadowflow/experiment/sweep"
	"shadowflow/report"
	"shadowflow/schema"
)

// A Scale is the size at which a reproduction is made.
type Scale string

// The scales.
const (
	Laptop Scale = "laptop" // minutes on two cores, with the embedded digits
	Small  Scale = "small"  // hours on two cores: small networks on part of Fashion-MNIST
	Paper  Scale = "paper"  // the paper's own: ResNets on all of CIFAR, full batch
)

// Scales returns the scales, smallest first.
func Scales() []Scale { return []Scale{Laptop, Small, Paper} }

// settings give keys of a config values.
type settings = []schema.Setting

func set(key string, value any) schema.Setting { return schema.Set(key, value) }

// pick returns what belongs to a scale.
func pick[T any](s Scale, laptop, small, paper T) T {
	switch s {
	case Small:
		return small
	case Paper:
		return paper
	}
	return laptop
}

// cifar is all of CIFAR-10 or CIFAR-100 as a sweep's base.
func cifar(name, file string) settings {
	return settings{set("data.name", name), set("data.path", "data/"+file)}
}

// problem is the data and the model of a scale; the laptop's are those of a run without arguments.
func problem(s Scale) settings {
	return pick(s, nil, slices.Concat(fashionData(2000), smallCNN()), append(cifar(dataset.NameCIFAR10, cifar10File), set("model.name", "resnet50")))
}

// The files of CIFAR as their authors name them.
const (
	cifar10File  = "cifar-10-binary.tar.gz"
	cifar100File = "cifar-100-binary.tar.gz"
)

// A Reproduction is a claim and what tests it.
type Reproduction struct {
	Name string
	// Title is a line; Claim says what is tested, Design how.
	Title, Claim, Design string
	// Changed says what of it was changed after numbers had been looked at.
	Changed []string
	// cluster says that the paper's scale is beyond what is made without asking.
	cluster bool

	hypotheses func(s Scale) []Hypothesis
	// sweeps returns what the runs are made of whose results judge gets; nil for a computation in closed form.
	sweeps func(s Scale) []sweep.Spec
	// judge gives the hypotheses their numbers, and the result its notes, figures and tables.
	judge func(ctx context.Context, f *Result, made []trials) error
}

// Hypotheses returns what is tested at a scale.
func (r *Reproduction) Hypotheses(s Scale) []Hypothesis {
	seeds := 0
	if r.sweeps != nil {
		for _, spec := range r.sweeps(s) {
			seeds = max(seeds, len(spec.Seeds))
		}
	}
	out := r.hypotheses(s)
	for i := range out {
		if out[i].Test != Bound && out[i].Seeds == 0 {
			out[i].Seeds = seeds
		}
		if out[i].Family == "" {
			out[i].Family = r.Name
		}
	}
	return out
}

// Sweeps returns the sweeps that a reproduction makes at a scale; none if it is a computation in closed form.
func (r *Reproduction) Sweeps(s Scale) ([]*sweep.Sweep, error) {
	if r.sweeps == nil {
		return nil, nil
	}
	var out []*sweep.Sweep
	for _, spec := range r.sweeps(s) {
		made, err := sweep.New(spec, 0)
		if err != nil {
			return nil, err
		}
		out = append(out, made)
	}
	return out, nil
}

// All returns the reproductions.
func All() []*Reproduction {
	return slices.Concat(
		[]*Reproduction{figure1(), figure2(), figure3()}, imageFigures(),
		[]*Reproduction{table1(), bilinear(), normVsBeta2(), normVsBeta1(), hill(), order(), datasets(), minibatch(), causes(), usual(), edge(), language(), howFar()},
	)
}

// Find returns the reproduction of a name.
func Find(name string) (*Reproduction, error) {
	var names []string
	for _, r := range All() {
		if r.Name == name {
			return r, nil
		}
		names = append(names, r.Name)
	}
	return nil, fmt.Errorf("no reproduction %q; %s", name, schema.Suggest(name, names))
}

// A Result is what a reproduction found, with its figures and tables.
type Result struct {
	Verdict
	// Page is the path of the page.
	Page string

	drawings []report.Drawing
	tables   []report.Table
}

// say adds a note.
func (f *Result) say(format string, args ...any) {
	f.Notes = append(f.Notes, fmt.Sprintf(format, args...))
}

// give gives a hypothesis its numbers, a row a seed. One that the definition does not have is a mistake in the program.
func (f *Result) give(name string, rows [][]float64) {
	h := f.hypothesis(name)
	if h == nil {
		panic(fmt.Sprintf("%s has no hypothesis %q", f.Name, name))
	}
	*h = h.weigh(rows)
}

// giveEach gives it one number of each seed.
func (f *Result) giveEach(name string, values []float64) {
	rows := make([][]float64, len(values))
	for i, v := range values {
		rows[i] = []float64{v}
	}
	f.give(name, rows)
}

// outcomes returns those of the hypotheses that satisfy a condition, together.
func (f *Result) outcomes(which func(h Hypothesis) bool) Outcome {
	var out []Outcome
	for _, h := range f.Hypotheses {
		if which(h.Hypothesis) {
			out = append(out, h.Outcome)
		}
	}
	return all(out...)
}

// reach judges what was made.
func (r *Reproduction) reach(ctx context.Context, s Scale, made []trials) (*Result, error) {
	f := &Result{Verdict: Verdict{Name: r.Name, Title: r.Title, Scale: s, Claim: r.Claim, Design: r.Design, Changed: r.Changed, Made: madeBy()}}
	for _, h := range r.Hypotheses(s) {
		f.Hypotheses = append(f.Hypotheses, h.weigh(nil))
	}
	if err := r.judge(ctx, f, made); err != nil {
		return nil, fmt.Errorf("%s: %w", r.Name, err)
	}
	settle(f.Hypotheses)
	f.Outcome = f.outcomes(func(Hypothesis) bool { return true })
	f.Verdict.Verdict = fmt.Sprintf("The claim %s%s.", f.Outcome.said(), f.parts())
	return f, nil
}

// parts says what became of how many hypotheses, where there are several.
func (f *Result) parts() string {
	if len(f.Hypotheses) < 2 {
		return ""
	}
	var out []string
	for _, kind := range []Outcome{Against, Undecided, Supported} {
		n := 0
		for _, h := range f.Hypotheses {
			n += count(h.Outcome == kind)
		}
		if n > 0 {
			out = append(out, fmt.Sprintf("%d %s", n, kind))
		}
	}
	return fmt.Sprintf(" (of %d hypotheses: %s)", len(f.Hypotheses), strings.Join(out, ", "))
}

// Run makes the runs that are not there yet in dir, and judges: verdict, figures, in the style too if it is that of papers, tables and pages are written there.
func (r *Reproduction) Run(ctx context.Context, s Scale, dir string, opt sweep.Options, style report.Style) (*Result, error) {
	sweeps, err := r.Sweeps(s)
	if err != nil {
		return nil, err
	}
	var made []trials
	for _, sw := range sweeps {
		where := filepath.Join(dir, sw.Name)
		if err := sw.Execute(ctx, where, opt); err != nil {
			return nil, err
		}
		ts, err := readTrials(ctx, sw, where)
		if err != nil {
			return nil, err
		}
		made = append(made, ts)
	}
	begin := time.Now()
	f, err := r.reach(ctx, s, made)
	if err != nil {
		return nil, err
	}
	if len(sweeps) == 0 {
		f.Seconds = time.Since(begin).Seconds()
	}
	for _, ts := range made {
		f.Runs, f.Failed = f.Runs+len(ts), f.Failed+ts.failed()
		for _, t := range ts {
			if t.Result != nil {
				f.Seconds += t.Result.Seconds
			}
		}
		for _, part := range ts.groups(subsetOf) {
			if !slices.Contains(f.Of, part.name) {
				f.Of = append(f.Of, part.name)
			}
		}
	}
	f.Notes = append(f.Notes, missing(made)...)
	f.Made += runsMadeBy(made)
	f.Command = fmt.Sprintf("shadowflow reproduce %s --scale %s", r.Name, s)
	var sources []report.Source
	for _, sw := range sweeps {
		sources = append(sources, report.Source{Name: path.Join(sw.Name, "sweep.yaml"), Text: string(sw.Source)})
	}
	return f, f.write(ctx, dir, sources, style)
}

// write writes everything into the directory.
func (f *Result) write(ctx context.Context, dir string, sources []report.Source, style report.Style) error {
	for i, t := range f.tables {
		name := "table.csv"
		if i > 0 {
			name = fmt.Sprintf("table-%d.csv", i+1)
		}
		f.Tables = append(f.Tables, Figure{File: name, Caption: t.Caption})
	}
	for i, d := range f.drawings {
		if c, ok := d.(*report.Chart); ok {
			f.drawings[i] = c.Measured()
		}
	}
	var sentences []string
	for _, h := range f.Hypotheses {
		sentences = append(sentences, h.String())
	}
	document := report.Document{
		Title: f.Title, Claim: f.Claim, Design: f.Design + f.amount() + " " + changedText(f.Changed), Verdict: capital(string(f.Outcome)) + ". " + f.Verdict.Verdict,
		Findings: append(sentences, f.Notes...), Figures: f.drawings, Tables: f.tables, Commands: []string{f.Command}, Sources: sources, Made: f.Made, Style: style,
	}
	var err error
	if f.Page, err = document.Write(ctx, dir); err != nil {
		return err
	}
	for _, d := range f.drawings {
		file := path.Join(report.FiguresDir, d.Label().Name+".png")
		if _, err := os.Stat(filepath.Join(dir, file)); err == nil { // there may have been nothing to draw
			f.Figures = append(f.Figures, Figure{file, d.Label().Title, d.Label().Caption})
		}
	}
	return f.Verdict.write(dir, f.tables)
}
