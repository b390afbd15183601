package reproduce

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"shadowflow/internal/plural"
	"shadowflow/internal/stats"
)

// A Hypothesis is a sentence about numbers, and all that is needed to judge it: it is part of a claim's definition, and written before the numbers are there.
// Seeds are the unit of evidence, and are paired: a seed has the same initial weights and the same batches in each setting.
type Hypothesis struct {
	Name string `json:"name"`
	// Family names the hypotheses that are corrected together, by Holm's method.
	Family string `json:"family"`
	Claim  string `json:"claim"`
	// Measure is what is measured, of each seed unless the test is Bound.
	Measure   string    `json:"measure"`
	Test      Test      `json:"test"`
	Direction Direction `json:"direction"`
	// Least is the least effect that supports the hypothesis; of a Bound, the bound.
	Least float64 `json:"least_effect"`
	// Seeds is how many there are, of which a definition that says none has as many as its sweeps; 0: nothing is random.
	Seeds int `json:"seeds"`
}

// String says what will be tested, and how.
func (h Hypothesis) String() string {
	if h.Test == Bound {
		return fmt.Sprintf("%s. %s: at %s %s.", h.Claim, capital(h.Measure), h.Direction.word("least", "most"), short(h.Least))
	}
	least := ""
	if h.Least > 0 {
		least = fmt.Sprintf(", least effect %s", short(h.Least))
	}
	return fmt.Sprintf("%s. %s: %s, %s%s; family %q.", h.Claim, capital(h.Measure), h.Test.name(), plural.Count(h.Seeds, "seed"), least, h.Family)
}

// name is that of the test.
func (t Test) name() string {
	return map[Test]string{Trend: "t-tests over seeds", Mean: "t-test over seeds", Majority: "sign test over seeds"}[t]
}

// A Test says how numbers are judged, and what the size of an effect is.
type Test string

// The tests. Each is given rows of numbers, a row a seed.
const (
	// Trend asks whether the numbers of a row, which are those along a grid, rise or fall within seeds: by t-tests over seeds of Kendall's rank correlation of
	// a row with the grid, and of the change from its first to its last; the larger probability counts. The numbers of a row are no independent evidence:
	// neighbours on the grid have weights and batches in common. The effect is the mean over seeds of the rank correlation.
	Trend Test = "trend"
	// Mean is the t-test of whether the mean over seeds, of one number each, differs from 0. The effect is the mean.
	Mean Test = "mean"
	// Majority is the sign test over seeds of whether most of a seed's runs, 1 where they do and -1 where they do not, do something. The effect is the
	// share of the seeds in which most do less that of those in which most do not.
	Majority Test = "majority"
	// Bound asks whether one number, in which nothing is random, keeps within a bound. The effect is the number.
	Bound Test = "bound"
)

// Direction is that of a claimed effect.
type Direction int

// The directions.
const (
	Up   Direction = 1
	Down Direction = -1
)

// MarshalText implements encoding.TextMarshaler.
func (d Direction) MarshalText() ([]byte, error) { return []byte(d.word("up", "down")), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Direction) UnmarshalText(text []byte) error {
	switch string(text) {
	case "up":
		*d = Up
	case "down":
		*d = Down
	default:
		return fmt.Errorf("direction %q: want up or down", text)
	}
	return nil
}

func (d Direction) word(up, down string) string {
	if d == Up {
		return up
	}
	return down
}

// A Finding is a hypothesis and what became of it.
type Finding struct {
	Hypothesis
	// Numbers are those that were judged, a row a seed.
	Numbers [][]Number `json:"numbers"`
	// Given is the number of seeds that count: a trend leaves out those that lack a number, the sign test those that are even.
	Given int `json:"given"`
	// Effect is its size, Low and High are the ends of its 95% bootstrap interval over seeds.
	Effect Number `json:"effect"`
	Low    Number `json:"low"`
	High   Number `json:"high"`
	// Change is how much the numbers of a Trend change from the first to the last of the grid, with its interval; ChangeUnit is "%" where they are all positive.
	Change     Number `json:"change"`
	ChangeLow  Number `json:"change_low"`
	ChangeHigh Number `json:"change_high"`
	ChangeUnit string `json:"change_unit,omitempty"`
	// P is the probability of such evidence, in its direction (of a Mean, two-sided), if there were nothing to find, Corrected that after Holm's
	// correction for the family.
	P         Number `json:"p"`
	Corrected Number `json:"p_corrected"`
	// RanksP and ChangeP are those of a Trend's two tests, of which P is the larger on its side.
	RanksP  Number `json:"p_ranks"`
	ChangeP Number `json:"p_change"`
	// Alone says that there is no other hypothesis in its family, and so no correction.
	Alone   bool    `json:"alone"`
	Outcome Outcome `json:"outcome"`

	evidence evidence
}

