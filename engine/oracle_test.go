package engine

import (
	"fmt"
	"math"

	"shadowflow/graph"
)

// oracle evaluates nodes one by one with plain loops in float64 (rounded to the node's type after each operation): slow, and
// simple enough to be believed. Compiled programs are tested against it.
type oracle struct {
	values map[*graph.Node][]float64
	// noise, if not nil, gives the relative error of each result that is rounded: what it does to the values shows how well
	// they are determined.
	noise func() float64
}

func (o *oracle) eval(n *graph.Node) ([]float64, error) {
	if v, ok := o.values[n]; ok {
		return v, nil
	}
	in := make([][]float64, len(n.In()))
	for i, m := range n.In() {
		v, err := o.eval(m)
		if err != nil {
			return nil, err
		}
		in[i] = v
	}
	v, err := oracleValue(n, in)
	if err != nil {
		return nil, err
	}
	if n.DType() == graph.Float32 {
		for i := range v {
			v[i] = float64(float32(v[i]))
		}
	}
	if o.noise != nil && !exact(n) {
		for i := range v {
			v[i] *= 1 + o.noise()
		}
	}
	o.values[n] = v
	return v, nil
}

// exact reports whether the operation rounds nothing.
func exact(n *graph.Node) bool {
	switch n.Op() {
	case graph.OpExp, graph.OpLog, graph.OpLog1p, graph.OpSqrt, graph.OpRsqrt, graph.OpRecip, graph.OpTanh, graph.OpSigmoid, graph.OpErf,
		graph.OpPow, graph.OpAdd, graph.OpSub, graph.OpMul, graph.OpDiv, graph.OpSum, graph.OpMatMul, graph.OpConv, graph.OpConvInput,
		graph.OpConvKernel, graph.OpAddRows, graph.OpPut, graph.OpSumPool, graph.OpSpread:
		return false
	}
	return true
}

var oracleUnary = map[graph.Op]func(float64) float64{
	graph.OpNeg: func(x float64) float64 { return -x }, graph.OpExp: math.Exp, graph.OpLog: math.Log, graph.OpLog1p: math.Log1p,
	graph.OpSqrt: math.Sqrt, graph.OpRsqrt: func(x float64) float64 { return 1 / math.Sqrt(x) },
	graph.OpRecip: func(x float64) float64 { return 1 / x }, graph.OpTanh: math.Tanh,
	graph.OpSigmoid: func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, graph.OpErf: math.Erf,
	graph.OpRelu: func(x float64) float64 {
		if x < 0 {
			return 0
		}
		return x
	},
	graph.OpAbs: math.Abs,
	graph.OpSign: func(x float64) float64 {
		switch {
		case x > 0:
			return 1
		case x < 0:
			return -1
		}
		return x
	},
	graph.OpStep:  func(x float64) float64 { return truth(x > 0) },
	graph.OpAlias: func(x float64) float64 { return x }, graph.OpStop: func(x float64) float64 { return x },
	graph.OpReshape: func(x float64) float64 { return x },
}

