package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"shadowflow/experiment/run"
)

// settingsOfAMoment make a run of a moment.
const settingsOfAMoment = "data.subset=50,model.hidden=[4],steps=3,record={every: 1, bias: 0, sharpness: 0, test: 0}"

// workplace makes a directory with a run in it, "run", a sweep file, "sweep.yaml", and files that are none, and makes it the working directory.
func workplace(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"sweep.yaml":     "name: betas\nbase: {steps: 2, data: {subset: 50}, model: {hidden: [4]}, record: {every: 1, bias: 0, sharpness: 0, test: 0}}\ngrid: {optimizer.beta2: [0.9, 0.99]}\n",
		"alike.yaml":     "grid: {optimizer.beta2: [0.9, 0.9]}\n",
		"many.yaml":      "seeds: 1001\n",
		"broken.yaml":    "optimizer: {beta2: 2}\n",
		"unclosed.yaml":  "optimizer: [\n",
		"notes.txt":      "nothing of use\n",
		"table.csv":      "a,b,label\n1,2,x\n3,NaN,y\n",
		"optimizer.yaml": "optimizer: {name: mine, update: g +}\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	printed(t, "run", "--out", "run", "--figures=false", "--quiet", "--set", settingsOfAMoment)
}

// leaves returns the commands that do something, but for those of cobra, by their paths without the program's name.
func leaves() map[string]*cobra.Command {
	out := map[string]*cobra.Command{}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		path := strings.TrimPrefix(cmd.CommandPath(), "shadowflow ")
		if path == "help" || path == "completion" {
			return
		}
		if cmd.HasParent() && (!cmd.HasSubCommands() || cmd.Args != nil) {
			out[path] = cmd
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(New(io.Discard, io.Discard))
	return out
}

// argumentsOf are arguments with which a command that wants some would run in a workplace.
var argumentsOf = map[string][]string{
	"sweep": {"sweep.yaml"}, "sweep plan": {"sweep.yaml"}, "sweep status": {"sweep.yaml"}, "sweep table": {"sweep.yaml"},
	"sweep run-one": {"sweep.yaml", "0"}, "sweep submit": {"sweep.yaml", "--shell"}, "sweep cancel": {"sweep.yaml"}, "reproduce": {"bilinear"}, "sample": {"run"}, "report": {"run"}, "export": {"run"},
	"data fetch": {"cifar10"}, "derive": {"adam"},
}

func TestEveryCommandRefusesWhatItDoesNotKnow(t *testing.T) {
	workplace(t)
	// Words that are values of no key and numbers of no flag.
	wrong := func(f *pflag.Flag) bool {
		switch f.Value.Type() {
		case "bool", "int", "uint64", "float64", "duration", "ints", "intSlice":
			return true
		}
		return slices.Contains([]string{"set", "objective", "optimizer", "theta", "pairs", "batches", "seed", "bias-scale", "steps",
			"scale", "format", "start", "memory", "lr", "beta1", "beta2", "eps", "at", "url", "moments", "only"}, f.Name)
	}
	for path, cmd := range leaves() {
		call := append(strings.Fields(path), argumentsOf[path]...)
		cases := map[string][]string{
			"a flag that there is not": append(slices.Clone(call), "--no-such-flag"),
			"too many arguments":       append(slices.Clone(call), "a", "b", "c"),
		}
		if path == "report" { // of any number of runs
			delete(cases, "too many arguments")
		}
		if argumentsOf[path] != nil && path != "derive" {
			cases["too few arguments"] = strings.Fields(path)
		}
		cmd.InheritedFlags() // which are then among its own
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			switch {
			case f.Name == "help":
			case (path == "probe" || path == "spectrum") && f.Name == "moments": // a file
			case wrong(f):
				cases["--"+f.Name] = append(slices.Clone(call), "--"+f.Name+"=(wrong")
			}
			if f.Value.Type() != "bool" {
				cases["--"+f.Name+" without a value"] = append(slices.Clone(call), "--"+f.Name)
			}
		})
		for name, args := range cases {
			t.Run(path+": "+name, func(t *testing.T) {
				stdout, stderr, code := shadowflow(args...)
				if code != exitMisused || stdout != "" || !strings.HasPrefix(stderr, "shadowflow: ") {
					t.Errorf("%v: code %d, printed %q, said %q", args, code, stdout, stderr)
				}
			})
		}
		t.Run(path+": --help", func(t *testing.T) {
			for _, args := range [][]string{append(strings.Fields(path), "--help"), append([]string{"help"}, strings.Fields(path)...)} {
				if stdout, stderr, code := shadowflow(args...); code != exitDone || stderr != "" || !strings.Contains(stdout, "Usage:") {
					t.Errorf("%v: code %d, %q", args, code, stderr)
				}
			}
		})
	}
}

