package cluster

import (
	"reflect"
	"strings"
	"testing"
)

func TestWhatSlurmPrintsIsRead(t *testing.T) {
	got, err := parseQueue("12|3|RUNNING|n1|None\n12|4|PENDING||Resources\n7|N/A|RUNNING|n2|None\n\n12|5|NODE_FAIL|n[1-2]|NodeDown\n")
	want := []Task{{TaskID{12, 3}, "RUNNING", "n1", ""}, {TaskID{12, 4}, "PENDING", "", "Resources"}, {TaskID{12, 5}, "NODE_FAIL", "n[1-2]", "NodeDown"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	for i, text := range []string{"running 12_3 on n1", "pending 12_4 (Resources)", "node-fail 12_5 on n[1-2]"} {
		if got[i].String() != text || got[i].Queued() != (i < 2) {
			t.Errorf("%q, queued %v", got[i], got[i].Queued())
		}
	}
	accounts := parseAccounts("12_3|COMPLETED|n1\n12_4|CANCELLED by 1000|None assigned\n12_[5-9%2]|PENDING|None assigned\n12_3.batch|COMPLETED|n1\n8|FAILED|n1\nnonsense\n")
	if want := []Task{{TaskID{12, 3}, "COMPLETED", "n1", ""}, {TaskID{12, 4}, "CANCELLED", "", ""}}; !reflect.DeepEqual(accounts, want) {
		t.Errorf("got %v", accounts)
	}
	if n, ok := parseMaxArray("MailProg = /bin/mail\nMaxArraySize            = 1001\n"); n != 1001 || !ok {
		t.Errorf("got %d, %v", n, ok)
	}
}

func TestWhatIsNoQueueIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"12|3|RUNNING":          `squeue printed "12|3|RUNNING"; expected job|task|state|nodes|reason`,
		"12|x|RUNNING|n1|None":  "expected numbers of a job and a task",
		"-1|3|RUNNING|n1|None":  "expected numbers of a job and a task",
		"12|3||n1|None":         "and a state",
		"99999999999|3|R|n1|No": "expected numbers of a job and a task",
	} {
		t.Run(text, func(t *testing.T) {
			if _, err := parseQueue(text); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func FuzzParseQueue(f *testing.F) {
	f.Add("12|3|RUNNING|n1|None\n")
	f.Add("12_3|COMPLETED|n1\nMaxArraySize = 7\n")
	f.Add(`[{"job": 3, "script": "x", "stage": 0, "tasks": [[0, 1]]}]`)
	f.Fuzz(func(t *testing.T, text string) {
		queued, err := parseQueue(text)
		for _, task := range append(queued, parseAccounts(text)...) {
			if task.Job < 0 || task.TaskID.Task < 0 || task.State == "" || err != nil && queued != nil {
				t.Errorf("%+v, %v", task, err)
			}
			_ = task.String()
		}
		if n, ok := parseMaxArray(text); ok && n < 0 {
			t.Errorf("MaxArraySize %d", n)
		}
		jobs, err := parseNote([]byte(text))
		for _, j := range jobs {
			if err != nil || j.ID <= 0 {
				t.Errorf("%+v, %v", j, err)
			}
		}
		(&Queue{Jobs: jobs}).Queued()
	})
}
