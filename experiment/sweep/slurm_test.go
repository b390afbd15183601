package sweep

import (
	"strings"
	"testing"
	"time"

	"shadowflow/schema"
)

func TestTimesAreReadAsPeopleAndSlurmWriteThem(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"": 0, "90": 90 * time.Minute, "90m": 90 * time.Minute, "1h30m": 90 * time.Minute, "2d": 48 * time.Hour, "1:30": 90 * time.Second,
		"12:00:00": 12 * time.Hour, "1-12": 36 * time.Hour, "1-12:30": 36*time.Hour + 30*time.Minute, "1-12:30:15": 36*time.Hour + 30*time.Minute + 15*time.Second,
	} {
		t.Run(text, func(t *testing.T) {
			if got, err := parseTime(text); err != nil || got != want {
				t.Errorf("%v, %v; want %v", got, err, want)
			}
		})
	}
	for _, text := range []string{"soon", "-5m", "1:2:3:4", "99999d", "1-", "12h-3", "9999999"} {
		t.Run(text, func(t *testing.T) {
			if got, err := parseTime(text); err == nil {
				t.Errorf("it is %v", got)
			}
		})
	}
}

func TestWhatSlurmIsAskedForIsReadAndReplaced(t *testing.T) {
	s, err := Parse("a.yaml", []byte("base: {steps: 5}\nseeds: 2\nslurm: {partition: long, time: 12:00:00, cpus: 4, mem: 8GiB, options: [--qos=low, \"--constraint=a&b\"]}\n"), 0)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Slurm(schema.Set("slurm.partition", "short"), schema.Set("slurm.array_limit", 3))
	if err != nil || got.Partition != "short" || got.Limit() != 12*time.Hour || got.CPUs != 4 || got.Memory() != 8<<30 || got.ArrayLimit != 3 || len(got.Options) != 2 ||
		got.PackTime() != 20*time.Minute || got.GraceTime() != 2*time.Minute {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := s.Slurm(schema.Set("slurm.mem", "much")); err == nil || !strings.Contains(err.Error(), "slurm.mem: \"much\" is not a size") {
		t.Errorf("got %v", err)
	}
}

func TestAWrongSectionOfSlurmIsRefusedWhereItStands(t *testing.T) {
	for text, want := range map[string]string{
		"long":                                         "expected keys and values, like {partition: long, time: 12h}",
		"{partitions: long}":                           "a.yaml:2:9: slurm.partitions: unknown key; did you mean partition?",
		"{cpus: 0}":                                    "slurm.cpus: 0 is out of range",
		"{time: soon}":                                 `a.yaml:2:15: slurm.time: "soon" is no time; expected one like 90m, 12h or 1-12:00:00`,
		"{mem: 8 apples}":                              "is not a size; expected one like 8GiB",
		"{account: a b}":                               "expected a word without spaces and quotes",
		"{mem: 1GiB, options: [\"\"]}":                 "expected an option of sbatch on a line",
		"{options: [qos=low]}":                         "expected an option of sbatch on a line",
		"{options: [--array=0-3]}":                     `item 1: "--array=0-3": is set by the program`,
		"{options: [--qos=low, -a0-3]}":                `item 2: "-a0-3": is set by the program`,
		"{options: [--depend=singleton]}":              `"--depend=singleton": is set by the program`,
		"{options: [\"-M other\"]}":                    `"-M other": jobs are looked for where submit is called`,
		"{options: [-t90]}":                            `item 1: "-t90": say it by the key time`,
		"{options: [--cpus-per-task=2]}":               `"--cpus-per-task=2": say it by the key cpus`,
		"{mem: 2GiB, options: [\"--mem-per-gpu 1G\"]}": "2GiB: the options say a memory too",
		"{time: 2d, grace: 1d}":                        "1d is more than the 18h12m15s that Slurm can signal before a time limit",
		"{time: 1m, grace: 2m}":                        "2m is no less than the time limit, 1m",
		"{options: [\"--comment=a\\nrm -r\"]}":         "expected an option of sbatch on a line",
	} {
		t.Run(text, func(t *testing.T) {
			_, err := Parse("a.yaml", []byte("seeds: 2\nslurm: "+text+"\n"), 0)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v", err)
			}
		})
	}
}