func TestTheExitCodeSaysHowACommandEnded(t *testing.T) {
	workplace(t)
	small := " --quiet --figures=false --set " + settingsOfAMoment
	diverging := " --quiet --figures=false --set " + strings.Replace(settingsOfAMoment, "steps=3", "loss=mse,lr=1e5,steps=60", 1)
	for _, c := range []struct {
		name, args string
		want       int
	}{
		{"done", "derive adam", exitDone},
		{"help", "--help", exitDone},
		{"a run that finished", "run --out a" + small, exitDone},
		{"a run that had ended", "run --resume run --quiet --figures=false", exitDone},
		{"a sweep", "sweep sweep.yaml --out sweep --quiet", exitDone},
		{"a sweep that had ended", "sweep sweep --quiet", exitDone},
		{"one run of a sweep that had ended", "sweep run-one sweep 1", exitDone},

		{"nothing", "", exitMisused},
		{"a command that only has subcommands", "data", exitMisused},
		{"an unknown command", "dervie adam", exitMisused},
		{"an unknown subcommand", "data fecth cifar10", exitMisused},
		{"an unknown subcommand of a sweep", "sweep plann sweep.yaml", exitMisused},
		{"help on an unknown command", "help dervie", exitMisused},
		{"help on an unknown subcommand", "help data fecth", exitMisused},
		{"completion of an unknown shell", "completion csh", exitMisused},
		{"a flag without its value", "field --order x", exitMisused},
		{"an unknown optimizer", "derive adm", exitMisused},
		{"an optimizer named twice", "derive adam --optimizer lion", exitMisused},
		{"two forms", "derive adam --json --latex", exitMisused},
		{"two formats", "config --json --format yaml", exitMisused},
		{"an unknown definition", "optimizers adm", exitMisused},
		{"a definition that is wrong", "optimizers optimizer.yaml", exitMisused},
		{"an unknown key", "field --set beta9=1", exitMisused},
		{"a key without a value", "field --set beta1", exitMisused},
		{"a key that is there twice", "field --set lr=1,optimizer.lr=2", exitMisused},
		{"a value out of range", "field --set beta2=1", exitMisused},
		{"a value of another kind", "field --set beta2=[1]", exitMisused},
		{"parameters of another number", "field --theta 1,2,3", exitMisused},
		{"a wrong config", "run broken.yaml", exitMisused},
		{"a config that is no YAML", "run unclosed.yaml", exitMisused},
		{"a text for a config", "run notes.txt", exitMisused},
		{"a wrong sweep", "sweep broken.yaml", exitMisused},
		{"a sweep that is no YAML", "sweep plan unclosed.yaml", exitMisused},
		{"runs of a sweep that are alike", "sweep plan alike.yaml", exitMisused},
		{"more runs than one may mean", "sweep plan many.yaml", exitMisused},
		{"a run that a sweep has not", "sweep run-one sweep.yaml 7 --out sweep", exitMisused},
		{"a run that has no number", "sweep run-one sweep.yaml first --out sweep", exitMisused},
		{"a number of runs at once", "sweep sweep.yaml --parallel -1 --out sweep", exitMisused},
		{"a size of memory", "sweep sweep.yaml --memory 3elephants --out sweep", exitMisused},
		{"seconds to try", "sweep plan sweep.yaml --probe -1", exitMisused},
		{"a table as TensorBoard", "sweep table sweep.yaml --format tensorboard --out sweep", exitMisused},
		{"a table in two formats", "sweep table sweep.yaml --format csv --json --out sweep", exitMisused},
		{"settings for a sweep that has its own", "sweep sweep --set steps=9", exitMisused},
		{"a sweep as a table", "export sweep", exitMisused},
		{"an unknown format", "export run --format xls", exitMisused},
		{"an unknown reproduction", "reproduce nothing", exitMisused},
		{"a name for a list of all", "reproduce --list hill", exitMisused},
		{"no reproduction", "reproduce", exitMisused},
		{"an unknown scale", "reproduce hill --scale moon", exitMisused},
		{"a wrong word", "field --memory none", exitMisused},
		{"moments without memory", "field --moments m=1", exitMisused},
		{"moments of too few numbers", "field --memory state --moments m=1;v=1,2", exitMisused},
		{"no steps before the equation", "field --memory state --set flow.start=0", exitMisused},
		{"unknown moments", "field --memory state --moments q=1", exitMisused},
		{"an order that there is not", "field --order 13", exitMisused},
		{"an order that there is not with memory", "field --memory state --order 9", exitMisused},
		{"an order of a flow", "iterate --flow 0", exitMisused},
		{"an order of a flow with mini-batches", "iterate --flow 3 --pairs 2:1.5,1:2 --batches cyclic", exitMisused},
		{"a number of steps", "iterate --steps -1", exitMisused},
		{"a start", "verify --start warm", exitMisused},
		{"a start that there is not", "verify --batches cyclic --start manifold", exitMisused},
		{"no step size", "verify --lr 0", exitMisused},
		{"no step sizes", "verify --lr=", exitMisused},
		{"a step size twice", "verify --lr 0.1,0.05,0.1", exitMisused},
		{"step sizes that rise", "verify --lr 0.01,0.02", exitMisused},
		{"an empty address", "data fetch cifar10 --url=", exitMisused},
		{"a time", "verify --time -1", exitMisused},
		{"more steps than are compared", "verify --lr 1e-8", exitMisused},
		{"more steps than are compared, memory as state", "verify --memory state --lr 1e-8", exitMisused},
		{"an order twice", "verify --orders 1,2,1", exitMisused},
		{"an order to verify", "verify --orders 0", exitMisused},
		{"a figure's format", "verify --orders 1 --plot figure.bmp", exitMisused},
		{"orders of no use", "check --orders 5", exitMisused},
		{"batches of an optimizer without memory", "check --batches --optimizer gd", exitMisused},
		{"batches of a loss without any", "check --batches --objective rosenbrock", exitMisused},
		{"a network that is not there", "model show none.onnx", exitFailed},
		{"a network that is not there, to train", "run --set model.name=onnx,model.path=none.onnx", exitFailed},
		{"no network", "run --set model.name=onnx", exitMisused},
		{"no examples of a network", "model show none.onnx --examples 0", exitMisused},
		{"numbers of another kind", "model show none.onnx --dtype float16", exitMisused},
		{"works that there are not", "bench --only elephant", exitMisused},
		{"a peer that there is not", "bench --peers caffe", exitMisused},
		{"no time", "bench --budget 0s", exitMisused},
		{"threads", "bench --threads -1", exitMisused},
		{"a scaling of works", "bench --scaling --only matmul", exitMisused},
		{"a scaling of a config", "bench --scaling --objective rosenbrock", exitMisused},
		{"a figure of works", "bench --only matmul --plot x.svg", exitMisused},
		{"a scaling into a file of another kind", "bench --scaling --plot x.txt", exitMisused},
		{"works of a config", "bench --objective rosenbrock --only matmul", exitMisused},
		{"a length", "sample run --length -1", exitMisused},
		{"a temperature", "sample run --temperature -1", exitMisused},
		{"sizes of batches", "map --batch -1", exitMisused},
		{"seeds", "map --seeds 0", exitMisused},
		{"more seeds than a sweep may have", "map --seeds 2000000000", exitMisused},
		{"a pair", "map --at 1", exitMisused},
		{"unknown data", "data fetch cifar9", exitMisused},
		{"an address", "data fetch cifar10 --url elephant", exitMisused},
		{"data of another name", "data info --set data.path=x", exitMisused},
		{"moments' steps without moments", "run --set optimizer.moments_steps=5", exitMisused},
		{"an objective of no numbers", "run --objective quadratic --set objective.spectrum=[]", exitMisused},
		{"an objective without pairs", "run --objective bilinear --set objective.pairs=[]", exitMisused},
		{"more batches than examples", "run --objective logistic --set objective={samples: 4, batches: 5}", exitMisused},
		{"a mini-batch of more examples than there are", "run --set batch={mode: shuffled, size: 100000}", exitMisused},
		{"a root that there is not", "run --optimizer shampoo --set root=2.5", exitMisused},
		{"a formula that divides by 0", "run --set optimizer={name: mine, let: {a: 0}, update: g / a}", exitMisused},
		{"a language model on images", "run --set model.name=gpt", exitMisused},
		{"a network of images on numbers", "run --set model.name=cnn,data.name=twospirals", exitMisused},
		{"moments of an optimizer without memory", "run --optimizer gd --set optimizer.moments=run/weights.safetensors", exitMisused},
		{"a config beside a run to resume", "run broken.yaml --resume run", exitMisused},
		{"a change without a run to resume", "run --accept-changed", exitMisused},

		{"a config that is not there", "run none.yaml", exitFailed},
		{"a directory for a config", "run run", exitFailed},
		{"a sweep that is not there", "sweep none.yaml", exitFailed},
		{"a directory that is no sweep", "sweep plan run", exitFailed},
		{"a definition that is not there", "derive none.yaml", exitFailed},
		{"another definition that is not there", "optimizers none.yaml", exitFailed},
		{"an optimizer without such an equation", "derive radam", exitFailed},
		{"groups under SAM", "derive adam --set optimizer={sam: 0.1, groups: [{dims: 1, beta1: 0.5}]}", exitFailed},
		{"groups whose gradient is clipped", "derive adam --set optimizer={clip_norm: 1, groups: [{dims: 1, beta1: 0.5}]}", exitDone},
		{"fewer eigenvalues than none", "spectrum --top -1", exitMisused},
		{"a tolerance that is none", "spectrum --tol nan", exitMisused},
		{"a brief search for much", "spectrum --brief --density", exitMisused},
		{"a brief search for nothing", "spectrum --brief --top 0 --bottom 0", exitMisused},
		{"more eigenvalues than fit", "spectrum --top 400 --bottom 400", exitMisused},
		{"a density that is drawn and not found", "spectrum --plot d.svg", exitMisused},
		{"no preconditioner", "spectrum --precondition --set optimizer.name=amsgrad,data.subset=20,model.hidden=[4]", exitMisused},
		{"eigenvectors into a file that is there", "spectrum --vectors notes.txt --set " + settingsOfAMoment, exitFailed},
		{"weights that are not there", "probe --weights none", exitFailed},
		{"weights that are none", "probe --weights notes.txt", exitFailed},
		{"moments that are not there", "probe --moments none", exitFailed},
		{"data that is not there", "data info --set data={name: npz, path: none.npz}", exitFailed},
		{"data that is none", "data info --set data={name: npz, path: notes.txt}", exitFailed},
		{"a table with a gap", "data info --set data={name: csv, path: table.csv, target: [label]}", exitFailed},
		{"images that are not there", "data info --set data={name: images, path: none}", exitFailed},
		{"a run that is not there", "run --resume none", exitFailed},
		{"a used directory", "run --out run" + small, exitFailed},
		{"a directory that is no run", "report .", exitFailed},
		{"another directory that is no run", "export .", exitFailed},
		{"a run that is no language model", "sample run", exitFailed},
		{"a run that has ended, and fewer steps than it took", "run --quiet --resume run --set steps=1", exitMisused},
		{"a file of a run's record", "probe --force --out run/history.csv --set " + settingsOfAMoment, exitFailed},
		{"the file of a sweep", "probe --force --out sweep/sweep.yaml --set " + settingsOfAMoment, exitFailed},
		{"a reproduction into a run", "reproduce figure-1 --force --out run", exitFailed},
		{"a map into a sweep", "map --at 0.9,0.9 --lr 1e-3 --eps 1e-8 --batch 0 --force --out sweep", exitFailed},
		{"the weights of a run", "probe --force --out run/weights.safetensors --set " + settingsOfAMoment, exitFailed},
		{"a file that is there", "probe --out notes.txt --set " + settingsOfAMoment, exitFailed},
		{"an interpreter for no peer", "bench --only matmul-1024 --python ./none", exitMisused},
		{"an equation that cannot be followed back", "verify --orders 2 --set beta1=0.99,beta2=0.999", exitFailed},
		{"PyTorch that is not there", "bench --only matmul-1024 --peers torch --python ./none", exitFailed},

		{"a run that diverged", "run --optimizer gd --out b" + diverging, exitAgainst},
		{"a run that ends at more than twice its loss", "run --objective bilinear --optimizer signum --out c --quiet --figures=false --set lr=3,steps=40", exitAgainst},
		{"a diverged run that had ended", "run --resume b --quiet --figures=false", exitAgainst},
		{"iterates that diverge", "iterate --optimizer gd --steps 1000 --set lr=50", exitAgainst},
		{"orders that do not show", "verify --optimizer heavy-ball --start cold --orders 1,2 --lr 0.1,0.05,0.025 --set beta1=0.95", exitAgainst},
	} {
		t.Run(c.name, func(t *testing.T) {
			var args []string
			for i, part := range strings.Split(c.args, " --set ") {
				if i > 0 {
					args = append(args, "--set", part)
					continue
				}
				args = append(args, strings.Fields(part)...)
			}
			stdout, stderr, code := shadowflow(args...)
			if code != c.want {
				t.Errorf("code %d, want %d: %s", code, c.want, stderr)
			}
			if c.want != exitDone && !strings.Contains(stderr, "shadowflow: ") || c.want == exitMisused && stdout != "" {
				t.Errorf("printed %q, said %q", stdout, stderr)
			}
		})
	}
}

