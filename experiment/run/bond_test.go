package run

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"testing"

	"shadowflow/rule/stepsize"
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
