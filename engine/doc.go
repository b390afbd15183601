// Package engine runs what package graph records, at the machine's speed.
//
// [Compile] turns values into a [Program]: dead code is gone, elementwise chains run as one pass over cache-sized tiles,
// buffers are reused by liveness, and work is cut into chunks that do not depend on the number of threads, so that the
// same inputs give the same bits on any number of cores of the same kind of processor.
//
// A program is cut into units (fuse.go), put in order (schedule.go), its arrays placed (storage.go), and each unit made a step:
// a pass over tiles (fused.go), bytecode where arrays have a few elements (bytecode.go), or one operation with a kernel of its own. Before that, chains
// like attention's, which are run item by item so that their large matrices are never in memory, are taken out of it (stacks.go). Steps that read element by element what the step
// before them makes are done together with it, chunk by chunk (relay.go).
//
// [CompileKept] makes two programs of one whose inputs are fixed in part for many runs, as a Hessian's are: what is made once (keeper.go), and what is made of that.
package engine
