package reproduce

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat"

	"shadowflow/internal/plural"
)

// The short answers to the questions: sentences made of the numbers of verdicts, without what they lack.

// verdicts are those that answer a question.
type verdicts []*Verdict

// of returns the verdict of a claim at the laptop's scale, nil if there is none.
func (all verdicts) of(name string) *Verdict {
	for _, v := range all {
		if v.Name == name && v.Scale == Laptop {
			return v
		}
	}
	return nil
}

// some returns the findings that are meant, none of no verdict.
func (v *Verdict) some(meant func(f Finding) bool) []Finding {
	if v == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(v.Hypotheses), func(f Finding) bool { return !meant(f) })
}

// noted returns the notes that have one of these phrases in them.
func (v *Verdict) noted(phrases ...string) []string {
	return slices.DeleteFunc(slices.Clone(v.Notes), func(note string) bool {
		return !slices.ContainsFunc(phrases, func(phrase string) bool { return strings.Contains(note, phrase) })
	})
}

// supportedOf counts those that are.
func supportedOf(findings []Finding) int {
	n := 0
	for _, f := range findings {
		n += count(f.Outcome == Supported)
	}
	return n
}

// butNot names those that are not, nothing if all are.
func butNot(findings []Finding) string {
	var others []string
	for _, f := range findings {
		if f.Outcome != Supported {
			others = append(others, fmt.Sprintf("%s: %s", f.Name, f.Outcome))
		}
	}
	if len(others) == 0 {
		return ""
	}
	return fmt.Sprintf(" (not on %s)", strings.Join(others, ", "))
}

// effects writes from which to which the effects go.
func effects(findings []Finding) string {
	low, high := math.Inf(1), math.Inf(-1)
	for _, f := range findings {
		low, high = math.Min(low, float64(f.Effect)), math.Max(high, float64(f.Effect))
	}
	if len(findings) == 1 {
		return fmt.Sprintf("%.3g", low)
	}
	return fmt.Sprintf("%.3g to %.3g", low, high)
}

// sized is what became of a finding, with its effect.
func (f *Finding) sized() string { return fmt.Sprintf("%.3g, %s", float64(f.Effect), f.Outcome) }

func aboutTheTerm(all verdicts) []string {
	var out []string
	if f := all.of("figure-1").hypothesis("derived"); f != nil {
		out = append(out, fmt.Sprintf("The paper's formula of what is penalized is that of the derived equation, to %.1g of the curves' largest value (%s).", float64(f.Effect), f.Outcome))
	}
	if f := all.of("figure-2").hypothesis("ends"); f != nil {
		out = append(out, fmt.Sprintf("Of the 20 ends of Figure 2, %g are the paper's to 5e-5.", float64(f.Effect)))
	}
	starting := func(prefix string) []Finding {
		return all.of("bilinear").some(func(f Finding) bool { return strings.HasPrefix(f.Name, prefix) })
	}
	if nearer, slopes := starting("nearer"), starting("slope"); len(nearer) > 0 {
		out = append(out, fmt.Sprintf("On the loss of two parameters the error of order 2 falls like lr to the power %s; its end is nearer than that of order 1 at each of five step sizes for %d of %d pairs of betas.",
			effects(slopes), supportedOf(nearer), len(nearer)))
	}
	return out
}

// A course is what a quantity does along a beta.
type course struct {
	quantity
	beta   string
	claims []string // that test it
}

// A quantity is what trends are about, told by their measures.
type quantity struct {
	label string
	is    func(measure string) bool
}

var courseQuantities = []quantity{
	{"the excess of the norm at equal training loss", func(m string) bool { return strings.HasPrefix(m, "excess norm") }},
	{"the top of the norm's hill, or its height above the start", func(m string) bool {
		return strings.HasPrefix(m, "largest perturbed") || strings.HasPrefix(m, "largest excess norm less")
	}},
	{"the test accuracy at equal training loss, or late", func(m string) bool { return strings.Contains(m, "test accuracy") && !strings.HasPrefix(m, "largest") }},
	{"the best test accuracy of a run", func(m string) bool { return strings.HasPrefix(m, "largest test") }},
}

// courses are the norm and the accuracy along both betas, without figures whose runs are those of others.
func courses() []course {
	var out []course
	for _, q := range courseQuantities {
		out = append(out, course{q, "beta2", []string{"norm-vs-beta2", "figure-4", "figure-7", "figure-9", "datasets", "hill", "minibatch"}})
	}
	for _, q := range courseQuantities {
		out = append(out, course{q, "beta1", []string{"norm-vs-beta1", "figure-5", "figure-8", "figure-10"}})
	}
	return out
}

