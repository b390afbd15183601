package reproduce

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"shadowflow/experiment/sweep"
	"shadowflow/internal/stats"
	"shadowflow/report"
)

func table1() *Reproduction {
	return &Reproduction{
		Name:  "table-1",
		Title: "The sign of the bias over beta1, beta2 and eps: predicted and measured",
		Claim: "Table 1 of the paper: with eps small beside the squared gradients the bias penalizes the one-norm if beta1 > beta2 and hinders its decrease if beta2 > beta1; with eps large it penalizes the (two-)norm whatever the betas.",
		Design: "Full-batch Adam, eps inside the root, with eps 1e-8 at lr 2e-4, and with eps 0.01, beside which gradients are small, at lr 4e-3. What is measured is the realized bias, of what each step has beyond the update without memory: its drive on the norm, summed over the steps until the training loss is below 0.2, over the sum of the main drive's sizes; " +
			"negative if it penalizes. A t-test over seeds decides its sign, after Holm's correction for all combinations that are judged. Beside it, the share of measured steps that bear out the second-order equation, from which the prediction is: it predicts them better than no correction by a tenth, with a bias that does not go against the realized one. With equal betas and small eps the paper's table says no sign, and nothing is judged.",
		sweeps: func(s Scale) []sweep.Spec {
			base := problem(s)
			if s == Laptop {
				base = settings{set("data.subset", 500)}
			}
			return []sweep.Spec{{
				Name: "table-1",
				Base: append(base, set("steps", pick(s, 2500, 10_000, 20_000)), set("stop.loss", tableLoss),
					set("record.bias", 5), set("record.sharpness", 0), set("record.state", 0), set("record.test", 0)),
				Zip: settings{set("optimizer.eps", table1Eps), set("optimizer.lr", []float64{2e-4, 4e-3})},
				Grid: settings{
					set("optimizer.beta1", table1Betas), set("optimizer.beta2", table1Betas),
				},
				Seeds: sweep.Seeds(pick(s, 4, 3, 3)),
			}}
		},
		Changed: []string{earlier, "That the realized bias's drive is measured, and lr, eps and the loss to which it is, were set after earlier designs had been looked at: the first compared the norms of runs with the bias a twentieth stronger and weaker, with which betas far apart were beyond the theory at its lr."},
		hypotheses: func(Scale) []Hypothesis {
			var out []Hypothesis
			for _, c := range table1Cells() {
				if sign := predictedSign(c.beta1, c.beta2, c.eps); sign != 0 {
					out = append(out, Hypothesis{
						Name: c.name(), Claim: fmt.Sprintf("%s: %s", c.name(), signName(sign)), Measure: "realized drive on the norm over the main one", Test: Mean, Direction: Direction(sign),
					})
				}
			}
			return out
		},
		judge: func(_ context.Context, f *Result, sweeps []trials) error { judgeTable1(f, sweeps[0]); return nil },
	}
}

// The grid of the table.
var (
	table1Betas = []float64{0.5, 0.9, 0.97}
	table1Eps   = []float64{1e-8, 1e-2}
)

// A table1Cell is one of its combinations.
type table1Cell struct{ eps, beta1, beta2 float64 }

func (c table1Cell) name() string {
	return fmt.Sprintf("eps %g, betas %g and %g", c.eps, c.beta1, c.beta2)
}

// table1Cells returns all of them: by eps, beta2, beta1.
func table1Cells() []table1Cell {
	var out []table1Cell
	for _, eps := range table1Eps {
		for _, beta2 := range table1Betas {
			for _, beta1 := range table1Betas {
				out = append(out, table1Cell{eps, beta1, beta2})
			}
		}
	}
	return out
}

// tableLoss is the training loss up to which the bias is measured.
const tableLoss = 0.2

// notTested is said of combinations that no hypothesis is about.
const notTested = "not tested"

// largeEps is the eps from which squared gradients of these problems are small beside it.
const largeEps = 1e-3

// predictedSign is Table 1's: -1 penalized, 1 hindered, 0 where it says none.
func predictedSign(beta1, beta2, eps float64) int {
	switch {
	case eps >= largeEps || beta1 > beta2:
		return -1
	case beta2 > beta1:
		return 1
	}
	return 0
}

