package run

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"shadowflow/experiment/record"
	"shadowflow/rule/stepsize"
	"shadowflow/schema"
)

// Checkpoints keep the sum, so that its numbers and their order must stay what they are: the factors, in eight bytes each.
func TestTheFactorsOfAScheduleHaveOneSumHoweverOftenItIsAsked(t *testing.T) {
	schedule := stepsize.Schedule{Shape: "cosine", Warmup: 7, Steps: 2000, Final: 0.1}
	var atOnce, inParts factors
	for _, steps := range []int{0, 1, 511, 512, 513, 1500} {
		sum := sha256.New()
		for n := range steps {
			if err := binary.Write(sum, binary.LittleEndian, schedule.At(n)); err != nil {
				t.Fatal(err)
			}
		}
		want := hex.EncodeToString(sum.Sum(nil))
		atOnce = factors{}
		if a, b := atOnce.sum(schedule, steps), inParts.sum(schedule, steps); a != want || b != want {
			t.Errorf("the sum of %d factors is %s, and %s in parts; want %s", steps, a, b, want)
		}
	}
	// A number at a time takes an allocation each.
	if n := testing.AllocsPerRun(5, func() { (&factors{}).sum(schedule, 2000) }); n > 10 {
		t.Errorf("%g allocations for 2000 factors", n)
	}
}

// reads is a run of which only what it reads matters.
type reads struct {
	runner
	contentsNow map[string]string
}

func (r reads) contents(int) map[string]string { return r.contentsNow }

func TestWhateverARunReadsIsComparedAsItGoesOn(t *testing.T) {
	const here, other = "0123456789abcdef", "fedcba9876543210"
	c := parseWith(t, "", schema.Set("objective.name", "worker"), schema.Set("objective.command", []string{"python3", "model.py"}))
	for _, key := range []string{dataContent, workerContent, networkContent, weightsContent, momentsContent, scheduleContent} {
		for name, contents := range map[string][2]map[string]string{
			"changed": {{key: here}, {key: other}}, "gone": {{key: here}, {}}, "come": {{}, {key: here}},
		} {
			t.Run(key+" "+name, func(t *testing.T) {
				r := &resumption{config: c, bond: &bond{config: c, contents: contents[0]}, at: &record.Checkpoint{Step: 3}}
				changed := r.read(reads{contentsNow: contents[1]})
				if section, _, _ := strings.Cut(key, "."); len(changed) != 1 || !strings.HasPrefix(changed[0], section) {
					t.Errorf("%q", changed)
				}
				if key == workerContent && !strings.Contains(changed[0], "model.py") {
					t.Errorf("the program is not named: %s", changed)
				}
				if same := r.read(reads{contentsNow: contents[0]}); len(same) != 0 {
					t.Errorf("of the same: %q", same)
				}
			})
		}
	}
}