// says tells in which settings the quantity rises and in which it falls, and by how much from the first beta to the last.
func (c course) says(all verdicts) string {
	var rises, falls []string
	undecided, without, low, high := 0, 0, math.Inf(1), math.Inf(-1)
	for _, v := range all {
		if !slices.Contains(c.claims, v.Name) {
			continue
		}
		for _, f := range v.some(func(f Finding) bool { return f.Test == Trend && c.is(f.Measure) }) {
			setting := fmt.Sprintf("%s, %s, by %+.3g%s", v.folder(), f.Name, float64(f.Change), f.ChangeUnit)
			switch {
			case f.Outcome == Undecided:
				undecided++
				without += count(f.Given == 0)
				if change := float64(f.Change); f.ChangeUnit == "%" && !math.IsNaN(change) {
					low, high = math.Min(low, change), math.Max(high, change)
				}
			case f.Effect > 0:
				rises = append(rises, setting)
			default:
				falls = append(falls, setting)
			}
		}
	}
	n := len(rises) + len(falls) + undecided
	if n == 0 {
		return ""
	}
	var sizes []string
	switch {
	case low < high:
		sizes = append(sizes, fmt.Sprintf("by %+.3g%% to %+.3g%%", low, high))
	case low == high:
		sizes = append(sizes, fmt.Sprintf("by %+.3g%%", low))
	}
	if without > 0 {
		sizes = append(sizes, fmt.Sprintf("of %d no seed has the numbers", without))
	}
	between := ""
	if len(sizes) > 0 {
		between = fmt.Sprintf(" (%s)", strings.Join(sizes, "; "))
	}
	in := func(settings []string) string {
		if len(settings) == 0 {
			return "none"
		}
		return fmt.Sprintf("%d (%s)", len(settings), strings.Join(settings, "; "))
	}
	return fmt.Sprintf("With %s, in %s, %s rises in %s, falls in %s, and is undecided in %d%s.", c.beta, plural.Count(n, "setting"), c.label, in(rises), in(falls), undecided, between)
}

func aboutTheBetas(all verdicts) []string {
	var out []string
	for _, c := range courses() {
		if said := c.says(all); said != "" {
			out = append(out, said)
		}
	}
	for _, name := range []string{"figure-11", "figure-12"} {
		if f := all.of(name).hypothesis("accuracy"); f != nil {
			out = append(out, fmt.Sprintf("Not counted there, as its runs are of another figure too, is `%s`: %s (%s; from the first to the last by %+.3g%s).", name, f.Claim, f.Outcome, float64(f.Change), f.ChangeUnit))
		}
	}
	return out
}

func aboutTable1(all verdicts) []string {
	var out []string
	for _, eps := range table1Eps {
		cells := all.of("table-1").some(func(f Finding) bool { return strings.HasPrefix(f.Name, fmt.Sprintf("eps %g,", eps)) })
		if len(cells) > 0 {
			out = append(out, fmt.Sprintf("With eps %g the bias has the sign that is predicted at %d of %d pairs of betas; over the main term, what it does to the norm is %s (negative: penalized).",
				eps, supportedOf(cells), len(cells), effects(cells)))
		}
	}
	return out
}

func aboutCauses(all verdicts) []string {
	v := all.of("causes")
	if v == nil {
		return nil
	}
	var slopes []string
	for _, f := range v.Hypotheses {
		slopes = append(slopes, fmt.Sprintf("%s: %s", f.Name, f.sized()))
	}
	out := []string{fmt.Sprintf("The change of the test accuracy for each unit of the norm's logarithm, over all interventions, is %s.", strings.Join(slopes, "; "))}
	return append(out, v.noted(withinKinds, ofAllInterventions)...)
}

func aboutTheHill(all verdicts) []string {
	var out []string
	if exists, raises, height := all.of("hill").hypothesis("exists"), all.of("hill").hypothesis("raises"), all.of("hill").hypothesis("height"); exists != nil {
		out = append(out, fmt.Sprintf("The norm rises above its start and ends below it (%s), to a top that is the higher the larger beta2 is (%s; by %+.3g from the first beta2 to the last, in the norm's own unit). Up to the top the realized bias changes the norm by %s: where that is below 0, it does not make the hill.",
			exists.Outcome, height.Outcome, float64(height.Change), raises.sized()))
		out = append(out, all.of("hill").noted(upToTheTop)...)
	}
	if f := all.of("figure-6").hypothesis("hill"); f != nil {
		out = append(out, fmt.Sprintf("That the norm of Figure 6, of a ResNet, has a hill without the noise of single steps: %s.", f.Outcome))
	}
	var others []string
	for _, v := range all {
		for _, note := range v.noted(medianHills) {
			runs, _, _ := strings.Cut(note, ";")
			others = append(others, fmt.Sprintf("%s, %s", v.folder(), strings.Replace(runs, ": "+medianHills, "", 1)))
		}
	}
	if len(others) > 0 {
		out = append(out, fmt.Sprintf("By the same rule %s: %s.", medianHills, strings.Join(others, "; ")))
	}
	return out
}

