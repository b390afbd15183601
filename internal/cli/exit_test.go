package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestTheExitCodeSaysHowACommandEnded(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.yaml")
	if err := os.WriteFile(broken, []byte("optimizer: {beta2: 2}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	small := " --quiet --figures=false --set data.subset=50,model.hidden=[4],steps=3,record={every: 1, bias: 0, sharpness: 0, test: 0}"
	for _, c := range []struct {
		name, args string
		want       int
	}{
		{"done", "derive adam", exitDone},
		{"help", "--help", exitDone},
		{"a run that finished", "run --out " + filepath.Join(dir, "a") + small, exitDone},
		{"an unknown command", "dervie adam", exitMisused},
		{"an unknown flag", "derive adam --latx", exitMisused},
		{"a flag without its value", "field --order x", exitMisused},
		{"too many arguments", "derive adam lion", exitMisused},
		{"an unknown optimizer", "derive adm", exitMisused},
		{"an unknown definition", "optimizers adm", exitMisused},
		{"an unknown key", "field --set beta9=1", exitMisused},
		{"a value out of range", "field --set beta2=1", exitMisused},
		{"a wrong config", "run " + broken, exitMisused},
		{"an unknown reproduction", "reproduce nothing", exitMisused},
		{"a wrong word", "field --memory none", exitMisused},
		{"an order that there is not", "field --order 13", exitMisused},
		{"an order that there is not with memory", "field --memory state --order 9", exitMisused},
		{"a file that is not there", "run " + filepath.Join(dir, "none.yaml"), exitFailed},
		{"a directory that is no run", "report " + dir, exitFailed},
		{"a run that diverged", "run --optimizer gd --out " + filepath.Join(dir, "b") + strings.Replace(small, "steps=3", "loss=mse,lr=1e5,steps=60", 1), exitAgainst},
		{"iterates that diverge", "iterate --optimizer gd --steps 1000 --set lr=50", exitAgainst},
		{"orders that do not show", "verify --optimizer heavy-ball --start cold --orders 1,2 --lr 0.1,0.05,0.025 --set beta1=0.95", exitAgainst},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := []string{}
			for i, part := range strings.Split(c.args, " --set ") {
				if i > 0 {
					args = append(args, "--set", part)
					continue
				}
				args = append(args, strings.Fields(part)...)
			}
			if _, stderr, code := shadowflow(args...); code != c.want {
				t.Errorf("code %d, want %d: %s", code, c.want, stderr)
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
