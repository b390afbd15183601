package explore

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shadowflow/diagnose"
	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/experiment/run"
	"shadowflow/internal/fixture"
	"shadowflow/objective"
	"shadowflow/rule"
)

// ask returns the answer to a question, its status, and the error that it is instead.
func ask(t testing.TB, h http.Handler, question string) (*Answer, int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/answer?q="+url.QueryEscape(question), nil))
	var got struct {
		Answer
		Error string `json:"error"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	return &got.Answer, w.Code, got.Error
}

// answerTo returns the answer to a question that has one.
func answerTo(t testing.TB, set, rest string) *Answer {
	t.Helper()
	a, status, wrong := ask(t, Handler(), `{"set":{`+set+`},`+rest+`}`)
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, wrong)
	}
	return a
}

const (
	bilinear = `"objective.name":"bilinear","objective.theta":[2.8,3.5],"optimizer.name":"adam",`
	view     = `"view":[0,4,0,4]`
)

// The ends of the paper's Figure 2, as printed.
func TestTheIteratesEndWhereThePapersDo(t *testing.T) {
	for _, c := range []struct {
		beta1, beta2 float64
		end          [2]float64
	}{
		{.9, .999, [2]float64{.49596, 1.5324}}, {.99, .999, [2]float64{.50292, 1.5112}}, {.9, .9, [2]float64{.58867, 1.289}},
	} {
		a := answerTo(t, bilinear+fmt.Sprintf(`"optimizer.beta1":%v,"optimizer.beta2":%v,"optimizer.eps":1e-6,"optimizer.lr":0.001,"steps":20000,"stop.loss":0.0002,"beside":["state-2"]`, c.beta1, c.beta2),
			`"want":["run"]`)
		points := a.Run.Paths[0].Points
		end := points[len(points)-1]
		if off := math.Hypot(float64(end[0])-c.end[0], float64(end[1])-c.end[1]); off > 5e-5 || a.Run.Status != string(run.LossReached) {
			t.Errorf("betas %v, %v: ends at %v, %s; the paper's at %v", c.beta1, c.beta2, end, a.Run.Status, c.end)
		}
	}
}

const momentum = `optimizer:
  name: mine
  title: it's "mine", $(of) all
  lr: 0.02
  let: {mu: 0.7, eps: 0.5}
  state: {m: "ema(g, mu)"}
  update: m / sqrt(m^2 + eps)
`

// What the command records is what was seen, to the bit.
func TestTheCommandRecordsWhatIsSeen(t *testing.T) {
	for name, q := range map[string]string{
		"the page's first state": `{"set":{` + bilinear + `"optimizer.lr":0.01,"steps":90,"beside":["memoryless-1","memoryless-2","state-2"]},"want":["run"]}`,
		"batches, a schedule":    `{"set":{` + bilinear + `"objective.pairs":[[2,1.5],[1,2]],"batch.mode":"cyclic","schedule.shape":"cosine","schedule.warmup":5,"steps":40,"beside":["state-1"]},"want":["run"]}`,
		"formulas of one's own":  `{"set":{"objective.name":"rosenbrock","optimizer.mu":0.6,"optimizer.lr":0.001,"steps":40,"beside":["memoryless-2","state-3"]},"own":` + quoted(momentum) + `,"want":["run"]}`,
		"equations left out":     `{"set":{"objective.name":"bilinear","optimizer.name":"amsgrad","steps":30,"beside":["memoryless-2","state-2"]},"want":["run"]}`,
		"digits in batches":      `{"set":{"objective.name":"network","batch.mode":"shuffled","batch.size":25,"steps":15,"beside":["state-2"]},"want":["run"]}`,
		"digits":                 `{"set":{"objective.name":"network","seed":3,"steps":15,"beside":["state-2"]},"want":["run"]}`,
	} {
		t.Run(name, func(t *testing.T) {
			a, status, wrong := ask(t, Handler(), q)
			if status != http.StatusOK {
				t.Fatal(wrong)
			}
			c, err := config.Parse("", nil, setsOf(t, a.Command))
			if err != nil {
				t.Fatalf("%s: %v", a.Command, err)
			}
			dir := filepath.Join(t.TempDir(), "run")
			if _, err := run.Run(t.Context(), c, dir, run.Options{}); err != nil {
				t.Fatal(err)
			}
			h, err := record.ReadHistory(dir)
			if err != nil {
				t.Fatal(err)
			}
			same := func(column string, got []record.Number) {
				t.Helper()
				want := h.Floats(column)
				if len(got) != len(want) || len(got) == 0 {
					t.Fatalf("%s: %d numbers, the record has %d", column, len(got), len(want))
				}
				for i, v := range want {
					if none := math.IsInf(v, 0) || math.IsNaN(v); float64(got[i]) != v && !(none && math.IsNaN(float64(got[i]))) { // null in JSON
						t.Errorf("%s, row %d: %v, the record has %v", column, i, got[i], v)
					}
				}
			}
			same("loss", a.Run.Loss)
			for _, p := range a.Run.Paths[1:] {
				same(p.Name+".distance", p.Distance)
			}
		})
	}
}

func quoted(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string
	}
	return string(text)
}

// setsOf returns what a shell makes of the arguments of --set in a command.
func setsOf(t *testing.T, command string) []string {
	t.Helper()
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no POSIX shell to read the command")
	}
	out, err := exec.CommandContext(t.Context(), shell, "-c", `shadowflow() { printf '%s\0' "$@"; }; `+command).Output()
	if err != nil {
		t.Fatal(err)
	}
	args := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	if args[0] != "run" || len(args)%2 != 1 {
		t.Fatalf("the command's arguments are %q", args)
	}
	var sets []string
	for i := 1; i < len(args); i += 2 {
		if args[i] != "--set" {
			t.Fatalf("the command's arguments are %q", args)
		}
		sets = append(sets, args[i+1])
	}
	return sets
}

func TestADraftHasTheSamePoints(t *testing.T) {
	const set = bilinear + `"steps":320,"beside":["memoryless-2","state-2"]`
	full, draft := answerTo(t, set, `"want":["run"]`), answerTo(t, set, `"want":["run"],"draft":true`)
	if len(draft.Run.Steps) >= len(full.Run.Steps) || draft.Run.Monitors != nil || draft.Command != "" {
		t.Errorf("the draft has %d rows, the whole %d; monitors %v, command %q", len(draft.Run.Steps), len(full.Run.Steps), draft.Run.Monitors, draft.Command)
	}
	for i, p := range draft.Run.Paths {
		for k, step := range p.Steps {
			at := slices.Index(full.Run.Paths[i].Steps, step)
			if at >= 0 && full.Run.Paths[i].Points[at] != p.Points[k] {
				t.Errorf("%s behind step %d: %v, in the draft %v", p.Name, step, full.Run.Paths[i].Points[at], p.Points[k])
			}
		}
	}
}

// A draft of more than can follow a hand has the cheapest of the equations.
func TestADraftLeavesOutWhatIsTooMuch(t *testing.T) {
	for set, want := range map[string][]string{
		`"steps":4000,"beside":["state-4","memoryless-1","lift-2"]`:                                               {"iterates", "memoryless-1"},
		`"steps":400,"beside":["memoryless-2","state-2"]`:                                                         {"iterates", "memoryless-2", "state-2"},
		`"steps":400,"beside":["memoryless-2","state-2"],"objective.pairs":[[2,1.5],[1,2]],"batch.mode":"cyclic"`: {"iterates", "state-2"},
	} {
		var names []string
		for _, p := range answerTo(t, bilinear+set, `"want":["run"],"draft":true`).Run.Paths {
			names = append(names, p.Name)
		}
		if !slices.Equal(names, want) {
			t.Errorf("%s: the draft has %v, want %v", set, names, want)
		}
	}
}

func TestEquationsThatDoNotExistAreLeftOutAndSaid(t *testing.T) {
	a := answerTo(t, `"objective.name":"bilinear","optimizer.name":"amsgrad","steps":20,"beside":["memoryless-1","state-1","memoryless-2"]`, `"want":["run","field"],`+view)
	if len(a.Run.Paths) != 2 || a.Run.Paths[1].Name != "state-1" || len(a.Without) != 2 || !strings.Contains(a.Without[0].Why, "amsgrad") {
		t.Errorf("paths %d, without %v", len(a.Run.Paths), a.Without)
	}
	if a.Field == nil || !strings.Contains(a.Field.Missing, "amsgrad") {
		t.Errorf("the field is %+v", a.Field)
	}
}

// An equation that begins behind the last step has no points, and no list is missing.
func TestAnEquationThatDoesNotBeginHasNoPoints(t *testing.T) {
	w := httptest.NewRecorder()
	q := `{"set":{` + bilinear + `"steps":5,"flow.start":10,"beside":["state-2"]},"want":["run"]}`
	Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/answer?q="+url.QueryEscape(q), nil))
	if text := w.Body.String(); !strings.Contains(text, `{"name":"state-2","steps":[],"points":[]`) {
		t.Errorf("the answer is %.300s", text)
	}
}

func TestTheSurfaceIsTheLoss(t *testing.T) {
	s := answerTo(t, `"objective.name":"bilinear"`, `"want":["surface"],"view":[-1,2,0.5,3]`).Surface
	for j := range s.N {
		for i := range s.N {
			x, y := -1+3*float64(i)/float64(s.N-1), 0.5+2.5*float64(j)/float64(s.N-1)
			if want := 0.5 * math.Pow(1.5-2*x*y, 2); math.Abs(float64(s.Loss[j*s.N+i])-want) > 1e-12*max(1, want) {
				t.Fatalf("at (%g, %g): %v, want %v", x, y, s.Loss[j*s.N+i], want)
			}
		}
	}
}

// The drive of the bias is the change of the perturbed one-norm along it, by central differences.
func TestTheFieldMovesTheNormAsItSays(t *testing.T) {
	const eps = 0.01
	f := answerTo(t, bilinear+fmt.Sprintf(`"optimizer.eps":%v,"optimizer.lr":0.003`, eps), `"want":["field"],"view":[0.2,2.2,0.3,2.3]`).Field
	o := fixture.Objective(t, "bilinear", nil)
	norm := func(x, y float64) float64 {
		g := make([]float64, 2)
		if _, err := o.Evaluate(t.Context(), []float64{x, y}, objective.Full, objective.Want[float64]{Gradient: g}); err != nil {
			t.Fatal(err)
		}
		return diagnose.GradientNorms(g, eps).Perturbed
	}
	signs := map[bool]int{}
	for k, b := range f.Bias {
		x, y := 0.2+2*float64(k%f.N)/float64(f.N-1), 0.3+2*float64(k/f.N)/float64(f.N-1)
		u, v := float64(b[0]), float64(b[1])
		d := 1e-5 / max(math.Hypot(u, v), 1e-12)
		want := (norm(x+d*u, y+d*v) - norm(x-d*u, y-d*v)) / (2 * d)
		if got := float64(f.Drive[k]); math.Abs(got-want) > 1e-5*max(math.Abs(want), 1e-3) {
			t.Errorf("at (%g, %g): drive %v, differences say %v", x, y, got, want)
		}
		signs[f.Drive[k] > 0]++
	}
	if signs[true] == 0 || signs[false] == 0 {
		t.Errorf("the norm is hindered or penalized everywhere: %v", signs)
	}
}

func TestThePlaneOfANetworkHoldsItsPath(t *testing.T) {
	a := answerTo(t, `"objective.name":"network","steps":12,"beside":["state-1"]`, `"want":["run","surface"]`)
	points := a.Run.Paths[0].Points
	first, last := points[0], points[len(points)-1]
	if first != [2]record.Number{} || last[0] <= 0 || math.Abs(float64(last[1])) > 1e-12*float64(last[0]) {
		t.Errorf("the path goes from %v to %v", first, last)
	}
	if v := a.Surface.View; v[0] > 0 || v[1] < float64(last[0]) || len(a.Surface.Loss) != a.Surface.N*a.Surface.N {
		t.Errorf("view %v, %d losses", v, len(a.Surface.Loss))
	}
}

func TestQuestionsThatAskForMoreThanThereIsAreRefused(t *testing.T) {
	for name, tc := range map[string]struct{ q, want string }{
		"no JSON":               {`{"set`, "not a question as JSON"},
		"two questions":         {`{} {}`, "something stands behind"},
		"an unknown key":        {`{"sett":{}}`, `unknown field "sett"`},
		"a word":                {`{"want":["all"]}`, `want: "all"; want some of run, surface, field`},
		"a view of nothing":     {`{"view":[0,0,0,1]}`, "want each end above its beginning"},
		"a view too large":      {`{"view":[0,1e9,0,1]}`, "want numbers of at most"},
		"a key of files":        {`{"set":{"data.path":"/etc/passwd"}}`, `"data.path": the explorer does not set this key`},
		"weights":               {`{"set":{"model.weights":"x"}}`, "does not set this key"},
		"a program":             {`{"set":{"objective.command":["sh"]}}`, "does not set this key"},
		"a worker":              {`{"set":{"objective.name":"worker"}}`, "worker"},
		"a watched loop":        {`{"set":{"objective.name":"watched"}}`, "want network, or one of bilinear"},
		"moments":               {`{"set":{"optimizer.moments":"x"}}`, "does not set this key"},
		"moments, as state":     {`{"set":{"optimizer.state":"x"}}`, "does not set this key"},
		"a file's optimizer":    {`{"set":{"optimizer.name":"../mine.yaml"}}`, "path of a file"},
		"a file of formulas":    {`{"own":"optimizer: {name: ./mine.yaml, update: g}"}`, "path of a file"},
		"formulas with moments": {`{"own":"optimizer: {name: mine, lr: 1, update: g, moments: x}"}`, "does not set this key"},
		"formulas with groups":  {`{"own":"optimizer: {name: mine, lr: 1, update: g, groups: [{dims: 1}]}"}`, "does not set this key"},
		"a section more":        {`{"own":"optimizer: {name: mine, lr: 1, update: g}\nsteps: 3"}`, "a section optimizer and nothing else"},
		"no formulas":           {`{"own":"optimizer: {name: adam, state: x}"}`, "with name, lr, update"},
		"a wrong formula":       {`{"own":"optimizer: {name: mine, lr: 1, update: g +}"}`, "optimizer.update"},
		"long formulas":         {`{"own":"` + strings.Repeat("x", 7000) + `"}`, "own: 7000 bytes; want at most 6000"},
		"much to derive":        {`{"own":"optimizer: {name: mine, lr: 1, state: {a: 'ema(` + strings.Repeat("g+", 300) + `g, 0.5)', b: 'ema(` + strings.Repeat("g*", 300) + `g, 0.5)'}, update: a+b}"}`, "want at most 1000 here"},
		"many steps":            {`{"set":{"steps":1000000}}`, "steps: 1000000; want at most 20000"},
		"many trained steps":    {`{"set":{"objective.name":"network","steps":5000}}`, "steps: 5000; want at most 400"},
		"many parameters":       {`{"set":{"objective.name":"rosenbrock","objective.dim":1000}}`, "want at most 500 here"},
		"three parameters":      {`{"set":{"objective.name":"quadratic"}}`, "3 parameters; want 2, to be drawn"},
		"an equation twice":     {`{"set":{"beside":["state-1","state-1"]}}`, "state-1 is there already"},
		"keys and values":       {`{"set":{"steps":{"a":1}}}`, "steps: want a number"},
		"a long list":           {`{"set":{"objective.spectrum":[` + strings.Repeat("1,", 40) + `1]}}`, "objective.spectrum: a list that is too long"},
		"a schedule's file":     {`{"set":{"schedule.shape":"file"}}`, "schedule.path: no file"},
		"a beta of 2":           {`{"set":{"optimizer.beta1":2},"want":["run"]}`, "optimizer.beta1"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, status, wrong := ask(t, Handler(), tc.q); status != http.StatusBadRequest || !strings.Contains(wrong, tc.want) {
				t.Errorf("status %d, %q; want 400 and an error that says %q", status, wrong, tc.want)
			}
		})
	}
}

// Every optimizer that can be chosen can be seen.
func TestEveryOptimizerAnswers(t *testing.T) {
	for _, name := range rule.Names() {
		a, status, wrong := ask(t, Handler(), `{"set":{"objective.name":"rosenbrock","optimizer.name":"`+name+`","optimizer.lr":0.001,"steps":30,"beside":["memoryless-2","state-2"]},"want":["run","field"],`+view+`}`)
		if status != http.StatusOK || len(a.Run.Steps) < 2 || len(a.Run.Paths)+len(a.Without) != 3 {
			t.Errorf("%s: status %d, %q, without %v", name, status, wrong, a.Without)
		}
	}
}

// Formulas to begin one's own with can be used as they are.
func TestTheTextOfEveryOptimizerCanBeTypedIn(t *testing.T) {
	for _, name := range rule.Names() {
		text, err := rule.Source(name)
		if err != nil {
			t.Fatal(err)
		}
		a, status, wrong := ask(t, Handler(), `{"set":{"objective.name":"bilinear","steps":5},"want":["run"],"own":`+quoted(string(text))+`}`)
		if status != http.StatusOK || len(a.Keys) == 0 {
			t.Errorf("%s: status %d, %q, keys %v", name, status, wrong, a.Keys)
		}
	}
}

func TestAQuestionThatNobodyWaitsForIsNotAnswered(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	q := `{"set":{` + bilinear + `"steps":20000},"want":["run"]}`
	Handler().ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/answer?q="+url.QueryEscape(q), nil))
	if strings.Contains(w.Body.String(), "paths") {
		t.Errorf("the answer is %.200s", w.Body)
	}
}

func TestThePageIsServedWithWhatItAsks(t *testing.T) {
	var h http.Handler
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		return w
	}
	for _, prefix := range []string{"/explore/", "/explore"} {
		h = http.StripPrefix(prefix, Handler())
		if w := get("/explore/"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "<title>") {
			t.Errorf("without %s, the page has status %d", prefix, w.Code)
		}
	}
	for path, want := range map[string]string{
		"/explore/": "text/html", "/explore/explore.js": "javascript", "/explore/state.js": "javascript", "/explore/plots.js": "javascript", "/explore/controls.js": "javascript",
		"/explore/explore.css": "text/css", "/explore/catalogue": "application/json",
	} {
		if w := get(path); w.Code != http.StatusOK || !strings.Contains(w.Header().Get("Content-Type"), want) {
			t.Errorf("%s: status %d, %s", path, w.Code, w.Header().Get("Content-Type"))
		}
	}
	lines := bufio.NewScanner(get("/explore/").Body)
	for lines.Scan() { // what the policy forbids, or what is not relative
		for _, never := range []string{"style=", "onclick", "onload", "<script>", "<style", `src="/`, `href="/`, "http:", "https:"} {
			if strings.Contains(lines.Text(), never) {
				t.Errorf("the page has %q: %s", never, lines.Text())
			}
		}
	}
}

