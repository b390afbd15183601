package reproduce

import (
	"context"
	"fmt"
	"math"
	"slices"

	"shadowflow/experiment/sweep"
	"shadowflow/internal/stats"
	"shadowflow/report"
)

func table1() *Reproduction {
	return &Reproduction{
		Name:  "table1",
		Title: "The sign of the bias over beta1, beta2 and eps: predicted and measured",
		Claim: "Table 1 of the paper: with eps small beside the squared gradients the bias penalizes the one-norm if beta1 > beta2 and hinders its decrease if beta2 > beta1; with eps large it penalizes the (two-)norm whatever the betas.",
		Design: "What is measured is the realized bias, of what each step has beyond the update without memory: its drive on the norm, summed over the steps until the training loss is below 0.2, over the sum of the main drive's sizes; " +
			"negative if it penalizes. A t-test over seeds decides its sign, after Holm's correction for all combinations that are judged. Beside it, the share of measured steps that bear out the second-order equation, from which the prediction is: it predicts them better than no correction by a tenth, with a bias that does not go against the realized one. With equal betas and small eps the prediction is next to nothing, and is not judged.",
		sweeps: func(s Scale) []sweep.Spec {
			base := problem(s)
			if s == Laptop {
				base = settings{set("data.subset", 500)}
			}
			betas := []float64{0.5, 0.9, 0.97}
			return []sweep.Spec{{
				Name: "table1",
				Base: append(base, set("steps", pick(s, 2500, 10_000, 20_000)), set("stop.loss", tableLoss),
					set("record.bias", 5), set("record.sharpness", 0), set("record.state", 0), set("record.test", 0)),
				Zip: settings{set("optimizer.eps", []float64{1e-8, 1e-2}), set("optimizer.lr", []float64{2e-4, 4e-3})},
				Grid: settings{
					set("optimizer.beta1", betas), set("optimizer.beta2", betas),
				},
				Seeds: sweep.Seeds(pick(s, 4, 3, 3)),
			}}
		},
		judge: func(_ context.Context, sweeps []trials) (*Result, error) { return judgeTable1(sweeps[0]) },
	}
}

// tableLoss is the training loss up to which the bias is measured.
const tableLoss = 0.2

// largeEps is the eps from which squared gradients of these problems are small beside it.
const largeEps = 1e-3

// predictedSign is Table 1's: -1 penalized, 1 hindered, 0 next to nothing.
func predictedSign(beta1, beta2, eps float64) int {
	switch {
	case eps >= largeEps || beta1 > beta2:
		return -1
	case beta2 > beta1:
		return 1
	}
	return 0
}