func TestWhatIsNotFiniteAtAPointIsNoResult(t *testing.T) {
	for args, want := range map[string]string{
		"field --theta 1e200,1e200":                        "the loss at this point is +Inf",
		"field --theta 1e60,1e60 --order 5":                "moment corrected(v) of adam overflows float64 at element 0, for a gradient of 4",
		"field --theta 1e60,1e60 --order 2 --memory state": "moment corrected(v) of adam overflows float64 at element 0, for a gradient of 4",
		"field --theta 1e60,1e60 --optimizer lion":         "a number in the update of lion overflows float64 at element 0",
		"field --theta 1e60,1e60 --optimizer gd --order 3": "f2 at this point is NaN at element 0: want a point where it is finite, or --order 2",
		"spectrum --theta 1e150,1e150":                     "the loss at this point is +Inf: want a point where it is finite",
		"probe --theta 1e150,1e150 --set dtype=float64":    "the loss at this point is +Inf: want a point where it is finite",
		"probe --theta 1e15,1e15":                          "the loss at this point is +Inf: want dtype float64",
		"probe --theta 1e8,1e8":                            "moment corrected(v) of adam overflows float32 at element 0, for a gradient of 4e+24",
		"probe --theta 1e60,1e60 --set dtype=float64":      "moment corrected(v) of adam overflows float64",
	} {
		t.Run(args, func(t *testing.T) {
			for _, form := range []string{"", " --json"} {
				stdout, stderr, code := shadowflow(strings.Fields(args + form + " --objective bilinear")...)
				if code != exitFailed || stdout != "" || !strings.Contains(stderr, want) {
					t.Errorf("code %d, printed %q, said %q, want %q", code, stdout, stderr, want)
				}
			}
		})
	}
}

