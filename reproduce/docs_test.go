package reproduce

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"shadowflow/internal/stats"
)

// The pages written by hand take their numbers from results: these tests find where a result that was made again has others.

func TestTheFiguresOfTheDocsAreThoseOfTheResults(t *testing.T) {
	for image, figure := range map[string]string{
		"edge-gd": "edge/figures/edge-gd-mlp", "edge-adam": "edge/figures/edge-adam-mlp", "usual-settings": "usual-settings/figures/usual-settings",
		"norm-vs-beta2": "norm-vs-beta2/figures/norm-vs-beta2", "language-model": "language-model/figures/language-model", "figure-2": "figure-2/figures/figure-2",
		"map-reach": "reach/figures/reach-eps-0.0001-full",
	} {
		if shown, made := fileOf(t, "docs", "images", image+".png"), fileOf(t, "results", figure+".png"); !bytes.Equal(shown, made) {
			t.Errorf("docs/images/%s.png is not results/%s.png: copy it", image, figure)
		}
	}
}

func TestTheTablesOfTheEquationsAreThoseOfTheResults(t *testing.T) {
	usual := cellsUnder(t, "| run | loss, iterates | loss, state-2 |")
	rows := tableOf(t, "usual-settings")
	if len(usual) != len(rows) {
		t.Fatalf("usual settings: %d rows, want %d", len(usual), len(rows))
	}
	for i, row := range rows {
		for k := 1; k < len(row); k++ {
			compare(t, row[0], usual[i][k], row[k])
		}
	}
	column := map[string]int{"state-2": 1, "lift-1": 2, "lift-2": 3, "central": 4}
	edge, i, run := cellsUnder(t, "| run | stable flow | lift-1 |"), -1, ""
	for _, row := range tableOf(t, "edge") { // a row for each equation of a run
		if row[0] != run {
			i, run = i+1, row[0]
		}
		if i == len(edge) {
			t.Fatalf("no row of %s", run)
		}
		distance, cost, _ := strings.Cut(edge[i][column[row[3]]], " ")
		compare(t, run+" "+row[3], distance, row[5])
		compare(t, run+" "+row[3]+", cost", strings.Trim(cost, "()"), row[6])
	}
}

func TestTheSentencesOfTheDocsHaveTheNumbersOfTheResults(t *testing.T) {
	beta2, err := ReadVerdict(filepath.Join("..", "results", "norm-vs-beta2"))
	if err != nil {
		t.Fatal(err)
	}
	norm, accuracy := beta2.hypothesis("norm at lr 0.001"), beta2.hypothesis("accuracy at lr 0.001")
	least, most := math.Inf(1), math.Inf(-1)
	for _, lr := range betaLRs(beta2.Scale) {
		change := float64(beta2.hypothesis(fmt.Sprintf("norm at lr %g", lr)).Change)
		least, most = math.Min(least, change), math.Max(most, change)
	}
	var alike, large []float64 // of Table 1, in percent: equal betas at the small eps, all at the large one
	for _, row := range tableOf(t, "table-1") {
		switch {
		case row[0] != "1e-08":
			large = append(large, -100*meanIn(row[7]))
		case row[2] == row[3]:
			alike = append(alike, -100*meanIn(row[7]))
		}
	}
	causes, err := ReadVerdict(filepath.Join("..", "results", "causes"))
	if err != nil {
		t.Fatal(err)
	}
	subtracted := math.NaN() // change of the norm's logarithm, in percent
	for _, row := range tableOf(t, "causes") {
		if row[0] == "mlp [64, 64] on digits" && row[1] == "realized bias scale -1" && meanIn(row[3]) == 0 {
			subtracted = 100 * meanIn(row[2])
		}
	}
	language := map[string]string{}
	for _, row := range tableOf(t, "language-model") {
		language[row[0]] = strings.TrimPrefix(row[3], "0")
	}
	reach, err := ReadVerdict(filepath.Join("..", "results", "reach"))
	if err != nil {
		t.Fatal(err)
	}
	var holds, keeps []any // by eps: of how many combinations, at how many the equation without memory holds, and at how many the one that keeps it
	for _, note := range reach.Notes {
		if strings.HasPrefix(note, byCloseness) {
			continue
		}
		n := regexp.MustCompile(`of (\d+) combinations.* to 5% in (\d+), .*without memory in (\d+)\.`).FindStringSubmatch(note)
		if n == nil || n[1] != "48" {
			t.Fatalf("%q", note)
		}
		holds, keeps = append(holds, n[3]), append(keeps, n[2])
	}
	for _, c := range []struct{ page, want string }{
		{"guide.md", fmt.Sprintf("at %s with eps 1e-8, at %s with eps 1e-4, and at %s with eps 0.01; the share falls", holds...)},
		{"guide.md", fmt.Sprintf("nine of ten steps to 5%% at %s, %s and %s of them", keeps...)},
		{"guide.md", fmt.Sprintf("by %.1f%% from the first beta2 to the last", float64(norm.Change))},
		{"guide.md", fmt.Sprintf("(Kendall's tau +%s, p = %s after the correction)", strings.TrimPrefix(fmt.Sprintf("%.2f", float64(accuracy.Effect)), "0"), stats.Probability(float64(accuracy.Corrected)))},
		{"guide.md", fmt.Sprintf("by %.0f to %.0f%% from .9 to .999", least, most)},
		{"guide.md", fmt.Sprintf("it is [%s](../results/causes/README.md): the slope is %.3f on one of three networks", causes.Outcome, float64(causes.hypothesis("mlp-digits").Effect))},
		{"guide.md", fmt.Sprintf("subtracting the realized bias changes the norm by %.2f%% and the accuracy not at all", subtracted)},
		{"guide.md", between(alike) + " of the main drive, where they are equal"},
		{"guide.md", "down at all nine pairs, " + between(large)},
		{"figures.md", fmt.Sprintf("by %s of the main term's size in the median (%s where the gradient's norm is clipped), that of Muon by %s (%s, clipped)",
			language["adamw"], language["adamw, clipped"], language["muon"], language["muon, clipped"])},
	} {
		if text := strings.Join(strings.Fields(string(fileOf(t, "docs", c.page))), " "); !strings.Contains(text, c.want) {
			t.Errorf("docs/%s does not say %q, as the results do", c.page, c.want)
		}
	}
}

