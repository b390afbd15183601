package report

import (
	"bytes"
	"errors"
	"fmt"
	"log"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/plot/vg/draw"

	"shadowflow/experiment/record"
)

// What people, spreadsheets and disks make of a number: another number, or something else.
var (
	numbers = []string{"", "NaN", "+Inf", "-Inf", "1e300", "-1e300", "1e-313", "0", "7", "1000000", "-1", "-0", "1e-300", "5e-324", "1.7976931348623157e308"}
	others  = []string{
		"nan", "inf", "x", "1e400", "99999999999999999999", `"`, "1,2", "\x00", "é", "  3", "0x10", "1_000", "true", "+5", "1e-400", "=1+1",
		strings.Repeat("9", 5000),
	}
)

// alter changes a few cells of a history, and now and then cuts it off.
func alter(r *rand.Rand, history string) string {
	lines := strings.Split(strings.TrimSuffix(history, "\n"), "\n")
	for range 1 + r.IntN(6) {
		i := r.IntN(len(lines))
		cells := strings.Split(lines[i], ",")
		by := numbers
		if r.IntN(20) == 0 {
			by = others
		} else if i = max(i, 1); i < len(lines) { // the names stay
			cells = strings.Split(lines[i], ",")
		}
		cells[r.IntN(len(cells))] = by[r.IntN(len(by))]
		lines[i] = strings.Join(cells, ",")
	}
	switch text := strings.Join(lines, "\n"); r.IntN(20) {
	case 0:
		return text[:r.IntN(len(text))]
	case 1:
		return text + "\n" + text
	case 2:
		slices.Reverse(lines)
		return strings.Join(lines, "\n")
	case 3: // a column twice, or not at all
		j, times := r.IntN(strings.Count(lines[0], ",")+1), 2*r.IntN(2)
		for i, line := range lines {
			if cells := strings.Split(line, ","); j < len(cells) {
				lines[i] = strings.Join(slices.Replace(cells, j, j+1, slices.Repeat(cells[j:j+1], times)...), ",")
			}
		}
		return strings.Join(lines, "\n") + "\n"
	case 4, 5: // a column of all sizes that numbers have
		j := r.IntN(strings.Count(lines[0], ",") + 1)
		for i, line := range lines[1:] {
			if cells := strings.Split(line, ","); j < len(cells) {
				cells[j] = fmt.Sprint(math.Pow(10, 630*r.Float64()-322))
				lines[1+i] = strings.Join(cells, ",")
			}
		}
		return strings.Join(lines, "\n") + "\n"
	case 6: // bits
		flipped := []byte(text)
		for range 1 + r.IntN(4) {
			flipped[r.IntN(len(flipped))] ^= 1 << r.IntN(8)
		}
		return string(flipped)
	default:
		return text + "\n"
	}
}

// unbind removes what says whether the history of a run is the one that was recorded.
func unbind(t *testing.T, dir string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "checkpoint-*"))
	for _, name := range append(names, filepath.Join(dir, "SHA256SUMS")) {
		err = errors.Join(err, os.Remove(name))
	}
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
}