func TestASweepWithFailedRunsIsNotDone(t *testing.T) {
	t.Chdir(t.TempDir())
	text := "name: some\nbase: {steps: 60, data: {subset: 50}, model: {hidden: [4]}, record: {every: 1, bias: 0, sharpness: 0, test: 0}}\n" +
		"list: [{}, {optimizer: {name: gd, lr: 1e5}, loss: mse}, {data: {name: npz, path: none.npz}}]\n"
	if err := os.WriteFile("some.yaml", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"sweep some.yaml --quiet", "sweep some.yaml --json", "sweep sweeps/some --quiet", "sweep sweeps/some --retry-failed"} {
		t.Run(args, func(t *testing.T) {
			stdout, stderr, code := shadowflow(strings.Fields(args)...)
			if code != exitFailed || !strings.Contains(stderr, "1 of 3 runs failed, the first of them run 2: ") || !strings.Contains(stderr, "none.npz") {
				t.Errorf("code %d: %s", code, stderr)
			}
			if strings.Contains(args, "--json") {
				got := decode[sweepOutput](t, stdout)
				if got.Counts != (counts{Ended: 2, Diverged: 1, Failed: 1}) || got.Runs[1].State != "diverged" || got.Runs[2].State != "failed" || got.Runs[2].Reason == "" {
					t.Errorf("%+v", got)
				}
			}
		})
	}
	for args, want := range map[string]int{ // what asks for no runs is done, and one run ends as it would alone
		"sweep status some.yaml": exitDone, "sweep table some.yaml": exitDone, "sweep plan some.yaml --probe 0": exitDone,
		"sweep run-one some.yaml 0": exitDone, "sweep run-one some.yaml 1": exitAgainst, "sweep run-one some.yaml 2": exitFailed,
	} {
		t.Run(args, func(t *testing.T) {
			if _, stderr, code := shadowflow(strings.Fields(args)...); code != want {
				t.Errorf("code %d, want %d: %s", code, want, stderr)
			}
		})
	}
}

