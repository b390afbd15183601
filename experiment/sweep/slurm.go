package sweep

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"shadowflow/internal/memory"
	"shadowflow/schema"
)

// Slurm is what a sweep asks Slurm for: the section slurm of its file. What it leaves out follows from the estimates of the sweep's plan, or is the cluster's own.
type Slurm struct {
	Partition  string   `yaml:"partition" doc:"partition; empty for the cluster's default"`
	Account    string   `yaml:"account" doc:"account that the time is charged to; empty for the cluster's default"`
	Time       string   `yaml:"time" doc:"time limit of a task, like 90m, 12h or 1-12:00:00; empty for twice the estimate"`
	CPUs       int      `yaml:"cpus" doc:"processors of a task" range:"[1,4096]"`
	Mem        string   `yaml:"mem" doc:"memory of a task, like 8GiB; empty for the estimate and a quarter"`
	Gres       string   `yaml:"gres" doc:"generic resources, like gpu:1"`
	ArrayLimit int      `yaml:"array_limit" doc:"tasks of an array at once, 0 for no limit" range:"[0,1000000]"`
	Pack       string   `yaml:"pack" doc:"short runs share a task until it would take so long by their estimates; 0m for a task each"`
	Grace      string   `yaml:"grace" doc:"how long before the time limit a task writes its checkpoint and asks to be queued again"`
	Options    []string `yaml:"options" doc:"further options of sbatch, like [--qos=long, --constraint=avx512]"`
}

// SlurmKeys returns the keys of the section slurm.
func SlurmKeys() []schema.Key {
	return schema.KeysOf(struct {
		Slurm Slurm `yaml:"slurm"`
	}{Slurm{CPUs: 1, Pack: "20m", Grace: "2m"}})
}

var slurmSchema = schema.New(SlurmKeys())

// Slurm returns what a sweep asks Slurm for: what its file says, which overrides may replace.
func (s *Sweep) Slurm(overrides ...schema.Setting) (Slurm, error) {
	var document []schema.Setting
	if s.slurm != nil {
		document = append(document, schema.Set("slurm", s.slurm))
	}
	return resolveSlurm(document, overrides)
}

func resolveSlurm(document, overrides []schema.Setting) (Slurm, error) {
	r := slurmSchema.Resolve(document, overrides)
	var of struct {
		Slurm Slurm `yaml:"slurm"`
	}
	if err := r.Err(); err != nil {
		return Slurm{}, err
	}
	r.Values.Store(&of)
	for key, wrong := range of.Slurm.problems() {
		r.Fail("slurm."+key, wrong)
	}
	return of.Slurm, r.Err()
}

// readSlurm keeps the section as it was given, after checking it.
func (s *Spec) readSlurm(at schema.Setting) error {
	inside, ok := at.Value.([]schema.Setting)
	if !ok && at.Value != nil {
		return at.KeyError("slurm", "expected keys and values, like {partition: long, time: 12h}")
	}
	s.Slurm = inside
	_, err := resolveSlurm([]schema.Setting{at}, nil)
	return err
}

// What is wrong with an option of sbatch that stands in the file.
const (
	isSet      = "is set by the program"
	hasKey     = "say it by the key "
	oneCluster = "jobs are looked for where submit is called: call it on that cluster"
)

// ours are the options of sbatch that a file may not give, with the reason.
var ours = map[string]string{
	"-a": isSet, "--array": isSet, "-d": isSet, "--dependency": isSet, "-D": isSet, "--chdir": isSet, "-o": isSet, "--output": isSet, "-J": isSet, "--job-name": isSet,
	"--requeue": isSet, "--no-requeue": isSet, "--signal": isSet, "--wrap": isSet, "--parsable": isSet, "--open-mode": isSet,
	"-t": hasKey + "time", "--time": hasKey + "time", "-p": hasKey + "partition", "--partition": hasKey + "partition", "-A": hasKey + "account", "--account": hasKey + "account",
	"-c": hasKey + "cpus", "--cpus-per-task": hasKey + "cpus", "--gres": hasKey + "gres", "-M": oneCluster, "--clusters": oneCluster,
}

// notOurs says why a file may not give an option, "" where it may. sbatch takes a value that hangs on a letter, -t90, and the start of a name, --dep.
func notOurs(option string) string {
	name := nameOf(option)
	if !strings.HasPrefix(name, "--") {
		return ours[name[:min(2, len(name))]]
	}
	for _, long := range slices.Sorted(maps.Keys(ours)) {
		if strings.HasPrefix(long, name) {
			return ours[long]
		}
	}
	return ""
}

// nameOf returns an option without its value.
func nameOf(option string) string {
	name, _, _ := strings.Cut(option, "=")
	name, _, _ = strings.Cut(name, " ")
	return name
}

