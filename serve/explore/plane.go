package explore

import (
	"context"
	"math"

	"shadowflow/diagnose"
	"shadowflow/experiment/record"
	"shadowflow/experiment/run"
	"shadowflow/objective"
)

// plane is where points are drawn: that of two parameters themselves, or of more parameters the one through three points of a path.
type plane struct {
	origin, x, y []float64 // nil: two parameters
}

// planeOf returns the plane through a path's start, its end, and the point farthest from the line between them.
func planeOf(path [][]float64) *plane {
	p := &plane{origin: path[0]}
	p.x = unit(minus(path[len(path)-1], p.origin, nil))
	farthest := 0.0
	for _, theta := range path {
		across := minus(theta, p.origin, p.x)
		if n := diagnose.Norm(across); n > farthest {
			farthest, p.y = n, across
		}
	}
	if p.y == nil {
		p.y = make([]float64, len(p.x))
	}
	p.y = unit(p.y)
	return p
}

// minus returns a - b, without its part along a unit vector.
func minus(a, b, along []float64) []float64 {
	d := make([]float64, len(b))
	for j := range d {
		d[j] = a[j] - b[j]
	}
	if along != nil {
		part := diagnose.Dot(d, along)
		for j, v := range along {
			d[j] -= part * v
		}
	}
	return d
}

// unit makes a vector's length 1, unless it is nothing.
func unit(v []float64) []float64 {
	if n := diagnose.Norm(v); n > 0 {
		for j := range v {
			v[j] /= n
		}
	}
	return v
}

// of returns where parameters lie in the plane. What stands behind them in a state is left out.
func (p *plane) of(theta []float64) [2]record.Number {
	if p.origin == nil {
		return [2]record.Number{record.Number(theta[0]), record.Number(theta[1])}
	}
	d := minus(theta, p.origin, nil)
	return [2]record.Number{record.Number(diagnose.Dot(d, p.x)), record.Number(diagnose.Dot(d, p.y))}
}

// at writes the parameters of a point of the plane into theta.
func (p *plane) at(x, y float64, theta []float64) {
	if p.origin == nil {
		theta[0], theta[1] = x, y
		return
	}
	for j, v := range p.origin {
		theta[j] = v + x*p.x[j] + y*p.y[j]
	}
}

// around returns a view of points, with room around them.
func (p *plane) around(points [][2]record.Number) []float64 {
	view := []float64{math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)}
	for _, at := range points {
		for k, v := range at {
			view[2*k], view[2*k+1] = min(view[2*k], float64(v)), max(view[2*k+1], float64(v))
		}
	}
	wide := max(view[1]-view[0], view[3]-view[2], 1e-6)
	for k := range 2 { // as wide as high, so that nothing is distorted
		middle := (view[2*k] + view[2*k+1]) / 2
		view[2*k], view[2*k+1] = middle-0.62*wide, middle+0.62*wide
	}
	return view
}

// The numbers of points in each direction: of the surface of a formula, of a network's, and of the field; of drafts less.
const (
	surfacePoints, networkPoints = 61, 25
	fieldPoints, draftField      = 21, 13
)

// Surface is the loss over all batches on a grid, row by row from the least of the second parameter.
type Surface struct {
	View []float64       `json:"view"`
	N    int             `json:"n"`
	Loss []record.Number `json:"loss"`
}

func surfaceOf(ctx context.Context, p *run.Problem[float64], at *plane, view []float64, draft bool) (*Surface, error) {
	s := &Surface{View: view, N: surfacePoints}
	switch trained := at.origin != nil; {
	case trained && draft:
		s.N = draftField
	case trained || draft:
		s.N = networkPoints
	}
	theta := make([]float64, p.Objective.Dim())
	err := overGrid(view, s.N, func(x, y float64) error {
		at.at(x, y, theta)
		seen, err := p.Objective.Evaluate(ctx, theta, objective.Full, objective.Want[float64]{})
		s.Loss = append(s.Loss, record.Number(seen.Loss))
		return err
	})
	return s, err
}

// overGrid calls a function at n by n points of a view.
func overGrid(view []float64, n int, at func(x, y float64) error) error {
	for j := range n {
		for i := range n {
			x := view[0] + (view[1]-view[0])*float64(i)/float64(n-1)
			y := view[2] + (view[3]-view[2])*float64(j)/float64(n-1)
			if err := at(x, y); err != nil {
				return err
			}
		}
	}
	return nil
}

// Field is the bias of the second-order equation on a grid, in the order of a surface's.
type Field struct {
	View []float64 `json:"view"`
	N    int       `json:"n"`
	// Bias is -h C, by which the bias moves the parameters in a unit of time, Share its size beside the main term's, and Drive what it does to N, the
	// perturbed one-norm of the gradient: below 0 N is penalized, above it its fall is hindered.
	Bias  [][2]record.Number `json:"bias"`
	Share []record.Number    `json:"share"`
	Drive []record.Number    `json:"drive"`
	// Missing says why there is none.
	Missing string `json:"missing,omitempty"`
}

func fieldOf(ctx context.Context, p *run.Problem[float64], view []float64, draft bool) (*Field, error) {
	f := &Field{View: view, N: fieldPoints}
	if draft {
		f.N = draftField
	}
	bias, err := run.NewBiasField(p)
	if err != nil {
		return &Field{View: view, Missing: err.Error()}, nil
	}
	theta, moves := make([]float64, p.Objective.Dim()), make([]float64, p.Objective.Dim())
	err = overGrid(view, f.N, func(x, y float64) error {
		theta[0], theta[1] = x, y
		b, err := bias.At(ctx, theta, moves)
		f.Bias = append(f.Bias, [2]record.Number{record.Number(moves[0]), record.Number(moves[1])})
		f.Share, f.Drive = append(f.Share, record.Number(b.Share)), append(f.Drive, record.Number(b.Drive))
		return err
	})
	return f, err
}
