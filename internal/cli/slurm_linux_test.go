package cli

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// slurm is a cluster of two nodes on this machine.
type slurm struct {
	t       *testing.T
	dir     string
	program string // shadowflow
	waiting map[string]time.Time
}

// slurmConf is its configuration, of a directory and a host. A signal and a KillWait of seconds make a time limit, which Slurm has in minutes, short.
const slurmConf = `ClusterName=shadowflow
SlurmctldHost=%[2]s(127.0.0.1)
SlurmctldPort=26817
AuthType=auth/munge
AuthInfo=socket=%[1]s/munge/socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation=%[1]s/state
SlurmdSpoolDir=%[1]s/%%n
SlurmctldPidFile=%[1]s/slurmctld.pid
SlurmdPidFile=%[1]s/%%n.pid
SlurmctldLogFile=%[1]s/slurmctld.log
SlurmdLogFile=%[1]s/%%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
SwitchType=switch/none
MpiDefault=none
MailProg=/bin/true
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SchedulerParameters=sched_interval=1,bf_interval=1,sched_min_interval=0,batch_sched_delay=0
SlurmdParameters=config_overrides
KillWait=2
MaxArraySize=101
NodeName=n1 NodeHostname=%[2]s NodeAddr=127.0.0.1 Port=26818 CPUs=2 RealMemory=4000
NodeName=n2 NodeHostname=%[2]s NodeAddr=127.0.0.1 Port=26819 CPUs=2 RealMemory=4000
PartitionName=main Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
`

// mark is in the environment of all that the cluster starts.
const mark = "SHADOWFLOW_TEST_CLUSTER"

// startSlurm starts Debian's Slurm. It skips the test where that cannot be, unless SHADOWFLOW_SLURM says that it can.
func startSlurm(t *testing.T) *slurm {
	t.Helper()
	cannot := t.Skipf
	if os.Getenv("SHADOWFLOW_SLURM") != "" {
		cannot = t.Fatalf
	}
	for _, name := range []string{"munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel"} {
		if _, err := exec.LookPath(name); err != nil {
			cannot("no %s here: install Debian's slurm-wlm and munge", name)
		}
	}
	munge, err := user.Lookup("munge")
	if err != nil || os.Getuid() != 0 {
		cannot("Slurm's daemons want root, and a user munge")
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	host, _, _ = strings.Cut(host, ".")
	dir, err := os.MkdirTemp("", "slurm") // short: it has a socket
	if err != nil {
		t.Fatal(err)
	}
	s := &slurm{t: t, dir: dir, program: filepath.Join(dir, "shadowflow"), waiting: map[string]time.Time{}}
	t.Cleanup(s.stop)
	for _, folder := range []string{"state", "n1", "n2", "munge"} {
		s.must(os.Mkdir(filepath.Join(dir, folder), 0o711))
	}
	s.must(os.Chmod(dir, 0o755))
	s.must(os.WriteFile(filepath.Join(dir, "munge", "key"), bytes.Repeat([]byte("key of a test\n"), 64), 0o400))
	uid, _ := strconv.Atoi(munge.Uid)
	gid, _ := strconv.Atoi(munge.Gid)
	s.must(errors.Join(os.Chown(filepath.Join(dir, "munge"), uid, gid), os.Chown(filepath.Join(dir, "munge", "key"), uid, gid)))
	conf := filepath.Join(dir, "slurm.conf")
	s.must(os.WriteFile(conf, fmt.Appendf(nil, slurmConf, dir, host), 0o644))
	t.Setenv("SLURM_CONF", conf)
	in := func(name string) string { return filepath.Join(dir, "munge", name) }
	s.daemon(&syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, "munged", "--foreground", "--force", "--key-file="+in("key"), "--socket="+in("socket"),
		"--pid-file="+in("pid"), "--log-file="+in("log"), "--seed-file="+in("seed"))
	s.until("munged listens", func() bool { _, err := os.Stat(in("socket")); return err == nil })
	s.daemon(nil, "slurmctld", "-D", "-f", conf)
	for _, node := range []string{"n1", "n2"} {
		s.daemon(nil, "slurmd", "-D", "-N", node, "-f", conf)
	}
	s.until("both nodes are idle", func() bool {
		text, err := s.try("sinfo", "--noheader", "--Node", "--format=%N %T")
		return err == nil && strings.Contains(text, "n1 idle\n") && strings.Contains(text, "n2 idle\n")
	})
	build := exec.Command("go", "build", "-o", s.program, "shadowflow/cmd/shadowflow")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return s
}

func (s *slurm) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// daemon starts a daemon, which ends with the test however that ends.
func (s *slurm) daemon(as *syscall.Credential, name string, args ...string) {
	s.t.Helper()
	log, err := os.Create(filepath.Join(s.dir, fmt.Sprintf("%s.%d.out", name, len(args))))
	s.must(err)
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), mark+"="+s.dir)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as, Pdeathsig: syscall.SIGKILL}
	s.must(cmd.Start())
	s.t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
		_ = log.Close()
	})
}

