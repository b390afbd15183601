package formula

import (
	"fmt"
	"math"
	"slices"

	"shadowflow/graph"
)

// operation is what an operator or a function means to those who evaluate formulas. Functions of one argument ignore the second.
type operation struct {
	args    int
	number  func(x, y float64) float64
	graph   func(x, y graph.Value) graph.Value
	algebra func(x, y Expr) Expr // nil where the algebra does not know it
	// weight is instead of graph what is computed of one weight in its shape; the result is broadcast to that.
	weight func(x graph.Value) graph.Value
	// matrices is instead of those what is computed of the matrices that weights are. It says what form the result has.
	matrices *matrixFunction
}

var operations = map[string]operation{
	"+":    binary(func(x, y float64) float64 { return x + y }, graph.Value.Add, Expr.Add),
	"-":    binary(func(x, y float64) float64 { return x - y }, graph.Value.Sub, Expr.Sub),
	"*":    binary(func(x, y float64) float64 { return x * y }, graph.Value.Mul, Expr.Mul),
	"/":    binary(func(x, y float64) float64 { return x / y }, graph.Value.Div, Expr.Div),
	"max":  binary(math.Max, graph.Value.Max, nil),
	"min":  binary(math.Min, graph.Value.Min, nil),
	Negate: unary(func(x float64) float64 { return -x }, graph.Value.Neg, Expr.Neg),
	"sqrt": unary(math.Sqrt, graph.Value.Sqrt, Expr.Sqrt),
	"abs":  unary(math.Abs, graph.Value.Abs, Expr.Abs),
	"sign": unary(signOf, graph.Value.Sign, func(x Expr) Expr { return x.Div(x.Abs()) }),
	"exp":  unary(math.Exp, graph.Value.Exp, nil),
	"log":  unary(math.Log, graph.Value.Log, nil),
	"tanh": unary(math.Tanh, graph.Value.Tanh, nil),
	// An exponent is a number, so each interpreter has a place of its own for it.
	"^": {args: 2, number: math.Pow},
	// A comparison is 1 or 0, and stands in an if alone, whose three arguments have places of their own, too.
	">": binary(func(x, y float64) float64 { return truth(x > y) }, graph.Value.Greater, nil),
	If:  {args: 3},
	// Of all parameters, and of each weight.
	"total":      {args: 1, graph: func(x, _ graph.Value) graph.Value { return x.Sum() }},
	"norm":       {args: 1, weight: func(x graph.Value) graph.Value { return x.Square().Sum().Sqrt() }},
	"orthogonal": {args: 1, weight: newtonSchulz},
	"polar":      {args: 1, weight: polar},
	"average":    {args: 1, weight: average},
	"rows":       {args: 1, weight: rows},
	"columns":    {args: 1, weight: columns},
	"matrix":     {args: 1, weight: isMatrix},
	"aspect":     {args: 1, weight: aspect},
	// Of a kernel's planes, as PyTorch has its axes.
	"plane_rows":    {args: 1, weight: planeRows},
	"plane_columns": {args: 1, weight: planeColumns},
	// Of weights that are matrices; see matrix.go.
	"transpose":    {args: 1, matrices: transpose},
	"matmul":       {args: 2, matrices: matmul},
	"identity":     {args: 1, matrices: identity},
	"orthonormal":  {args: 1, matrices: orthonormal},
	"inverse_root": {args: 2, matrices: inverseRoot},
	// Of the step.
	"every": binary(func(n, k float64) float64 { return truth(math.Mod(n, k) == 0) }, nil, nil),
	// What these stand for is the business of who reads definitions of optimizers: they have no value of their own.
	"ema": {args: 2}, "sum": {args: 2}, "corrected": {args: 1},
}

// If is the choice of the second argument where the first is true, and else of the third.
const If = "if"

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func binary(number func(x, y float64) float64, code func(x, y graph.Value) graph.Value, algebra func(x, y Expr) Expr) operation {
	return operation{args: 2, number: number, graph: code, algebra: algebra}
}

func unary(number func(float64) float64, code func(graph.Value) graph.Value, algebra func(Expr) Expr) operation {
	op := operation{
		args:   1,
		number: func(x, _ float64) float64 { return number(x) },
		graph:  func(x, _ graph.Value) graph.Value { return code(x) },
	}
	if algebra != nil {
		op.algebra = func(x, _ Expr) Expr { return algebra(x) }
	}
	return op
}

func signOf(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return x // 0 and NaN
}

