package reproduce

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

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
func cifar(s Scale, name, file string) []schema.Setting {
	return []schema.Setting{
		schema.Set("data.name", name), schema.Set("data.path", "data/"+file), schema.Set("data.subset", pick(s, 0, 5000, 0)),
	}
}

// problem is the data and the model of a scale; the laptop's are those of a run without arguments.
func problem(s Scale) []schema.Setting {
	if s == Laptop {
		return nil
	}
	return append(cifar(s, dataset.NameCIFAR10, cifar10File), schema.Set("model.name", pick(s, "", "cnn", "resnet50")))
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
	judge  func(ctx context.Context, e *evidence) (*finding, error)
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
		bilinear(), normVsBeta2(), normVsBeta1(), hill(), order(), datasets(), minibatch(), table1(), causes(),
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
	near := slices.MinFunc(names, func(a, b string) int {
		return levenshtein.ComputeDistance(name, a) - levenshtein.ComputeDistance(name, b)
	})
	return nil, fmt.Errorf("no reproduction %q: did you mean %s? (there are %s)", name, near, strings.Join(names, ", "))
}

// A Result is what a reproduction found.
type Result struct {
	Outcome Outcome
	// Verdict is the outcome in a sentence.
	Verdict string
	// Sentences are the findings, with their numbers.
	Sentences []string
	// Page is the path of the page.
	Page string
}

// finding is what a judge found.
type finding struct {
	outcome   Outcome
	verdict   string // in a sentence; empty for that of the outcome
	sentences []string
	figures   []report.Drawing
	tables    []report.Table
}

func (f *finding) say(format string, args ...any) {
	f.sentences = append(f.sentences, fmt.Sprintf(format, args...))
}

// Run makes the runs that are not there yet in dir, and judges: figures, tables and page are written there.
func (r *Reproduction) Run(ctx context.Context, s Scale, dir string, opt sweep.Options) (*Result, error) {
	e := &evidence{scale: s}
	sweeps, err := r.Sweeps(s)
	if err != nil {
		return nil, err
	}
	doc := &report.Document{
		Title: r.Title, Claim: r.Claim, Design: r.Design,
		Commands: []string{fmt.Sprintf("shadowflow reproduce %s --scale %s --out %s", r.Name, s, dir)},
	}
	for _, sw := range sweeps {
		where := filepath.Join(dir, sw.Name)
		if err := sw.Execute(ctx, where, opt); err != nil {
			return nil, err
		}
		trials, err := readTrials(sw, where)
		if err != nil {
			return nil, err
		}
		e.sweeps = append(e.sweeps, trials)
		doc.Sources = append(doc.Sources, report.Source{Name: filepath.Join(sw.Name, "sweep.yaml"), Text: string(sw.Source)})
	}
	found, err := r.judge(ctx, e)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Name, err)
	}
	found.sentences = append(found.sentences, e.missing()...)
	if doc.Verdict = found.verdict; doc.Verdict == "" {
		doc.Verdict = "The claim " + said(found.outcome) + "."
	}
	doc.Findings, doc.Figures, doc.Tables = found.sentences, found.figures, found.tables
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	page, err := doc.Write(dir)
	return &Result{Outcome: found.outcome, Verdict: doc.Verdict, Sentences: found.sentences, Page: page}, err
}
