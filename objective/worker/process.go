package worker

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"shadowflow/internal/plural"
	"shadowflow/internal/userfile"
	"shadowflow/internal/visible"
)

// Options say which program is the worker, and how it works.
type Options struct {
	// Command is the program and its arguments.
	Command []string
	// DType is the type of the vectors, float32 or float64.
	DType string
	// Threads is the number of threads to compute with, 0 for all processors. The worker may know better.
	Threads int
	// Seed is that of the random draws.
	Seed uint64
	// Timeout is the longest time that an answer may take.
	Timeout time.Duration
}

// Process is a worker at work. It is not for concurrent use.
type Process struct {
	opt      Options
	sum      string // see Sum
	info     Info
	cmd      *exec.Cmd
	in       io.WriteCloser
	lines    chan []byte   // of its standard output, closed at its end
	gone     chan struct{} // closed when the process has ended, with ended for its error
	ended    error
	words    *tail
	id       int64 // of the last request
	answered int64 // the last that was
	shared   *shared
	close    func() error
	lost     error // why it is of no more use; nil while it is

	theta, running []float64 // where it starts
}

// Patience with a worker's end: for what it says last, and before it is made to.
const (
	forLastWords = time.Second
	forEnd       = 2 * time.Second
)

// longestLine bounds an answer. That of open has a name and a shape for each weight.
const longestLine = 64 << 20

// Start starts a worker, asks what its loss is, and maps the vectors that both work on. The process ends with Close, and with this program
// in any case.
func Start(ctx context.Context, opt Options) (*Process, error) {
	if len(opt.Command) == 0 {
		return nil, errors.New("objective.command is empty: want the program that serves the loss and its arguments, like [python3, model.py]")
	}
	p := &Process{opt: opt, sum: sumOf(opt.Command), lines: make(chan []byte), gone: make(chan struct{}), words: &tail{}}
	p.close = sync.OnceValue(p.end)
	p.cmd = exec.Command(opt.Command[0], opt.Command[1:]...)
	p.cmd.Env = append(os.Environ(), "SHADOWFLOW_WORKER=1") // so that it can keep standard output for answers before it prints anything
	p.cmd.Stderr = p.words
	p.cmd.WaitDelay = forEnd // a child of its own may hold its standard error
	apart(p.cmd)
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("objective.command: worker %s does not start: %w", p, err)
	}
	go p.read(out)
	if err := p.open(ctx); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// String returns the command, as messages show it.
func (p *Process) String() string { return visible.Name(strings.Join(p.opt.Command, " ")) }

// PID returns the process's number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Info returns what the worker said of its loss.
func (p *Process) Info() Info { return p.info }

// open asks what the loss is, and maps the vectors.
func (p *Process) open(ctx context.Context) error {
	r, err := p.call(ctx, "what its loss is", request{Do: doOpen, Protocol: Protocol, DType: p.opt.DType, Threads: p.opt.Threads, Seed: p.opt.Seed})
	if err != nil {
		return err
	}
	if err := r.check(p.opt.DType); err != nil {
		return p.fault("what its loss is", "%v", err)
	}
	p.info = r.Info
	dim, _ := sizeOf("blocks", p.info.Blocks)
	running, _ := sizeOf("running", p.info.Running)
	if p.shared, err = newShared(p.opt.DType, dim, running); err != nil {
		return fmt.Errorf("worker %s: memory for vectors of its %s: %w", p, plural.Count(dim, "parameter"), err)
	}
	_, err = p.call(ctx, "to map the vectors", request{
		Do: doMap, Path: p.shared.path, Bytes: len(p.shared.bytes),
		Theta: p.shared.at(atTheta), Running: p.shared.at(atRunning), Averaged: p.shared.at(atAveraged),
	})
	if p.shared.unlink(); err != nil {
		return err
	}
	p.theta, p.running = p.shared.numbers(atTheta), p.shared.numbers(atRunning)
	for i, v := range slices.Concat(p.theta, p.running) {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return p.fault("where it starts", "element %d of its parameters and averages is %v: want finite numbers", i, v)
		}
	}
	return nil
}

// Start returns the parameters and the running averages that the worker begins with.
func (p *Process) Start() (theta, running []float64) {
	return slices.Clone(p.theta), slices.Clone(p.running)
}

// mostOfFile bounds what is read of a file that the command names.
const mostOfFile = 64 << 20

// Sum returns the SHA-256 of the files that the command names, as they were when it was started: the program of the loss, mostly.
func (p *Process) Sum() string { return p.sum }

