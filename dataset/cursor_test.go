package dataset

import (
	"bytes"
	"runtime"
	"testing"
)

// A few bytes that announce gigabytes must not make a reader allocate them.
func TestHeadersThatLieTakeLittleMemory(t *testing.T) {
	npy := npyOf("<f8", "(20000, 3000)", make([]byte, 100))
	for name, parse := range map[string]func() error{
		"IDX images": func() error {
			_, err := parseIDXImages(&cursor{r: bytes.NewReader(idxFile(0x803, []uint32{60000, 100, 100}, nil))})
			return err
		},
		"IDX labels": func() error {
			_, err := parseIDXLabels(&cursor{r: bytes.NewReader(idxFile(0x801, []uint32{1 << 30}, nil))})
			return err
		},
		"NumPy array": func() error {
			c := &cursor{r: bytes.NewReader(npy)}
			h, err := parseNPYHeader(c)
			if err != nil {
				return err
			}
			_, err = readNPYInputs(c, h)
			return err
		},
		"PNG": func() error { return decodeImage(make([]uint8, 3), "f", pngHeader(8000), 1) },
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := parse()
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Error("no error")
			}
			if taken := after.TotalAlloc - before.TotalAlloc; taken > 4<<20 {
				t.Errorf("%d bytes taken", taken)
			}
		})
	}
}
