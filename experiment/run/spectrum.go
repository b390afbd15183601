package run

import (
	"context"
	"errors"
	"fmt"

	"shadowflow/diagnose/spectrum"
	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/graph"
	"shadowflow/rule"
	"shadowflow/schema"
)

// SpectrumOptions say what of a Hessian's spectrum is wanted.
type SpectrumOptions struct {
	// Top and Bottom are the numbers of largest and of smallest eigenvalues.
	Top, Bottom int
	// Tolerance is that of [spectrum.ExtremalOptions]; 0 stands for its default.
	Tolerance float64
	// Layers, Density and Precondition ask for that of each layer, of all eigenvalues, and of P^-1/2 H P^-1/2.
	Layers, Density, Precondition bool
	// Brief asks for the extreme eigenvalues alone, as ARPACK finds them: each to the tolerance relative to itself, by the recurrence, without a trace and without what confirms that
	// none is missing.
	Brief bool
	// Vectors names a safetensors file for the eigenvectors; none if empty.
	Vectors string
	// Progress, unless nil, is told how many products are done, of about how many, and of what.
	Progress func(done, of int, what string)

	// estimated leaves the whole matrix out, however small it is, and the precision as the config has it.
	estimated bool
}

// Check reports what is wrong with the options, as calls are: no numbers, or nothing asked for.
func (o SpectrumOptions) Check() error {
	switch {
	case o.Top < 0 || o.Bottom < 0:
		return fmt.Errorf("--top %d --bottom %d: want none below 0", o.Top, o.Bottom)
	case o.Top+o.Bottom > mostEigenvalues:
		return fmt.Errorf("--top %d --bottom %d: want at most %d together", o.Top, o.Bottom, mostEigenvalues)
	case !(o.Tolerance >= 0) || o.Tolerance >= 1:
		return fmt.Errorf("--tol %g: want a number above 0 and below 1", o.Tolerance)
	case o.Brief && (o.Layers || o.Density || o.Precondition):
		return errors.New("--brief: want it without --layers, --density and --precondition")
	case o.Brief && o.Top+o.Bottom == 0:
		return errors.New("--brief --top 0 --bottom 0: want at least one eigenvalue")
	}
	return nil
}

// mostEigenvalues bounds what is asked for: each takes three vectors of parameters.
const mostEigenvalues = 500

// A Spectrum is what is known of the eigenvalues of the Hessian of a config's loss over all training examples, at a point.
type Spectrum struct {
	Loss       record.Number `json:"loss"`
	Parameters int           `json:"parameters"`
	Examples   int           `json:"examples"`
	// Exact says that all comes of the whole matrix, in float64.
	Exact bool `json:"exact"`
	Eigenvalues
	Layers map[string]Layer `json:"layers,omitempty"`
	// Names are those of the layers in their order.
	Names          []string         `json:"-"`
	Density        *SpectralDensity `json:"density,omitempty"`
	Preconditioned *Preconditioned  `json:"preconditioned,omitempty"`
	// Products is the number of Hessian-vector products that it all took.
	Products int      `json:"products"`
	Notes    []string `json:"notes,omitempty"`
}

// Eigenvalues are the largest of an operator, in descending order, its smallest, in ascending order, and its trace.
type Eigenvalues struct {
	Top    []record.Number `json:"top"`
	Bottom []record.Number `json:"bottom"`
	// Residuals are |A v - lambda v| of the unit vectors: an eigenvalue lies within it of each.
	Residuals Residuals `json:"residuals"`
	// Converged says that all residuals are within the tolerance, times the size of the largest eigenvalue, or in brief of each.
	Converged bool          `json:"converged"`
	Tolerance record.Number `json:"tolerance"`
	// Trace is null where it was not asked for, as RootDiagonal is.
	Trace *Estimate `json:"trace"`
	// RootDiagonal is tr Diag(A)^(1/2), elements below 0 left out.
	RootDiagonal *Estimate `json:"root_diagonal"`
}

// Residuals are those of the largest and of the smallest eigenvalues.
type Residuals struct {
	Top    []record.Number `json:"top"`
	Bottom []record.Number `json:"bottom"`
}

// An Estimate is a mean over random probes with its standard error, 0 where it is exact.
type Estimate struct {
	Mean      record.Number `json:"mean"`
	Deviation record.Number `json:"deviation"`
}

func estimateOf(e spectrum.Estimate) Estimate {
	return Estimate{record.Number(e.Mean), record.Number(e.Deviation)}
}

// A Layer is the block of the Hessian of a layer's weights.
type Layer struct {
	Parameters int           `json:"parameters"`
	Top        record.Number `json:"top"`
	Bottom     record.Number `json:"bottom"`
	// Residual is the larger of those of the two: an eigenvalue of the block lies within it of each. It is 0 where they come of the whole block.
	Residual record.Number `json:"residual"`
	Trace    Estimate      `json:"trace"`
}

// SpectralDensity is the share of eigenvalues per unit of x, each smoothed to a Gaussian of standard deviation Width; Deviation are the standard errors of y.
type SpectralDensity struct {
	X         []record.Number `json:"x"`
	Y         []record.Number `json:"y"`
	Deviation []record.Number `json:"deviation"`
	Width     record.Number   `json:"width"`
}

// Preconditioned is what P^-1/2 H P^-1/2 has, beside the value above which oscillations of period two grow.
type Preconditioned struct {
	Eigenvalues
	// PeriodTwo is that threshold, see [diagnose.Stability]; null where there is no single one. Beyond is the number of the eigenvalues found above it.
	PeriodTwo record.Number `json:"period_two"`
	Beyond    int           `json:"beyond"`
	// Memory says what memory P is made of.
	Memory string `json:"memory"`
}

// FindSpectrum finds out about the Hessian's spectrum at a config's start. Up to [spectrum.Small] parameters the whole matrix is made, in float64 if the loss
// is ours.
func FindSpectrum(ctx context.Context, c *config.Config, opt SpectrumOptions) (*Spectrum, error) {
	plain := asTheFilesHaveThem(c)
	if plain.DType == "float64" {
		return findSpectrum[float64](ctx, plain, opt)
	}
	found, err := findSpectrum[float32](ctx, plain, opt)
	if !errors.Is(err, errSmall) {
		return found, err
	}
	plain.DType = "float64"
	return findSpectrum[float64](ctx, plain, opt)
}

// errSmall says that a loss is small enough for the exact road, in float64.
var errSmall = errors.New("small enough for float64")

func findSpectrum[T graph.Float](ctx context.Context, c *config.Config, opt SpectrumOptions) (result *Spectrum, err error) {
	s, err := loadSource(ctx, c, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if dim := s.model.NumParams(); dim <= spectrum.Small && !opt.estimated && graph.TypeOf[T]() == graph.Float32 && s.worker == nil {
		return nil, errSmall
	}
	p, err := problemOf[T](c, s)
	if err != nil {
		return nil, err
	}
	f := &finder[T]{c: c, p: p, opt: opt, layers: layersOf(p.Objective.Blocks())}
	if err := f.room(s); err != nil {
		return nil, err
	}
	if result, err = f.find(ctx); err != nil {
		return nil, err
	}
	result.Notes = append(s.notes(), result.Notes...)
	if opt.Vectors == "" {
		return result, nil
	}
	return result, f.writeVectors(s.model)
}

// noPreconditioner refuses an optimizer of which nothing is known of how it preconditions.
func noPreconditioner(r *rule.Rule, why string) error {
	return &schema.Error{Key: "optimizer", Problem: fmt.Sprintf("%s %s: there is no preconditioned spectrum; leave --precondition out", r.Name, why)}
}