// problems says of keys what is wrong with their values beyond their types.
func (s Slurm) problems() map[string]string {
	out := map[string]string{}
	for key, text := range map[string]string{"time": s.Time, "pack": s.Pack, "grace": s.Grace} {
		if _, err := parseTime(text); err != nil {
			out[key] = err.Error()
		}
	}
	if _, err := memory.Parse(s.Mem); err != nil {
		out["mem"] = err.Error()
	}
	for key, text := range map[string]string{"partition": s.Partition, "account": s.Account, "gres": s.Gres} {
		if strings.ContainsAny(text, " \t\r\n\"'\\") {
			out[key] = fmt.Sprintf("%q: expected a word without spaces and quotes", text)
		}
	}
	for i, o := range s.Options {
		switch why := notOurs(o); {
		case !strings.HasPrefix(o, "-") || strings.ContainsAny(o, "\r\n"):
			out["options"] = fmt.Sprintf("item %d: %q: expected an option of sbatch on a line, like --qos=long", i+1, o)
		case why != "":
			out["options"] = fmt.Sprintf("item %d: %q: %s", i+1, o, why)
		}
	}
	if s.Mem != "" && s.MemoryInOptions() && out["mem"] == "" {
		out["mem"] = s.Mem + ": the options say a memory too; leave out one of the two"
	}
	if s.GraceTime() > mostGrace && out["grace"] == "" {
		out["grace"] = fmt.Sprintf("%s is more than the %v that Slurm can signal before a time limit", s.Grace, mostGrace)
	}
	if limit, grace := s.Limit(), s.GraceTime(); limit > 0 && grace >= limit && out["time"] == "" && out["grace"] == "" {
		out["grace"] = fmt.Sprintf("%s is no less than the time limit, %s: nothing would be computed", s.Grace, s.Time)
	}
	return out
}

// Limit returns the time limit, 0 if there is none.
func (s Slurm) Limit() time.Duration { return known(s.Time) }

// PackTime returns how long a task of several runs may be.
func (s Slurm) PackTime() time.Duration { return known(s.Pack) }

// GraceTime returns how long before the limit a task is told.
func (s Slurm) GraceTime() time.Duration { return known(s.Grace) }

// Memory returns the memory of a task in bytes, 0 for the estimate.
func (s Slurm) Memory() int64 {
	bytes, _ := memory.Parse(s.Mem) // checked as it was read
	return bytes
}

// MemoryInOptions reports whether the options say how much memory there is to be, as --mem-per-cpu=2G does: sbatch takes no other beside it.
func (s Slurm) MemoryInOptions() bool {
	return slices.ContainsFunc(s.Options, func(o string) bool {
		return slices.Contains([]string{"--mem", "--mem-per-cpu", "--mem-per-gpu"}, nameOf(o))
	})
}

func known(text string) time.Duration {
	d, _ := parseTime(text) // checked as it was read
	return d
}

// ofSlurm are the times that Slurm takes: minutes, minutes:seconds, hours:minutes:seconds, days-hours, and so on.
var ofSlurm = regexp.MustCompile(`^(?:(\d{1,4})-)?(\d{1,6})(?::(\d{1,2}))?(?::(\d{1,2}))?$`)

// mostGrace is the most that sbatch's --signal takes.
const mostGrace = 65535 * time.Second

// longest is the longest time that is read.
const longest = 10_000 * 24 * time.Hour

// parseTime reads a time as people write it, 90m or 1h30m, or as Slurm does, 90, 1:30:00 or 1-12:00:00; "" is 0.
func parseTime(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, ok := readTime(text)
	if !ok || d < 0 || d > longest {
		return 0, fmt.Errorf("%q is no time; expected one like 90m, 12h or 1-12:00:00", text)
	}
	return d, nil
}

func readTime(text string) (time.Duration, bool) {
	parts := ofSlurm.FindStringSubmatch(text)
	if parts == nil {
		if days, ok := strings.CutSuffix(text, "d"); ok {
			n, err := strconv.ParseUint(days, 10, 14)
			return time.Duration(n) * 24 * time.Hour, err == nil
		}
		d, err := time.ParseDuration(text)
		return d, err == nil
	}
	n := make([]time.Duration, 5)
	for i, p := range parts[1:] {
		x, _ := strconv.Atoi(p) // digits, or nothing
		n[i+1] = time.Duration(x)
	}
	days, a, b, c := n[1]*24*time.Hour, n[2], n[3], n[4]
	switch {
	case parts[1] != "" || parts[4] != "": // [days-]hours:minutes:seconds
		return days + a*time.Hour + b*time.Minute + c*time.Second, true
	default: // minutes:seconds
		return a*time.Minute + b*time.Second, true
	}
}