var oracleBinary = map[graph.Op]func(x, y float64) float64{
	graph.OpAdd: func(x, y float64) float64 { return x + y }, graph.OpSub: func(x, y float64) float64 { return x - y },
	graph.OpMul: func(x, y float64) float64 { return x * y }, graph.OpDiv: func(x, y float64) float64 { return x / y },
	graph.OpMax: math.Max, graph.OpMin: math.Min,
	graph.OpGreater:      func(x, y float64) float64 { return truth(x > y) },
	graph.OpGreaterEqual: func(x, y float64) float64 { return truth(x >= y) },
	graph.OpEqual:        func(x, y float64) float64 { return truth(x == y) },
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// each calls f with every index of an array of the shape, in row-major order.
func each(shape []int, f func(at []int)) {
	at := make([]int, len(shape))
	for range numel(shape) {
		f(at)
		for i := len(at) - 1; i >= 0; i-- {
			if at[i]++; at[i] < shape[i] {
				break
			}
			at[i] = 0
		}
	}
}

func flat(shape, at []int) int {
	k := 0
	for i, d := range shape {
		k = k*d + at[i]
	}
	return k
}

func oracleValue(n *graph.Node, in [][]float64) ([]float64, error) {
	out := make([]float64, n.Size())
	if f, ok := oracleUnary[n.Op()]; ok {
		for i, x := range in[0] {
			out[i] = f(x)
		}
		return out, nil
	}
	if f, ok := oracleBinary[n.Op()]; ok {
		for i := range out {
			out[i] = f(in[0][i], in[1][i])
		}
		return out, nil
	}
	k := 0
	src := make([]int, 8)
	switch n.Op() {
	case graph.OpConst:
		out[0], _ = n.Constant()
	case graph.OpConstArray:
		copy(out, n.Attr().(*graph.ArrayAttr).Data)
	case graph.OpPow:
		for i, x := range in[0] {
			out[i] = math.Pow(x, n.Attr().(graph.PowAttr).P)
		}
	case graph.OpSelect:
		for i, m := range in[0] {
			if out[i] = in[2][i]; m != 0 {
				out[i] = in[1][i]
			}
		}
	case graph.OpBroadcast:
		from := n.In()[0].Shape()
		each(n.Shape(), func(at []int) {
			for i := range from {
				src[i] = min(at[i], from[i]-1)
			}
			out[k] = in[0][flat(from, src)]
			k++
		})
	case graph.OpTranspose:
		from := n.In()[0].Shape()
		each(n.Shape(), func(at []int) {
			for i, a := range n.Attr().(graph.AxesAttr).Axes {
				src[a] = at[i]
			}
			out[k] = in[0][flat(from, src)]
			k++
		})
	case graph.OpSlice:
		a, from := n.Attr().(graph.SliceAttr), n.In()[0].Shape()
		each(n.Shape(), func(at []int) {
			for i := range at {
				src[i] = a.Start[i] + at[i]*a.Step[i]
			}
			out[k] = in[0][flat(from, src)]
			k++
		})
	case graph.OpPad:
		a := n.Attr().(graph.PadAttr)
		each(n.In()[0].Shape(), func(at []int) {
			for i := range at {
				src[i] = a.Low[i] + at[i]*(a.Gap[i]+1)
			}
			out[flat(n.Shape(), src)] = in[0][k]
			k++
		})
	case graph.OpConcat:
		axis, from := n.Attr().(graph.AxesAttr).Axes[0], 0
		for p, m := range n.In() {
			k := 0
			each(m.Shape(), func(at []int) {
				copy(src, at)
				src[axis] += from
				out[flat(n.Shape(), src)] = in[p][k]
				k++
			})
			from += m.Shape()[axis]
		}
	case graph.OpSum, graph.OpAmax:
		keep := make([]int, 0, 8)
		reduced := n.Attr().(graph.AxesAttr).Axes
		seen := make([]bool, len(out))
		each(n.In()[0].Shape(), func(at []int) {
			keep = keep[:0]
			for i, a := range at {
				if len(reduced) == 0 || !containsInt(reduced, i) {
					keep = append(keep, a)
				}
			}
			j := flat(n.Shape(), keep)
			switch {
			case n.Op() == graph.OpSum:
				out[j] += in[0][k]
			case !seen[j] || in[0][k] > out[j] || in[0][k] != in[0][k]:
				out[j] = in[0][k]
			}
			seen[j] = true
			k++
		})
	case graph.OpGather:
		c := len(in[0]) / len(out)
		for i := range out {
			out[i] = in[0][i*c+int(in[1][i])]
		}
	case graph.OpScatter:
		c := len(out) / len(in[0])
		for i, x := range in[0] {
			out[i*c+int(in[1][i])] = x
		}
	case graph.OpRows:
		c := len(out) / len(in[1])
		for i := range out {
			out[i] = in[0][int(in[1][i/c])*c+i%c]
		}
	case graph.OpAddRows:
		c := len(in[0]) / len(in[1])
		for i, x := range in[0] {
			out[int(in[1][i/c])*c+i%c] += x
		}
	case graph.OpMatMul:
		oracleMatMul(n, out, in[0], in[1])
	case graph.OpConv, graph.OpConvInput, graph.OpConvKernel:
		oracleConv(n, out, in[0], in[1])
	case graph.OpPoolIndex, graph.OpTake, graph.OpPut, graph.OpSumPool, graph.OpSpread:
		oraclePool(n, out, in)
	default:
		return nil, fmt.Errorf("oracle: no rule for %s", n.Op())
	}
	return out, nil
}

func containsInt(s []int, v int) bool {
	for _, x := range s {
		if x == v {
			return true
		}
	}
	return false
}

func oracleMatMul(n *graph.Node, out, x, y []float64) {
	a, rank := n.Attr().(graph.MatMulAttr), len(n.Shape())
	rows, cols := n.Shape()[rank-2], n.Shape()[rank-1]
	inner := n.In()[0].Shape()[rank-1]
	if a.TransA {
		inner = n.In()[0].Shape()[rank-2]
	}
	for p := range out {
		b, i, j := p/(rows*cols), p/cols%rows, p%cols
		for k := range inner {
			xi, yi := i*inner+k, k*cols+j
			if a.TransA {
				xi = k*rows + i
			}
			if a.TransB {
				yi = j*inner + k
			}
			out[p] += x[b*rows*inner+xi] * y[b*inner*cols+yi]
		}
	}
}

// oracleConv walks over all triples (x, w, y) of a convolution, whichever two of them are the operands.
func oracleConv(n *graph.Node, out, p, q []float64) {
	a := n.Attr().(graph.ConvAttr)
	perGroup := a.W[3] / a.Groups
	each([]int{a.Y[0], a.Y[1], a.Y[2], a.Y[3]}, func(at []int) {
		yi := flat(a.Y[:], at)
		for kh := range a.W[0] {
			for kw := range a.W[1] {
				r, c := at[1]*a.Stride[0]+kh*a.Dilation[0]-a.Pad[0], at[2]*a.Stride[1]+kw*a.Dilation[1]-a.Pad[1]
				if r < 0 || r >= a.X[1] || c < 0 || c >= a.X[2] {
					continue
				}
				for ci := range a.W[2] {
					xi := flat(a.X[:], []int{at[0], r, c, at[3]/perGroup*a.W[2] + ci})
					wi := flat(a.W[:], []int{kh, kw, ci, at[3]})
					switch n.Op() {
					case graph.OpConv:
						out[yi] += p[xi] * q[wi]
					case graph.OpConvInput:
						out[xi] += p[yi] * q[wi]
					default:
						out[wi] += p[xi] * q[yi]
					}
				}
			}
		}
	})
}

func oraclePool(n *graph.Node, out []float64, in [][]float64) {
	a := n.Attr().(graph.PoolAttr)
	switch n.Op() {
	case graph.OpTake:
		for i, k := range in[1] {
			out[i] = in[0][int(k)]
		}
		return
	case graph.OpPut:
		for i, k := range in[1] {
			out[int(k)] += in[0][i]
		}
		return
	}
	each(a.Y[:], func(at []int) {
		yi, best := flat(a.Y[:], at), -1
		for kh := range a.Size[0] {
			for kw := range a.Size[1] {
				r, c := at[1]*a.Stride[0]+kh*a.Dilation[0]-a.Pad[0], at[2]*a.Stride[1]+kw*a.Dilation[1]-a.Pad[1]
				if r < 0 || r >= a.X[1] || c < 0 || c >= a.X[2] {
					continue
				}
				xi := flat(a.X[:], []int{at[0], r, c, at[3]})
				switch n.Op() {
				case graph.OpSumPool:
					out[yi] += in[0][xi]
				case graph.OpSpread:
					out[xi] += in[0][yi]
				default:
					if best < 0 || in[0][xi] > in[0][best] {
						best = xi
					}
				}
			}
		}
		if best >= 0 {
			out[yi] = float64(best)
		}
	})
}