// weigh measures the effect and the evidence in rows of numbers. The outcome needs the family.
func (h Hypothesis) weigh(rows [][]float64) Finding {
	none := Number(math.NaN())
	f := Finding{Hypothesis: h, Numbers: numbersOf(rows), Outcome: Undecided, evidence: nothing, Change: none, ChangeLow: none, ChangeHigh: none, P: none, Corrected: none, RanksP: none, ChangeP: none}
	var effects []float64 // of each seed
	switch h.Test {
	case Trend:
		whole := slices.DeleteFunc(slices.Clone(rows), func(row []float64) bool { return slices.ContainsFunc(row, math.IsNaN) })
		for _, row := range whole {
			effects = append(effects, stats.Kendall(row))
		}
		ranks, changes := meanEvidence(effects), meanEvidence(f.change(whole))
		f.RanksP, f.ChangeP = statistic(ranks.p()), statistic(changes.p())
		f.evidence = ranks.and(changes).towards(h.Direction)
	case Mean:
		for _, row := range rows {
			if !math.IsNaN(row[0]) && !math.IsInf(row[0], 0) {
				effects = append(effects, row[0])
			}
		}
		f.evidence = meanEvidence(effects).towards(h.Direction)
	case Majority:
		agree := 0
		for _, row := range rows {
			if vote := voteOf(row); vote != 0 {
				effects = append(effects, vote)
				agree += count(vote > 0)
			}
		}
		if n := len(effects); n > 0 {
			more, less := stats.SignTest(agree, n)
			f.evidence = evidence{more, less}.towards(h.Direction)
		}
	case Bound:
		if len(rows) > 0 {
			effects = append(effects, rows[0][0])
		}
	}
	f.Given = len(effects)
	mean, low, high := stats.Bootstrap(effects)
	f.Effect, f.Low, f.High = statistic(mean), statistic(snapped(low, high)), statistic(snapped(high, low))
	if h.Test == Bound {
		f.Effect = Number(mean) // the number itself, which a bound is kept by or not
		return f
	}
	f.P = statistic(f.evidence.p())
	return f
}

// leastAlike is how many seeds there are at least where it is no chance that all have the same number.
const leastAlike = 3

// meanEvidence is that of the t-test of whether a mean over seeds is above or below 0. Where all have the same number, there is no chance in it.
func meanEvidence(values []float64) evidence {
	d := stats.PairedT(values)
	p := d.P
	if len(values) >= leastAlike && slices.Min(values) == slices.Max(values) && values[0] != 0 {
		p = 0
	}
	if d.Mean > 0 {
		return evidence{p, 1}
	}
	return evidence{1, p}
}

// snapped is an end of an interval, 0 where it is that but for rounding beside the other.
func snapped(end, other float64) float64 {
	if math.Abs(end) < 1e-12*math.Abs(other) {
		return 0
	}
	return end
}

// statistic rounds to six digits what is found from several seeds. The ends of an interval bear three or four, by the resampling; and a mean of tau of 0.2 is
// not below a least effect of 0.2 for how its parts were added.
func statistic(v float64) Number {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 6, 64), 64)
	if err != nil { // never, of what was written as a number
		return Number(v)
	}
	return Number(rounded)
}

// voteOf is 1 where most of a seed's runs do something, -1 where most do not, and 0 where they are even, or none counts.
func voteOf(row []float64) float64 {
	balance := 0.0
	for _, v := range row {
		if !math.IsNaN(v) {
			balance += v
		}
	}
	return float64(cmp.Compare(balance, 0))
}

