package memory

import (
	"runtime/debug"
	"testing"
)

func TestThePeakIsOfWhatCameSinceItWasReset(t *testing.T) {
	const size = 64 << 20
	touch := func() {
		b := make([]byte, size)
		for i := 0; i < size; i += 4096 {
			b[i] = 1
		}
	}
	before := Peak()
	if before == 0 || !ResetPeak() {
		t.Skip("this system does not say what is resident")
	}
	touch()
	with := Peak()
	debug.FreeOSMemory()
	if !ResetPeak() {
		t.Fatal("not reset again")
	}
	if without := Peak(); with < size || without > with-size/2 {
		t.Errorf("%d bytes at the peak of using %d, %d afterwards", with, size, without)
	}
}