func FuzzQuestion(f *testing.F) {
	for _, q := range []string{
		`{"set":{` + bilinear + `"steps":5,"beside":["state-2"]},"want":["run"],"draft":true,` + view + `}`,
		`{"own":` + quoted(momentum) + `,"set":{"optimizer.mu":0.5}}`, `{"set":{"optimizer.name":"./x.yaml"}}`, `{"set":{"optimizer.state":"x","objective.pairs":[[1,2],[3,4]]}}`,
		`{"own":"optimizer: {name: x.yml, moments: y, update: g}"}`, `{"view":[0,1,2]}`, `null`, `{"set":{"beside":[[[]]]}}`,
	} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := ParseRequest(text)
		if err != nil {
			return
		}
		c, settings, err := q.Config()
		if err != nil {
			return
		}
		if c.Data.Path != "" || c.Model.Weights != "" || c.Optimizer.Moments != "" || c.Schedule.Path != "" || c.Objective.Command != nil || c.Steps > maxSteps || len(c.Optimizer.Groups) > 0 {
			t.Errorf("%s: the config reads files, starts programs, or takes too many steps:\n%s", text, c.YAML())
		}
		var overrides []string
		for _, s := range settings {
			overrides = append(overrides, s.String())
		}
		again, err := config.Parse("", nil, overrides)
		if err != nil || again.Hash() != c.Hash() {
			t.Errorf("%s: the command %s makes another config: %v", text, Command(settings), err)
		}
	})
}