func between(percent []float64) string {
	least, most := math.Inf(1), math.Inf(-1)
	for _, v := range percent {
		least, most = math.Min(least, v), math.Max(most, v)
	}
	return fmt.Sprintf("by %.0f to %.0f%%", least, most)
}

func fileOf(t *testing.T, path ...string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(append([]string{".."}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// tableOf returns the rows of a result's table, without the header.
func tableOf(t *testing.T, result string) [][]string {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(fileOf(t, "results", result, "table.csv"))).ReadAll()
	if err != nil || len(rows) < 2 {
		t.Fatalf("%s: %d rows, %v", result, len(rows), err)
	}
	return rows[1:]
}

// cellsUnder returns the cells of the table of docs/equations.md whose header begins so.
func cellsUnder(t *testing.T, header string) [][]string {
	t.Helper()
	_, after, found := strings.Cut(string(fileOf(t, "docs", "equations.md")), "\n"+header)
	if !found {
		t.Fatalf("docs/equations.md has no table %q", header)
	}
	var out [][]string
	for _, line := range strings.Split(after, "\n")[2:] {
		if !strings.HasPrefix(line, "|") {
			break
		}
		var cells []string
		for _, cell := range strings.Split(strings.Trim(line, "|"), "|") {
			cells = append(cells, strings.Trim(strings.TrimSpace(cell), "*"))
		}
		out = append(out, cells)
	}
	return out
}

// compare asks whether a number is written as that of a result, to the digits that it has. None may stand where the result has one, as a loss of single
// batches.
func compare(t *testing.T, what, written, made string) {
	t.Helper()
	if written == "" {
		return
	}
	got, err := strconv.ParseFloat(written, 64)
	if err != nil {
		t.Errorf("%s: %q is no number", what, written)
		return
	}
	_, fraction, _ := strings.Cut(written, ".")
	if want := meanIn(made); !(math.Abs(got-want) < 0.501*math.Pow10(-len(fraction))) {
		t.Errorf("%s: docs/equations.md has %s, the result %s", what, written, made)
	}
}

var leadingNumber = regexp.MustCompile(`^[-+0-9.e]+`)

// meanIn is the number before an interval, NaN if there is none.
func meanIn(text string) float64 {
	v, err := strconv.ParseFloat(leadingNumber.FindString(text), 64)
	if err != nil {
		return math.NaN()
	}
	return v
}
