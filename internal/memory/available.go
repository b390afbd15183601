// Package memory says how much memory a process can still get, so that what would not fit is refused with a sentence before it is
// allocated: the runtime cannot be asked to fail.
package memory

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
)

// Available returns the bytes that this process can still get, 0 if the system does not say.
func Available() int64 { return availableIn(os.DirFS("/")) }

// Check returns an error that names the sizes if need bytes are more than this process can still get.
func Check(need int64) error {
	const small = 64 << 20 // not worth looking
	if need < small && need >= 0 {
		return nil
	}
	left := Available()
	if left > 0 && need > left { // what was let go of may still be ours
		debug.FreeOSMemory()
		left = Available()
	}
	if need < 0 || left > 0 && need > left {
		return fmt.Errorf("needs %s of memory, and %s are left", Format(need), Format(left))
	}
	return nil
}

// Bound has the runtime collect what is no longer used before the process takes more than there is: by itself it lets the heap grow to twice what is used,
// and a run that fits would be ended by the system. A limit that is set by GOMEMLIMIT stays.
func Bound() {
	if left := Available(); left > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(left - left/16)
	}
}

// Started returns an error if the process's limit of address space is less than the runtime and its threads reserve before any work, which ends a program
// without a sentence where it cannot. A limit that is smaller still, often of less than 1.3 GiB, does so before anything can be asked.
func Started() error { return startedIn(os.DirFS("/")) }

func startedIn(root fs.FS) error {
	const least = 2 << 30
	limit, ok := addressSpaceLimit(root)
	if !ok || limit >= least {
		return nil
	}
	return fmt.Errorf("the limit of address space (ulimit -v) is %s, and the runtime and its threads reserve up to %s before any work: want a higher one, "+
		"or none (ulimit -v unlimited) and a control group that limits memory", Format(limit), Format(least))
}

// Format returns a size for people, like 3.2 GiB; a negative one is more than can be counted.
func Format(bytes int64) string {
	if bytes < 0 {
		return "more than 8 EiB"
	}
	x, unit := float64(bytes), "B"
	for _, next := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if x < 1024 {
			break
		}
		x, unit = x/1024, next
	}
	if x >= 1000 { // which %.3g has in powers of ten
		return fmt.Sprintf("%.0f %s", x, unit)
	}
	return fmt.Sprintf("%.3g %s", x, unit)
}

// Parse reads a size like 8GiB or 500MB; "" is 0.
func Parse(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	units := []struct {
		suffix string
		factor float64
	}{
		{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
		{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1},
	}
	for _, u := range units {
		number, ok := strings.CutSuffix(text, u.suffix)
		if !ok {
			continue
		}
		x, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || !(x*u.factor >= 1) || x*u.factor > 1<<60 {
			break
		}
		return int64(x * u.factor), nil
	}
	return 0, fmt.Errorf("%q is not a size; expected one like 8GiB or 500MB", text)
}

// availableIn reads what is available from a tree of files like Linux's: the least of what the machine has left, of what the memory limit of
// each control group that the process is in leaves, and of what the process's own limit of address space does. It is at least 1 where anything is known.
func availableIn(root fs.FS) int64 {
	left, known := numberIn(root, "proc/meminfo", "MemAvailable:")
	if known = known && left < math.MaxInt64>>10; known {
		left <<= 10
	}
	for _, g := range controlGroups(root) {
		if n, ok := g.left(root); ok && (!known || n < left) {
			left, known = n, true
		}
	}
	if n, ok := addressSpace(root); ok && (!known || n < left) {
		left, known = n, true
	}
	if !known {
		return 0
	}
	return max(left, 1)
}

// addressSpace returns what a limit of the process's address space leaves, as a shell's ulimit -v sets it, if there is one.
func addressSpace(root fs.FS) (int64, bool) {
	limit, ok := addressSpaceLimit(root)
	used, _ := numberIn(root, "proc/self/status", "VmSize:")
	return limit - used<<10, ok
}

// addressSpaceLimit returns that limit, if there is one.
func addressSpaceLimit(root fs.FS) (limit int64, ok bool) {
	text, err := fs.ReadFile(root, "proc/self/limits")
	if err != nil {
		return 0, false
	}
	_, behind, _ := strings.Cut(string(text), "Max address space")
	_, err = fmt.Sscan(behind, &limit) // no number is unlimited
	return limit, err == nil
}

// controlGroup is the directory of a control group that may limit memory, and the names of its files.
type controlGroup struct {
	dir, limit, usage string
	cache             string // in memory.stat: what the kernel takes back from its file cache before it refuses memory
}

// controlGroups returns those that the process is in, of versions 1 and 2 of the interface, each with its ancestors up to the one that
// is mounted. In a container that sees no further than its own group, the path may be one of the host's that does not exist here.
func controlGroups(root fs.FS) []controlGroup {
	text, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return nil
	}
	var all []controlGroup
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3) // hierarchy:controllers:path
		if len(parts) < 3 {
			continue
		}
		var mount string
		g := controlGroup{limit: "memory.limit_in_bytes", usage: "memory.usage_in_bytes", cache: "total_inactive_file"}
		switch {
		case parts[0] == "0" && parts[1] == "":
			mount, g = "sys/fs/cgroup", controlGroup{limit: "memory.max", usage: "memory.current", cache: "inactive_file"}
		case slices.Contains(strings.Split(parts[1], ","), "memory"):
			mount = "sys/fs/cgroup/memory"
		default:
			continue
		}
		for dir := path.Clean("/" + parts[2]); ; dir = path.Dir(dir) {
			g.dir = path.Join(mount, dir)
			all = append(all, g)
			if dir == "/" {
				break
			}
		}
	}
	return all
}

// left returns the bytes that the group's limit leaves, if it has one.
func (g controlGroup) left(root fs.FS) (int64, bool) {
	limit, ok := numberIn(root, path.Join(g.dir, g.limit), "")
	if !ok {
		return 0, false
	}
	usage, _ := numberIn(root, path.Join(g.dir, g.usage), "")
	cache, _ := numberIn(root, path.Join(g.dir, "memory.stat"), g.cache)
	return limit - max(usage-cache, 0), true
}

// numberIn returns the number that follows a word at the beginning of a line of a file, no word standing for any line.
func numberIn(root fs.FS, file, word string) (int64, bool) {
	text, err := fs.ReadFile(root, file)
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if word != "" {
			if len(fields) < 2 || fields[0] != word {
				continue
			}
			fields = fields[1:]
		}
		if len(fields) > 0 {
			n, err := strconv.ParseInt(fields[0], 10, 64)
			return n, err == nil && n >= 0
		}
	}
	return 0, false
}