func BenchmarkMove(b *testing.B) {
	const first = bilinear + `"optimizer.lr":0.01,"steps":400,"beside":["memoryless-1","memoryless-2","state-2"]`
	for name, q := range map[string]string{
		"draft, the page's first state": `{"set":{` + first + `},` + view + `,"want":["run","field"],"draft":true}`,
		"full, the page's first state":  `{"set":{` + first + `},` + view + `,"want":["run","surface","field"]}`,
		"draft, all equations":          `{"set":{` + bilinear + `"optimizer.lr":0.01,"steps":400,"beside":["memoryless-1","memoryless-2","memoryless-3","memoryless-4","state-1","state-2","state-3","state-4","lift-2"]},` + view + `,"want":["run","field"],"draft":true}`,
		"draft, Figure 2":               `{"set":{` + bilinear + `"optimizer.lr":0.001,"steps":3000,"beside":["memoryless-2","state-2"]},` + view + `,"want":["run","field"],"draft":true}`,
		"full, Figure 2":                `{"set":{` + bilinear + `"optimizer.lr":0.001,"steps":3000,"beside":["memoryless-2","state-2"]},` + view + `,"want":["run","surface","field"]}`,
		"draft, digits":                 `{"set":{"objective.name":"network","optimizer.lr":0.01,"steps":60,"beside":["state-2"]},"want":["run","surface"],"draft":true}`,
		"draft, digits in batches":      `{"set":{"objective.name":"network","optimizer.lr":0.01,"batch.mode":"shuffled","batch.size":25,"steps":60,"beside":["state-1","state-2","memoryless-2"]},"want":["run","surface"],"draft":true}`,
		"full, digits":                  `{"set":{"objective.name":"network","optimizer.lr":0.01,"steps":60,"beside":["state-2"]},"want":["run","surface"]}`,
	} {
		b.Run(name, func(b *testing.B) {
			h := Handler()
			for b.Loop() {
				if _, status, wrong := ask(b, h, q); status != http.StatusOK {
					b.Fatal(wrong)
				}
			}
		})
	}
}