func judgeTable1(ts trials) (*Result, error) {
	f := &Result{}
	table := report.Table{
		Caption: "The realized bias's drive on the norm over the main one, until the training loss is below 0.2: means over seeds with 95% confidence intervals. Negative: penalized.",
		Header:  []string{"eps", "beta1", "beta2", "predicted", "realized / main", "p", "steps that bear out order 2"},
	}
	heat := &report.Heatmap{Labels: report.Label{
		Name: "table1", Title: "What the realized bias does to the norm, and the predicted sign",
		Caption: "Colours and numbers: the realized bias's drive on the norm over the main one, until the training loss is below 0.2; blue and negative: the bias penalizes the norm, orange and positive: it hinders its decrease, on the average over the steps. " +
			"The sign in brackets is the prediction; a question mark says that the 95% interval over seeds holds 0. Thick lines part the predictions.",
	}}
	cells, signs := tableCells(ts)
	agree, against, open, next := 0, 0, 0, 0
	for _, eps := range ts.numbers("optimizer.eps") {
		panel := report.HeatPanel{Title: fmt.Sprintf("eps = %g", eps), X: "beta1", Y: "beta2", Diverging: true, Scale: "of the main drive"}
		beta1s := ts.numbers("optimizer.beta1")
		panel.Columns = labels(beta1s)
		for _, beta2 := range ts.numbers("optimizer.beta2") {
			panel.Rows = append(panel.Rows, fmt.Sprint(beta2))
			var values []float64
			var texts []string
			var regions []int
			for _, beta1 := range beta1s {
				d, holds, predicted, measured := cells[next].Difference, cells[next].holds, cells[next].predicted, signs[next]
				next++
				switch {
				case predicted == 0:
				case measured == 0:
					open++
				case measured == predicted:
					agree++
				default:
					against++
					f.say("Against the prediction: eps %g, beta1 %g, beta2 %g: %s. %.0f%% of the measured steps there bear out the second-order equation.", eps, beta1, beta2, d, 100*holds)
				}
				values, regions = append(values, -d.Mean), append(regions, predicted)
				texts = append(texts, cellText(d.Mean, measured, predicted))
				table.Rows = append(table.Rows, []string{fmt.Sprint(eps), fmt.Sprint(beta1), fmt.Sprint(beta2), signName(predicted), intervalText(d), stats.Probability(d.P), fmt.Sprintf("%.0f%%", 100*holds)})
			}
			panel.Values, panel.Texts, panel.Regions = append(panel.Values, values), append(panel.Texts, texts), append(panel.Regions, regions)
		}
		panel.Low, panel.High = symmetric(panel.Values)
		panel.Legend = []string{"penalized", "", "none", "", "hindered"}
		heat.Panels = append(heat.Panels, panel)
	}
	f.Findings = append([]string{fmt.Sprintf("Of %d combinations with a predicted sign, %d have it (t-tests, the probability of any error below 0.05), %d have the other, %d are open.", agree+against+open, agree, against, open)}, f.Findings...)
	switch {
	case against > 0:
		f.Outcome = Fails
	case open > 0 || agree == 0:
		f.Outcome = Undecided
	default:
		f.Outcome = Holds
	}
	f.Figures, f.Tables = []report.Drawing{heat}, []report.Table{table}
	return f, nil
}

// effectOf returns the realized bias's drive over the main one in the runs of a cell, and the share of their steps that bear out the
// second-order equation.
func effectOf(cell trials) (effect stats.Difference, holds float64) {
	var shares []float64
	better, measured := 0, 0
	for _, t := range cell {
		if !t.good() || sweep.FirstBelow(t.losses(), tableLoss) < 0 {
			continue // it stops elsewhere
		}
		realized, main := 0.0, 0.0
		mains := t.column("drive.main")
		bornOut, judged := countBornOut(t)
		better, measured = better+bornOut, measured+judged
		for i, v := range t.column("drive.realized") {
			if math.IsNaN(v) {
				continue
			}
			realized, main = realized+v, main+math.Abs(mains[i])
		}
		shares = append(shares, realized/main)
	}
	return stats.PairedT(shares), share(better, measured)
}

// A tableCell is a combination of eps, beta1 and beta2: the realized bias there, the share of steps that bear the equation out, and the sign that it has.
type tableCell struct {
	stats.Difference
	holds     float64
	predicted int
}

// tableCells returns all combinations, and the signs that are measured, in the order of the table: eps, beta2, beta1.
func tableCells(ts trials) (cells []tableCell, signs []int) {
	var parts []evidence
	for _, eps := range ts.numbers("optimizer.eps") {
		for _, beta2 := range ts.numbers("optimizer.beta2") {
			for _, beta1 := range ts.numbers("optimizer.beta1") {
				d, holds := effectOf(ts.where("optimizer.eps", eps).where("optimizer.beta1", beta1).where("optimizer.beta2", beta2))
				cells = append(cells, tableCell{d, holds, predictedSign(beta1, beta2, eps)})
				parts = append(parts, rising.differs(d))
			}
		}
	}
	for _, o := range judged(parts...) {
		signs = append(signs, map[Outcome]int{Holds: 1, Fails: -1}[o])
	}
	return cells, signs
}

func signName(sign int) string { return []string{"penalized", "-", "hindered"}[sign+1] }

func cellText(mean float64, measured, predicted int) string {
	if math.IsNaN(mean) {
		return "-"
	}
	doubt := ""
	if measured == 0 {
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