func aboutTheReach(all verdicts) []string {
	var out []string
	if v := all.of("reach"); v != nil {
		var trends, shares []string
		for _, t := range reachTrends {
			if f := v.hypothesis(t.name); f != nil {
				trends = append(trends, fmt.Sprintf("%s with %s (%s; from the first to the last by %+.3g%s)", t.direction.word("rise", "fall"), t.name, f.Outcome, float64(f.Change), f.ChangeUnit))
			}
		}
		for _, f := range v.some(func(f Finding) bool { return strings.HasPrefix(f.Name, "state at") }) {
			shares = append(shares, fmt.Sprintf("%s: %.2f", strings.TrimPrefix(f.Name, "state at "), f.agreeing()))
		}
		out = append(out, borneOut(v)...)
		out = append(out, v.noted(byCloseness)...)
		out = append(out, fmt.Sprintf("That share is claimed to %s. The one that keeps it predicts nearly all steps to 5%% at these shares of the settings, each seed by itself: %s.",
			strings.Join(trends, ", to "), strings.Join(shares, ", ")))
	}
	if f := all.of("usual-settings").hypothesis("nearer"); f != nil {
		out = append(out, fmt.Sprintf("At everyday settings, on smooth networks and the full batch, the equation that keeps the memory is ten times nearer, or more, than the one that eliminates it (%s).", f.Outcome))
	}
	if f := all.of("edge").hypothesis("nearer"); f != nil {
		each := all.of("edge").some(func(f Finding) bool { return f.Name != "nearer" })
		out = append(out, fmt.Sprintf("Past the edge of stability the nearer of two lifts keeps nearer than the stable flow (%[1]s), on %[3]d of %[2]d pairs of an optimizer and a network%[4]s; the claim asks it of all, and is %[5]s.", f.Outcome, len(each), supportedOf(each), butNot(each), all.of("edge").Outcome))
	}
	return out
}

// borneOut says at which share of the combinations of lr and betas the equation without memory is, by eps.
func borneOut(v *Verdict) []string {
	f := v.hypothesis("eps")
	if f == nil {
		return nil
	}
	var shares []string
	for i, eps := range reachOf(v.Scale).Eps {
		var ofSeeds []float64
		for _, row := range f.Numbers {
			ofSeeds = append(ofSeeds, float64(row[i]))
		}
		shares = append(shares, fmt.Sprintf("%.2f with eps %g", stat.Mean(ofSeeds, nil), eps))
	}
	text := fmt.Sprintf("The equation without memory is borne out at these shares of the combinations of lr and betas, means over seeds, eps being outside the root: %s.", strings.Join(shares, ", "))
	if certain := v.some(func(f Finding) bool { return f.P == 0 }); len(certain) > 0 {
		text += " That its trends are decided where all seeds have the same number is by a rule that was set after the runs."
	}
	return []string{text}
}

func aboutWhatSurvives(all verdicts) []string {
	var out []string
	if near, cnn := all.of("usual-settings").hypothesis("near"), all.of("usual-settings").hypothesis("cnn"); near != nil {
		out = append(out, fmt.Sprintf("At default betas the equation with memory is three times nearer at order 2 than at order 1 on smooth networks (%s), and in most of the runs of a CNN (%s).", near.Outcome, cnn.Outcome))
		out = append(out, all.of("usual-settings").noted(ofTheWay)...)
	}
	if v := all.of("minibatch"); v != nil {
		var sizes []string
		for _, f := range v.Hypotheses {
			sizes = append(sizes, fmt.Sprintf("%s: %+.3g%s, %s", f.Name, float64(f.Change), f.ChangeUnit, f.Outcome))
		}
		out = append(out, fmt.Sprintf("In mini-batches it was claimed that the norm of the full gradient rises with beta2. From the first to the last it changes by: %s.", strings.Join(sizes, "; ")))
	}
	if each := all.of("language-model").some(func(f Finding) bool { return f.Name != "hinders" }); len(each) > 0 {
		out = append(out, fmt.Sprintf("With warmup and cosine, on a language model, the realized bias hinders the norm's fall at most measured steps of most runs for %d of %d of AdamW and Muon, clipped or not%s.", supportedOf(each), len(each), butNot(each)))
	}
	for _, v := range all {
		if v.Name == "language-model" && v.Scale == Small {
			out = append(out, fmt.Sprintf("With %d times as much text the same claim is %s (`%s`).", languageWindows(Small)/languageWindows(Laptop), v.Outcome, v.folder()))
		}
	}
	return out
}

// agreeing is the share of a finding's votes that are for it.
func (f *Finding) agreeing() float64 {
	n, of := 0, 0
	for _, row := range f.Numbers {
		for _, v := range row {
			n, of = n+count(v > 0), of+1
		}
	}
	return float64(n) / float64(of)
}
