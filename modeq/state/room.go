package state

import (
	"shadowflow/engine"
	"shadowflow/rule"
)

// Room returns the bytes of the programs of an equation by the name that configs have for it, state-1, state-2, lift-1 or lift-2, of a rule of dim
// parameters, before any of it is taken; 0 of others. Threads is that of engine.Options.
func Room(r *rule.Rule, dim int, name string, threads int) (int64, error) {
	type program struct {
		points int
		record recording
	}
	bytes := int64(0)
	for _, p := range map[string][]program{
		"state-1": {{1, fieldOf(r, 1)}},
		"state-2": {{1, fieldOf(r, 2)}, {1, halfBack(r)}},
		"lift-1":  {{1, ownStep(r)}},
		"lift-2":  {{1, ownStep(r)}, {3, centeredLift(r)}},
	}[name] {
		in, out, err := recordElementwise(r, dim, p.points, p.record)
		if err != nil {
			return 0, err
		}
		cost, err := engine.Measure(in, out, engine.Options{Threads: threads})
		if err != nil {
			return 0, err
		}
		bytes += cost.PeakBytes
	}
	return bytes, nil
}