// change measures by how much the numbers grow from the first to the last column within rows, and returns that of each row, of positive numbers of their logarithms.
func (f *Finding) change(rows [][]float64) []float64 {
	positive := true
	for _, row := range rows {
		positive = positive && row[0] > 0 && row[len(row)-1] > 0
	}
	var changes []float64
	for _, row := range rows {
		if first, last := row[0], row[len(row)-1]; positive {
			changes = append(changes, math.Log(last/first))
		} else {
			changes = append(changes, last-first)
		}
	}
	mean, low, high := stats.Bootstrap(changes)
	if positive {
		percent := func(log float64) float64 { return 100 * math.Expm1(log) }
		f.ChangeUnit, mean, low, high = "%", percent(mean), percent(low), percent(high)
	}
	f.Change, f.ChangeLow, f.ChangeHigh = statistic(mean), statistic(snapped(low, high)), statistic(snapped(high, low))
	return changes
}

// settle says what becomes of the hypotheses. One is supported, or decided against, where the probability of such evidence after Holm's correction for its
// family is below the level, and the interval of the effect lies on that side of 0, and of a Trend that of the change from first to last too: ranks that agree
// say nothing where the sizes do not. It is supported if the effect is no smaller than the least, too.
func settle(findings []Finding) {
	families := map[string][]int{}
	for i, f := range findings {
		if f.Test == Bound {
			findings[i].Outcome = f.bounded()
			continue
		}
		families[f.Family] = append(families[f.Family], i)
	}
	for _, members := range families {
		parts := make([]evidence, len(members))
		for k, i := range members {
			parts[k] = findings[i].evidence
		}
		corrected := holm(parts)
		for k, i := range members {
			findings[i].Corrected, findings[i].Alone = statistic(corrected[k]), len(members) == 1
			findings[i].Outcome = findings[i].decided(corrected[k])
		}
	}
}

func (f Finding) decided(corrected float64) Outcome {
	towards := float64(f.Effect) * float64(f.Direction)
	near, far := f.interval(f.Low, f.High)
	if f.Test == Trend {
		least, most := f.interval(f.ChangeLow, f.ChangeHigh)
		near, far = math.Min(near, least), math.Max(far, most)
	}
	switch {
	case !(corrected < level):
		return Undecided
	case f.evidence.with < f.evidence.against && near > 0 && towards >= f.Least:
		return Supported
	case f.evidence.against < f.evidence.with && far < 0:
		return Against
	}
	return Undecided
}

// interval returns the ends of an interval along the claimed direction.
func (f Finding) interval(low, high Number) (near, far float64) {
	a, b := float64(low)*float64(f.Direction), float64(high)*float64(f.Direction)
	return math.Min(a, b), math.Max(a, b)
}

func (f Finding) bounded() Outcome {
	switch effect := float64(f.Effect); {
	case math.IsNaN(effect):
		return Undecided
	case f.Direction == Up && effect >= f.Least, f.Direction == Down && effect <= f.Least:
		return Supported
	}
	return Against
}

// holm returns the probabilities of the parts' evidence after Holm's correction (Scand. J. Statist. 6, 1979): the probability that any of those below a level is
// there by chance is at most that level, however many there are.
func holm(parts []evidence) []float64 {
	order := make([]int, len(parts))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(parts[a].p(), parts[b].p()) })
	out := make([]float64, len(parts))
	most := 0.0
	for k, i := range order {
		most = math.Max(most, math.Min(1, parts[i].p()*float64(len(parts)-k)))
		out[i] = most
	}
	return out
}

// bySeeds is what is to be said of claims whose trends had been judged by another test before.
const bySeeds = "that trends are judged by t-tests over seeds, and that their changes from first to last have to agree with their ranks, was set after the results had been looked at: Page's test, which had judged them, takes the values of a seed for exchangeable, and they are not."

// votesTested is what is to be said of claims that ask something of most runs of each of several kinds.
const votesTested = "that what is asked of each kind of run is asked by the sign test over seeds was set after the numbers had been looked at: a share of one half or more had been asked for, which of a few runs says little."

// moreSeeds is what is to be said of those that had five seeds.
const moreSeeds = "That all hypotheses are corrected together, and the seeds beyond the first five, were set after the numbers of those had been looked at: a sign test of five decides nothing that is corrected."

// earlier is what is to be said of claims whose runs had been looked at before this form of their hypotheses was written.
const earlier = "families, least effects and the form of the tests were set after runs of earlier versions at the laptop's scale had been looked at."
