package run

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat"

	"shadowflow/experiment/record"
	"shadowflow/schema"
)

// valley is a run of Adam on E = (1/2)(1.5 - 2 theta_1 theta_2)^2, every step measured.
const valley = `
objective: {name: bilinear, pairs: [[2, 1.5]], theta: [1.6, 1.1]}
dtype: float64
optimizer: {name: adam, lr: 0.01, beta1: 0.6, beta2: 0.8, eps: 0.5}
steps: 8
record: {every: 1, bias: 1, sharpness: 0}
`

// The columns of the realized bias are what its definition says, with Adam and the loss written out.
func TestTheRealizedBiasIsWhatItsDefinitionSays(t *testing.T) {
	const lr, beta1, beta2, eps, x, y = 0.01, 0.6, 0.8, 0.5, 2, 1.5
	_, h := runFor(t, valley)
	theta, m, v := [2]float64{1.6, 1.1}, [2]float64{}, [2]float64{}
	gradient := func() (g [2]float64, hessian [2][2]float64) {
		r := y - x*theta[0]*theta[1]
		g = [2]float64{-r * x * theta[1], -r * x * theta[0]}
		cross := x*x*theta[0]*theta[1] - r*x
		return g, [2][2]float64{{x * x * theta[1] * theta[1], cross}, {cross, x * x * theta[0] * theta[0]}}
	}
	norm := func(g [2]float64) float64 { return math.Sqrt(g[0]*g[0]+eps) + math.Sqrt(g[1]*g[1]+eps) }
	for n := range 8 {
		g, hessian := gradient()
		var f, q, u, b [2]float64
		for j := range g {
			f[j] = g[j] / math.Sqrt(g[j]*g[j]+eps)
			m[j], v[j] = beta1*m[j]+(1-beta1)*g[j], beta2*v[j]+(1-beta2)*g[j]*g[j]
			k := float64(n + 1)
			u[j] = m[j] / (1 - math.Pow(beta1, k)) / math.Sqrt(v[j]/(1-math.Pow(beta2, k))+eps)
		}
		want := map[string]float64{}
		bb, ff := 0.0, 0.0
		for j := range g {
			q[j] = hessian[j][0]*f[0] + hessian[j][1]*f[1]
			b[j] = u[j] - f[j]
			want["drive.main"] -= q[j] * f[j]
			want["drive.realized"] -= q[j] * b[j]
			bb, ff = bb+b[j]*b[j], ff+f[j]*f[j]
		}
		want["bias.realized_share"] = math.Sqrt(bb / ff)
		for j := range g {
			if b[j]*q[j] > 0 {
				want["realized.penalized"] += 0.5
				want["realized.penalized_weight"] += math.Abs(q[j]) / (math.Abs(q[0]) + math.Abs(q[1]))
			}
			theta[j] -= lr * u[j]
		}
		after, _ := gradient()
		want["drive.observed"] = (norm(after) - norm(g)) / lr
		for name, w := range want {
			if got := h.Floats(name)[n]; !(math.Abs(got-w) <= 1e-9*(1+math.Abs(w))) {
				t.Errorf("step %d: %s = %.12g, want %.12g", n, name, got, w)
			}
		}
	}
	for _, name := range []string{"drive.realized", "drive.observed", "bias.cosine"} {
		if last := h.Floats(name)[8]; !math.IsNaN(last) {
			t.Errorf("%s = %g in the last row, from which no step is taken", name, last)
		}
	}
}

