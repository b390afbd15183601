package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

var (
	calls    = flag.Int("calls", 150, "command lines that TestCallsAtRandomEndWithACode makes")
	callSeed = flag.Uint64("callseed", 0, "seed of the command lines; 0 draws one")
)

// pieces are what flags and arguments are given at random.
var pieces = []string{
	"", "0", "-1", "1", "3", "1e400", "1e-400", "NaN", "-Inf", "9999999999999999999", "x", "é\x1b[31m", "\x00", "a\nb", "=", ",", ";", "[", "{a: 1}", "1,2", "2:1.5,1:2",
	"run", "sweep.yaml", "broken.yaml", "unclosed.yaml", "notes.txt", "table.csv", "none", "..", "/dev/null", "adam", "gd", "lion", "bilinear", "network", "rosenbrock",
	"beta1=0.3,beta2=0.5,eps=1", "steps=3", "lr=1e-3", "optimizer=x", "model.hidden=[4],data.subset=20", "dtype=float64", "cold", "state", "full", "shuffled", "csv", "tensorboard",
	"hill", "bilinear", "laptop", "0.9,0.99", "true", "1MB", "5ms", "m=1,1;v=1,1",
}

// drawn returns a command line: a command, some of its flags, and arguments, right or wrong.
func drawn(r *rand.Rand) []string {
	all := leaves()
	delete(all, "data fetch") // which asks a server
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	name := names[r.IntN(len(names))]
	args := strings.Fields(name)
	piece := func() string { return pieces[r.IntN(len(pieces))] }
	if r.IntN(4) > 0 {
		args = append(args, argumentsOf[name]...)
	}
	if r.IntN(4) == 0 {
		args = append(args, piece())
	}
	cmd := all[name]
	cmd.InheritedFlags() // which are then among its own
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		switch {
		case r.IntN(5) > 0 || f.Name == "help":
		case f.Value.Type() == "bool":
			args = append(args, "--"+f.Name)
		default:
			args = append(args, "--"+f.Name+"="+piece())
		}
	})
	return args
}

// Whatever a command line is, it ends with one of the codes, says why where that is not 0, prints one value where JSON was asked for or nothing, and
// does not go on for long once it is interrupted.
func TestCallsAtRandomEndWithACode(t *testing.T) {
	if testing.Short() {
		t.Skip("nothing here depends on the kernels")
	}
	workplace(t)
	seed := *callSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-callseed=%d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	codes := map[int]int{}
	for range *calls {
		args := drawn(r)
		ctx, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, Interrupted{os.Interrupt})
		var stdout, stderr bytes.Buffer
		began := time.Now()
		code := Main(ctx, args, &stdout, &stderr)
		took := time.Since(began)
		cancel()
		codes[code]++
		if !slices.Contains([]int{exitDone, exitFailed, exitMisused, exitAgainst, 130}, code) {
			t.Errorf("%q: code %d", args, code)
		}
		if (code == exitFailed || code == exitMisused || code == exitAgainst) && !strings.Contains(stderr.String(), "shadowflow: ") {
			t.Errorf("%q: code %d, said %q", args, code, stderr.String())
		}
		if code == exitMisused && stdout.Len() > 0 {
			t.Errorf("%q is wrong, and printed %.300q", args, stdout.String())
		}
		if slices.Contains(args, "--json") && (code == exitDone || stdout.Len() > 0) && !json.Valid(stdout.Bytes()) {
			t.Errorf("%q: code %d, printed %.300q", args, code, stdout.String())
		}
		if took > 20*time.Second {
			t.Errorf("%q took %v, interrupted after 0.1 s", args, took)
		} else if took > 2*time.Second {
			t.Logf("%q took %v, interrupted after 0.1 s", args, took)
		}
	}
	t.Logf("calls by their codes: %v", codes)
}
