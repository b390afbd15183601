package worker

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/edsrzf/mmap-go"
)

// The tests' worker is the test binary itself: asked so by the environment, it serves E_b(theta) = sum_j a_j theta_j^4 / 4 + b theta_j, a_j =
// j+1, of batches b = -1 and 1 with 3 examples each, or does wrong what the environment names.
const misdeed = "SHADOWFLOW_TEST_WORKER"

func TestMain(m *testing.M) {
	if os.Getenv("SHADOWFLOW_WORKER") != "" {
		serveQuartic(os.Getenv(misdeed))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const (
	quarticDim = 4
	// ofManyParameters makes the tests' worker one of that many, with gradients of zeros: all that takes time is how vectors come and go.
	ofManyParameters = "of many parameters"
	manyParameters   = 25_000_000
)

// served is what the tests' worker knows.
type served struct {
	wrong  string
	memory mmap.MMap
	// places of the running averages
	running, averaged int
}

// vector returns what begins at a place; nil without one.
func (s *served) vector(at *int, n int) []float64 {
	if at == nil {
		return nil
	}
	return unsafe.Slice((*float64)(unsafe.Pointer(&s.memory[*at])), n)
}

func serveQuartic(wrong string) {
	s := &served{wrong: wrong}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			panic(err)
		}
		answer := s.answer(&r)
		if wrong == "with another id" && r.Do == doEvaluate {
			answer["id"] = r.ID + 1
		} else {
			answer["id"] = r.ID
		}
		text, err := json.Marshal(answer)
		if err != nil {
			panic(err)
		}
		fmt.Println(string(text))
	}
	if wrong == "hangs at the end" {
		time.Sleep(time.Hour)
	}
}

func (s *served) answer(r *request) map[string]any {
	switch r.Do {
	case doOpen:
		return s.open()
	case doMap:
		s.mapped(r)
		return map[string]any{}
	case doTest:
		if s.wrong == "a held-out loss of NaN" {
			fmt.Fprintln(os.Stderr, "RuntimeWarning: divide by zero")
			return map[string]any{"loss": "nan", "examples": 5}
		}
		return map[string]any{"loss": 0.25, "examples": 5, "correct": 4}
	}
	if r.Do == doEvaluate {
		s.misbehave()
	}
	if s.wrong == ofManyParameters {
		return map[string]any{"loss": 1, "examples": 6}
	}
	theta, v := s.vector(r.Theta, quarticDim), s.vector(r.Vector, quarticDim)
	gradient, product := s.vector(r.Gradient, quarticDim), s.vector(r.Product, quarticDim)
	loss := 0.0
	for j, x := range theta {
		a := float64(j + 1)
		shift := []float64{0, -1, 1}[*r.Batch+1]
		loss += a*x*x*x*x/4 + shift*x
		switch r.Do {
		case doEvaluate:
			if gradient != nil {
				gradient[j] = a*x*x*x + shift
			}
		case doProduct:
			product[j] = 3 * a * x * x * v[j]
		case doBend:
			product[j] = 6 * a * x * v[j] * v[j]
		}
	}
	if r.Do != doEvaluate {
		if s.wrong == "a product of NaN" || s.wrong == "a bend of NaN" && r.Do == doBend {
			product[2] = nan()
		}
		return map[string]any{}
	}
	examples := 3
	if *r.Batch == -1 {
		examples = 6
	}
	if gradient != nil {
		averaged := s.vector(&s.averaged, 2)
		averaged[0], averaged[1] = s.vector(&s.running, 2)[0]+1, float64(*r.Step)
	}
	out := map[string]any{"loss": loss, "examples": examples, "averaged": 1}
	switch s.wrong {
	case "a loss of NaN":
		fmt.Fprintln(os.Stderr, "RuntimeWarning: divide by zero")
		out["loss"] = "nan"
	case "an infinite loss":
		out["loss"] = "inf"
	case "a gradient of NaN":
		gradient[3] = nan()
	case "no loss":
		delete(out, "loss")
	case "no examples":
		delete(out, "examples")
	case "an error":
		return map[string]any{"error": "ValueError: the batch is empty"}
	}
	return out
}

func nan() float64 { zero := 0.0; return zero / zero }

// misbehave does what a worker must not.
func (s *served) misbehave() {
	switch s.wrong {
	case "dies":
		fmt.Fprintln(os.Stderr, "Traceback: out of\x1b[31m luck")
		os.Exit(7)
	case "hangs":
		fmt.Fprintln(os.Stderr, "thinking")
		time.Sleep(time.Hour)
	case "prints":
		fmt.Println("epoch 1 of 10")
	case "prints JSON":
		fmt.Println(`{"loss": 1}`)
	case "writes without end":
		fmt.Print(strings.Repeat("x", longestLine+10))
	case "closes its output":
		_ = os.Stdout.Close()
		time.Sleep(time.Hour)
	}
}

func (s *served) open() map[string]any {
	out := map[string]any{
		"protocol": Protocol, "dtype": "float64", "worker": "tests", "batches": 2, "train": 6, "test": 5, "score": "accuracy",
		"blocks":  []Array{{"a.weight", []int{1, 3}}, {"a.bias", []int{1}}},
		"running": []Array{{"a.running_mean", []int{2}}},
	}
	switch s.wrong {
	case ofManyParameters:
		out["dtype"], out["blocks"] = "float32", []Array{{"w", []int{manyParameters}}}
	case "another protocol":
		out["protocol"] = 99
	case "another type":
		out["dtype"] = "float16"
	case "no weights":
		out["blocks"] = []Array{}
	case "two of a name":
		out["blocks"] = []Array{{"w", []int{2}}, {"w", []int{2}}}
	case "a shape of nothing":
		out["blocks"] = []Array{{"w", []int{2, 0}}}
	case "too many parameters":
		out["blocks"] = []Array{{"w", []int{1 << 39}}, {"v", []int{1 << 20, 1 << 20}}}
	case "more than memory holds":
		out["blocks"] = []Array{{"w", []int{1 << 38}}}
	case "no batches":
		out["batches"] = 0
	case "fewer examples than batches":
		out["train"] = 1
	case "another score":
		out["score"] = "bleu"
	case "other than numbers":
		out["blocks"] = "many"
	}
	return out
}

func (s *served) mapped(r *request) {
	f, err := os.OpenFile(r.Path, os.O_RDWR, 0)
	if err != nil {
		panic(err)
	}
	if s.memory, err = mmap.MapRegion(f, r.Bytes, mmap.RDWR, 0, 0); err != nil {
		panic(err)
	}
	s.running, s.averaged = *r.Running, *r.Averaged
	theta := s.vector(r.Theta, quarticDim)
	for j := range theta {
		theta[j] = 0.5 - 0.25*float64(j)
	}
	if s.wrong == "a start of NaN" {
		theta[1] = nan()
	}
}