// Where the second-order equation holds, what it predicts is what happens: all the more the smaller the step.
func TestWhereTheEquationHoldsThePredictedBiasIsRealized(t *testing.T) {
	for name, overrides := range map[string][]string{
		"full batch":              {"optimizer={name: adam, beta1: 0.5, beta2: 0.7, eps: 1e-3}"},
		"another rule":            {"optimizer={name: nadam, beta1: 0.5, beta2: 0.7, eps: 1e-3}"},
		"weight decay":            {"optimizer={name: adamw, beta1: 0.5, beta2: 0.7, eps: 1e-3, weight_decay: 1}"},
		"mini-batches":            {"optimizer={name: adam, beta1: 0.5, beta2: 0.7, eps: 1e-3}", "batch={mode: cyclic, size: 20}"},
		"without bias correction": {"optimizer={name: adam, beta1: 0.5, beta2: 0.7, eps: 1e-3, bias_correction: false}"},
		"half of the bias added":  {"optimizer={name: adam, beta1: 0.5, beta2: 0.7, eps: 1e-3}", "bias.scale=0.5"},
	} {
		t.Run(name, func(t *testing.T) {
			off := func(lr string) float64 {
				_, h := runFor(t, small, append(overrides, "optimizer.lr="+lr, "dtype=float64", "beside=[]", "steps=30", "record.bias=1", "record.sharpness=0")...)
				if cosine := h.Floats("bias.cosine")[25]; cosine < 0.99 {
					t.Errorf("lr %s: the cosine between realized and predicted bias is %.4f", lr, cosine)
				}
				if second := h.Floats("defect_2")[25] / h.Floats("defect_1")[25]; !(second < 0.2) {
					t.Errorf("lr %s: order 2 leaves %.3g of the defect of order 1", lr, second)
				}
				return math.Abs(h.Floats("bias.explained")[25] - 1)
			}
			if whole, half := off("4e-5"), off("2e-5"); whole > 0.05 || half > 0.6*whole+1e-12 {
				t.Errorf("the share that is explained is off by %.3g and, at half the lr, %.3g: want about half of that", whole, half)
			}
		})
	}
}

// An optimizer without memory has no bias of memory, and its steps are no evidence for the equation of second order.
func TestWithoutMemoryNothingIsRealized(t *testing.T) {
	_, h := runFor(t, small, "optimizer={name: gd}", "dtype=float64", "beside=[]", "steps=30", "record.bias=1", "record.sharpness=0")
	for name, want := range map[string]bool{"drive.main": true, "drive.predicted": true, "drive.observed": true, "drive.realized": false, "bias.cosine": false, "monitor.second_over_first": false} {
		if got := h.Index(name) >= 0; got != want {
			t.Errorf("%s is recorded: %v", name, got)
		}
	}
}

// The norm changes as its gradient along the step says, to first order in lr, and so by the main term and the realized bias together.
func TestTheDrivesAddUpToWhatIsObserved(t *testing.T) {
	off := func(lr string) float64 {
		_, h := runFor(t, small, "dtype=float64", "beside=[]", "steps=40", "record.bias=1", "record.sharpness=0", "optimizer={name: adam, eps: 1e-4, lr: "+lr+"}")
		return math.Abs(h.Floats("drive.main")[30]+h.Floats("drive.realized")[30]-h.Floats("drive.observed")[30]) / math.Abs(h.Floats("drive.main")[30])
	}
	if whole, half := off("1e-4"), off("5e-5"); whole > 0.05 || half > 0.7*whole {
		t.Errorf("they leave %.3g of the main drive and, at half the lr, %.3g: want about half of that", whole, half)
	}
}

// U comes from the rule and not from a difference of parameters, so float32 loses nothing but its rounding.
func TestTheRealizedBiasLosesNothingInSinglePrecision(t *testing.T) {
	measured := func(dtype string) *record.History {
		_, h := runFor(t, small, "beside=[]", "record.sharpness=0", "record.bias=1", "steps=12", "dtype="+dtype, "optimizer={name: adam, eps: 1e-4, lr: 1e-5}")
		return h
	}
	single, double := measured("float32"), measured("float64")
	for _, name := range []string{"drive.realized", "bias.cosine", "bias.realized_share", "drive.predicted"} {
		a, b := single.Floats(name)[11], double.Floats(name)[11]
		if !(math.Abs(a-b) <= 2e-3*math.Abs(b)) {
			t.Errorf("%s is %g in float32, %g in float64", name, a, b)
		}
	}
}

