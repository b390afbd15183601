package reproduce

import (
	"context"
	"fmt"
	"path/filepath"

	"shadowflow/dataset"
	"shadowflow/experiment/sweep"
	"shadowflow/report"
	"shadowflow/schema"
)

// A Scale is the size at which a reproduction is made.
type Scale string

// The scales.
const (
	Laptop      Scale = "laptop"      // minutes on two cores, with the embedded digits
	Workstation Scale = "workstation" // hours: the paper's CNN on part of CIFAR-10
	Paper       Scale = "paper"       // the paper's own: ResNets on all of CIFAR, full batch
)

// Scales returns the scales, smallest first.
func Scales() []Scale { return []Scale{Laptop, Workstation, Paper} }

// settings give keys of a config values.
type settings = []schema.Setting

func set(key string, value any) schema.Setting { return schema.Set(key, value) }

// pick returns what belongs to a scale.
func pick[T any](s Scale, laptop, workstation, paper T) T {
	switch s {
	case Workstation:
		return workstation
	case Paper:
		return paper
	}
	return laptop
}

// cifar is CIFAR-10 or CIFAR-100 as a sweep's base, all of it at the paper's scale.
func cifar(s Scale, name, file string) settings {
	return settings{
		set("data.name", name), set("data.path", "data/"+file), set("data.subset", pick(s, 0, 5000, 0)),
	}
}

// problem is the data and the model of a scale; the laptop's are those of a run without arguments.
func problem(s Scale) settings {
	if s == Laptop {
		return nil
	}
	return append(cifar(s, dataset.NameCIFAR10, cifar10File), set("model.name", pick(s, "", "cnn", "resnet50")))
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

	// sweeps returns what the runs are made of whose results judge gets; nil for a computation in closed form.
	sweeps func(s Scale) []sweep.Spec
	judge  func(ctx context.Context, made []trials) (*Result, error)
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
	return []*Reproduction{
		figure1(), figure2(), figure3(), bilinear(), normVsBeta2(), normVsBeta1(), hill(), order(), datasets(), minibatch(), table1(), causes(), usual(), edge(), language(),
	}
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

// A Result is what a reproduction found.
type Result struct {
	Outcome Outcome
	// Document has the outcome in a sentence, its Verdict, and the findings with their numbers.
	report.Document
	// Path is that of the page.
	Path string
	// Runs is how many were made, Failed how many of these have not ended.
	Runs, Failed int
}

func (f *Result) say(format string, args ...any) {
	f.Findings = append(f.Findings, fmt.Sprintf(format, args...))
}

// Run makes the runs that are not there yet in dir, and judges: figures, tables and page are written there.
func (r *Reproduction) Run(ctx context.Context, s Scale, dir string, opt sweep.Options) (*Result, error) {
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
		ts, err := readTrials(sw, where)
		if err != nil {
			return nil, err
		}
		made = append(made, ts)
	}
	f, err := r.judge(ctx, made)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Name, err)
	}
	for _, ts := range made {
		f.Runs, f.Failed = f.Runs+len(ts), f.Failed+ts.failed()
	}
	f.Title, f.Claim, f.Design = r.Title, r.Claim, r.Design
	f.Commands = []string{fmt.Sprintf("shadowflow reproduce %s --scale %s --out %s", r.Name, s, dir)}
	for _, sw := range sweeps {
		f.Sources = append(f.Sources, report.Source{Name: filepath.Join(sw.Name, "sweep.yaml"), Text: string(sw.Source)})
	}
	if f.Verdict == "" {
		f.Verdict = "The claim " + said(f.Outcome) + "."
	}
	f.Findings = append(f.Findings, missing(made)...)
	f.Path, err = f.Write(ctx, dir)
	return f, err
}