// sumOf returns the SHA-256 of the files that a command names.
func sumOf(command []string) string {
	sum := sha256.New()
	for _, word := range command {
		content, err := userfile.Read(word, mostOfFile)
		if err == nil { // else it is a program somewhere else, or no file
			fmt.Fprintf(sum, "%d:%s%d:", len(word), word, len(content))
			_, _ = sum.Write(content) // a hash takes everything
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// read passes on the lines that the worker writes, until it writes no more, and waits for its end.
func (p *Process) read(out io.Reader) {
	defer close(p.gone)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, longestLine)
	for lines.Scan() {
		p.lines <- bytes.Clone(lines.Bytes())
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		p.lines <- nil // which is no answer
	}
	close(p.lines)
	p.ended = p.cmd.Wait()
}

// call sends a request and waits for its answer; what says what is asked, for messages. A context that ends leaves the worker at work, and
// its answer is passed over when it comes.
func (p *Process) call(ctx context.Context, what string, r request) (*reply, error) {
	if p.lost != nil {
		return nil, p.lost
	}
	p.id++
	r.ID = p.id
	text, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	limit := time.NewTimer(p.opt.Timeout)
	defer limit.Stop()
	sent := make(chan error, 1) // a worker that does not read leaves the pipe full
	go func() {
		_, err := p.in.Write(append(text, '\n'))
		sent <- err
	}()
	for {
		select {
		case err := <-sent:
			if sent = nil; err != nil {
				return nil, p.died(what)
			}
		case line, ok := <-p.lines:
			if !ok {
				return nil, p.died(what)
			}
			if answer, err := p.answer(what, line); err != nil || answer != nil {
				p.answered = p.id
				return answer, err
			}
		case <-limit.C:
			return nil, p.hangs(what)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// answer reads a line: nil if it answers an earlier request.
func (p *Process) answer(what string, line []byte) (*reply, error) {
	a := &reply{}
	err := json.Unmarshal(line, a)
	switch {
	case line == nil:
		return nil, p.fault(what, "a line of more than %d bytes is no answer", longestLine)
	case err != nil || a.ID == nil:
		text := visible.Name(string(line))
		if err != nil && bytes.HasPrefix(bytes.TrimSpace(line), []byte("{")) {
			text += fmt.Sprintf(" (%s)", visible.Name(err.Error()))
		}
		return nil, p.fault(what, "it printed %s to its standard output, where only answers belong: want prints on standard error", text)
	case *a.ID < p.id && *a.ID > 0:
		return nil, nil
	case *a.ID != p.id:
		return nil, p.fault(what, "its answer has the id %d: want %d", *a.ID, p.id)
	case a.Error != "":
		return nil, fmt.Errorf("worker %s, asked %s: %s%s", p, what, visible.String(clip(a.Error)), p.words.text())
	}
	return a, nil
}

// fault says what a worker did wrong. It is of no more use, and is made to end, so that all that it said is there.
func (p *Process) fault(what, format string, args ...any) error {
	if p.cmd != nil {
		kill(p.cmd)
		p.await(time.After(forLastWords))
	}
	p.lost = fmt.Errorf("worker %s, asked %s: %s%s", p, what, fmt.Sprintf(format, args...), p.words.text())
	return p.lost
}

// await waits for the process's end, or that of patience.
func (p *Process) await(late <-chan time.Time) {
	for lines := p.lines; ; {
		select {
		case _, ok := <-lines:
			if !ok {
				lines = nil
			}
		case <-p.gone:
			return
		case <-late:
			return
		}
	}
}

// died says how a worker ended that was to answer.
func (p *Process) died(what string) error {
	how := "it closed its standard output"
	select {
	case <-p.gone:
		if how = "it ended before it answered"; p.ended != nil {
			how = "it ended: " + p.ended.Error()
		}
	case <-time.After(forLastWords):
	}
	return p.fault(what, "%s", how)
}

func (p *Process) hangs(what string) error {
	return p.fault(what, "no answer for %v: want a larger objective.timeout if it takes that long", p.opt.Timeout)
}

// Close ends the worker. Later calls do nothing.
func (p *Process) Close() error {
	if p == nil {
		return nil
	}
	return p.close()
}

func (p *Process) end() error {
	_ = p.in.Close() // upon which it is to end
	late := time.After(forEnd)
	if p.lost != nil {
		late = time.After(0)
	}
	for lines := p.lines; ; {
		select {
		case _, ok := <-lines:
			if !ok {
				lines = nil
			}
			continue
		case <-late:
			kill(p.cmd)
			continue
		case <-p.gone:
		}
		break
	}
	kill(p.cmd) // what it left of its group
	if p.lost == nil {
		p.lost = fmt.Errorf("worker %s was closed", p)
	}
	if p.shared == nil {
		return nil
	}
	return p.shared.close()
}

// clip bounds a text that a worker wrote, from its end: there a traceback says what went wrong.
func clip(text string) string {
	if len(text) <= mostWords {
		return text
	}
	return "..." + text[len(text)-mostWords:]
}

// mostWords bounds what is told of a worker's last words, in bytes.
const mostWords = 2000

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	if n := len(t.kept); n > 2*mostWords {
		t.kept = append(t.kept[:0], t.kept[n-mostWords:]...)
	}
	return len(p), nil
}

// forget drops what was written.
func (t *tail) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = nil
}

// text returns the last words for the end of a message, "" without any.
func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	words := strings.TrimSpace(string(t.kept))
	if words == "" {
		return ""
	}
	return "\nits last words:\n  " + strings.ReplaceAll(visible.String(clip(words)), "\n", "\n  ")
}