// stop ends what the cluster started and its daemons did not.
func (s *slurm) stop() {
	if s.t.Failed() {
		for _, name := range []string{"slurmctld.log", "n1.log"} {
			text, _ := os.ReadFile(filepath.Join(s.dir, name))
			s.t.Logf("%s: %s", name, text[max(0, len(text)-4000):])
		}
	}
	paths, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range paths {
		text, _ := os.ReadFile(path)
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil && bytes.Contains(text, []byte(mark+"="+s.dir)) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	_ = os.RemoveAll(s.dir)
}

func (s *slurm) try(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	text, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	return string(text), err
}

func (s *slurm) do(name string, args ...string) string {
	s.t.Helper()
	text, err := s.try(name, args...)
	if err != nil {
		s.t.Fatalf("%s %v: %v: %s", name, args, err, text)
	}
	return text
}

// until waits for something that comes by itself; the limit is for what hangs.
func (s *slurm) until(what string, holds func() bool) {
	s.t.Helper()
	for end := time.Now().Add(5 * time.Minute); !holds(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			text, _ := s.try("scontrol", "show", "job")
			s.t.Fatalf("it did not come about that %s\n%s", what, text)
		}
	}
}

// status returns the runs of sweep status --json.
func (s *slurm) status(dir string) []memberRun {
	s.t.Helper()
	var out statusOutput
	text := s.do(s.program, "sweep", "status", dir, "--json")
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		s.t.Fatalf("%v: %s", err, text)
	}
	return out.Runs
}

