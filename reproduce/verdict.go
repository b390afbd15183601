package reproduce

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"shadowflow/experiment/record"
	"shadowflow/internal/atomicfile"
	"shadowflow/internal/plural"
	"shadowflow/internal/stats"
	"shadowflow/internal/userfile"
	"shadowflow/internal/version"
	"shadowflow/report"
)

// A Number is a float64 that is null in JSON where it is not finite.
type Number float64

// MarshalJSON implements json.Marshaler.
func (n Number) MarshalJSON() ([]byte, error) {
	if v := float64(n); math.IsNaN(v) || math.IsInf(v, 0) {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, float64(n), 'g', -1, 64), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *Number) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*n = Number(math.NaN())
		return nil
	}
	v, err := strconv.ParseFloat(string(text), 64)
	*n = Number(v)
	return err
}

func numbersOf(rows [][]float64) [][]Number {
	out := make([][]Number, len(rows))
	for i, row := range rows {
		out[i] = make([]Number, len(row))
		for k, v := range row {
			out[i][k] = Number(v)
		}
	}
	return out
}

// A Verdict is what a reproduction found, and all that its pages say: they are made from its file.
type Verdict struct {
	Name   string `json:"name"`
	Title  string `json:"title"`
	Scale  Scale  `json:"scale"`
	Claim  string `json:"claim"`
	Design string `json:"design"`
	// Changed says what of the design was changed after numbers had been looked at.
	Changed []string `json:"changed"`
	Outcome Outcome  `json:"outcome"`
	// Verdict is the outcome in a sentence.
	Verdict    string    `json:"verdict"`
	Hypotheses []Finding `json:"hypotheses"`
	// Notes are sentences with numbers that no hypothesis is about.
	Notes []string `json:"notes"`
	// Runs is how many were made, Failed how many of these have not ended, Of names their data and models.
	Runs   int      `json:"runs"`
	Failed int      `json:"failed"`
	Of     []string `json:"of,omitempty"`
	// Seconds is the wall time of the runs, added up: of two at once it passes twice as fast. Where there are none, it is that of the computation.
	Seconds float64 `json:"seconds,omitempty"`
	Command string  `json:"command"`
	// Made says by which program.
	Made    string   `json:"made"`
	Figures []Figure `json:"figures"`
	Tables  []Figure `json:"tables"`
}

// A Figure is a file beside the verdict, and what is to be seen in it.
type Figure struct {
	File    string `json:"file"`
	Title   string `json:"title,omitempty"`
	Caption string `json:"caption"`
}

// The names of a verdict's files.
const (
	verdictFile = "verdict.json"
	readmeFile  = "README.md"
)

// Paths returns the files and the folder that a verdict, its pages and its figures take in a directory; its tables have names of their own.
func Paths(dir string) []string {
	return append(report.PagePaths(dir), filepath.Join(dir, verdictFile), filepath.Join(dir, readmeFile))
}

// mostOfAVerdict is the size beyond which a file is no verdict, in bytes.
const mostOfAVerdict = 8 << 20

// ReadVerdict reads the verdict in a directory.
func ReadVerdict(dir string) (*Verdict, error) {
	path := filepath.Join(dir, verdictFile)
	text, err := userfile.Read(path, mostOfAVerdict)
	if err != nil {
		return nil, err
	}
	v := &Verdict{}
	if err := json.Unmarshal(text, v); err != nil {
		return nil, fmt.Errorf("%s: %w: want what reproduce writes", path, err)
	}
	return v, nil
}

// write writes the verdict, and all else from what its file then says.
func (v *Verdict) write(dir string, tables []report.Table) error {
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err
	}
	if err := atomicfile.WriteBytes(filepath.Join(dir, verdictFile), append(text, '\n')); err != nil {
		return err
	}
	for i, t := range tables {
		if err := atomicfile.WriteBytes(filepath.Join(dir, v.Tables[i].File), asCSV(t)); err != nil {
			return err
		}
	}
	read, err := ReadVerdict(dir)
	if err != nil {
		return err
	}
	prose, err := read.Markdown(dir)
	if err != nil {
		return err
	}
	return atomicfile.WriteBytes(filepath.Join(dir, readmeFile), []byte(prose))
}

func asCSV(t report.Table) []byte {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	_ = w.WriteAll(append([][]string{t.Header}, t.Rows...)) // a buffer takes everything
	return out.Bytes()
}

// madeBy says which program this is.
func madeBy() string {
	switch p := version.Current(); {
	case p.Commit == "":
		return "Made by a build that does not say its commit."
	case p.Modified:
		return fmt.Sprintf("Made by commit %s with changes beside it.", p.Commit)
	default:
		return fmt.Sprintf("Made by commit %s.", p.Commit)
	}
}

