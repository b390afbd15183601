package bench

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"time"
)

var (
	//go:embed peers/torch_works.py
	torchWorks string
	//go:embed peers/jax_works.py
	jaxWorks string
	//go:embed peers/worker.py
	worker string
)

// scripts are the works as each framework has them.
var scripts = map[string]string{"torch": torchWorks, "jax": jaxWorks}

// PeerNames are the frameworks that the works are written in too.
var PeerNames = slices.Sorted(maps.Keys(scripts))

// ErrNoPeer says that a peer is none of PeerNames.
var ErrNoPeer = errors.New("no such peer")

// A Peer is another framework at work beside this program, in a process of its own that lives until Close.
type Peer struct {
	Name    string `json:"peer"`
	Version string `json:"version"`
	Device  string `json:"device"`

	cmd     *exec.Cmd
	ask     io.WriteCloser
	answers *bufio.Reader
	stderr  *tail
	ended   bool                                     // it is asked for nothing more
	again   func(ctx context.Context) (*Peer, error) // starts another like it
}

// A Setting is a way in which a peer does a work, with the time of its fastest run, or why it cannot.
type Setting struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds,omitempty"`
	Error   string  `json:"error,omitempty"`
}

// StartPeer starts a peer on so many threads in the given interpreter; an empty one stands for the first python3 that has the framework.
// The error says what is missing. The peer ends with the context.
func StartPeer(ctx context.Context, name, python string, threads int) (*Peer, error) {
	works, ok := scripts[name]
	if !ok {
		return nil, fmt.Errorf("%w: %q; there are %s", ErrNoPeer, name, strings.Join(PeerNames, ", "))
	}
	if python == "" {
		var err error
		if python, err = interpreter(ctx, name); err != nil {
			return nil, err
		}
	}
	return startPeer(ctx, python, works, threads)
}

// startPeer starts a peer that has the works of a script.
func startPeer(ctx context.Context, python, works string, threads int) (*Peer, error) {
	p := &Peer{cmd: exec.CommandContext(ctx, python, "-c", works+worker, fmt.Sprint(threads)), stderr: &tail{}}
	p.again = func(ctx context.Context) (*Peer, error) { return startPeer(ctx, python, works, threads) }
	p.cmd.Stderr = p.stderr
	p.cmd.WaitDelay = 5 * time.Second
	ask, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	p.ask = ask
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.answers = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("the interpreter of the peers: %w; --python names another", err)
	}
	if err := p.answer(p); err != nil {
		p.Close()
		return nil, fmt.Errorf("the interpreter of the peers: %w; --python names another", err)
	}
	return p, nil
}