func TestASweepWithADamagedMemberFails(t *testing.T) {
	t.Chdir(t.TempDir())
	text := "name: some\nbase: {steps: 3, data: {subset: 50}, model: {hidden: [4]}, record: {every: 1, bias: 0, sharpness: 0, test: 0}}\nseeds: 2\n"
	if err := os.WriteFile("some.yaml", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, stderr, code := shadowflow("sweep", "some.yaml", "--quiet"); code != exitDone {
		t.Fatal(stderr)
	}
	members, err := filepath.Glob("sweeps/some/runs/0001-*")
	if err != nil || len(members) != 1 {
		t.Fatal(members, err)
	}
	if err := os.WriteFile(filepath.Join(members[0], "config.yaml"), []byte("steps: ["), 0o644); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]int{
		"sweep sweeps/some --quiet": exitFailed, "sweep sweeps/some --retry-failed --json": exitFailed, "sweep run-one sweeps/some 1": exitFailed,
		"sweep status sweeps/some": exitDone, "sweep table sweeps/some": exitDone, "sweep plan sweeps/some --probe 0": exitDone,
		"export sweeps/some --format tensorboard": exitFailed,
	} {
		t.Run(args, func(t *testing.T) {
			stdout, stderr, code := shadowflow(strings.Fields(args)...)
			if code != want || !strings.Contains(stdout+stderr, "config.yaml was altered") || strings.Contains(stderr, "(--retry-failed makes them again)") {
				t.Errorf("code %d, want %d: %s%s", code, want, stdout, stderr)
			}
		})
	}
}

