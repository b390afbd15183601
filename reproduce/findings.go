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
	// besides is what is to be said whatever the numbers are.
	besides string
}

var questions = []question{
	{
		asked: "Is the second-order term what the paper says it is?", answers: []string{"figure-1", "bilinear", "figure-2"},
	},
	{
		asked: "Does raising beta2 raise the norm, and lower the test accuracy; and raising beta1 the opposite?",
		answers: []string{
			"figure-4", "figure-7", "figure-9", "norm-vs-beta2", "datasets", "figure-5", "figure-8", "figure-10", "norm-vs-beta1", "figure-11", "figure-12",
		},
		besides: fmt.Sprintf("The paper's runs have %d steps. Those of Figures 4 to 12 at scale laptop have %d, at larger step sizes, with the paper's betas, whose memory is up to %.0f steps (beta2) and %.0f (beta1): there it is not short beside the training.",
			imageSteps(Paper), imageSteps(Laptop), memoryOf(imageBeta2s), memoryOf(imageBeta1s)),
	},
	{
		asked: "Is the norm penalized or hindered as Table 1 says, and by how much?", answers: []string{"table-1"},
		besides: "The predictions are those of the equation without memory; what is measured is the realized bias.",
	},
	{
		asked: "Is a lower norm the cause of a better test accuracy?", answers: []string{"causes"},
		besides: "The interventions are explicit penalties, the predicted bias cancelled, doubled and tripled, and the realized bias subtracted from each step, which leaves the step without memory, and doubled.",
	},
	{asked: "Why does the norm rise and fall?", answers: []string{"hill", "figure-6"}},
	{
		asked: "When are the betas sufficiently close for the equation to hold?", answers: []string{"figure-3", "order", "usual-settings", "edge"},
	},
	{
		asked: "What of it survives at default betas, in mini-batches, with schedules, with Muon?", answers: []string{"usual-settings", "minibatch", "language-model"},
	},
}

// Findings is the page that answers the questions by the verdicts that there are; the names of their directories are those of the reproductions.
func Findings(verdicts []*Verdict) string {
	var out strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&out, format+"\n\n", args...) }
	p("# What was found")
	p("Made from the `%s` of each folder in [results](../results); a test compares. How each claim is tested stands there. Where nothing else is said, the runs of scale laptop are of a small network on the digits, all or a part of them, "+
		"full batch: a sweep.yaml in the folder has every setting. Larger things may do otherwise. %s", verdictFile, howJudged)
	p("## Against the paper, or against us")
	against := 0
	for _, v := range verdicts {
		for _, f := range v.Hypotheses {
			if f.Outcome == Against {
				against++
				fmt.Fprintf(&out, "- %s, at scale %s: %s\n", link(v), v.Scale, f)
			}
		}
	}
	if against == 0 {
		p("Nothing of what has been run.")
	} else {
		out.WriteString("\n")
	}
	for _, q := range questions {
		p("## %s", q.asked)
		if q.besides != "" {
			p("%s", q.besides)
		}
		var missing []string
		for _, name := range q.answers {
			i := slices.IndexFunc(verdicts, func(v *Verdict) bool { return v.Name == name })
			if i < 0 {
				missing = append(missing, fmt.Sprintf("`shadowflow reproduce %s`", name))
				continue
			}
			v := verdicts[i]
			p("%s, at scale %s: **%s**. %s", link(v), v.Scale, v.Outcome, v.Claim)
			for _, f := range v.Hypotheses {
				fmt.Fprintf(&out, "- %s\n", f)
			}
			for _, note := range v.Notes {
				fmt.Fprintf(&out, "- %s\n", note)
			}
			out.WriteString("\n")
		}
		if len(missing) > 0 {
			p("Not run yet, so that nothing is said of it: %s.", strings.Join(missing, ", "))
		}
	}
	return strings.TrimSpace(out.String()) + "\n"
}

// link names a verdict and leads to its page.
func link(v *Verdict) string {
	return fmt.Sprintf("[%s](%s)", v.Title, path.Join("../results", v.Name, readmeFile))
}
