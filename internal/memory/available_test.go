package memory

import (
	"strings"
	"testing"
	"testing/fstest"
)

// files makes a tree of the paths and their texts.
func files(paths map[string]string) fstest.MapFS {
	tree := fstest.MapFS{}
	for path, text := range paths {
		tree[path] = &fstest.MapFile{Data: []byte(text)}
	}
	return tree
}

func TestAvailableMemoryIsTheLeastOfWhatTheMachineAndTheControlGroupsLeave(t *testing.T) {
	const (
		meminfo = "MemTotal:       32 kB\nMemFree:        10 kB\nMemAvailable:   20 kB\n"
		v2      = "0::/user.slice/job\n"
		v1      = "11:cpu,cpuacct:/elsewhere\n4:memory:/docker/abc\n0::/\n"
	)
	for _, c := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"nothing known", nil, 0},
		{"no control groups", map[string]string{"proc/meminfo": meminfo}, 20 << 10},
		{"an old kernel that does not say what is available", map[string]string{"proc/meminfo": "MemTotal: 32 kB\n"}, 0},
		{"no limit of the address space", map[string]string{"proc/meminfo": meminfo,
			"proc/self/limits": "Max processes  9  9  processes\nMax address space         unlimited            unlimited            bytes\n"}, 20 << 10},
		{"a limit of the address space", map[string]string{"proc/meminfo": meminfo, "proc/self/status": "Name:\tshadowflow\nVmSize:\t    3 kB\n",
			"proc/self/limits": "Max processes  9  9  processes\nMax address space         10240            unlimited            bytes\nMax locks 1 1\n"}, 7 << 10},
		{"version 2, a limit of the own group", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": v2,
			"sys/fs/cgroup/user.slice/job/memory.max": "9000\n", "sys/fs/cgroup/user.slice/job/memory.current": "2000\n"}, 7000},
		{"version 2, file cache that can be taken back", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": v2,
			"sys/fs/cgroup/user.slice/job/memory.max": "9000\n", "sys/fs/cgroup/user.slice/job/memory.current": "2000\n",
			"sys/fs/cgroup/user.slice/job/memory.stat": "anon 400\nfile 1600\nactive_file 100\ninactive_file 1500\n"}, 8500},
		{"version 2, the smaller limit of an ancestor", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": v2,
			"sys/fs/cgroup/user.slice/job/memory.max": "9000\n", "sys/fs/cgroup/user.slice/job/memory.current": "2000\n",
			"sys/fs/cgroup/user.slice/memory.max": "10000\n", "sys/fs/cgroup/user.slice/memory.current": "6000\n"}, 4000},
		{"version 2, no limit", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": v2,
			"sys/fs/cgroup/user.slice/job/memory.max": "max\n", "sys/fs/cgroup/user.slice/job/memory.current": "2000\n"}, 20 << 10},
		{"version 2, a limit above what the machine has", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": v2,
			"sys/fs/cgroup/user.slice/job/memory.max": "99000000\n", "sys/fs/cgroup/user.slice/job/memory.current": "2000\n"}, 20 << 10},
		{"version 2, a container whose group is all it sees", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n",
			"sys/fs/cgroup/memory.max": "5000\n", "sys/fs/cgroup/memory.current": "1000\n"}, 4000},
		{"version 2, a group outside of what is mounted", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/../../other\n",
			"sys/fs/cgroup/memory.max": "5000\n", "sys/fs/cgroup/memory.current": "1000\n"}, 4000},
		{"version 2, only the limit known", map[string]string{"proc/self/cgroup": v2, "sys/fs/cgroup/user.slice/job/memory.max": "9000\n"}, 9000},
		{"version 2, a limit that is used up", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": v2,
			"sys/fs/cgroup/user.slice/job/memory.max": "9000\n", "sys/fs/cgroup/user.slice/job/memory.current": "9500\n"}, 1},
		{"version 1, a limit of the own group", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": v1,
			"sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": "8000\n", "sys/fs/cgroup/memory/docker/abc/memory.usage_in_bytes": "3000\n",
			"sys/fs/cgroup/memory/docker/abc/memory.stat": "inactive_file 1\ntotal_inactive_file 2000\n"}, 7000},
		{"version 1, a container that sees its group as the mounted one", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": v1,
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "8000\n", "sys/fs/cgroup/memory/memory.usage_in_bytes": "3000\n"}, 5000},
		{"version 1, no limit", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": v1,
			"sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": "9223372036854771712\n",
			"sys/fs/cgroup/memory/docker/abc/memory.usage_in_bytes": "3000\n"}, 20 << 10},
		{"files that say something else", map[string]string{"proc/meminfo": "MemAvailable: many\n", "proc/self/cgroup": "0::\n\n:::\nmemory\n",
			"sys/fs/cgroup/memory.max": "\n"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := availableIn(files(c.files)); got != c.want {
				t.Errorf("%d bytes: want %d", got, c.want)
			}
		})
	}
}

func TestALimitOfAddressSpaceBelowTheRuntimesOwnIsSaid(t *testing.T) {
	for limit, want := range map[string]string{
		"unlimited": "", "2147483648": "", "1610612736": "(ulimit -v) is 1.5 GiB, and the runtime and its threads reserve up to 2 GiB", "0": "is 0 B",
	} {
		err := startedIn(files(map[string]string{"proc/self/limits": "Max address space         " + limit + "            unlimited            bytes\n"}))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", limit, err)
		}
	}
	if err := startedIn(files(nil)); err != nil {
		t.Errorf("where nothing says so: %v", err)
	}
}

func FuzzAvailableMemory(f *testing.F) {
	f.Add("MemAvailable: 20 kB\n", "0::/a/b\n4:memory:/a\n", "9000\n", "2000\n", "inactive_file 100\n")
	f.Add("MemAvailable: 9223372036854775807 kB\n", "0::/../..\n", "-1\n", "9223372036854775807", "inactive_file 9223372036854775807")
	f.Fuzz(func(t *testing.T, meminfo, groups, limit, usage, stat string) {
		tree := files(map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": groups,
			"sys/fs/cgroup/memory.max": limit, "sys/fs/cgroup/memory.current": usage, "sys/fs/cgroup/memory.stat": stat})
		if got := availableIn(tree); got < 0 {
			t.Errorf("%d bytes", got)
		}
	})
}