// fullDevice takes so many bytes.
type fullDevice struct{ left int }

func (d *fullDevice) Write(p []byte) (int, error) {
	n := min(len(p), d.left)
	d.left -= n
	if n < len(p) {
		return n, errors.New("no space left on device")
	}
	return n, nil
}

func TestWhatCouldNotBePrintedWasNotDone(t *testing.T) {
	for _, args := range []string{"version", "derive adam", "config", "config --json", "optimizers", "field --json", "iterate", "reproduce --list", "data info", "help", "completion bash"} {
		t.Run(args, func(t *testing.T) {
			var stderr bytes.Buffer
			code := Main(t.Context(), strings.Fields(args), &fullDevice{left: 20}, &stderr)
			if code != exitFailed || !strings.Contains(stderr.String(), "no space left on device") {
				t.Errorf("code %d: %q", code, stderr.String())
			}
		})
	}
}

func TestAnInterruptedCommandEndsWithTheSignal(t *testing.T) {
	for signal, want := range map[os.Signal]int{os.Interrupt: 130, syscall.SIGTERM: 143} {
		t.Run(signal.String(), func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(Interrupted{signal})
			var out, errs bytes.Buffer
			if code := Main(ctx, []string{"run", "--out", filepath.Join(t.TempDir(), "run"), "--set", "steps=1000"}, &out, &errs); code != want {
				t.Errorf("code %d, want %d: %s", code, want, errs.String())
			}
		})
	}
}

func TestAnOrderThatWasNotMeasuredIsAFailure(t *testing.T) {
	open := run.OrderErrors{Order: 2, Errors: []float64{1e-3, math.NaN()}, Slopes: []float64{math.NaN()}, Unmeasured: "the equation could not be followed at lr 1e-08"}
	one := run.OrderErrors{Order: 1, Errors: []float64{1e-3, 5e-4}, Slopes: []float64{1}}
	err := everyOrder(&run.Verification{LR: []float64{2e-8, 1e-8}, Orders: []run.OrderErrors{one, open}})
	if code := exitCode(t.Context(), err, true); code != exitFailed || !strings.Contains(err.Error(), "not measured: [2]") {
		t.Errorf("code %d, %v", code, err)
	}
}
