package run

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/internal/version"
	"shadowflow/schema"
)

// Peers are the runs of a sweep that were made before, by what they were made of: the program, and the contents of what they read. A run that begins or goes
// on beside them is compared with them, so that no sweep mixes runs of different data unless that is meant. A nil *Peers compares with none. It is for
// concurrent use.
type Peers struct {
	mu       sync.Mutex
	programs []peerProgram
	read     map[string][]peerContent // by what the config says of it
}

type peerProgram struct {
	of  string // the directory of the run
	was version.Program
}

type peerContent struct{ of, sum string }

// Add adds a run that has ended, of a config, in a directory. One of an earlier version does not say what it read, and is compared with nothing; nor is the
// program where version.json is no longer what says it.
func (p *Peers) Add(c *config.Config, dir string, result *Result) {
	var program version.Program
	err := record.ReadVersion(dir, &program)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil && !slices.ContainsFunc(p.programs, func(q peerProgram) bool { return q.was == program }) {
		p.programs = append(p.programs, peerProgram{dir, program})
	}
	p.add(c, dir, result.Read)
}

func (p *Peers) add(c *config.Config, dir string, read map[string]string) {
	for key, sum := range read {
		at := decidedBy(c, key)
		if p.read == nil {
			p.read = map[string][]peerContent{}
		}
		if !slices.ContainsFunc(p.read[at], func(q peerContent) bool { return q.sum == sum }) {
			p.read[at] = append(p.read[at], peerContent{dir, sum})
		}
	}
}

// begin compares a run with the first of its peers, and makes it one of them unless it is refused: because something differs of which no peer has been made,
// and that is not accepted. It returns what differs, a sentence each.
func (p *Peers) begin(c *config.Config, dir string, read map[string]string, accept bool) (changes []string, refused bool) {
	if p == nil {
		return nil, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := version.Current()
	same := func(q peerProgram) bool { return len(q.was.Changes(now)) == 0 }
	if len(p.programs) > 0 {
		for _, change := range p.programs[0].was.Changes(now) {
			changes = append(changes, fmt.Sprintf("the program: %s (%s)", change, p.programs[0].of))
		}
		refused = !slices.ContainsFunc(p.programs, same)
	}
	for _, key := range slices.Sorted(maps.Keys(read)) {
		there := p.read[decidedBy(c, key)]
		if len(there) == 0 || there[0].sum == read[key] {
			continue
		}
		changes = append(changes, fmt.Sprintf("%s (%s)", contentsChanged(c, key, there[0].sum, read[key]), there[0].of))
		refused = refused || !slices.ContainsFunc(there, func(q peerContent) bool { return q.sum == read[key] })
	}
	if refused = refused && !accept; !refused {
		p.add(c, dir, read)
	}
	return changes, refused
}

// parts are the sections and keys of a config that decide, with the contents of files, what is read under each name: two runs that have them in common
// read the same of the same files.
var parts = map[string][]string{
	dataContent:     {"data.", "model.context"},
	workerContent:   {"objective.command"},
	networkContent:  {"model.path"},
	weightsContent:  {"data.", "model.", "loss"},
	momentsContent:  {"data.", "model.", "loss", "dtype", "optimizer."},
	scheduleContent: {"schedule.", "steps", "optimizer.moments_steps"},
}

// decidedBy returns, as text, what a config says of what is read under a name.
func decidedBy(c *config.Config, name string) string {
	values := schema.Load(*c)
	text := name
	for _, key := range slices.Sorted(maps.Keys(values)) {
		within := func(part string) bool {
			return key == part || strings.HasSuffix(part, ".") && strings.HasPrefix(key, part)
		}
		if key != "optimizer.lr" && slices.ContainsFunc(parts[name], within) {
			text += fmt.Sprintf("\n%s: %s", key, schema.Format(values[key]))
		}
	}
	return text
}

// goesOn makes a run one of the peers that was compared with them when it began.
func (p *Peers) goesOn(c *config.Config, dir string, read map[string]string) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.add(c, dir, read)
}

// besidePeers returns what a run that begins differs in from the others of its sweep: an error, unless that is accepted, or was for another of them.
func besidePeers(r runner, c *config.Config, dir string, opt Options) ([]string, error) {
	changes, refused := opt.Peers.begin(c, dir, r.reads(), opt.AcceptChanged)
	if refused {
		return nil, &ChangedError{Dir: dir, What: changes, Peers: true}
	}
	for i, change := range changes {
		changes[i] = "unlike earlier runs of the sweep: " + change
	}
	return changes, nil
}
