package reproduce

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// A question is one that the paper leaves open, or its readers asked, and the reproductions that answer it.
type question struct {
	asked   string
	answers []string
	counted []string // whose verdicts the short answer has in it, too, though they stand with other questions
	// short is the answer in sentences.
	short func(all verdicts) []string
	// besides is what is to be said whatever the numbers are.
	besides string
}

// shortMemory is what is to be said with whatever comes out of the image figures below the paper's scale.
var shortMemory = fmt.Sprintf("The paper's runs have %d steps. Those of Figures 4 to 12 at scale laptop have %d, at scale small %d, at larger step sizes, with the paper's betas, whose memory is up to %.0f steps where beta2 varies, and up to %.0f where beta1 does, as beta2 is 0.999 there: it is not short beside the training.",
	imageSteps(Paper), imageSteps(Laptop), imageSteps(Small), memoryOf(imageBeta2s), memoryOf(imageBeta1s))

// noisyFall is what is to be said with the tops of networks with batch norm.
const noisyFall = "In Figures 4 to 6, of networks with batch norm, the largest norm behind the first fall is mostly noise of that fall; how many runs have a hill without it, is said with the question why the norm rises and falls."

var questions = []question{
	{
		asked: "Is the second-order term what the paper says it is?", answers: []string{"figure-1", "bilinear", "figure-2"}, short: aboutTheTerm,
	},
	{
		asked: "Does raising beta2 raise the norm, and lower the test accuracy; and raising beta1 the opposite?",
		answers: []string{
			"figure-4", "figure-7", "figure-9", "norm-vs-beta2", "datasets", "figure-5", "figure-8", "figure-10", "norm-vs-beta1", "figure-11", "figure-12",
		},
		counted: []string{"hill", "minibatch"},
		short:   aboutTheBetas,
		besides: shortMemory + " " + noisyFall + " At scale laptop all 15 runs of Figure 6 and all 15 of Figure 11 are runs of Figure 4 too, and 15 of the 15 of Figure 12 are of Figure 5: they are no further evidence.",
	},
	{
		asked: "Is the norm penalized or hindered as Table 1 says, and by how much?", answers: []string{"table-1"}, short: aboutTable1,
		besides: "The predictions are those of the equation without memory; what is measured is the realized bias.",
	},
	{
		asked: "Is a lower norm the cause of a better test accuracy?", answers: []string{"causes"}, short: aboutCauses,
		besides: "The interventions are explicit penalties, the predicted bias cancelled, doubled and tripled, and the realized bias subtracted from each step, which leaves the step without memory, and doubled.",
	},
	{
		asked: "Why does the norm rise and fall?", answers: []string{"hill", "figure-6"}, short: aboutTheHill,
		counted: []string{"figure-4", "figure-5", "figure-7", "figure-8", "figure-9", "figure-10"},
		besides: fmt.Sprintf("Three hills are meant: of `hill` and `datasets` one that rises above the start of the run and ends below it; of Figures 4, 5 and 7 to 10, as in the paper, whatever comes behind the first fall, whose top is the largest norm of a step; of Figure 6 one whose excess, as a running median, rises by a quarter from the lowest before it, and by a twentieth of the first, and ends below its top. Runs of `datasets` stop at a training loss of %g.", datasetsLoss),
	},
	{
		asked: "When are the betas sufficiently close for the equation to hold?", answers: []string{"reach", "figure-3", "order", "usual-settings", "edge"}, short: aboutTheReach,
		besides: "In `reach` and at everyday settings eps is outside the root, as PyTorch has it: 1e-4 there is like 1e-8 inside, as the paper, Table 1 and the figures have it.",
	},
	{
		asked: "What of it survives at default betas, in mini-batches, with schedules, with Muon?", answers: []string{"usual-settings", "minibatch", "language-model"}, short: aboutWhatSurvives,
		besides: "Of mini-batches the norm was asked, and of schedules and Muon the sign of the realized bias: that accuracies go with a beta in mini-batches, or anything with a beta under a schedule or with Muon, was not tested.",
	},
}

// ours are the claims that are not the paper's, of some their hypotheses that are not: what is said against them is against us.
var ours = map[string][]string{
	"bilinear": nil, "order": nil, "hill": nil, "minibatch": nil, "causes": nil, "usual-settings": nil, "edge": nil, "language-model": nil, "reach": nil,
	"datasets": {"hill"}, "figure-3": {"rounded"},
}

// own reports whether a hypothesis is not the paper's.
func own(v *Verdict, f Finding) bool {
	hypotheses, some := ours[v.Name]
	return some && (hypotheses == nil || slices.Contains(hypotheses, f.Name))
}