// A report of a history that something has altered, and that nothing knows any more, is an error or a page, and comes in finite time.
func TestAnAlteredHistoryIsRefusedOrReported(t *testing.T) {
	dir := runDir(t)
	unbind(t, dir)
	path := filepath.Join(dir, "history.csv")
	history, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	tries := 15
	if os.Getenv("SHADOWFLOW_LONG") != "" {
		tries = 300
	}
	refused := 0
	for seed := range uint64(tries) {
		altered := alter(rand.New(rand.NewPCG(seed, 1)), string(history))
		if err := os.WriteFile(path, []byte(altered), 0o644); err != nil {
			t.Fatal(err)
		}
		r, err := Read(dir)
		if err != nil {
			refused++
			continue
		}
		if _, err := r.Document().Page(); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
	if refused == 0 || refused > tries*9/10 {
		t.Errorf("%d of %d altered histories are refused", refused, tries)
	}
}

// What is recorded is reported as it was, or not at all.
func TestWhatIsNoLongerTheRecordIsNotReported(t *testing.T) {
	whole := runDir(t)
	for name, c := range map[string]struct {
		change func(dir string) error
		want   string
	}{
		"another number, of a run that has ended": {func(dir string) error { return alterHistory(dir) }, "history.csv was altered since the run ended"},
		"another number, of one that has not": {func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, "SHA256SUMS")), os.Remove(filepath.Join(dir, "result.json")), alterHistory(dir))
		}, "are not those after which the checkpoint of step 30 was written"},
		"a line less": {func(dir string) error {
			text, err := os.ReadFile(filepath.Join(dir, "history.csv"))
			return errors.Join(err, os.WriteFile(filepath.Join(dir, "history.csv"), text[:len(text)*2/3], 0o644))
		}, "history.csv was altered"},
		"another unit": {func(dir string) error {
			text, err := os.ReadFile(filepath.Join(dir, "columns.csv"))
			return errors.Join(err, os.WriteFile(filepath.Join(dir, "columns.csv"), []byte(strings.Replace(string(text), "nats", "bits", 1)), 0o644))
		}, "columns.csv was altered"},
		"an empty config": {func(dir string) error { return os.Truncate(filepath.Join(dir, "config.yaml"), 0) }, "config.yaml was altered since the run ended"},
		"an empty config, of a run that has not ended": {func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, "SHA256SUMS")), os.Remove(filepath.Join(dir, "result.json")), os.Truncate(filepath.Join(dir, "config.yaml"), 0))
		}, "config.yaml is empty"},
		"half a config": {func(dir string) error { return os.Truncate(filepath.Join(dir, "config.yaml"), 150) }, "config.yaml was altered since the run ended"},
		"another result": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "result.json"), []byte(`{"status":"finished","step":30,"parameters":9}`), 0o644)
		}, "the result is damaged"},
		"no sums that are": {func(dir string) error { return os.Truncate(filepath.Join(dir, "SHA256SUMS"), 70) }, "SHA256SUMS"},
		"no directory":     {os.RemoveAll, "there is no directory"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			if err := errors.Join(os.CopyFS(dir, os.DirFS(whole)), c.change(dir)); err != nil {
				t.Fatal(err)
			}
			if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("report says %v, want %q", err, c.want)
			}
			if name == "another result" {
				return
			}
			if _, _, err := record.Export(dir, "csv", filepath.Join(t.TempDir(), "x.csv")); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("export says %v, want %q", err, c.want)
			}
		})
	}
}

// alterHistory makes the last digit of a history another.
func alterHistory(dir string) error {
	path := filepath.Join(dir, "history.csv")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	at := strings.LastIndexAny(string(text), "0123456789")
	text[at] = '0' + (text[at]-'0'+1)%10
	return os.WriteFile(path, text, 0o644)
}

func TestFiguresNeedNoTemporaryFolderOfTheSystem(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", filepath.Join(dir, "missing"))
	chart := &Chart{Axes: []Axes{{X: "x", Y: "y", Series: []Series{{X: []float64{0, 1}, Y: []float64{2, 3}, Line: true}}}}}
	if err := Save(chart, filepath.Join(dir, "line.pdf"), PageStyle); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%v, %v: want the figure alone", entries, err)
	}
}

// full stands for a figure whose PDF fails as that of a full disk does.
type full struct{ *Chart }

func (f full) draw(draw.Canvas, Style) error {
	log.Panic("no space left on device")
	return nil
}

func TestAFigureThatCannotBeWrittenSaysSoOnce(t *testing.T) {
	var said bytes.Buffer
	defer log.SetOutput(log.Writer())
	log.SetOutput(&said)
	err := Save(full{&Chart{Axes: []Axes{{X: "x", Y: "y"}}}}, filepath.Join(t.TempDir(), "line.pdf"), PageStyle)
	if err == nil || !strings.Contains(err.Error(), "line.pdf: writing PDF: no space left on device") || said.Len() > 0 {
		t.Errorf("%v; beside that %q", err, &said)
	}
	if log.Writer() != &said {
		t.Error("the log is not what it was")
	}
}
