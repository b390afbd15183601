package dataset

import (
	"encoding/binary"
	"math/rand/v2"
)

// stream is a source of random numbers for one purpose (at most 8 bytes) and
// three numbers. Streams are independent of each other and the same on every
// platform, so what is drawn does not depend on the order of drawing.
func stream(purpose string, a, b, c uint64) *rand.Rand {
	var seed [32]byte
	copy(seed[:8], purpose)
	binary.LittleEndian.PutUint64(seed[8:], a)
	binary.LittleEndian.PutUint64(seed[16:], b)
	binary.LittleEndian.PutUint64(seed[24:], c)
	return rand.New(rand.NewChaCha8(seed))
}
