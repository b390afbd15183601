package gemm

// worker is what one worker owns while it does a chunk.
type worker struct {
	tile      tile
	block     block
	transform transform
	_         [cacheLine]byte // neighbours in a slice share no line
}

// release forgets the operands, so that an idle plan keeps no array alive.
func (w *worker) release() { w.tile, w.block, w.transform = tile{}, block{}, transform{} }

// matrix is an operand in memory: element (i, j) at offset i*row + j*col from a base.
type matrix struct{ row, col int }
