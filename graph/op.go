package graph

// Op is a primitive operation of the language. What it does to derivatives is its row of the table of rules; how it runs is the
// business of executors.
type Op uint8

// The primitives, with their operands and the attribute, if any, that a [Node] has beside them. Operands of the elementwise ones
// have one shape: Broadcast comes before.
const (
	OpParam      Op = iota // an input of the program; ParamAttr
	OpConst                // a scalar; see Node.Constant
	OpConstArray           // *ArrayAttr
	OpAlias                // x under another name
	OpStop                 // x, whose derivatives are zero

	OpNeg     // -x
	OpExp     // e^x
	OpLog     // log x
	OpLog1p   // log(1+x)
	OpSqrt    // sqrt x
	OpRsqrt   // 1/sqrt x
	OpRecip   // 1/x
	OpTanh    // tanh x
	OpSigmoid // 1/(1+e^-x)
	OpErf     // the error function
	OpRelu    // max(x, 0)
	OpAbs     // |x|
	OpSign    // -1, 0 or 1
	OpStep    // 1 where x > 0, else 0
	OpPow     // x^p; PowAttr

	OpAdd          // x + y
	OpSub          // x - y
	OpMul          // x y
	OpDiv          // x/y
	OpMax          // the larger of x and y
	OpMin          // the smaller of x and y
	OpGreater      // 1 where x > y, else 0
	OpGreaterEqual // 1 where x >= y, else 0
	OpEqual        // 1 where x = y, else 0
	OpSelect       // y where x is not 0, else z

	OpBroadcast // stretches axes of length 1; as many axes as before
	OpReshape   // the same elements in another shape
	OpTranspose // AxesAttr: axis i of the result is axis Axes[i] of x
	OpSlice     // SliceAttr
	OpPad       // PadAttr
	OpConcat    // AxesAttr: the one axis along which the operands are joined
	OpGather    // x [.., C] and int32 labels [..]: the element that each label names; *Call
	OpScatter   // x [..] and int32 labels [..]: its transpose, [.., C] with zeros elsewhere; *Call
	OpRows      // a table x [n, d..] and int32 indices [..]: the row that each index names, [.., d..]; *Call
	OpAddRows   // rows x [.., d..] and int32 indices [..]: its transpose, [n, d..], the sums of the rows of an index; *Call

	OpSum  // AxesAttr: the axes summed over, in order, which go away
	OpAmax // AxesAttr: the axes of which the largest element is left, in order

	OpMatMul     // x [.., M, K] y [.., K, N]; MatMulAttr
	OpConv       // images and kernels, to results; ConvAttr
	OpConvInput  // results and kernels, to images: its transpose by the images; ConvAttr
	OpConvKernel // images and results, to kernels: its transpose by the kernels; ConvAttr

	OpPoolIndex // int32 places in x of the largest elements of its windows; PoolAttr
	OpTake      // the elements of x at the places y; PoolAttr
	OpPut       // the elements of x, of the pooled shape, added to zeros at the places y; PoolAttr
	OpSumPool   // the sums of windows of x; PoolAttr
	OpSpread    // its transpose: the sum of all windows that an element is in; PoolAttr

	NumOps // their number
)

var opNames = [NumOps]string{
	OpParam: "param", OpConst: "const", OpConstArray: "constarray", OpAlias: "alias", OpStop: "stop",
	OpNeg: "neg", OpExp: "exp", OpLog: "log", OpLog1p: "log1p", OpSqrt: "sqrt", OpRsqrt: "rsqrt", OpRecip: "recip", OpTanh: "tanh",
	OpSigmoid: "sigmoid", OpErf: "erf", OpRelu: "relu", OpAbs: "abs", OpSign: "sign", OpStep: "step", OpPow: "pow",
	OpAdd: "add", OpSub: "sub", OpMul: "mul", OpDiv: "div", OpMax: "max", OpMin: "min", OpGreater: "greater",
	OpGreaterEqual: "greaterequal", OpEqual: "equal", OpSelect: "select",
	OpBroadcast: "broadcast", OpReshape: "reshape", OpTranspose: "transpose", OpSlice: "slice", OpPad: "pad", OpConcat: "concat",
	OpGather: "gather", OpScatter: "scatter", OpRows: "rows", OpAddRows: "addrows",
	OpSum: "sum", OpAmax: "amax", OpMatMul: "matmul", OpConv: "conv", OpConvInput: "convinput", OpConvKernel: "convkernel",
	OpPoolIndex: "poolindex", OpTake: "take", OpPut: "put", OpSumPool: "sumpool", OpSpread: "spread",
}

// String returns the name of the primitive, as errors have it.
func (op Op) String() string { return opNames[op] }
