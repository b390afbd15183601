package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"shadowflow/internal/memory"
)

// TestMain plays a peer where a test asks for one: the test's own binary stands for the interpreter.
func TestMain(m *testing.M) {
	if manner := os.Getenv("SHADOWFLOW_TEST_PEER"); manner != "" {
		playPeer(manner)
		return
	}
	os.Exit(m.Run())
}

// playPeer answers as peers/worker.py does; a manner is how it ends.
func playPeer(manner string) {
	if manner == "mute" {
		fmt.Fprintln(os.Stderr, "ModuleNotFoundError: No module named 'torch'")
		os.Exit(1)
	}
	fmt.Println(`{"peer": "torch", "version": "2", "device": "cpu, 1 threads"}`)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var asked struct {
			Do, Work, Setting string
			Runs              int
		}
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			panic(err)
		}
		switch {
		case asked.Do == "settings" && asked.Work == "two-parameter-gradient":
			fmt.Println(`{"settings": ["slow", "fast", "broken"]}`)
		case asked.Do == "settings":
			fmt.Println(`{"settings": []}`)
		case asked.Do == "compile" && asked.Setting == "broken":
			fmt.Println(`{"error": "RuntimeError: no"}`)
		case asked.Do == "run" && manner == "dies":
			fmt.Fprintln(os.Stderr, "MemoryError")
			os.Exit(3)
		case asked.Do == "run" && asked.Runs != minRuns: // a turn has as many as ours
			fmt.Println(`{"seconds": 0}`)
		case asked.Do == "run":
			fmt.Println(map[string]string{"slow": `{"seconds": 2}`, "fast": `{"seconds": 1, "peak_bytes": 3000000}`}[asked.Setting])
		default:
			fmt.Println(`{}`)
		}
	}
}

func startPlayed(t *testing.T, manner string) (*Peer, error) {
	t.Setenv("SHADOWFLOW_TEST_PEER", manner)
	p, err := StartPeer(t.Context(), "torch", os.Args[0], 1)
	if err == nil {
		t.Cleanup(p.Close)
	}
	return p, err
}

func only(name string) func(string) bool { return func(s string) bool { return s == name } }

func TestTheFastestSettingOfAPeerCounts(t *testing.T) {
	p, err := startPlayed(t, "well")
	if err != nil {
		t.Fatal(err)
	}
	var got []Result
	var said []string
	opt := Options{Budget: time.Millisecond, Only: only("two-parameter-gradient"), Peers: []*Peer{p}, Progress: func(line string) { said = append(said, line) }}
	if err := Run(context.Background(), opt, func(r Result) { got = append(got, r) }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].PeerRatio != 1/got[0].Seconds {
		t.Fatalf("results %+v: want one, at the ratio of one second to its time", got)
	}
	peer := got[0].Fastest()
	if peer == nil || peer.Best != "fast" || peer.Seconds != 1 || len(peer.Settings) != 3 || peer.Settings[2].Error == "" || peer.Version != "2" {
		t.Errorf("peer %+v", peer)
	}
	if memory.ResetPeak() && peer != nil && peer.PeakBytes != 3000000 {
		t.Errorf("%d bytes of the fastest setting", peer.PeakBytes)
	}
	lines := 3 + rounds
	if memory.ResetPeak() { // and that memory is measured
		lines++
	}
	if len(said) != lines || !strings.HasSuffix(said[2], "torch, 3 of 3: broken: cannot: RuntimeError: no") || !strings.HasSuffix(said[3], "round 1 of 3") {
		t.Errorf("progress %q", said)
	}
	if memory.ResetPeak() && got[0].ResidentBytes < 1<<20 {
		t.Errorf("%d bytes of our own", got[0].ResidentBytes)
	}
}

// What peers/worker.py answers, of works in Python alone.
func TestThePythonOfAPeerGoesOnAfterASettingThatItCannot(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3")
	}
	p, err := startPeer(t.Context(), python, `
def describe():
    return {"peer": "stub", "version": "1", "device": "none"}

def works():
    def broken():
        raise ValueError("no such thing\nand more")
    settings = {"well": lambda: lambda: 0, "broken": broken, "too large": lambda: lambda: bytearray(1 << 50)}
    return {"two-parameter-gradient": lambda: settings}

`, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	for range 2 {
		got, err := turns(t.Context(), "two-parameter-gradient", []*Peer{p}, rounds, turnOf{time.Millisecond, minRuns}, func(string) {}, func(turnOf) error { return nil })
		if err != nil || len(got) != 1 || len(got[0].Settings) != 3 {
			t.Fatalf("%+v, %v", got, err)
		}
		s := got[0].Settings
		if got[0].Peer != "stub" || got[0].Best != "well" || !(s[0].Seconds > 0) || s[1].Error != "ValueError: no such thing" || !strings.HasPrefix(s[2].Error, "MemoryError") {
			t.Errorf("%+v", got[0])
		}
	}
	if peak, err := p.alone(t.Context(), "two-parameter-gradient", "well", minRuns); err != nil || memory.ResetPeak() && peak < 1<<20 {
		t.Errorf("%d bytes of a process with one setting, %v", peak, err)
	}
	if _, err := p.alone(t.Context(), "two-parameter-gradient", "broken", minRuns); err == nil || err.Error() != "ValueError: no such thing" {
		t.Errorf("of a setting that it cannot: %v", err)
	}
	if names, err := p.settings("another"); err != nil || len(names) > 0 {
		t.Errorf("another work has %q, %v", names, err)
	}
}