// Functions returns the names of the functions, sorted.
func Functions() []string {
	var names []string
	for name := range operations {
		if isLetter(rune(name[0])) && name != Negate {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// second returns the second argument, or the first where there is one only.
func (f *Formula) second() *Formula { return f.Args[min(1, len(f.Args)-1)] }

// Value computes f in float64. An unknown name, and what only definitions or arrays give a meaning (ema, norm), make it NaN.
func (f *Formula) Value(names map[string]float64) float64 {
	switch {
	case f.Name != "":
		if v, ok := names[f.Name]; ok {
			return v
		}
		return math.NaN()
	case f.Op == "":
		return f.number
	case f.Op == If && f.Args[0].Value(names) != 0:
		return f.Args[1].Value(names)
	case f.Op == If:
		return f.Args[2].Value(names)
	}
	op := operations[f.Op]
	if op.number == nil {
		return math.NaN()
	}
	x := f.Args[0].Value(names)
	if op.args == 1 {
		return op.number(x, x)
	}
	return op.number(x, f.Args[1].Value(names))
}

// Fold computes those parts of f that depend on the given numbers alone. A product with 0 becomes 0: a hyperparameter of 0
// switches its term off.
func (f *Formula) Fold(numbers map[string]float64) *Formula {
	if f.Op == "" {
		if v, ok := numbers[f.Name]; ok && f.Name != "" {
			return Number(v)
		}
		return f
	}
	args := make([]*Formula, len(f.Args))
	known, zero := operations[f.Op].number != nil, false
	for i, a := range f.Args {
		args[i] = a.Fold(numbers)
		v, ok := args[i].IsNumber()
		known, zero = known && ok, zero || ok && v == 0
	}
	g := apply(f.Op, f.Column, args...)
	if f.Op == If {
		if v, ok := args[0].IsNumber(); ok && v != 0 {
			return args[1]
		} else if ok {
			return args[2]
		}
	}
	switch {
	case known:
		return Number(g.Value(nil))
	case zero && f.Op == "*":
		return Number(0)
	}
	return g
}

// Graph returns f as graph code, operation by operation as it is written, with the values of its names, which are arrays of the
// layout. Numbers are constants of like's type; to an exponent that is no number a positive base is raised. Of a form that no
// weight has the result is the zero Value. Where f holds anything else the result is invalid, and so is what is made of it.
func (f *Formula) Graph(l Layout, like graph.Value, names map[string]graph.Value) graph.Value {
	v, _ := f.graph(l, like, names)
	return v
}

func (f *Formula) graph(l Layout, like graph.Value, names map[string]graph.Value) (v graph.Value, form Form) {
	switch {
	case f.Name != "":
		return names[f.Name], l.form(f.Name)
	case f.Op == "":
		return like.Like(f.number), One
	}
	op := operations[f.Op]
	args, forms := make([]graph.Value, len(f.Args)), make([]Form, len(f.Args))
	for i, a := range f.Args {
		args[i], forms[i] = a.graph(l, like, names)
	}
	form, _ = f.combine(forms)
	if form.ofMatrices() && l.Length(form, 0) == 0 { // nothing is made of nothing
		return graph.Value{}, form
	}
	power, isNumber := f.second().IsNumber()
	switch {
	case f.Op == "^" && isNumber:
		return args[0].Pow(power), form
	case f.Op == "^":
		return args[0].Log().Mul(args[1]).Exp(), form
	case f.Op == If:
		return graph.Select(args[0], args[1], args[2]), form
	case op.weight != nil:
		return l.eachWeight(args[0], form, op.weight), form
	case op.matrices != nil:
		return op.matrices.graph(l, args, forms, power), form
	case op.graph == nil:
		return graph.Value{}, form
	}
	return op.graph(args[0], args[len(args)-1]), form
}

// An UnknownToAlgebra is the error of an Expr made of a formula with a function that cannot be differentiated and simplified here.
type UnknownToAlgebra struct{ Function string }

func (e *UnknownToAlgebra) Error() string {
	return fmt.Sprintf("%s can be computed, but not written down by its derivatives here: formulas are for + - * / ^ sqrt abs and sign", e.Function)
}

// Expr returns f in the algebra's normal form. Names are its symbols, except in exponents, where numbers has their values: an
// exponent must be a fraction of small numbers.
func (f *Formula) Expr(numbers map[string]float64) Expr {
	op := operations[f.Op]
	switch {
	case f.Name != "":
		return Symbol(f.Name)
	case f.Op == "":
		return decimal(f.text)
	case f.Op == "^":
		num, den, ok := smallFraction(f.Args[1].Value(numbers))
		if !ok {
			return Expr{err: fmt.Errorf("the exponent %s = %g is not a fraction of numbers up to %d", f.Args[1], f.Args[1].Value(numbers), maxExponent)}
		}
		return f.Args[0].Expr(numbers).Pow(num, den)
	case op.algebra == nil:
		return Expr{err: &UnknownToAlgebra{f.Op}}
	}
	x := f.Args[0].Expr(numbers)
	if op.args == 1 {
		return op.algebra(x, x)
	}
	return op.algebra(x, f.Args[1].Expr(numbers))
}

// smallFraction returns v as a fraction whose terms an exponent may have.
func smallFraction(v float64) (num, den int64, ok bool) {
	for den = 1; den <= maxExponent; den++ {
		n := math.Round(v * float64(den))
		if math.Abs(n) > maxExponent {
			return 0, 0, false
		}
		if n/float64(den) == v {
			return int64(n), den, true
		}
	}
	return 0, 0, false
}