func judgeTable1(f *Result, ts trials) {
	table := report.Table{
		Caption: "The drive on the norm of the bias over the main one, until the training loss is below 0.2, as the second-order equation predicts it and as it is: the signs, of the paper's table (- where that says none) and realized (- where the interval holds 0), and means over seeds with 95% confidence intervals. Negative: penalized. eps is inside the root.",
		Header:  []string{"eps", "lr", "beta1", "beta2", "the paper's sign", "realized", "predicted / main", "realized / main", "outcome", "steps that bear out order 2"},
	}
	heat := &report.Heatmap{Labels: report.Label{
		Name: "table-1", Title: "What the realized bias does to the norm, and the predicted sign",
		Caption: "Colours and numbers: the realized bias's drive on the norm over the main one, until the training loss is below 0.2; blue and negative: the bias penalizes the norm, orange and positive: it hinders its decrease, on the average over the steps. " +
			"The sign in brackets is the paper's, 0 where it says none; a question mark says that the sign is undecided, or that the paper says none. Thick lines part the paper's signs.",
	}}
	cells := map[table1Cell]table1Effect{}
	for _, c := range table1Cells() {
		cells[c] = effectOf(ts.where("optimizer.eps", c.eps).where("optimizer.beta1", c.beta1).where("optimizer.beta2", c.beta2))
		if f.hypothesis(c.name()) != nil {
			f.giveEach(c.name(), cells[c].shares)
		}
	}
	settle(f.Hypotheses)
	for _, eps := range ts.numbers("optimizer.eps") {
		lr := ts.where("optimizer.eps", eps).numbers("optimizer.lr")[0] // each eps has one
		panel := report.HeatPanel{Title: fmt.Sprintf("eps = %g", eps), X: "beta1", Y: "beta2", Diverging: true, Scale: "of the main drive"}
		beta1s := ts.numbers("optimizer.beta1")
		panel.Columns = labels(beta1s)
		for _, beta2 := range ts.numbers("optimizer.beta2") {
			panel.Rows = append(panel.Rows, fmt.Sprint(beta2))
			var values []float64
			var texts []string
			var regions []int
			for _, beta1 := range beta1s {
				c := table1Cell{eps, beta1, beta2}
				predicted, outcome, verdict := predictedSign(beta1, beta2, eps), Undecided, notTested
				d, holds := stats.PairedT(cells[c].shares), cells[c].holds
				if h := f.hypothesis(c.name()); h != nil {
					outcome, verdict = h.Outcome, string(h.Outcome)
				}
				if verdict != notTested && !(holds >= 0.5) {
					f.say("%s, %s: %.0f%% of the measured steps bear out the second-order equation, from which the prediction is.", c.name(), verdict, 100*holds)
				}
				values, regions = append(values, -d.Mean), append(regions, predicted)
				texts = append(texts, cellText(d.Mean, outcome, predicted))
				table.Rows = append(table.Rows, []string{fmt.Sprint(eps), fmt.Sprint(lr), fmt.Sprint(beta1), fmt.Sprint(beta2), signName(predicted), signName(signOf(d)), intervalText(stats.PairedT(cells[c].predicted)), intervalText(d), verdict, fmt.Sprintf("%.0f%%", 100*holds)})
			}
			panel.Values, panel.Texts, panel.Regions = append(panel.Values, values), append(panel.Texts, texts), append(panel.Regions, regions)
		}
		heat.Panels = append(heat.Panels, panel)
	}
	oneScale(heat.Panels)
	f.drawings, f.tables = []report.Drawing{heat}, []report.Table{table}
}

// oneScale gives panels of values with the signs turned round, so that what penalizes is blue, one scale of colours, with numbers as the cells have them.
func oneScale(panels []report.HeatPanel) {
	var all [][]float64
	for _, p := range panels {
		all = append(all, p.Values...)
	}
	low, high := symmetric(all)
	var legend []string
	for i, word := range []string{"penalized", "", "", "", "hindered"} {
		v := -high + (high-low)*float64(i)/4
		legend = append(legend, strings.TrimSpace(fmt.Sprintf("%+.2g %s", v, word)))
	}
	legend[2] = "0"
	for i := range panels {
		panels[i].Low, panels[i].High, panels[i].Legend = low, high, legend
	}
}

// A table1Effect is the realized bias's drive over the main one in each run of a cell, a seed each, and the share of their steps that bear out the second-order
// equation.
type table1Effect struct {
	shares    []float64
	predicted []float64 // the same of the bias that the second-order equation predicts
	holds     float64
}

func effectOf(cell trials) table1Effect {
	var out table1Effect
	better, measured := 0, 0
	for _, t := range cell {
		if !t.good() || sweep.FirstBelow(t.losses(), tableLoss) < 0 {
			out.shares, out.predicted = append(out.shares, math.NaN()), append(out.predicted, math.NaN()) // it stops elsewhere
			continue
		}
		realized, predicted, main := 0.0, 0.0, 0.0
		mains, predictions := t.column("drive.main"), t.column("drive.predicted")
		bornOut, judged := countBornOut(t)
		better, measured = better+bornOut, measured+judged
		for i, v := range t.column("drive.realized") {
			if math.IsNaN(v) {
				continue
			}
			realized, predicted, main = realized+v, predicted+predictions[i], main+math.Abs(mains[i])
		}
		out.shares, out.predicted = append(out.shares, realized/main), append(out.predicted, predicted/main)
	}
	out.holds = share(better, measured)
	return out
}

// signOf is the sign of a mean whose interval does not hold 0.
func signOf(d stats.Difference) int {
	switch {
	case d.Mean-d.Half > 0:
		return 1
	case d.Mean+d.Half < 0:
		return -1
	}
	return 0
}

func signName(sign int) string { return []string{"penalized", "-", "hindered"}[sign+1] }

func cellText(mean float64, outcome Outcome, predicted int) string {
	if math.IsNaN(mean) {
		return "-"
	}
	doubt := ""
	if outcome == Undecided {
		doubt = "?"
	}
	return fmt.Sprintf("%+.2g%s [%s]", mean, doubt, []string{"-", "0", "+"}[predicted+1])
}

func intervalText(d stats.Difference) string {
	if math.IsNaN(d.Half) {
		return short(d.Mean)
	}
	return fmt.Sprintf("%+.3g ± %.2g", d.Mean, d.Half)
}

// symmetric returns bounds around 0 that hold all values.
func symmetric(rows [][]float64) (low, high float64) {
	most := math.Abs(sweep.Largest(slices.Concat(rows...)))
	for _, v := range slices.Concat(rows...) {
		if math.Abs(v) > most {
			most = math.Abs(v)
		}
	}
	if !(most > 0) {
		most = 1
	}
	return -most, most
}
