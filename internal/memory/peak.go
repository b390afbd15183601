package memory

import "os"

// ResetPeak forgets the most memory that this process had resident, and reports whether the system does that: Linux.
func ResetPeak() bool {
	return os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) == nil
}

// Peak returns the most bytes that this process had resident at a time since [ResetPeak], or ever without it; 0 if the system does not say.
func Peak() int64 {
	n, _ := numberIn(os.DirFS("/"), "proc/self/status", "VmHWM:")
	return n << 10
}
