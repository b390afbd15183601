package reproduce

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/findings.md from results/*/verdict.json")

// committed returns the verdicts of results, in the order of the reproductions and of their scales.
func committed(t *testing.T) []*Verdict {
	t.Helper()
	var out []*Verdict
	for _, r := range All() {
		for _, s := range Scales() {
			dir := filepath.Join("..", "results", (&Verdict{Name: r.Name, Scale: s}).folder())
			if _, err := os.Stat(filepath.Join(dir, verdictFile)); err != nil {
				continue // not there, or on its way
			}
			v, err := ReadVerdict(dir)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, v)
		}
	}
	return out
}

func TestTheFindingsAreThoseOfTheResults(t *testing.T) {
	const file = "../docs/findings.md"
	want := Findings(committed(t))
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != want {
		t.Errorf("docs/findings.md is not what the results say (%v): go test ./reproduce -run TestTheFindings -update makes it anew", err)
	}
}

// ofFashionToo are the reproductions that have more hypotheses where Fashion-MNIST is installed.
var ofFashionToo = []string{"causes", "datasets", "figure-3"}

func TestThePagesOfTheResultsSayWhatTheirVerdictsHave(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "results", "*", verdictFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		dir := filepath.Dir(file)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			v, err := ReadVerdict(dir)
			if err != nil {
				t.Fatal(err)
			}
			if *update { // which says in prose what the verdict has
				if err := os.WriteFile(filepath.Join(dir, readmeFile), []byte(pageOf(t, v, dir)), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			checkPages(t, dir)
			r, err := Find(v.Name)
			if err != nil || v.folder() != filepath.Base(dir) {
				t.Fatalf("it is of %s: %v", v.Name, err)
			}
			for _, f := range slices.Concat(v.Figures, v.Tables) {
				if _, err := os.Stat(filepath.Join(dir, f.File)); err != nil {
					t.Error(err)
				}
			}
			again := slices.Clone(v.Hypotheses)
			for i, f := range v.Hypotheses {
				again[i] = f.weigh(plain(f.Numbers))
			}
			settle(again)
			for i, f := range again {
				if f.Outcome != v.Hypotheses[i].Outcome || f.String() != v.Hypotheses[i].String() {
					t.Errorf("its numbers say %s\nand it says %s", f, v.Hypotheses[i])
				}
			}
			if v.Claim != r.Claim || v.Design != r.Design || !slices.Equal(v.Changed, r.Changed) {
				t.Errorf("the definition has another claim, design or list of changes: make it again")
			}
			if !haveFashion() && slices.Contains(ofFashionToo, v.Name) {
				t.Skip("hypotheses are of the data that there are")
			}
			var tested []Hypothesis
			for _, f := range v.Hypotheses {
				tested = append(tested, f.Hypothesis)
			}
			if want := r.Hypotheses(v.Scale); !reflect.DeepEqual(tested, want) {
				t.Errorf("it tested %v, and the definition has %v: make it again", tested, want)
			}
		})
	}
}

func plain(rows [][]Number) [][]float64 {
	out := make([][]float64, len(rows))
	for i, row := range rows {
		for _, v := range row {
			out[i] = append(out[i], float64(v))
		}
	}
	return out
}

func TestEveryReproductionAnswersAQuestion(t *testing.T) {
	for name, some := range ours {
		r, err := Find(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, hypothesis := range some {
			if !slices.ContainsFunc(r.hypotheses(Laptop), func(h Hypothesis) bool { return h.Name == hypothesis }) {
				t.Errorf("%s has no hypothesis %q", name, hypothesis)
			}
		}
	}
	asked := map[string]bool{}
	for _, q := range questions {
		for _, name := range q.answers {
			asked[name] = true
			if _, err := Find(name); err != nil {
				t.Error(err)
			}
		}
	}
	for _, r := range All() {
		if !asked[r.Name] {
			t.Errorf("%s answers no question of docs/findings.md", r.Name)
		}
	}
}

func TestFiguresOfTheSameRunsAreNamed(t *testing.T) {
	hashes := func(name string) map[string]bool {
		r, err := Find(name)
		if err != nil {
			t.Fatal(err)
		}
		sweeps, err := r.Sweeps(Laptop)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]bool{}
		for _, run := range sweeps[0].Runs {
			out[run.Hash] = true
		}
		return out
	}
	shared := func(part, of string) (common, runs int) {
		all, others := hashes(part), hashes(of)
		for h := range all {
			common += count(others[h])
		}
		return common, len(all)
	}
	six, ofSix := shared("figure-6", "figure-4")
	eleven, ofEleven := shared("figure-11", "figure-4")
	twelve, ofTwelve := shared("figure-12", "figure-5")
	want := fmt.Sprintf("all %d runs of Figure 6 and all %d of Figure 11 are runs of Figure 4 too, and %d of the %d of Figure 12 are of Figure 5", ofSix, ofEleven, twelve, ofTwelve)
	if six != ofSix || eleven != ofEleven || !strings.Contains(Findings(nil), want) {
		t.Errorf("of Figure 4's are %d of the %d runs of Figure 6 and %d of the %d of Figure 11, and the findings do not say %q", six, ofSix, eleven, ofEleven, want)
	}
}

func TestWhatComesOutAgainstIsSaidFirst(t *testing.T) {
	bad := Hypothesis{Name: "b", Claim: "The moon is large", Measure: "moons", Test: Bound, Direction: Up, Least: 2}.weigh([][]float64{{1}})
	good := Hypothesis{Name: "g", Claim: "The sun is large", Measure: "suns", Test: Bound, Direction: Up, Least: 1}.weigh([][]float64{{1}})
	theirs := &Verdict{Name: "table-1", Title: "Sizes", Scale: Laptop, Of: []string{"mlp on digits"}, Hypotheses: []Finding{good, bad}}
	own := &Verdict{Name: "order", Title: "Orders", Scale: Small, Hypotheses: []Finding{bad}}
	settle(theirs.Hypotheses)
	settle(own.Hypotheses)
	text := Findings([]*Verdict{theirs, own})
	first, rest, _ := strings.Cut(text, questions[0].asked)
	_, first, _ = strings.Cut(first, "## Against the paper")
	paper, us, _ := strings.Cut(first, "## Against us")
	if !strings.Contains(paper, "[Sizes](../results/table-1/README.md), at scale laptop, mlp on digits:\n  - The moon is large: against. Moons: 1; wanted: at least 2.") || strings.Contains(paper, "The sun") {
		t.Errorf("against the paper: %s", paper)
	}
	if !strings.Contains(us, "[Orders](../results/order-small/README.md), at scale small:\n  - The moon is large: against.") || strings.Contains(us, "Sizes") {
		t.Errorf("against us: %s", us)
	}
	for _, want := range []string{
		"The sun is large: supported", "Not run yet, so that nothing is said of it: `shadowflow reproduce causes`.",
	} {
		if !strings.Contains(rest, want) {
			t.Errorf("no %q then: %s", want, rest)
		}
	}
	if !strings.Contains(text, "At a larger scale: [Orders](../results/order-small/README.md) (small).") {
		t.Errorf("it does not say what has run at a larger scale: %s", text)
	}
}

// Every claim, of records in place of training, in which most columns lack: nothing is decided, and nothing breaks.
func TestEveryClaimIsJudgedWhateverIsMissing(t *testing.T) {
	for _, r := range All() {
		if r.sweeps == nil {
			continue
		}
		t.Run(r.Name, func(t *testing.T) {
			result, err := r.reach(t.Context(), Laptop, recorded(t, r, decaying, hilly))
			if err != nil {
				t.Fatal(err)
			}
			if len(result.Hypotheses) != len(r.Hypotheses(Laptop)) || len(result.drawings)+len(result.tables) == 0 {
				t.Errorf("%d hypotheses, %d drawings, %d tables", len(result.Hypotheses), len(result.drawings), len(result.tables))
			}
		})
	}
}
