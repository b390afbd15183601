package sweep

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"

	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/experiment/run"
	"shadowflow/schema"
)

// halving is the section of a sweep's file that stops hopeless runs early: successive halving (Jamieson and Talwalkar, 2016). At the steps first, first*eta,
// first*eta^2, and so on, its rungs, the best of eta runs go on.
//
// What is decided at a rung depends on nothing but what all of its runs have recorded, which is the same however many go on at once, and wherever they were interrupted. So
// decisions are kept nowhere: they are made anew from the histories, by whoever asks.
type halving struct {
	First int     `yaml:"first" doc:"step of the first rung" range:"[1,1000000000]"`
	Eta   float64 `yaml:"eta" doc:"one of so many goes on at a rung, and the next rung is at so many times its step" range:"(1,1000]"`
	By    string  `yaml:"by" doc:"what is compared: the lowest loss, over all examples where that is recorded, the lowest test_loss or the highest test_accuracy" oneof:"loss|test_loss|test_accuracy"`
}

var halvingSchema = schema.New(schema.KeysOf(struct {
	Halving halving `yaml:"halving"`
}{halving{First: 100, Eta: 3, By: "loss"}}))

// readHalving keeps the section as it was given.
func (s *Spec) readHalving(at schema.Setting) error {
	inside, ok := at.Value.([]schema.Setting)
	if !ok {
		return at.KeyError("halving", "expected keys and values, like {first: 100, eta: 3, by: loss}; leave it out for none")
	}
	s.Halving = inside
	return nil
}

// resolveHalving returns what a section says, nil where there is none; at is where it stands, if it was read.
func resolveHalving(inside []schema.Setting, at schema.Setting) (*halving, error) {
	if inside == nil {
		return nil, nil
	}
	if at.Key == "" {
		at = schema.Set("halving", inside)
	}
	r := halvingSchema.Resolve([]schema.Setting{at})
	if err := r.Err(); err != nil {
		return nil, err
	}
	var of struct {
		Halving halving `yaml:"halving"`
	}
	r.Values.Store(&of)
	return &of.Halving, nil
}

// rungs returns the steps below a number of steps at which runs of so many are compared.
func (h *halving) rungs(steps int) []int {
	var out []int
	for at := float64(h.First); at < float64(steps); at *= h.Eta {
		if r := int(at); len(out) == 0 || r > out[len(out)-1] {
			out = append(out, r)
		}
	}
	return out
}

// Stages returns how often each run is to be asked to go on until all have ended: once, and with halving once more for each rung.
func (s *Sweep) Stages() int {
	if s.halving == nil {
		return 1
	}
	steps := 0
	for _, r := range s.Runs {
		steps = max(steps, r.Config.Steps)
	}
	return len(s.halving.rungs(steps)) + 1
}

// A member is runs that differ in their seeds alone: they go on, or stop, together.
type member struct {
	runs  []int
	steps int
	value float64 // at the rung; +Inf is the worst
}

// halve says of each run how far it may go, and which are stopped. It looks at the rungs in turn, as far as all runs of a rung have come to it.
func (s *Sweep) halve(statuses []Status) {
	if s.halving == nil {
		return
	}
	records := make([]recorded, len(statuses))
	going := map[int]*member{}
	var members []*member
	most := 0
	for i := range statuses {
		records[i] = s.recorded(&statuses[i])
		first := statuses[i].Run.alike
		if going[first] == nil {
			going[first] = &member{steps: statuses[i].Run.Config.Steps}
			members = append(members, going[first])
		}
		going[first].runs = append(going[first].runs, i)
		most = max(most, statuses[i].Run.Config.Steps)
	}
	for _, step := range s.halving.rungs(most) {
		members = slices.DeleteFunc(members, func(m *member) bool { return m.steps <= step }) // they end before
		kept := int(math.Ceil(float64(len(members)) / s.halving.Eta))
		if kept >= len(members) { // there is nothing to wait for
			continue
		}
		all, measured := s.decide(statuses, records, members, step)
		if !all {
			return
		}
		if !measured { // nothing says which are hopeless
			continue
		}
		slices.SortStableFunc(members, func(a, b *member) int { return cmp.Compare(a.value, b.value) })
		for place, m := range members[kept:] {
			for _, i := range m.runs {
				statuses[i].stop(fmt.Sprintf("stopped early at step %d of %d: by %s it was number %d of %d, and halving keeps %d",
					step, m.steps, s.halving.By, kept+place+1, len(members), kept))
			}
		}
		members = members[:kept]
		slices.SortFunc(members, func(a, b *member) int { return cmp.Compare(a.runs[0], b.runs[0]) })
	}
}

// decide gives members their values at a rung, and reports whether all have come there, and whether any has measured what is compared. Where not all have come, their runs go as far
// as the rung.
func (s *Sweep) decide(statuses []Status, records []recorded, members []*member, step int) (all, measured bool) {
	all = true
	for _, m := range members {
		m.value = 0
		for _, i := range m.runs {
			value, known := records[i].at(step)
			measured = measured || !math.IsNaN(value)
			if math.IsNaN(value) {
				value = math.Inf(1)
			}
			m.value += value / float64(len(m.runs))
			all = all && known
		}
	}
	if all {
		return true, measured
	}
	for _, m := range members {
		for _, i := range m.runs {
			_, known := records[i].at(step)
			statuses[i].pause, statuses[i].waits = step, known && statuses[i].State != Failed
		}
	}
	return false, measured
}

// stop notes that a run that has not ended is left at that.
func (s *Status) stop(why string) {
	if s.State == Interrupted || s.State == Pending {
		s.State, s.Reason = Stopped, why
	}
}

// recorded is what a run has recorded of what is compared.
type recorded struct {
	steps, values []float64 // of its rows
	over          bool      // there will be no more
	worst         bool      // it failed or diverged
}

// recorded reads the history of a run. One that cannot be read, and is not damaged otherwise, has recorded nothing yet.
func (s *Sweep) recorded(st *Status) recorded {
	r := recorded{over: st.State == Ended || st.State == Failed}
	r.worst = st.State == Failed || st.Result != nil && st.Result.Status == run.Diverged
	if st.State == Pending || r.worst {
		return r
	}
	h, err := record.ReadHistory(st.Dir)
	switch {
	case err != nil && errors.Is(err, fs.ErrNotExist), err != nil && st.State == Running: // a row may be half written
		return r
	case err != nil:
		*st = st.damaged(err)
		return recorded{over: true, worst: true}
	}
	r.values = s.halving.values(st.Run.Config, h)
	for _, row := range h.Rows {
		r.steps = append(r.steps, row[0].Float())
	}
	return r
}

// values returns what is compared of each row, lower ones being better, NaN where it was not measured.
func (h *halving) values(c *config.Config, from *record.History) []float64 {
	switch h.By {
	case "test_loss":
		return from.Floats("test_loss")
	case "test_accuracy":
		out := slices.Clone(from.Floats("test_accuracy"))
		for i := range out {
			out[i] = -out[i]
		}
		return out
	}
	out := FullLosses(c, from)
	if slices.ContainsFunc(out, func(x float64) bool { return !math.IsNaN(x) }) {
		return out
	}
	return from.Floats("loss")
}

// at returns the last value up to the first row of so many steps, lower ones being better, and whether it is known.
func (r recorded) at(step int) (value float64, known bool) {
	value = math.NaN()
	if r.worst {
		return value, true
	}
	for i, n := range r.steps {
		if r.values != nil && !math.IsNaN(r.values[i]) {
			value = r.values[i]
		}
		if n >= float64(step) {
			return value, true
		}
	}
	return value, r.over
}