// Findings is the page that answers the questions by the verdicts that there are.
func Findings(verdicts []*Verdict) string {
	parts := []string{
		"# What was found",
		fmt.Sprintf("Made from the `%s` of each folder in [results](../results); a test compares. How each claim is tested stands there, and what of its design was changed after numbers had been looked at. What the runs are of, stands with each: "+
			"at scale laptop small networks on some hundred to 10,000 images, full batch where nothing else is said; larger things may do otherwise. %s %s", verdictFile, ranLarger(verdicts), howJudged),
		"## Against the paper", shortMemory + notAtSmall(verdicts) + " " + noisyFall, against(verdicts, func(v *Verdict, f Finding) bool { return !own(v, f) }),
		"## Against us", against(verdicts, own),
	}
	for _, q := range questions {
		parts = append(parts, q.answered(verdicts)...)
	}
	return strings.Join(parts, "\n\n") + "\n"
}

// notAtSmall names the image figures that have been run at the laptop's scale alone.
func notAtSmall(verdicts []*Verdict) string {
	var lacking []string
	for _, fig := range imageFigureList() {
		if !slices.ContainsFunc(verdicts, func(v *Verdict) bool { return v.Name == fig.name() && v.Scale == Small }) {
			lacking = append(lacking, fmt.Sprint(fig.number))
		}
	}
	if len(lacking) == 0 {
		return ""
	}
	return fmt.Sprintf(" At scale small these figures have not been run: %s.", strings.Join(lacking, ", "))
}

// against lists some hypotheses that came out otherwise.
func against(verdicts []*Verdict, of func(*Verdict, Finding) bool) string {
	var lines []string
	for _, v := range verdicts {
		var found []string
		for _, f := range v.Hypotheses {
			if f.Outcome == Against && of(v, f) {
				found = append(found, "  - "+f.String()+v.notesOn(f.Name))
			}
		}
		if len(found) > 0 {
			lines = append(append(lines, fmt.Sprintf("- %s:", v.asked())), found...)
		}
	}
	if len(lines) == 0 {
		return "Nothing of what has been run."
	}
	return strings.Join(lines, "\n")
}

// notesOn returns the notes that are of one hypothesis: they begin with its name and its outcome.
func (v *Verdict) notesOn(name string) string {
	text := ""
	for _, note := range v.Notes {
		if rest, ok := strings.CutPrefix(note, name+", "); ok {
			_, rest, _ = strings.Cut(rest, ": ")
			text += " " + capital(rest)
		}
	}
	return text
}

// answered returns the paragraphs of a question: the answer in short, and what each verdict says.
func (q question) answered(verdicts []*Verdict) []string {
	var given []*Verdict
	var missing []string
	for _, name := range q.answers {
		before := len(given)
		for _, v := range verdicts {
			if v.Name == name {
				given = append(given, v)
			}
		}
		if len(given) == before {
			missing = append(missing, fmt.Sprintf("`shadowflow reproduce %s`", name))
		}
	}
	parts := []string{"## " + q.asked}
	if q.besides != "" {
		parts = append(parts, q.besides)
	}
	var all []*Verdict
	for _, v := range verdicts {
		if slices.Contains(q.answers, v.Name) || slices.Contains(q.counted, v.Name) {
			all = append(all, v)
		}
	}
	if short := q.short(all); len(short) > 0 {
		parts = append(parts, "In short:\n\n- "+strings.Join(short, "\n- "))
	}
	for _, v := range given {
		parts = append(parts, fmt.Sprintf("%s: **%s**. %s", v.asked(), v.Outcome, v.Claim), v.sentences())
	}
	if len(missing) > 0 {
		parts = append(parts, fmt.Sprintf("Not run yet, so that nothing is said of it: %s.", strings.Join(missing, ", ")))
	}
	return parts
}

// sentences lists the hypotheses of a verdict, and its notes.
func (v *Verdict) sentences() string {
	var lines []string
	for _, f := range v.Hypotheses {
		lines = append(lines, "- "+f.String())
	}
	for _, note := range v.Notes {
		lines = append(lines, "- "+note)
	}
	return strings.Join(lines, "\n")
}

// ranLarger says which claims were tested at more than the laptop's scale.
func ranLarger(verdicts []*Verdict) string {
	var links []string
	for _, v := range verdicts {
		if v.Scale != Laptop {
			links = append(links, fmt.Sprintf("%s (%s)", link(v), v.Scale))
		}
	}
	if len(links) == 0 {
		return "Nothing has been run at a larger scale."
	}
	return "At a larger scale: " + strings.Join(links, ", ") + "."
}

// asked names a verdict, and what it is of.
func (v *Verdict) asked() string {
	of := ""
	if len(v.Of) > 0 {
		of = ", " + strings.Join(v.Of, "; ")
	}
	return fmt.Sprintf("%s, at scale %s%s", link(v), v.Scale, of)
}

// link names a verdict and leads to its page.
func link(v *Verdict) string {
	return fmt.Sprintf("[%s](%s)", v.Title, path.Join("../results", v.folder(), readmeFile))
}

// folder is the name of a verdict's folder among the results.
func (v *Verdict) folder() string {
	if v.Scale == Laptop {
		return v.Name
	}
	return fmt.Sprintf("%s-%s", v.Name, v.Scale)
}
