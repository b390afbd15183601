package formula

import (
	"fmt"

	"shadowflow/graph"
)

// matrixFunction is a function of the matrices that weights are.
type matrixFunction struct {
	// form returns that of the result, or what is wrong with the arguments'.
	form func(args []Form) (form Form, problem string)
	// graph is of arguments of these forms; power is the second where that is a number.
	graph func(l Layout, args []graph.Value, forms []Form, power float64) graph.Value
}

// between says whose numbers the rows and columns of a form are: 'r' for a weight's rows, 'c' for its columns.
var between = map[Form]string{Elements: "rc", Left: "rr", Right: "cc", Turned: "cr"}

func formBetween(ends string) Form {
	for form, has := range between {
		if has == ends {
			return form
		}
	}
	return Open
}

var transpose = &matrixFunction{
	form: func(args []Form) (Form, string) {
		switch args[0] {
		case One, Turned: // a weight that is no matrix has nothing to be turned back to
			return Open, fmt.Sprintf("its argument is %v; want what is of the weights' shapes, or square", args[0])
		case Elements:
			return Turned, ""
		}
		return args[0], ""
	},
	graph: func(l Layout, args []graph.Value, forms []Form, _ float64) graph.Value {
		form := forms[0]
		if form == Elements {
			form = Turned
		}
		return l.matrices(form, graph.Value{}, func(i int) graph.Value { return l.matrix(args[0], forms[0], i).Transpose(1, 0) })
	},
}

// matmul is the product of two matrices. A weight that is none is left as it is by one of its forms of matrices.
var matmul = &matrixFunction{
	form: func(args []Form) (Form, string) {
		a, b := between[args[0]], between[args[1]]
		switch {
		case args[0] == Open || args[1] == Open:
			return Open, ""
		case a == "" || b == "" || a[1] != b[0]:
			return Open, fmt.Sprintf("its first argument is %v, and its second %v; want as many columns as rows", args[0], args[1])
		}
		return formBetween(a[:1] + b[1:]), ""
	},
	graph: func(l Layout, args []graph.Value, forms []Form, _ float64) graph.Value {
		form := formBetween(between[forms[0]][:1] + between[forms[1]][1:])
		whole := args[0]
		if forms[1] == Elements {
			whole = args[1]
		}
		return l.matrices(form, whole, func(i int) graph.Value { return l.matrix(args[0], forms[0], i).MatMul(l.matrix(args[1], forms[1], i)) })
	},
}

// identity is the identity matrix of a form.
var identity = squareFunction(func(x graph.Value, _ float64) graph.Value { return unit(x) })

// orthonormal is Q of the QR decomposition of a matrix with independent columns, R's diagonal being positive. Gram and Schmidt's
// process by halves is one of products, and the second pass restores what rounding costs the first ("twice is enough").
var orthonormal = squareFunction(func(x graph.Value, _ float64) graph.Value { return gramSchmidt(gramSchmidt(x)) })

// inverseRoot is A^(-1/p) of a symmetric positive definite matrix by the coupled Newton iteration (C.-H. Guo and N. Higham, SIAM J.
// Matrix Anal. Appl. 28, 2006),
//
//	X <- X T,    M <- T^p M,    T = ((p+1) I - M)/p,    from M = A z, X = z^(1/p) I, z = (p+1)/(2 |A|).
//
// Each step multiplies what is small of M by 2 (p = 1) to e, so that eigenvalues are taken for what they are down to the working
// precision of the largest.
var inverseRoot = squareFunction(func(x graph.Value, p float64) graph.Value {
	steps := 40
	if x.DType() == graph.Float32 {
		steps = 25
	}
	norm := x.Square().Sum().Sqrt()
	z := norm.Like((p + 1) / 2).Div(norm.Max(norm.Like(1e-30)))
	id := unit(x)
	m, root := x.Mul(z), id.Mul(z.Pow(1/p))
	for range steps {
		t := id.Mul(id.Like((p + 1) / p)).Sub(m.Mul(m.Like(1 / p)))
		root, m = root.MatMul(t), power(t, int(p)).MatMul(m)
	}
	return root
})

// power is a matrix multiplied by itself, by squares.
func power(t graph.Value, p int) graph.Value {
	if p == 1 {
		return t
	}
	half := power(t, p/2)
	if half = half.MatMul(half); p%2 == 1 {
		half = half.MatMul(t)
	}
	return half
}

// squareFunction is a function of each of the square matrices of a form.
func squareFunction(of func(x graph.Value, power float64) graph.Value) *matrixFunction {
	return &matrixFunction{
		form: func(args []Form) (Form, string) {
			if args[0] != Open && !args[0].square() {
				return Open, fmt.Sprintf("its argument is %v; want square matrices, like matmul(g, transpose(g))", args[0])
			}
			return args[0], ""
		},
		graph: func(l Layout, args []graph.Value, forms []Form, power float64) graph.Value {
			return l.eachWeight(args[0], forms[0], func(x graph.Value) graph.Value { return of(x, power) })
		},
	}
}

// matrices puts an array of a form together from the matrices of the weights that are, in their order. Of the others whole has the
// elements.
func (l Layout) matrices(form Form, whole graph.Value, of func(i int) graph.Value) graph.Value {
	var parts []graph.Value
	i := 0
	for _, w := range l.Weights {
		switch {
		case len(w.Shape) > 1:
			v := of(i)
			i++
			parts = append(parts, v.Reshape(v.Size()))
		case form == Elements:
			parts = append(parts, whole.SliceAxis(0, w.Offset, w.Offset+w.Size()))
		}
	}
	if len(l.Weights) == 0 {
		return whole
	}
	return graph.Concat(0, parts...)
}

// matrix returns the i-th matrix in an array of a form.
func (l Layout) matrix(x graph.Value, form Form, i int) graph.Value {
	if form != Elements {
		return cut(x, l.Parts(form)[i])
	}
	for _, w := range l.Weights {
		if len(w.Shape) < 2 {
			continue
		}
		if i == 0 {
			rows, columns := sides(w.Shape)
			return cut(x, w).Reshape(rows, columns)
		}
		i--
	}
	return graph.Value{}
}

// unit is the identity matrix as large as x.
func unit(x graph.Value) graph.Value {
	if !x.Valid() { // the builder has the reason
		return x
	}
	n := x.Shape()[0]
	data := make([]float64, n*n)
	for i := range n {
		data[i*n+i] = 1
	}
	return x.Builder().ConstArray(x.DType(), data, n, n)
}

// gramSchmidt makes the columns of a matrix orthonormal, each by those before it.
func gramSchmidt(x graph.Value) graph.Value {
	if !x.Valid() { // the builder has the reason, as that there would be too many operations
		return x
	}
	n := x.Shape()[1]
	if n == 1 {
		norm := x.Square().Sum().Sqrt()
		return x.Div(norm.Max(norm.Like(1e-30)))
	}
	first := gramSchmidt(x.SliceAxis(1, 0, n/2))
	rest := x.SliceAxis(1, n/2, n)
	rest = rest.Sub(first.MatMul(first.Transpose(1, 0).MatMul(rest)))
	return graph.Concat(1, first, gramSchmidt(rest))
}
