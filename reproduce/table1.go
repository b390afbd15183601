package reproduce

import (
	"context"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"

	"shadowflow/experiment/sweep"
	"shadowflow/internal/stats"
	"shadowflow/report"
)

func table1() *Reproduction {
	return &Reproduction{
		Name:  "table1",
		Title: "The sign of the bias over beta1, beta2 and eps: predicted and measured",
		Claim: "Table 1 of the paper: with eps small beside the squared gradients the bias penalizes the one-norm if beta1 > beta2 and hinders its decrease if beta2 > beta1; with eps large it penalizes the (two-)norm whatever the betas.",
		Design: "Each combination is run twice from the same seed, with the bias a twentieth stronger and a twentieth weaker (bias.scale = 0.05 and -0.05; to cancel it as a whole takes a smaller lr than is of use, since it outweighs the main term " +
			"for betas far apart). Where the training loss reaches 0.2, interpolated between steps, the difference of the logarithms of the excess norms, stronger less weaker, is what the bias does: negative if it penalizes. A paired t-test over seeds decides its " +
			"sign. Beside it, the share of records in which the realized bias hinders the norm's decrease along the runs. With equal betas and small eps the prediction is next to nothing, and is not judged.",
		sweeps: func(s Scale) []sweep.Spec {
			base := problem(s)
			if s == Laptop {
				base = settings{set("data.subset", 500)}
			}
			betas := []float64{0.5, 0.9, 0.97}
			return []sweep.Spec{{
				Name: "table1",
				Base: append(base, set("steps", pick(s, 2500, 10_000, 20_000)), set("stop.loss", tableLoss),
					set("record.bias", 5), set("record.sharpness", 0), set("record.test", 0)),
				Zip: settings{set("optimizer.eps", []float64{1e-8, 1e-2}), set("optimizer.lr", []float64{2e-4, 4e-3})},
				Grid: settings{
					set("optimizer.beta1", betas), set("optimizer.beta2", betas), set("bias.scale", []float64{moreBias, -moreBias}),
				},
				Seeds: sweep.Seeds(pick(s, 4, 3, 3)),
			}}
		},
		judge: func(_ context.Context, sweeps []trials) (*Result, error) { return judgeTable1(sweeps[0]) },
	}
}

const (
	tableLoss = 0.2  // training loss at which norms are compared
	moreBias  = 0.05 // the part by which the bias is stronger, and weaker
)

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
		Caption: "What the bias does to the logarithm of the excess norm at training loss 0.2: a twentieth stronger, less a twentieth weaker. Negative: penalized.",
		Header:  []string{"eps", "beta1", "beta2", "predicted", "measured effect", "p", "records in which the realized bias hinders"},
	}
	heat := &report.Heatmap{Labels: report.Label{
		Name: "table1", Title: "What the bias does to the norm: measured, and the predicted sign",
		Caption: "Colours and numbers: mean difference of the logarithms of the excess norms at training loss 0.2 between the bias a twentieth stronger and a twentieth weaker; blue and negative: the bias penalizes the norm, orange and positive: it hinders its decrease. " +
			"The sign in brackets is the prediction; a question mark says that the 95% interval over seeds holds 0. Thick lines part the predictions.",
	}}
	agree, against, open := 0, 0, 0
	for _, eps := range ts.numbers("optimizer.eps") {
		panel := report.HeatPanel{Title: fmt.Sprintf("eps = %g", eps), X: "beta1", Y: "beta2", Diverging: true, Scale: "log ratio"}
		beta1s := ts.numbers("optimizer.beta1")
		panel.Columns = labels(beta1s)
		for _, beta2 := range ts.numbers("optimizer.beta2") {
			panel.Rows = append(panel.Rows, fmt.Sprint(beta2))
			var values []float64
			var texts []string
			var regions []int
			for _, beta1 := range beta1s {
				cell := ts.where("optimizer.eps", eps).where("optimizer.beta1", beta1).where("optimizer.beta2", beta2)
				d, hinders := effectOf(cell)
				predicted := predictedSign(beta1, beta2, eps)
				measured := signOf(d)
				switch {
				case predicted == 0:
				case measured == 0:
					open++
				case measured == predicted:
					agree++
				default:
					against++
					f.say("Against the prediction: eps %g, beta1 %g, beta2 %g: %s.", eps, beta1, beta2, d)
				}
				values, regions = append(values, -d.Mean), append(regions, predicted)
				texts = append(texts, cellText(d.Mean, measured, predicted))
				table.Rows = append(table.Rows, []string{fmt.Sprint(eps), fmt.Sprint(beta1), fmt.Sprint(beta2), signName(predicted), intervalText(d), stats.Probability(d.P), fmt.Sprintf("%.0f%%", 100*hinders)})
			}
			panel.Values, panel.Texts, panel.Regions = append(panel.Values, values), append(panel.Texts, texts), append(panel.Regions, regions)
		}
		panel.Low, panel.High = symmetric(panel.Values)
		panel.Legend = []string{"penalized", "", "none", "", "hindered"}
		heat.Panels = append(heat.Panels, panel)
	}
	f.Findings = append([]string{fmt.Sprintf("Of %d combinations with a predicted sign, %d have it (paired t, p < 0.05), %d have the other, %d are open.", agree+against+open, agree, against, open)}, f.Findings...)
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

// effectOf compares the runs of a cell with more and with less bias, and returns the share of records in which the realized bias hinders.
func effectOf(cell trials) (stats.Difference, float64) {
	norm := func(t *trial) float64 { return t.logNormAt(tableLoss) }
	more := slices.Concat(cell.where("bias.scale", moreBias).matrix("bias.scale", norm)...)
	less := slices.Concat(cell.where("bias.scale", -moreBias).matrix("bias.scale", norm)...)
	hinders, records := 0.0, 0.0
	for _, t := range cell {
		for _, v := range t.column("drive.realized") {
			if !math.IsNaN(v) {
				records++
				if v > 0 {
					hinders++
				}
			}
		}
	}
	return stats.PairedT(floats.SubTo(make([]float64, len(more)), more, less)), hinders / records
}

func signOf(d stats.Difference) int {
	switch {
	case !(d.P < level):
		return 0
	case d.Mean < 0:
		return -1
	}
	return 1
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