func TestAPeerWithoutTheWorkIsLeftOut(t *testing.T) {
	p, err := startPlayed(t, "well")
	if err != nil {
		t.Fatal(err)
	}
	own := 0
	got, err := turns(t.Context(), "another", []*Peer{p}, rounds, turnOf{time.Millisecond, minRuns}, func(string) {}, func(turnOf) error { own++; return nil })
	if err != nil || len(got) != 0 || own != rounds {
		t.Errorf("%+v, %v, %d turns of our own", got, err, own)
	}
}

func TestAPeerThatEndsSaysItsLastWords(t *testing.T) {
	if _, err := startPlayed(t, "mute"); err == nil || !strings.Contains(err.Error(), "No module named 'torch'") {
		t.Errorf("not started: %v", err)
	}
	p, err := startPlayed(t, "dies")
	if err != nil {
		t.Fatal(err)
	}
	var got []Result
	opt := Options{Budget: time.Millisecond, Only: only("two-parameter-gradient"), Peers: []*Peer{p}}
	for range 2 {
		if err := Run(t.Context(), opt, func(r Result) { got = append(got, r) }); err != nil {
			t.Fatal(err)
		}
	}
	if len(got) != 2 || len(got[0].Peers) != 1 || len(got[1].Peers) != 0 || got[0].Fastest() != nil || !(got[1].Seconds > 0) {
		t.Fatalf("results %+v", got)
	}
	died := got[0].Peers[0]
	for _, why := range []string{died.Ended, died.Settings[0].Error, died.Settings[1].Error} {
		if !strings.Contains(why, "MemoryError") || !strings.Contains(why, "exit status 3") {
			t.Errorf("it died of %q", why)
		}
	}
	if last := died.Settings[2].Error; last != "RuntimeError: no" {
		t.Errorf("its last setting says %q", last)
	}
}

func TestAPeerThatAContextEndsEndsTheWork(t *testing.T) {
	p, err := startPlayed(t, "dies")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	own := func(turnOf) error { cancel(); return nil }
	if got, err := turns(ctx, "two-parameter-gradient", []*Peer{p}, rounds, turnOf{time.Millisecond, minRuns}, func(string) {}, own); err == nil {
		t.Errorf("%+v", got)
	}
}

func TestWhatWasMeasuredBeforeAWorkIsBrokenOffIsKept(t *testing.T) {
	p, err := startPlayed(t, "works")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	turn := 0
	own := func(turnOf) error {
		if turn++; turn == 2 {
			cancel()
		}
		return nil
	}
	got, err := turns(ctx, "two-parameter-gradient", []*Peer{p}, rounds, turnOf{time.Millisecond, minRuns}, func(string) {}, own)
	if !errors.Is(err, context.Canceled) || len(got) != 1 || !(got[0].Seconds > 0) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestUnknownPeersAndInterpretersAreNamed(t *testing.T) {
	if _, err := StartPeer(t.Context(), "caffe", "", 1); err == nil || !errors.Is(err, ErrNoPeer) || !strings.Contains(err.Error(), `"caffe"; there are jax, torch`) {
		t.Errorf("%v", err)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := interpreter(t.Context(), "a_module_that_nobody_has"); err == nil || !strings.Contains(err.Error(), "--python") {
		t.Errorf("%v", err)
	}
}

// The works of the peers are written by hand: their names must be ours.
func TestEveryPeersWorkIsOneOfOurs(t *testing.T) {
	ours := map[string]bool{}
	for _, w := range Works() {
		ours[w.Name] = true
	}
	for peer, script := range scripts {
		_, works, _ := strings.Cut(script, "\ndef works():")
		n := 0
		for line := range strings.Lines(works) {
			name, isWork := strings.CutPrefix(line, `        "`)
			if name, _, _ = strings.Cut(name, `"`); !isWork {
				continue
			}
			if n++; !ours[name] {
				t.Errorf("a peer's work %q is none of ours", name)
			}
		}
		lacking := map[string]int{"torch": 1, "jax": 2} // the loss of two parameters, and eigenvalues
		if want := len(Works()) - lacking[peer]; n != want {
			t.Errorf("%s has %d works, want %d", peer, n, want)
		}
	}
}