// believing is a step whose variance is that of the gradient around its mean: a memory of more than the gradient.
const believing = small + `
optimizer:
  name: believing
  lr: 1e-3
  let: {beta1: 0.9, beta2: 0.99, eps: 1e-8}
  state:
    m: ema(g, beta1)
    s: ema((g - m)^2, beta2)
  update: corrected(m) / (sqrt(corrected(s)) + eps)
`

func TestTheRealizedBiasNeedsNoMemoryForm(t *testing.T) {
	_, h := runFor(t, believing, "beside=[]")
	for name, want := range map[string]bool{"drive.main": true, "drive.realized": true, "drive.observed": true, "bias.realized_share": true, "step_norm": true,
		"drive.predicted": false, "bias.cosine": false, "defect_1": false} {
		if got := h.Index(name) >= 0; got != want {
			t.Errorf("column %s is recorded: %v, want %v", name, got, want)
		}
	}
	if v := h.Floats("drive.realized"); math.IsNaN(v[7]) || v[7] == 0 {
		t.Errorf("the realized drive at step 7 is %g", v[7])
	}
}

func TestWhereNoRealizedBiasIsKnownTheLogSaysWhy(t *testing.T) {
	for name, c := range map[string]struct {
		src, override, want string
		recorded            bool // the other columns of the bias
	}{
		"state that does not settle": {strings.Replace(ownOptimizer, "max(top, v)", "top + v", 1), "", "top = top + v grows without end while the gradient stays", false},
		"a regularizer":              {small, "regularizer={kind: perturbed-one-norm, weight: 0.01}", "a regularizer moves the optimizer, too", true},
		"mini-batches":               {believing, "batch={mode: cyclic, size: 20}", "needs the memory form", false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			overrides := []string{"beside=[]", "steps=8"}
			if c.override != "" {
				overrides = append(overrides, c.override)
			}
			_, h := runIn(t, dir, parse(t, c.src, overrides...))
			if log := string(fileBytes(t, dir, "log.txt")); !strings.Contains(log, c.want) {
				t.Errorf("the log does not say %q:\n%s", c.want, log)
			}
			if h.Index("drive.realized") >= 0 || h.Index("drive.observed") >= 0 != c.recorded {
				t.Errorf("columns %+v", h.Columns)
			}
		})
	}
}

func TestWeightsHaveTheirPartsOfTheDrives(t *testing.T) {
	_, h := runFor(t, small, "beside=[]", "record.blocks=true", "record.sharpness=0", "dtype=float64")
	for _, name := range []string{"drive.main", "drive.predicted", "drive.realized", "drive.observed"} {
		for n := 0; n < 60; n += 7 {
			sum, parts := 0.0, 0
			for _, c := range h.Columns {
				if strings.HasPrefix(c.Name, "block.") && strings.HasSuffix(c.Name, "."+name) {
					sum += h.Floats(c.Name)[n]
					parts++
				}
			}
			if want := h.Floats(name)[n]; parts != 4 || !(math.Abs(sum-want) <= 1e-9*math.Abs(want)) {
				t.Errorf("step %d: the %d weights' %s add up to %g, want %g", n, parts, name, sum, want)
			}
		}
	}
	// Of fractions of coordinates it is the numbers of coordinates that add up.
	sizes := []float64{64 * 8, 8, 8 * 10, 10} // of an MLP's weights and biases
	for _, name := range []string{"penalized", "hindered", "realized.penalized", "realized.hindered"} {
		sum, all, parts := 0.0, 0.0, 0
		for _, c := range h.Columns {
			if weight, ok := strings.CutSuffix(c.Name, "."+name); ok && strings.HasPrefix(weight, "block.") && !strings.HasSuffix(weight, ".realized") {
				sum += sizes[parts] * h.Floats(c.Name)[7]
				all += sizes[parts]
				parts++
			}
		}
		if want := all * h.Floats(name)[7]; !(math.Abs(sum-want) <= 1e-6*all) {
			t.Errorf("%s: %g coordinates in all weights, want %g", name, sum, want)
		}
	}
	_, plain := runFor(t, small, "beside=[]", "record.sharpness=0", "dtype=float64")
	for _, c := range plain.Columns {
		for n, v := range plain.Floats(c.Name) {
			if got := h.Floats(c.Name)[n]; got != v && !(math.IsNaN(got) && math.IsNaN(v)) {
				t.Fatalf("step %d: %s is %g, without the weights' columns %g", n, c.Name, got, v)
			}
		}
	}
}