// submit returns the runs that a submission sends, in their order.
func (s *slurm) submit(path string, args ...string) []int {
	s.t.Helper()
	var out submitOutput
	text := s.do(s.program, append([]string{"sweep", "submit", path, "--slurm", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		s.t.Fatalf("%v: %s", err, text)
	}
	var runs []int
	for _, j := range out.Jobs {
		runs = append(runs, slices.Concat(j.Tasks...)...)
	}
	return runs
}

// hold stops the process of a run, once there is one with a row of its own, and returns its number.
func (s *slurm) hold(dir string) int {
	s.t.Helper()
	var holder struct{ PID int }
	s.until("a process works in "+dir, func() bool {
		text, err := os.ReadFile(filepath.Join(dir, "lock.json"))
		rows, err2 := os.ReadFile(filepath.Join(dir, "history.csv"))
		if errors.Join(err, err2) != nil || bytes.Count(rows, []byte("\n")) < 3 {
			return false
		}
		return json.Unmarshal(text, &holder) == nil && holder.PID > 0
	})
	s.must(syscall.Kill(holder.PID, syscall.SIGSTOP))
	return holder.PID
}

// TestLongASweepOnSlurmEndsAsALocalOne makes 12 runs on two nodes. Runs are held in their middle by stopping their processes, so that what happens to them does not depend on how fast this machine is.
func TestLongASweepOnSlurmEndsAsALocalOne(t *testing.T) {
	if os.Getenv("SHADOWFLOW_LONG") == "" {
		t.Skip("two minutes; set SHADOWFLOW_LONG=1")
	}
	s := startSlurm(t)
	path := filepath.Join(s.dir, "it's \"mine\" $HOME.yaml")
	s.must(os.WriteFile(path, []byte(`name: mine
base: {objective: {name: rosenbrock}, record: {every: 100}, checkpoint: {every: 2000}}
zip: {steps: [60000, 10000, 10000], optimizer.beta2: [0.9, 0.99, 0.999]}
grid: {optimizer.lr: [1e-3, 1e-4, 3e-4, 1e-5]}
slurm: {time: 1m, grace: 20s, pack: 0m}
`), 0o644))
	dir := filepath.Join(s.dir, "it's \"mine\" $HOME")
	if runs := s.submit(path, "--out", dir, "--probe", "0"); len(runs) != 12 {
		t.Fatalf("submitted: %v", runs)
	}
	members := s.status(dir)
	held := map[int]int{}
	for _, run := range []int{0, 1, 2, 3} { // what begins first
		held[run] = s.hold(members[run].Dir)
	}
	if rows := s.table(dir); len(rows) != 12 || rows[0]["status"] != "running" || rows[11]["status"] == "running" { // while runs go on
		t.Errorf("the table of runs that go on: %v", rows)
	}
	nodes := map[string][]int{}
	for _, m := range s.status(dir) {
		if m.Slurm == nil {
			t.Fatalf("Slurm's state of run %d is not shown", m.Index)
		}
		if held[m.Index] > 0 {
			nodes[m.Slurm.Nodes] = append(nodes[m.Slurm.Nodes], m.Index)
		}
	}
	if len(nodes["n1"]) != 2 || len(nodes["n2"]) != 2 {
		t.Fatalf("the first four runs are on %v", nodes)
	}
	if runs := s.submit(dir, "--probe", "0"); len(runs) > 0 {
		t.Errorf("submitted although they are queued: %v", runs)
	}

	cancelled, limited, failed := nodes["n1"][0], nodes["n1"][1], nodes["n2"]
	task := func(run int) string { return s.status(dir)[run].Slurm.Task }
	s.do("scancel", task(cancelled))
	s.do("scontrol", "update", "nodename=n2", "state=drain", "reason=test")
	s.must(syscall.Kill(held[failed[0]], syscall.SIGCONT)) // a drained node ends what it has
	s.do("scontrol", "update", "nodename=n2", "state=down", "reason=test")

	_, index, _ := strings.Cut(task(limited), "_")
	logs := func() string {
		text, _ := os.ReadFile(filepath.Join(dir, "slurm", "001", "job-0-"+index+".log"))
		return string(text)
	}
	s.until("the time limit is told", func() bool { s.hurry(); return strings.Contains(logs(), "the time limit is near") })
	s.must(syscall.Kill(held[limited], syscall.SIGCONT))
	s.do("scontrol", "update", "nodename=n2", "state=resume")
	s.until("the task is queued again", func() bool { return strings.Contains(logs(), "interrupted") })
	s.until("all but the cancelled run end", func() bool {
		s.hurry()
		for _, m := range s.status(dir) {
			if (m.State != "finished") != (m.Index == cancelled) {
				return false
			}
		}
		return true
	})
	for _, run := range append([]int{limited}, failed...) {
		if text := s.do("scontrol", "show", "job", task(run)); !regexp.MustCompile(`Restarts=[1-9]`).MatchString(text) {
			t.Errorf("Slurm did not queue run %d again: %s", run, text)
		}
	}
	if m := s.status(dir)[cancelled]; m.State != "interrupted" || m.Slurm.State != "CANCELLED" {
		t.Errorf("the cancelled run is %s, %+v", m.State, m.Slurm)
	}
	if runs := s.submit(dir, "--probe", "0"); !slices.Equal(runs, []int{cancelled}) {
		t.Errorf("submitted again: %v, want only run %d, which was cancelled", runs, cancelled)
	}
	s.until("the cancelled run ends", func() bool { s.hurry(); return s.status(dir)[cancelled].State == "finished" })
	s.checkAsLocal(path, dir)
	s.halve()
	s.cancel()
}

// cancel cancels what submit sent, and what somebody sent by hand, from the directory of a sweep whose file says no name.
func (s *slurm) cancel() {
	s.t.Helper()
	path, dir := filepath.Join(s.dir, "without a name.yaml"), filepath.Join(s.dir, "in another place")
	s.must(os.WriteFile(path, []byte(`base: {objective: {name: rosenbrock}, steps: 1000000000, record: {every: 1000}, optimizer: {name: gd, lr: 1e-6}}
seeds: 2
`), 0o644))
	if runs := s.submit(path, "--out", dir, "--probe", "0"); len(runs) != 2 {
		s.t.Fatalf("submitted: %v", runs)
	}
	first, _, _ := strings.Cut(s.status(dir)[1].Slurm.Task, "_")
	s.do("scancel", first+"_1")
	byHand := exec.Command("sbatch", "--array=1", "job-0.sh")
	byHand.Dir = filepath.Join(dir, "slurm", "001")
	if text, err := byHand.CombinedOutput(); err != nil {
		s.t.Fatalf("%v: %s", err, text)
	}
	s.until("both runs go on", func() bool {
		m := s.status(dir)
		return m[0].State == "running" && m[1].State == "running" && m[1].Slurm.State == "RUNNING" && !strings.HasPrefix(m[1].Slurm.Task, first+"_")
	})
	if runs := s.submit(dir, "--probe", "0"); len(runs) > 0 {
		s.t.Errorf("submitted although they are queued, one by hand: %v", runs)
	}
	s.do(s.program, "sweep", "cancel", dir)
	s.until("nothing is queued", func() bool { text, err := s.try("squeue", "--noheader"); return err == nil && text == "" })
	for _, m := range s.status(dir) {
		if m.State != "interrupted" {
			s.t.Errorf("run %d is %s", m.Index, m.State)
		}
	}
}

// halve makes a sweep with halving, whose rungs are stages of jobs.
func (s *slurm) halve() {
	s.t.Helper()
	path, dir := filepath.Join(s.dir, "halved.yaml"), filepath.Join(s.dir, "halved")
	s.must(os.WriteFile(path, []byte(`base: {objective: {name: rosenbrock}, steps: 100, record: {every: 10}, optimizer: {name: gd}}
grid: {optimizer.lr: [1e-5, 1e-3, 3e-5, 5e-4, 1e-4, 2e-4, 3e-4, 4e-4, 2e-5]}
halving: {first: 10, eta: 3}
`), 0o644))
	if runs := s.submit(path, "--out", dir); len(runs) != 4*9 {
		s.t.Errorf("submitted in four stages: %v", runs)
	}
	s.until("one run ends and eight are stopped", func() bool {
		states := map[string]int{}
		for _, m := range s.status(dir) {
			states[m.State]++
		}
		return states["finished"] == 1 && states["stopped"] == 8
	})
	if runs := s.submit(dir, "--probe", "0"); len(runs) > 0 {
		s.t.Errorf("submitted although all is done: %v", runs)
	}
	s.checkAsLocal(path, dir)
}

// hurry has tasks begin that were queued again some seconds ago. Slurm waits two minutes, so that what the node says of the task as it was does not count for what it is.
func (s *slurm) hurry() {
	const some = 8 * time.Second
	text, _ := s.try("squeue", "--noheader", "--array", "--states=pending", "--format=%F_%K %r")
	for line := range strings.Lines(text) {
		task, reason, _ := strings.Cut(strings.TrimSpace(line), " ")
		since, seen := s.waiting[task]
		switch {
		case reason != "BeginTime":
		case !seen:
			s.waiting[task] = time.Now()
		case time.Since(since) > some:
			delete(s.waiting, task)
			_, _ = s.try("scontrol", "update", "jobid="+task, "starttime=now")
		}
	}
}

// checkAsLocal compares the table and every row of the histories with those of a sweep that this machine makes without a scheduler.
func (s *slurm) checkAsLocal(path, dir string) {
	s.t.Helper()
	local := dir + "-local"
	s.do(s.program, "sweep", path, "--out", local, "--quiet", "--parallel", "2")
	want, got := s.table(local), s.table(dir)
	if len(want) == 0 || !slices.EqualFunc(want, got, maps.Equal) {
		s.t.Errorf("the tables differ:\n%v\n%v", got, want)
	}
	there, here := s.status(dir), s.status(local)
	for i := range here {
		a, err := os.ReadFile(filepath.Join(there[i].Dir, "history.csv"))
		b, err2 := os.ReadFile(filepath.Join(here[i].Dir, "history.csv"))
		if err := errors.Join(err, err2); err != nil || len(a) == 0 || !bytes.Equal(a, b) {
			s.t.Errorf("run %d: the histories differ, %v", i, err)
		}
	}
}

// table returns the rows of a sweep's table, without what depends on where and when it was made.
func (s *slurm) table(dir string) []map[string]string {
	s.t.Helper()
	rows := csv.NewReader(strings.NewReader(s.do(s.program, "sweep", "table", dir)))
	head, err := rows.Read()
	s.must(err)
	var out []map[string]string
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return out
		}
		s.must(err)
		m := map[string]string{}
		for i, name := range head {
			if name != "dir" && name != "seconds" {
				m[name] = row[i]
			}
		}
		out = append(out, m)
	}
}
