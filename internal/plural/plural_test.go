package plural

import "testing"

func TestANumberAgreesWithWhatItCounts(t *testing.T) {
	for _, c := range []struct {
		n          int
		noun, want string
	}{
		{1, "step", "1 step"}, {2, "step", "2 steps"}, {0, "measured step", "0 measured steps"}, {1, "mini-batch", "1 mini-batch"}, {2, "mini-batch", "2 mini-batches"},
		{3, "loss", "3 losses"}, {1297, "example", "1,297 examples"}, {-1234567, "number", "-1,234,567 numbers"}, {999, "time", "999 times"},
	} {
		if got := Of(c.n, c.noun); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestACountHasNoCommas(t *testing.T) {
	for want, got := range map[string]string{
		"1 line": Count(1, "line"), "1297 bytes": Count(int64(1297), "byte"), "0 classes": Count(uint64(0), "class"), "2 batches": Count(2, "batch"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
