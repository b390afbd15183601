package report

import (
	"slices"
	"strings"
	"testing"
)

func TestAComparisonSaysWhatRunsDifferInAndDrawsTheSameFiguresOfAll(t *testing.T) {
	runs := []*Report{read(t, runDir(t)), read(t, runDir(t, "beta2=0.9", "beside=[memoryless-1]")), read(t, runDir(t, "optimizer.name=sgd", "optimizer.momentum=0.5"))}
	names := []string{"a", "b", "c"}
	d := Comparison(runs, names)
	differences := d.Tables[0]
	at := func(row int, key string) string {
		i := slices.Index(differences.Header, key)
		if i < 0 {
			t.Fatalf("no column %s among %v", key, differences.Header)
		}
		return differences.Rows[row][i]
	}
	for row, want := range []string{"0.99", "0.9", ""} { // which SGD has not
		if got := at(row, "optimizer.beta2"); got != want {
			t.Errorf("beta2 of %s: %q, want %q", names[row], got, want)
		}
	}
	if at(0, "optimizer.name") != "adam" || at(1, "optimizer.name") != "adam" || at(2, "optimizer.name") != "sgd" {
		t.Errorf("optimizers %v", differences.Rows)
	}
	curves := map[string][]string{} // of each pair of axes, by what it shows
	for _, f := range d.Figures {
		for _, a := range f.(*Chart).Axes {
			for _, s := range a.Series {
				curves[a.Y] = append(curves[a.Y], s.Name)
			}
		}
	}
	for y, want := range map[string][]string{
		"training loss (nats)": names, "test loss (nats)": names, "excess norm (loss/parameter)": names, "memoryless-1: distance / way": names,
		"memoryless-2: distance / way": {"a", "c"}, "sharpness / threshold": {"a", "b", "c", "1"},
	} {
		if !slices.Equal(curves[y], want) {
			t.Errorf("%s: curves of %v, want %v", y, curves[y], want)
		}
	}
	page, err := d.Page()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"3 runs compared", "optimizer.beta2", "<svg"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("no %s on the page", want)
		}
	}
}

func TestNamesTellDirectoriesApart(t *testing.T) {
	for _, c := range []struct{ dirs, want string }{
		{"runs/a runs/b", "a b"}, {"x/a/runs/1 x/b/runs/1", "a/runs/1 b/runs/1"}, {"runs/a", "a"}, {"a a/b", "a a/b"}, {"/x/a y/a", "/x/a y/a"}, {"./r/a r/b/", "a b"},
	} {
		if got := Names(strings.Fields(c.dirs)); !slices.Equal(got, strings.Fields(c.want)) {
			t.Errorf("%s: %v, want %s", c.dirs, got, c.want)
		}
	}
}
