package par

// pause tells the processor n times that this thread waits for another.
//
//go:noescape
func pause(n int)