// With mini-batches N is that of all examples, at the point and behind the step.
func TestTheObservedDriveOfMiniBatchesIsThatOfAllExamples(t *testing.T) {
	_, h := runFor(t, small, "beside=[]", "batch={mode: shuffled, size: 20}", "record.bias=1", "record.sharpness=0", "dtype=float64", "steps=6", "optimizer.lr=0.01")
	excess, observed := h.Floats("full_excess"), h.Floats("drive.observed")
	for n := range 6 {
		if want := (excess[n+1] - excess[n]) / 0.01; math.Abs(observed[n]-want) > 1e-9*(1+math.Abs(want)) {
			t.Errorf("step %d: observed %g, want %g", n, observed[n], want)
		}
	}
}

// theorysDrives are the main and realized drives of section 7 of the theory, on the digits.
var theorysDrives = []struct {
	beta1, beta2   float64
	steps          []int
	main, realized []float64
}{
	{0.9, 0.9, []int{60, 140}, []float64{-465, -46}, []float64{11, 3}},
	{0.9, 0.99, []int{60, 140, 300}, []float64{-543, -159, -28}, []float64{137, 108, 22}},
	{0.9, 0.999, []int{60, 140, 300}, []float64{-552, -173, -45}, []float64{149, 125, 39}},
	{0.97, 0.99, []int{60, 140, 300}, []float64{-498, -306, -22}, []float64{122, 236, 18}},
}

// The check table of the theory (section 7): on the digits at usual settings what is predicted has not the size of what happens, and at equal
// betas not its sign, from another start than the theory's (TestTheTheorysTableOfRealizedBiasesToItsDigits) too: held are, of seed 0, signs and the sizes
// of what happens within a factor of two (docs/equations.md has seeds 0 to 3). Left out is what differs by more: .97/.99 at step 60, where 122 is 274 to 696 here,
// the size and sign of its predicted drive, and .9/.9 at step 300, where nothing is left of the drives.
func TestTheTheorysTableOfRealizedBiases(t *testing.T) {
	if testing.Short() {
		t.Skip("four runs of 300 steps")
	}
	times := map[[2]float64][]float64{ // the predicted one over the realized, at least
		{0.9, 0.9}: {-5, -4}, {0.9, 0.99}: {20, 4, 3}, {0.9, 0.999}: {20, 8, 6},
	}
	for _, c := range theorysDrives {
		times := times[[2]float64{c.beta1, c.beta2}]
		t.Run(fmt.Sprintf("%g and %g", c.beta1, c.beta2), func(t *testing.T) {
			t.Parallel()
			_, h := runFor(t, "", "steps=301", "dtype=float64", "batch.physical=1297", "record={every: 20, bias: 20, sharpness: 0, state: 0, test: 0}", "checkpoint.every=0",
				fmt.Sprintf("optimizer.beta1=%v", c.beta1), fmt.Sprintf("optimizer.beta2=%v", c.beta2))
			for i, n := range c.steps {
				if c.beta1 == 0.97 && n == 60 {
					continue // there the start tells
				}
				at := func(name string) float64 { return h.Floats(name)[n/20] }
				main, predicted, realized := at("drive.main"), at("drive.predicted"), at("drive.realized")
				t.Logf("step %d: main %.4g, predicted %.4g, realized %.4g, observed %.4g, cosine %.2f, order 2 over order 1 %.3g",
					n, main, predicted, realized, at("drive.observed"), at("bias.cosine"), at("monitor.second_over_first"))
				for _, pair := range [][2]float64{{main, c.main[i]}, {realized, c.realized[i]}} {
					most := 2.0
					if c.beta1 == c.beta2 && n == 60 && pair[0] == realized {
						most = 7 // the norm has just turned, and the start tells: it is 2 to 13% of the main drive
					}
					if ratio := pair[0] / pair[1]; !(ratio > 0.5 && ratio < most) {
						t.Errorf("step %d: %.4g, the theory has %.4g", n, pair[0], pair[1])
					}
				}
				if off := math.Abs(main + realized - at("drive.observed")); !(off < 0.1*math.Abs(main)) {
					t.Errorf("step %d: main and realized drive leave %.4g of what is observed", n, off)
				}
				if times != nil && !(predicted/realized/times[i] > 1) {
					t.Errorf("step %d: the predicted drive is %.3g times the realized one, want beyond %g times", n, predicted/realized, times[i])
				}
				if second := at("monitor.second_over_first"); !(second > 1.5) {
					t.Errorf("step %d: order 2 leaves %.3g of the defect of order 1: the theory has it mispredict steps here", n, second)
				}
			}
		})
	}
}