// Close ends the peer.
func (p *Peer) Close() {
	p.ask.Close()
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// settings returns the names of the ways in which the peer does a work.
func (p *Peer) settings(work string) ([]string, error) {
	var got struct{ Settings []string }
	err := p.call(map[string]any{"do": "settings", "work": work}, &got)
	return got.Settings, err
}

// compile makes a setting of the work that was asked for last ready to run, by as many runs as a turn has, and returns why the peer cannot, if so.
func (p *Peer) compile(setting string, t turnOf) (cannot string, err error) {
	var got struct{ Error string }
	err = p.call(map[string]any{"do": "compile", "setting": setting, "runs": t.runs}, &got)
	return got.Error, err
}

// run runs a setting for about so long and returns the time of the fastest run, and the most memory that was resident meanwhile, 0 if that is
// not known.
func (p *Peer) run(setting string, t turnOf) (seconds float64, peak int64, err error) {
	var got struct {
		Seconds   float64
		PeakBytes int64 `json:"peak_bytes"`
	}
	err = p.call(map[string]any{"do": "run", "setting": setting, "seconds": t.budget.Seconds(), "runs": t.runs}, &got)
	if err == nil && !(got.Seconds > 0) {
		err = fmt.Errorf("%s: %g seconds", p.Name, got.Seconds)
	}
	return got.Seconds, got.PeakBytes, err
}

// drop forgets the work and frees its memory.
func (p *Peer) drop() error { return p.call(map[string]any{"do": "drop"}, &struct{}{}) }

func (p *Peer) call(what map[string]any, answer any) error {
	line, err := json.Marshal(what)
	if err != nil {
		return err
	}
	if _, err := p.ask.Write(append(line, '\n')); err != nil {
		return p.died(err)
	}
	return p.answer(answer)
}

func (p *Peer) answer(into any) error {
	line, err := p.answers.ReadBytes('\n')
	if err != nil {
		return p.died(err)
	}
	if err := json.Unmarshal(line, into); err != nil {
		return fmt.Errorf("%s answered %q: %w", p.cmd.Path, line, err)
	}
	return nil
}

// died says what a peer that answers no more has said last.
func (p *Peer) died(err error) error {
	p.cmd.Process.Kill()
	wait, last := p.cmd.Wait(), p.stderr.last()
	switch {
	case !errors.Is(err, io.EOF):
	case wait != nil:
		err = wait
	default:
		err = errors.New("it ended without an answer")
	}
	if last != "" {
		last = ": " + last
	}
	return fmt.Errorf("%s: %w%s", p.cmd.Path, err, last)
}

// interpreter returns a python3 that has a module: that of the path, or the system's own.
func interpreter(ctx context.Context, module string) (string, error) {
	candidates := []string{"python3", "/usr/bin/python3"}
	for _, python := range candidates {
		if exec.CommandContext(ctx, python, "-c", "import "+module).Run() == nil {
			return python, nil
		}
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	return "", fmt.Errorf("no %s in any of %s: install it (pip install %[1]s), or name an interpreter that has it: --python", module,
		strings.Join(candidates, ", "))
}

// A tail keeps the end of what is written to it.
type tail struct{ kept []byte }

func (t *tail) Write(b []byte) (int, error) {
	const most = 4096
	t.kept = append(t.kept, b...)
	t.kept = t.kept[max(0, len(t.kept)-most):]
	return len(b), nil
}

func (t *tail) last() string {
	lines := strings.Split(strings.TrimSpace(string(t.kept)), "\n")
	return lines[len(lines)-1]
}

// A turnOf says what a turn is, ours or a peer's: about so long, and so many runs at least. The first may find the caches as another left them.
type turnOf struct {
	budget time.Duration
	runs   int
}

// turns has this program, own, and each setting of each peer do a work in turn, so that what else the machine does hits all alike, once in
// each of so many rounds. It returns the peers that have the work, with the times of their settings; one that ends does nothing
// from then on, and the others go on. It tells say how far they are. Broken off behind
// a first round, it returns what they have so far with the error.
func turns(ctx context.Context, work string, peers []*Peer, rounds int, t turnOf, say func(string), own func(turnOf) error) ([]PeerResult, error) {
	results := make([]PeerResult, len(peers))
	for i, p := range peers {
		results[i] = PeerResult{Peer: p.Name, Version: p.Version, Device: p.Device}
		if err := results[i].prepare(ctx, p, work, t, say); err != nil {
			return nil, err
		}
	}
	for round := range rounds {
		if len(peers) > 0 {
			say(fmt.Sprintf("%s: round %d of %d", work, round+1, rounds))
		}
		if err := aRound(ctx, peers, results, t, own); err != nil {
			if round == 0 {
				return nil, err
			}
			return having(results), err
		}
	}
	for i, p := range peers {
		if !p.ended {
			if err := results[i].end(ctx, p, p.drop()); err != nil {
				return nil, err
			}
		}
	}
	return having(results), nil
}

// having returns the results of peers that have the work, or that ended in it.
func having(results []PeerResult) []PeerResult {
	return slices.DeleteFunc(results, func(r PeerResult) bool { return len(r.Settings) == 0 && r.Ended == "" })
}

// aRound is one of turns.
func aRound(ctx context.Context, peers []*Peer, results []PeerResult, t turnOf, own func(turnOf) error) error {
	if err := own(t); err != nil {
		return err
	}
	for i, p := range peers {
		for j := range results[i].Settings {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := results[i].turn(ctx, p, j, t); err != nil {
				return err
			}
		}
	}
	return nil
}

// A PeerResult is what a peer measured of a work.
type PeerResult struct {
	Peer     string    `json:"peer"`
	Version  string    `json:"version"`
	Device   string    `json:"device"`
	Best     string    `json:"best,omitempty"`    // the fastest setting
	Seconds  float64   `json:"seconds,omitempty"` // its time
	Settings []Setting `json:"settings"`
	Ended    string    `json:"ended,omitempty"` // why it did no more, if it ended in this work
	// PeakBytes is, of the fastest peer, the most that a process had resident that does nothing but this work in the fastest setting; 0 if that is not known.
	PeakBytes int64 `json:"peak_bytes,omitempty"`
}

// remember measures the memory of the fastest setting, in a process that has no other: that of the turns holds the programs of all.
func (r *PeerResult) remember(ctx context.Context, peers []*Peer, work string, runs int, say func(string)) error {
	i := slices.IndexFunc(peers, func(p *Peer) bool { return p.Name == r.Peer })
	if i < 0 || peers[i].ended || r.Best == "" {
		return nil
	}
	say(fmt.Sprintf("%s: %s, the memory of %s, in a process of its own", work, r.Peer, r.Best))
	var err error
	r.PeakBytes, err = peers[i].alone(ctx, work, r.Best, runs)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil { // it did that before: what is not known is not said
		say(fmt.Sprintf("%s: %s, the memory is not known: %v", work, r.Peer, err))
	}
	return nil
}

// alone returns the most that a process had resident that did a work in one setting so often.
func (p *Peer) alone(ctx context.Context, work, setting string, runs int) (int64, error) {
	one, err := p.again(ctx)
	if err != nil {
		return 0, err
	}
	defer one.Close()
	if _, err := one.settings(work); err != nil {
		return 0, err
	}
	cannot, err := one.compile(setting, turnOf{runs: runs})
	if err != nil {
		return 0, err
	}
	if cannot != "" {
		return 0, errors.New(cannot)
	}
	_, peak, err := one.run(setting, turnOf{runs: runs})
	return peak, err
}

// end notes the error, if any, with which a peer ended, unless that is the context's doing.
func (r *PeerResult) end(ctx context.Context, p *Peer, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	p.ended, r.Ended = true, err.Error()
	for j := range r.Settings {
		if s := &r.Settings[j]; s.Seconds == 0 && s.Error == "" {
			s.Error = r.Ended
		}
	}
	return nil
}

// prepare compiles a work in every setting; those that the peer cannot do carry an error.
func (r *PeerResult) prepare(ctx context.Context, p *Peer, work string, t turnOf, say func(string)) error {
	if p.ended {
		return nil
	}
	names, err := p.settings(work)
	if err != nil {
		return r.end(ctx, p, err)
	}
	for _, name := range names {
		r.Settings = append(r.Settings, Setting{Name: name})
	}
	for j := range r.Settings {
		if err := ctx.Err(); err != nil {
			return err
		}
		s, start := &r.Settings[j], time.Now()
		if s.Error, err = p.compile(s.Name, t); err != nil {
			return r.end(ctx, p, err)
		}
		ready := "ready after " + time.Since(start).Round(100*time.Millisecond).String()
		if s.Error != "" {
			ready = "cannot: " + s.Error
		}
		say(fmt.Sprintf("%s: %s, %d of %d: %s: %s", work, p.Name, j+1, len(names), s.Name, ready))
	}
	return nil
}

// turn has setting j take one.
func (r *PeerResult) turn(ctx context.Context, p *Peer, j int, t turnOf) error {
	s := &r.Settings[j]
	if s.Error != "" || p.ended {
		return nil
	}
	seconds, _, err := p.run(s.Name, t)
	if err != nil {
		return r.end(ctx, p, err)
	}
	if s.Seconds == 0 || seconds < s.Seconds {
		s.Seconds = seconds
	}
	if r.Seconds == 0 || s.Seconds < r.Seconds {
		r.Best, r.Seconds = s.Name, s.Seconds
	}
	return nil
}
