package sweep

import (
	"io/fs"
	"math"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// availableMemory returns the bytes that this process can still get, 0 if the system does not say.
func availableMemory() int64 { return availableIn(os.DirFS("/")) }

// availableIn reads that from a tree of files like Linux's: the least of what the machine has left, and of what the memory limit of
// each control group that the process is in leaves. It is at least 1 where anything is known.
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
	if !known {
		return 0
	}
	return max(left, 1)
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
