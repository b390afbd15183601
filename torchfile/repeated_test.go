package torchfile

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/nlpodyssey/gopickle/types"
)

// text, dict and list are pickles of values.
func text(s string) string { return fmt.Sprintf("X%c\x00\x00\x00%s", len(s), s) }

func dict(entries ...string) string { return "}(" + strings.Join(entries, "") + "u" }

func list(items ...string) string { return "](" + strings.Join(items, "") + "e" }

// again makes a value once, and takes it from the memo the other times.
func again(value string, times int) string { return value + "q\x07" + strings.Repeat("h\x07", times-1) }

// object reads a file of one object without storages.
func object(t *testing.T, pickled string) *File {
	t.Helper()
	raw := older("\x80\x02" + pickled + ".\x80\x02].")
	f, err := Read(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A pickle takes what it has made from its memo as often as it likes, so that a short one stands for what has no end.
func TestWhatAPickleRepeatsCostsNoMoreThanItsLength(t *testing.T) {
	state, groups, params := text("state")+dict(), text("param_groups"), text("params")+list()
	numbers := func(n int) string { return list(strings.Repeat("K\x00", n)) }
	numbered := dict(strings.Repeat(text("step")+"K\x01", 30_000))
	remembered := dict(strings.Repeat("I1\n"+dict(text("step")+"K\x01"), 20_000))
	for name, pickled := range map[string]string{
		"one optimizer 3,000 times":            dict(text("optimizer") + list(again(dict(state, groups+list(dict(text("params")+numbers(30_000)))), 3000))),
		"one group 3,000 times":                dict(state, groups+list(again(dict(text("params")+numbers(30_000)), 3000))),
		"a setting of many numbers":            dict(state, groups+list(again(dict(params, text("betas")+numbers(30_000)), 3000))),
		"many settings":                        dict(state, groups+list(again(dict(params, strings.Repeat(text("lr")+"K\x00", 30_000)), 3000))),
		"one memory of all parameters":         dict(text("optimizer") + list(again(dict(text("state")+remembered, groups+list()), 3000))),
		"one memory of many numbers":           dict(text("state")+dict("K\x01"+numbered+"q\x07", strings.Repeat("K\x01h\x07", 3000)), groups+list()),
		"one optimizer of nothing but strange": dict(text("optimizer") + list(again(dict(state, groups+list(), strings.Repeat("K\x00K\x00", 30_000)), 3000))),
	} {
		t.Run(name, func(t *testing.T) {
			f := object(t, pickled)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := f.Optimizer()
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), "the same ones again and again") {
				t.Errorf("%v", err)
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > 400<<20 {
				t.Errorf("it took %d bytes", took)
			}
		})
	}
}

func TestObjectsGetNoAttributes(t *testing.T) {
	root := object(t, "ccollections\nOrderedDict\n)R"+dict(text("a")+"K\x01")+"b").root.(*types.OrderedDict)
	if len(root.PyDict) != 0 {
		t.Errorf("attributes %v", root.PyDict)
	}
}

func TestSeveralOptimizersAreOneBehindTheOther(t *testing.T) {
	one := func(lr int) string {
		return dict(text("state")+dict("K\x00"+dict(text("step")+fmt.Sprintf("K%c", lr))), text("param_groups")+list(dict(text("params")+list("K\x00K\x01"), text("lr")+fmt.Sprintf("K%c", lr))))
	}
	o, err := object(t, dict(text("optimizers")+list(one(3), one(4)))).Optimizer()
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(o.Sizes, o.Groups, o.State[0].Numbers, o.State[1], o.State[2].Numbers, o.State[3]); got != "[2 2] [map[lr:3] map[lr:4]] map[step:3] <nil> map[step:4] <nil>" {
		t.Error(got)
	}
}

// Python would run what these name; here they are objects like any other.
func TestWhatPythonWouldRunIsAnObjectThatDoesNothing(t *testing.T) {
	for name, pickled := range map[string]string{
		"os.system": "cos\nsystem\n(" + text("ls") + "tR", "builtins.eval": "cbuiltins\neval\n(" + text("1") + "tR", "subprocess.Popen": "csubprocess\nPopen\n)\x81",
		"runpy._run_code": "(irunpy\n_run_code\n",
	} {
		t.Run(name, func(t *testing.T) {
			for where, pickled := range map[string]string{"the whole file": pickled, "a tensor": dict(text("w") + pickled)} {
				_, err := object(t, pickled).Tensors()
				if err == nil || !strings.Contains(err.Error(), "an object "+name+" of Python's, which only Python can make") {
					t.Errorf("as %s: %v", where, err)
				}
			}
			o, err := object(t, dict(text("args")+pickled, text("state")+dict(), text("param_groups")+list())).Optimizer()
			if err != nil || len(o.State) != 0 {
				t.Errorf("beside an optimizer's state: %v, %v", o, err)
			}
		})
	}
}