// runsMadeBy says which commits made runs, where others did than that of this program.
func runsMadeBy(made []trials) string {
	var others []string
	for _, ts := range made {
		for _, t := range ts {
			var p version.Program
			if record.ReadVersion(t.Dir, &p) != nil || p.Commit == version.Current().Commit {
				continue // one without the file has not begun
			}
			if commit := cmp.Or(p.Commit, "unknown"); !slices.Contains(others, commit) {
				others = append(others, commit)
			}
		}
	}
	if len(others) == 0 {
		return ""
	}
	return fmt.Sprintf(" Runs were made by commit %s.", strings.Join(others, ", "))
}

// Markdown returns the page of prose, with the tables that lie beside the verdict in a directory.
func (v *Verdict) Markdown(dir string) (string, error) {
	var out strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&out, format+"\n\n", args...) }
	p("# %s", v.Title)
	p("**%s.** %s", capital(string(v.Outcome)), v.Verdict)
	p("*Asked.* %s", v.Claim)
	p("*Done.* %s%s", v.Design, v.amount())
	p("%s", changedText(v.Changed))
	if len(v.Hypotheses) > 0 {
		if len(v.Changed) == 0 {
			p("## Hypotheses, written before the runs")
		} else {
			p("## Hypotheses")
		}
		for _, f := range v.Hypotheses {
			fmt.Fprintf(&out, "- %s\n", f)
		}
		out.WriteString("\n")
		p("%s", howJudged)
	}
	if len(v.Notes) > 0 {
		p("## Besides")
		for _, note := range v.Notes {
			fmt.Fprintf(&out, "- %s\n", note)
		}
		out.WriteString("\n")
	}
	for _, f := range v.Figures {
		p("![%s](%s)", f.Title, f.File)
		p("%s", f.Caption)
	}
	for _, t := range v.Tables {
		p("%s ([%s](%s))", t.Caption, t.File, t.File)
		rows, err := readTable(filepath.Join(dir, t.File))
		if err != nil {
			return "", err
		}
		out.WriteString(rows)
	}
	p("```sh\n%s\n```", v.Command)
	p("%s The numbers of this page are those of [%s](%s), those of its tables of their files.", v.Made, verdictFile, verdictFile)
	return strings.TrimSpace(out.String()) + "\n", nil
}

// mostRows is the number of rows up to which a table stands in the page of prose.
const mostRows = 40

// readTable returns a table's file in Markdown, nothing of a long one.
func readTable(path string) (string, error) {
	text, err := userfile.Read(path, mostOfAVerdict)
	if err != nil {
		return "", err
	}
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	if len(rows) == 0 || len(rows) > 1+mostRows {
		return "", nil
	}
	var out strings.Builder
	rows = slices.Insert(rows, 1, slices.Repeat([]string{"---"}, len(rows[0])))
	for _, row := range rows {
		for i, cell := range row {
			row[i] = strings.ReplaceAll(cell, "|", `\|`)
		}
		fmt.Fprintf(&out, "| %s |\n", strings.Join(row, " | "))
	}
	return out.String() + "\n", nil
}

func (v *Verdict) amount() string {
	if v.Runs == 0 {
		return fmt.Sprintf(" At scale %s: a computation without runs, which took %s.", v.Scale, duration(v.Seconds))
	}
	of := ""
	if len(v.Of) > 0 {
		of = ", of " + strings.Join(v.Of, "; ")
	}
	took := ""
	if v.Seconds > 0 {
		took = fmt.Sprintf(" Their wall times add up to %s, of which two runs at once take half.", duration(v.Seconds))
	}
	return fmt.Sprintf(" At scale %s: %s%s.%s", v.Scale, plural.Count(v.Runs, "run"), of, took)
}

const howJudged = "An effect's interval is a 95% bootstrap interval over seeds: of a handful of them it is narrower than Student's, and shows how far they agree. A hypothesis is supported, or decided against, where p after Holm's correction for its family is below 0.05 and the interval " +
	"lies on one side of 0, of a trend that of the change from the first to the last too; it is supported if the effect reaches the least that was set, too. A trend is tested by t-tests over seeds of Kendall's rank correlation with the grid within each seed, and of the change from the first to the last; the larger p counts; that three seeds or more all have the same number is no chance. A change in % is that of the geometric mean over seeds of the last number over the first, of accuracies too. " +
	"The t-tests are two-sided; the sign test is one-sided, on the side of the evidence: each side is held to 0.05, so that where there is nothing, one or the other decides up to twice as often. A bound is kept or not."

