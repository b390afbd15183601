package graph

import (
	"fmt"
	"math"
)

// oracle evaluates nodes one by one with plain loops in float64 (rounded to the node's type after each operation): slow, and
// simple enough to be believed. Compiled programs are tested against it.
type oracle struct {
	values map[*node][]float64
	// noise, if not nil, gives the relative error of each result that is rounded: what it does to the values shows how well
	// they are determined.
	noise func() float64
}

func (o *oracle) eval(n *node) ([]float64, error) {
	if v, ok := o.values[n]; ok {
		return v, nil
	}
	in := make([][]float64, len(n.in))
	for i, m := range n.in {
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
	if n.dtype == Float32 {
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
func exact(n *node) bool {
	switch n.prim {
	case primAdd, primSub, primSum, primMatMul, primConv, primConvInput, primConvKernel, primMul, primPut, primSumPool, primSpread:
		return false
	case primNeg, primRelu, primAbs, primMax, primMin:
		return true
	}
	return n.prim.kind != kindElementwise
}

var oracleUnary = map[*primitive]func(float64) float64{
	primNeg: func(x float64) float64 { return -x }, primExp: math.Exp, primLog: math.Log, primLog1p: math.Log1p,
	primSqrt: math.Sqrt, primRsqrt: func(x float64) float64 { return 1 / math.Sqrt(x) },
	primRecip: func(x float64) float64 { return 1 / x }, primTanh: math.Tanh,
	primSigmoid: func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, primErf: math.Erf,
	primRelu: func(x float64) float64 {
		if x < 0 {
			return 0
		}
		return x
	},
	primAbs: math.Abs,
	primSign: func(x float64) float64 {
		switch {
		case x > 0:
			return 1
		case x < 0:
			return -1
		}
		return x
	},
	primStep:  func(x float64) float64 { return truth(x > 0) },
	primAlias: func(x float64) float64 { return x }, primStop: func(x float64) float64 { return x },
	primReshape: func(x float64) float64 { return x },
}

var oracleBinary = map[*primitive]func(x, y float64) float64{
	primAdd: func(x, y float64) float64 { return x + y }, primSub: func(x, y float64) float64 { return x - y },
	primMul: func(x, y float64) float64 { return x * y }, primDiv: func(x, y float64) float64 { return x / y },
	primMax: math.Max, primMin: math.Min,
	primGreater: func(x, y float64) float64 { return truth(x > y) },
	primGreatEq: func(x, y float64) float64 { return truth(x >= y) },
	primEqual:   func(x, y float64) float64 { return truth(x == y) },
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

func oracleValue(n *node, in [][]float64) ([]float64, error) {
	out := make([]float64, n.size())
	if f, ok := oracleUnary[n.prim]; ok {
		for i, x := range in[0] {
			out[i] = f(x)
		}
		return out, nil
	}
	if f, ok := oracleBinary[n.prim]; ok {
		for i := range out {
			out[i] = f(in[0][i], in[1][i])
		}
		return out, nil
	}
	k := 0
	src := make([]int, 8)
	switch n.prim {
	case primConst:
		for i := range out {
			out[i] = n.attr.(constAttr).V
		}
	case primConstArray:
		copy(out, n.attr.(*arrayAttr).data)
	case primPow:
		for i, x := range in[0] {
			out[i] = math.Pow(x, n.attr.(powAttr).P)
		}
	case primSelect:
		for i, m := range in[0] {
			if out[i] = in[2][i]; m != 0 {
				out[i] = in[1][i]
			}
		}
	case primBroadcast:
		from := n.in[0].shape
		each(n.shape, func(at []int) {
			for i := range from {
				src[i] = min(at[i], from[i]-1)
			}
			out[k] = in[0][flat(from, src)]
			k++
		})
	case primTranspose:
		from := n.in[0].shape
		each(n.shape, func(at []int) {
			for i, a := range n.attr.(axesAttr).Axes {
				src[a] = at[i]
			}
			out[k] = in[0][flat(from, src)]
			k++
		})
	case primSlice:
		a, from := n.attr.(sliceAttr), n.in[0].shape
		each(n.shape, func(at []int) {
			for i := range at {
				src[i] = a.Start[i] + at[i]*a.Step[i]
			}
			out[k] = in[0][flat(from, src)]
			k++
		})
	case primPad:
		a := n.attr.(padAttr)
		each(n.in[0].shape, func(at []int) {
			for i := range at {
				src[i] = a.Low[i] + at[i]*(a.Gap[i]+1)
			}
			out[flat(n.shape, src)] = in[0][k]
			k++
		})
	case primConcat:
		axis, from := n.attr.(axesAttr).Axes[0], 0
		for p, m := range n.in {
			k := 0
			each(m.shape, func(at []int) {
				copy(src, at)
				src[axis] += from
				out[flat(n.shape, src)] = in[p][k]
				k++
			})
			from += m.shape[axis]
		}
	case primSum, primAmax:
		keep := make([]int, 0, 8)
		reduced := n.attr.(axesAttr).Axes
		seen := make([]bool, len(out))
		each(n.in[0].shape, func(at []int) {
			keep = keep[:0]
			for i, a := range at {
				if len(reduced) == 0 || !containsInt(reduced, i) {
					keep = append(keep, a)
				}
			}
			j := flat(n.shape, keep)
			switch {
			case n.prim == primSum:
				out[j] += in[0][k]
			case !seen[j] || in[0][k] > out[j] || in[0][k] != in[0][k]:
				out[j] = in[0][k]
			}
			seen[j] = true
			k++
		})
	case primGather:
		c := len(in[0]) / len(out)
		for i := range out {
			out[i] = in[0][i*c+int(in[1][i])]
		}
	case primScatter:
		c := len(out) / len(in[0])
		for i, x := range in[0] {
			out[i*c+int(in[1][i])] = x
		}
	case primMatMul:
		oracleMatMul(n, out, in[0], in[1])
	case primConv, primConvInput, primConvKernel:
		oracleConv(n, out, in[0], in[1])
	case primPoolIndex, primTake, primPut, primSumPool, primSpread:
		oraclePool(n, out, in)
	default:
		return nil, fmt.Errorf("oracle: no rule for %s", n.prim.name)
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

func oracleMatMul(n *node, out, x, y []float64) {
	a, rank := n.attr.(matmulAttr), len(n.shape)
	rows, cols := n.shape[rank-2], n.shape[rank-1]
	inner := n.in[0].shape[rank-1]
	if a.TransA {
		inner = n.in[0].shape[rank-2]
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
func oracleConv(n *node, out, p, q []float64) {
	a := n.attr.(convAttr)
	perGroup := a.W[3] / a.Groups
	each([]int{a.Y[0], a.Y[1], a.Y[2], a.Y[3]}, func(at []int) {
		yi := flat(a.Y[:], at)
		for kh := range a.W[0] {
			for kw := range a.W[1] {
				r, c := at[1]*a.Stride[0]+kh-a.Pad[0], at[2]*a.Stride[1]+kw-a.Pad[1]
				if r < 0 || r >= a.X[1] || c < 0 || c >= a.X[2] {
					continue
				}
				for ci := range a.W[2] {
					xi := flat(a.X[:], []int{at[0], r, c, at[3]/perGroup*a.W[2] + ci})
					wi := flat(a.W[:], []int{kh, kw, ci, at[3]})
					switch n.prim {
					case primConv:
						out[yi] += p[xi] * q[wi]
					case primConvInput:
						out[xi] += p[yi] * q[wi]
					default:
						out[wi] += p[xi] * q[yi]
					}
				}
			}
		}
	})
}

func oraclePool(n *node, out []float64, in [][]float64) {
	a := n.attr.(poolAttr)
	switch n.prim {
	case primTake:
		for i, k := range in[1] {
			out[i] = in[0][int(k)]
		}
		return
	case primPut:
		for i, k := range in[1] {
			out[int(k)] += in[0][i]
		}
		return
	}
	each(a.Y[:], func(at []int) {
		yi, best := flat(a.Y[:], at), -1
		for kh := range a.Size[0] {
			for kw := range a.Size[1] {
				r, c := at[1]*a.Stride[0]+kh-a.Pad[0], at[2]*a.Stride[1]+kw-a.Pad[1]
				if r < 0 || r >= a.X[1] || c < 0 || c >= a.X[2] {
					continue
				}
				xi := flat(a.X[:], []int{at[0], r, c, at[3]})
				switch n.prim {
				case primSumPool:
					out[yi] += in[0][xi]
				case primSpread:
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