// theorysStart returns the config of the theory's runs on the digits. Their start was found by the loss at step 100: the weights that testdata/theory.py makes,
// and the first 1297 digits, standardized by column with the deviation of n - 1.
func theorysStart(t *testing.T) string {
	t.Helper()
	file, err := os.Open("../../dataset/digits.csv.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(unzipped).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	const examples, pixels = 1297, 64
	rows = rows[:examples]
	header := []string{}
	for j := range pixels {
		header = append(header, fmt.Sprintf("pixel%d", j))
		column := make([]float64, examples)
		for i, row := range rows {
			if column[i], err = strconv.ParseFloat(row[j], 64); err != nil {
				t.Fatal(err)
			}
		}
		mean, deviation := stat.MeanStdDev(column, nil)
		for i, v := range column {
			if v -= mean; deviation > 0 {
				v /= deviation
			}
			rows[i][j] = strconv.FormatFloat(v, 'g', -1, 64)
		}
	}
	var table bytes.Buffer
	if err := csv.NewWriter(&table).WriteAll(append([][]string{append(header, "digit")}, rows...)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "digits.csv")
	if err := os.WriteFile(path, table.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`
data: {name: csv, path: %s, target: [digit], task: classification, test_fraction: 0, standardize: false}
model: {hidden: [64, 64], weights: testdata/theory_weights.safetensors}
dtype: float64
steps: 301
batch: {physical: 1297}
checkpoint: {every: 0}
record: {every: 5, bias: 20, sharpness: 0, state: 0, test: 0}
beside: []
`, schema.Format(path))
}

func TestTheTheorysTableOfRealizedBiasesToItsDigits(t *testing.T) {
	if testing.Short() {
		t.Skip("four runs of 300 steps")
	}
	start := theorysStart(t)
	for _, c := range theorysDrives {
		t.Run(fmt.Sprintf("%g and %g", c.beta1, c.beta2), func(t *testing.T) {
			t.Parallel()
			_, h := runFor(t, start, fmt.Sprintf("optimizer={name: adam, beta1: %v, beta2: %v}", c.beta1, c.beta2))
			for i, n := range c.steps {
				main, realized := h.Floats("drive.main")[n/5], h.Floats("drive.realized")[n/5]
				if math.Round(main) != c.main[i] || math.Round(realized) != c.realized[i] {
					t.Errorf("step %d: main %.5g, realized %.5g; the theory has %g and %g", n, main, realized, c.main[i], c.realized[i])
				}
			}
		})
	}
}

// The losses are the theory's; its distances are larger than those here, which NumPy's integration of the first field (theory.py) confirms.
func TestTheStateEquationFromTheTheorysStart(t *testing.T) {
	if testing.Short() {
		t.Skip("a run of 100 steps with two equations")
	}
	_, h := runFor(t, theorysStart(t), "steps=100", "record.bias=0", "beside=[state-1, state-2]", "optimizer={name: adam, beta2: 0.999}")
	at := func(name string, n int) float64 { return h.Floats(name)[n/5] }
	if loss := at("loss", 100); math.Abs(loss-0.18984) > 0.5e-5 {
		t.Errorf("the loss at step 100 is %.6g, the theory has .18984", loss)
	}
	if first, second := at("state-1.loss", 100), at("state-2.loss", 100); math.Abs(first-0.19057) > 5e-4 || math.Abs(second-0.18975) > 1.5e-4 {
		t.Errorf("the equations' losses are %.6g and %.6g, the theory has .19057 and .18975", first, second)
	}
	if d := at("state-2.relative_distance", 100); !(d <= 0.0006) {
		t.Errorf("order 2 is off by %.3g of the way", d)
	}
	var golden map[string]map[string]float64
	if err := json.Unmarshal(fileBytes(t, "testdata", "theory.json"), &golden); err != nil {
		t.Fatal(err)
	}
	for step, want := range golden["state-1.relative_distance"] {
		n, err := strconv.Atoi(step)
		if err != nil {
			t.Fatal(err)
		}
		if got := at("state-1.relative_distance", n); !(math.Abs(got-want) <= 1e-3*want) {
			t.Errorf("step %d: order 1 is off by %.6g of the way, in NumPy by %.6g", n, got, want)
		}
	}
}

// With bias correction the first step is that of the optimizer without memory: what is left of the difference is rounding, and no bias.
func TestTheFirstStepHasNoBiasBeyondRounding(t *testing.T) {
	for _, optimizer := range []string{"adam", "adamw", "nadam", "adamax", "lion", "signum", "heavy-ball", "lamb", "ademamix"} {
		for _, dtype := range []string{"float32", "float64"} {
			t.Run(optimizer+" in "+dtype, func(t *testing.T) {
				_, h := runFor(t, small, "beside=[]", "record.sharpness=0", "record.bias=1", "steps=3", "dtype="+dtype, "optimizer={name: "+optimizer+"}")
				for name, none := range map[string]bool{"drive.realized": true, "bias.realized_share": true, "realized.penalized": true, "realized.hindered": true, "drive.main": false} {
					if v := h.Floats(name)[0]; v == 0 != none || math.Signbit(v) && none {
						t.Errorf("%s is %g at step 0", name, v)
					}
				}
				if v := h.Floats("drive.realized")[2]; v == 0 || math.IsNaN(v) {
					t.Errorf("drive.realized is %g at step 2", v)
				}
			})
		}
	}
}

// Of an optimizer without the memory form nothing is predicted; where the gradient is 0 its main term does nothing, too.
func TestADriveOfNothingIsNotNegative(t *testing.T) {
	_, h := runFor(t, "", "objective={name: quadratic, spectrum: [1, 1], theta: [0, 0]}", "dtype=float64", "optimizer={name: adamax, lr: 0.01}", "steps=1",
		"record={every: 1, bias: 1, sharpness: 0, state: 0}")
	if v := h.Floats("drive.main")[0]; v != 0 || math.Signbit(v) || h.Index("drive.predicted") >= 0 {
		t.Errorf("drive.main is %g, want 0 and nothing predicted", v)
	}
}

// The first step remembers nothing: U is F, and where decay and gradient nearly cancel, both are rounded as their terms are.
func TestRoundingOfWhatDecayCancelsIsNoBias(t *testing.T) {
	for _, dtype := range []string{"float32", "float64"} {
		for _, decay := range []string{"3", "10", "30"} {
			t.Run(dtype+", decay "+decay, func(t *testing.T) {
				_, h := runFor(t, "data: {subset: 100}\nmodel: {hidden: [16]}\nsteps: 2\nrecord: {every: 1, bias: 1, sharpness: 0, state: 0}\noptimizer: {name: adamw, lr: 0.003}",
					"dtype="+dtype, "optimizer.weight_decay="+decay)
				if at := h.Floats("drive.realized"); at[0] != 0 || at[1] == 0 {
					t.Errorf("realized drives %v", at)
				}
			})
		}
	}
}