func changedText(changed []string) string {
	if len(changed) == 0 {
		return "The design was not changed after numbers had been looked at."
	}
	sentences := slices.Clone(changed)
	for i := range sentences[1:] {
		sentences[i+1] = capital(sentences[i+1])
	}
	return "Changed after numbers had been looked at: " + strings.Join(sentences, " ")
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// String is the hypothesis, what became of it, and the numbers.
func (f Finding) String() string {
	if f.Test == Bound {
		if f.Given == 0 {
			return fmt.Sprintf("%s: %s; there are not the numbers.", f.Claim, f.Outcome)
		}
		return fmt.Sprintf("%s: %s. %s: %s; wanted: at %s %s.", f.Claim, f.Outcome, capital(f.Measure), short(float64(f.Effect)), f.Direction.word("least", "most"), short(f.Least))
	}
	effect := map[Test]string{Trend: "Kendall's tau with the grid", Mean: "the mean", Majority: f.inMost()}[f.Test]
	if f.Given == 0 {
		return fmt.Sprintf("%s: %s; %s.", f.Claim, f.Outcome, f.lacks())
	}
	text := fmt.Sprintf("%s: %s. %s: %s %s (%s; %s; %s; least effect %s)", f.Claim, f.Outcome, capital(f.Measure), effect,
		within(f.Effect, f.Low, f.High, ""), seedsText(f.Given, f.Seeds), f.chance(), f.Test.name(), short(f.Least))
	if f.Test == Trend {
		text += fmt.Sprintf("; from the first to the last %s", within(f.Change, f.ChangeLow, f.ChangeHigh, f.ChangeUnit))
	}
	return text + f.tooFew() + "."
}

// inMost says in how many seeds most runs do what a Majority asks, and what its effect is.
func (f Finding) inMost() string {
	do := math.Round(float64(f.Given) * (1 + float64(f.Effect)) / 2)
	return fmt.Sprintf("in %g of %s most do; the share of these seeds less that of the others is", do, plural.Count(f.Given, "seed"))
}

// lacks says what the seeds lack.
func (f Finding) lacks() string {
	if f.Test != Trend || len(f.Numbers) == 0 {
		return "no seed has the numbers"
	}
	known := 0
	for k := range f.Numbers[0] {
		known += count(slices.ContainsFunc(f.Numbers, func(row []Number) bool { return !math.IsNaN(float64(row[k])) }))
	}
	return fmt.Sprintf("no seed has the numbers of the whole grid (at %d of its %d places some seed has one)", known, len(f.Numbers[0]))
}

// chance says how probable such evidence is by chance, of a Trend by each of its tests, and what that is for the family.
func (f Finding) chance() string {
	text := strings.Replace("p = "+stats.Probability(float64(f.P)), "= below", "below", 1)
	switch {
	case f.P == 0:
		text = "p taken for 0, as seeds that all have the same number are no chance"
	case f.Test == Trend:
		text += fmt.Sprintf(", of ranks %s and of the change %s", stats.Probability(float64(f.RanksP)), stats.Probability(float64(f.ChangeP)))
	}
	if f.Test == Trend && float64(f.P) == 1 && float64(f.Effect)*float64(f.Change) < 0 {
		text += ", which go opposite ways"
	}
	if f.Alone {
		return text + ", alone in its family"
	}
	return text + fmt.Sprintf(", %s after Holm's correction", stats.Probability(float64(f.Corrected)))
}

// tooFew says where no numbers of so few seeds could have decided anything.
func (f Finding) tooFew() string {
	if most, _ := stats.SignTest(f.Given, f.Given); f.Test == Majority && most >= level || f.Given < 2 {
		return fmt.Sprintf("; %d are too few to decide anything", f.Given)
	}
	return ""
}

func seedsText(given, of int) string {
	if given == of {
		return plural.Count(of, "seed")
	}
	return fmt.Sprintf("%d of %s", given, plural.Count(of, "seed"))
}

// within writes an effect and its interval.
func within(effect, low, high Number, unit string) string {
	write := func(n Number) string { return fmt.Sprintf("%+.3g%s", float64(n), unit) }
	if math.IsNaN(float64(low)) {
		return write(effect)
	}
	return fmt.Sprintf("%s [%s, %s]", write(effect), write(low), write(high))
}

// hypothesis returns the finding of a name, nil if there is none, of no verdict too.
func (v *Verdict) hypothesis(name string) *Finding {
	if v == nil {
		return nil
	}
	if i := slices.IndexFunc(v.Hypotheses, func(f Finding) bool { return f.Name == name }); i >= 0 {
		return &v.Hypotheses[i]
	}
	return nil
}
