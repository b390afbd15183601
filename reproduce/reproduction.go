package reproduce

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	"shadowflow/experiment/sweep"
	"shadowflow/report"
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

// A Reproduction is a claim and what tests it.
type Reproduction struct {
	Name string
	// Title is a line; Claim says what is tested, Design how.
	Title, Claim, Design string

	// sweeps returns the text of the sweep files, whose results judge gets.
	sweeps func(s Scale) []string
	judge  func(ctx context.Context, e *evidence) (*finding, error)
}

// Sweeps returns the sweeps that a reproduction makes at a scale; none if it is a computation in closed form.
func (r *Reproduction) Sweeps(s Scale) ([]*sweep.Sweep, error) {
	if r.sweeps == nil {
		return nil, nil
	}
	var out []*sweep.Sweep
	for i, text := range r.sweeps(s) {
		parsed, err := sweep.Parse(fmt.Sprintf("%s-%d.yaml", r.Name, i+1), []byte(text), 0)
		if err != nil {
			return nil, err
		}
		out = append(out, parsed)
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
