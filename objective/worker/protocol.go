package worker

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"shadowflow/internal/plural"
)

// Protocol is the version of the protocol that this package speaks.
const Protocol = 2

// What a request asks for.
const (
	doOpen     = "open"     // what the loss is
	doMap      = "map"      // to map the vectors, and write where it starts
	doEvaluate = "evaluate" // the loss of a batch at theta, and its gradient
	doProduct  = "product"  // the Hessian of a batch's loss at theta times the vector
	doBend     = "bend"     // the third derivative of it along the vector, twice
	doTest     = "test"     // the loss of the test examples at theta
)

// request is a line to the worker. Fields that a command does not name have no meaning for it.
type request struct {
	ID int64  `json:"id"`
	Do string `json:"do"`

	// Of open.
	Protocol int    `json:"protocol,omitempty"`
	DType    string `json:"dtype,omitempty"`
	Threads  int    `json:"threads,omitempty"`
	Seed     uint64 `json:"seed,omitempty"`

	// Of map: the file, and in bytes its length and where in it the running averages begin.
	Path     string `json:"path,omitempty"`
	Bytes    int    `json:"bytes,omitempty"`
	Running  *int   `json:"running,omitempty"`
	Averaged *int   `json:"averaged,omitempty"`

	// Of map and the rest: where in the file the vectors begin that are read and written, in bytes. Without a gradient's place none is wanted.
	Theta    *int `json:"theta,omitempty"`
	Gradient *int `json:"gradient,omitempty"`
	Vector   *int `json:"vector,omitempty"`
	Product  *int `json:"product,omitempty"`

	// Of the rest. The batch is counted from 0, -1 stands for all examples.
	Batch *int `json:"batch,omitempty"`
	Step  *int `json:"step,omitempty"`
	// More says that another command at this theta and batch follows: what both need is worth keeping.
	More bool `json:"more,omitempty"`
}

// reply is a line from the worker.
type reply struct {
	ID    *int64 `json:"id"`
	Error string `json:"error"`
	Info
	Evaluated
}

// Info is what a worker says of its loss.
type Info struct {
	Protocol int `json:"protocol"`
	// Worker names the program, its framework and the device that it computes on.
	Worker string `json:"worker"`
	DType  string `json:"dtype"`
	// Blocks are the weights, in the order of theta, and Running the running averages.
	Blocks  []Array `json:"blocks"`
	Running []Array `json:"running"`
	// Batches is the number of batches that the training examples are cut into.
	Batches int `json:"batches"`
	// Train and Test are the numbers of examples; without test examples 0.
	Train int `json:"train"`
	Test  int `json:"test"`
	// Score is what the answers tell beside the loss: accuracy, r2, or nothing.
	Score string `json:"score"`
}

// An Array is a weight, or a running average, by its name.
type Array struct {
	Name  string `json:"name"`
	Shape []int  `json:"shape"`
}

// Evaluated is what a worker says of a batch.
type Evaluated struct {
	Loss     number `json:"loss"`
	Examples int    `json:"examples"`
	Correct  number `json:"correct"`
	R2       number `json:"r2"`
	// Averaged is the number of batches that the running averages took in.
	Averaged int64 `json:"averaged"`
}

// number is a number that may be none, or infinite, which JSON has no words for: "nan", "inf" and "-inf" stand for these.
type number struct {
	value float64
	given bool
}

func (n *number) UnmarshalJSON(text []byte) error {
	n.given = true
	var word string
	if json.Unmarshal(text, &word) == nil {
		switch word {
		case "nan", "inf", "-inf":
			n.value, _ = strconv.ParseFloat(word, 64)
			return nil
		}
	}
	if string(text) == "null" {
		n.given = false
		return nil
	}
	if err := json.Unmarshal(text, &n.value); err != nil {
		return fmt.Errorf(`%s: want a number, or "nan", "inf" or "-inf"`, text)
	}
	return nil
}

// or returns the number, NaN where there is none.
func (n number) or() float64 {
	if !n.given {
		return math.NaN()
	}
	return n.value
}

// Bounds of what a worker may say of itself. The parameters' is that of what is addressed, which no machine's memory reaches.
const (
	mostArrays = 1 << 20
	mostNumber = 1 << 40
)

// check reports what is wrong with what a worker says of itself.
func (i *Info) check(dtype string) error {
	switch {
	case i.Protocol != Protocol:
		return fmt.Errorf("it speaks protocol %d; this program speaks %d: want versions of both that belong together", i.Protocol, Protocol)
	case i.DType != dtype:
		return fmt.Errorf("its vectors are %q; the config says dtype %s", i.DType, dtype)
	case len(i.Blocks) == 0:
		return fmt.Errorf("blocks: it has no weights")
	case len(i.Blocks) > mostArrays || len(i.Running) > mostArrays:
		return fmt.Errorf("blocks: %s and %d running averages: want at most %d", plural.Count(len(i.Blocks), "weight"), len(i.Running), mostArrays)
	case i.Batches < 1:
		return fmt.Errorf("batches: %d: want 1 or more", i.Batches)
	case i.Train < i.Batches || i.Train > mostNumber:
		return fmt.Errorf("train: %s in %s: want at least one for each", plural.Count(i.Train, "example"), plural.Count(i.Batches, "batch"))
	case i.Test < 0 || i.Test > mostNumber:
		return fmt.Errorf("test: %s: want 0 or more", plural.Count(i.Test, "example"))
	}
	switch i.Score {
	case "", "accuracy", "r2":
	default:
		return fmt.Errorf("score: %q: want accuracy, r2 or nothing", i.Score)
	}
	names := map[string]bool{}
	for _, a := range append(i.Blocks[:len(i.Blocks):len(i.Blocks)], i.Running...) {
		if a.Name == "" || names[a.Name] {
			return fmt.Errorf("blocks: the name %.100q is empty, or that of two arrays", a.Name)
		}
		names[a.Name] = true
	}
	if _, err := sizeOf("blocks", i.Blocks); err != nil {
		return err
	}
	_, err := sizeOf("running", i.Running)
	return err
}

// sizeOf returns the number of elements of arrays.
func sizeOf(what string, arrays []Array) (int, error) {
	total := 0
	for _, a := range arrays {
		size := 1
		for _, n := range a.Shape {
			if n < 1 || n > mostNumber/size {
				return 0, fmt.Errorf("%s: %.100q of shape %.100s: want sizes of 1 or more, at most %d elements in all", what, a.Name, fmt.Sprint(a.Shape), mostNumber)
			}
			size *= n
		}
		if total += size; total > mostNumber {
			return 0, fmt.Errorf("%s: more than %d elements", what, mostNumber)
		}
	}
	return total, nil
}
