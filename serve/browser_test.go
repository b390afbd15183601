package serve

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/experiment/run"
	"shadowflow/experiment/sweep"
	"shadowflow/internal/browser"
)

// shots is where a test puts pictures to look at, if it is set.
const shots = "SHADOWFLOW_SHOTS"

func shoot(p *browser.Page, name string) {
	if dir := os.Getenv(shots); dir != "" {
		p.Shot(filepath.Join(dir, name+".png"))
	}
}

// last is the last step in the table of numbers of the loss.
const last = `document.querySelector("#figure-norm details tbody tr:last-child td")?.textContent`

func quiet(t *testing.T, p *browser.Page) {
	t.Helper()
	if errors := p.ConsoleErrors(); len(errors) > 0 {
		t.Errorf("the console has %q", errors)
	}
}

func TestARunInProgressIsFollowedZoomedAndCompared(t *testing.T) {
	dir := t.TempDir()
	d := begin(t, filepath.Join(dir, "one"))
	grow(t, d, 0, 30)
	grow(t, begin(t, filepath.Join(dir, "two"), "beta2=0.9"), 0, 60)
	_, address := serving(t, dir)
	p := browser.Open(t, address+"&run=one", 1280, 900, false)
	p.Wait(`document.querySelectorAll("#figures figure").length >= 2`)
	if at := p.Text(`location.search`); strings.Contains(at, testToken) {
		t.Errorf("the token stays in the address: %s", at)
	}
	p.Do(chromedp.Click("#figure-norm summary"))
	p.Wait(last + ` === "29"`)
	grow(t, d, 30, 40) // and the page follows
	p.Wait(last + ` === "39"`)

	// Drag over a figure.
	box := func(of string) float64 {
		return p.Number(`document.querySelector("#figure-norm canvas").getBoundingClientRect().` + of)
	}
	p.Do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#figure-norm canvas").scrollIntoView({block: "center"})`))
	left, top, width := box("left"), box("top"), box("width")
	p.Drag(left+0.5*width, top+50, left+0.8*width, top+60)
	p.Wait(`new URLSearchParams(location.search).has("from")`)
	first := `document.querySelector("#figure-norm details tbody tr td")?.textContent`
	p.Wait(`Number(` + first + `) > 10`)
	if from, to := p.Number(first), p.Number(last); !(from > 10 && from < 20 && to > 25 && to < 35) {
		t.Errorf("zoomed to %v to %v", from, to)
	}
	p.Do(chromedp.Click("#whole"))
	p.Wait(last + ` === "39"`)

	// The keys move a cursor that reads the curves.
	p.Do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#figure-norm canvas").focus()`))
	p.Do(chromedp.KeyEvent(kb.ArrowRight))
	p.Wait(`document.querySelector("#figure-norm .legend .value").textContent !== ""`)

	// Another run beside it.
	p.Do(chromedp.Click(`input[aria-label="show two"]`))
	p.Wait(`[...document.querySelectorAll("#figure-norm .legend .name")].map((e) => e.textContent).join() === "one,two"`)
	p.Wait(`document.querySelector("#differences").textContent.includes("optimizer.beta2")`)
	shoot(p, "compared")
	p.Do(chromedp.Click(`#figure-loss .legend button[data-name="two"]`))
	p.Wait(`document.querySelector('#figure-loss .legend button[data-name="two"]').getAttribute("aria-pressed") === "false"`)
	if at := p.Text(`location.search`); !strings.Contains(at, "hide=two") {
		t.Errorf("what is hidden does not stand in the address: %s", at)
	}

	p.Do(chromedp.Click("#logx"))
	p.Wait(`new URLSearchParams(location.search).get("log") === "x"`)
	p.Do(chromedp.Click("#figure-norm summary"))
	p.Wait(`document.querySelector("#figure-norm details tbody tr td")?.textContent === "1"`) // of step 0 there is no logarithm
	p.Do(chromedp.Click("#logx"))
	p.Wait(`document.querySelector("#figure-norm details tbody tr td")?.textContent === "0"`)

	// Its own time, and back.
	p.Do(chromedp.Evaluate[chromedp.Void](`(() => { const s = document.querySelector("#abscissa"); s.value = "loss"; s.dispatchEvent(new Event("change")); })()`))
	p.Wait(`document.querySelector("#figure-loss canvas").getAttribute("aria-label").includes("against training loss")`)
	p.Do(chromedp.Evaluate[chromedp.Void](`history.back()`))
	p.Wait(`document.querySelector("#figure-loss canvas").getAttribute("aria-label").includes("against step")`)
	quiet(t, p)
}

func TestADensityIsReadAndNotZoomedWithTheSteps(t *testing.T) {
	dir := t.TempDir()
	c, err := config.Parse("test.yaml", []byte(withDensities), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run.Run(t.Context(), c, filepath.Join(dir, "one"), run.Options{}); err != nil {
		t.Fatal(err)
	}
	_, address := serving(t, dir)
	p := browser.Open(t, address+"&run=one&from=0&to=4", 1280, 900, false)
	p.Wait(`document.querySelector("#figure-density canvas")?.getAttribute("aria-label").includes("against eigenvalue: step 0, step 5")`)
	p.Do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#figure-density canvas").scrollIntoView({block: "center"})`))
	box := func(of string) float64 {
		return p.Number(`document.querySelector("#figure-density canvas").getBoundingClientRect().` + of)
	}
	left, top, width := box("left"), box("top"), box("width")
	p.Drag(left+0.4*width, top+50, left+0.6*width, top+60)
	p.Wait(`document.querySelector("#figure-density .legend .value").textContent !== ""`)
	if at := p.Text(`location.search`); !strings.Contains(at, "from=0") || !strings.Contains(at, "to=4") {
		t.Errorf("a drag over eigenvalues chose steps: %s", at)
	}
	p.Do(chromedp.Click("#figure-density summary"))
	p.Wait(`Number(document.querySelector("#figure-density details tbody tr:last-child td")?.textContent) > 9`) // all of x, not steps 0 to 4
	shoot(p, "density")
	quiet(t, p)
}

func TestASweepIsDrawnFollowedAndBookmarked(t *testing.T) {
	dir := t.TempDir()
	sw, err := sweep.Parse("betas.yaml", []byte("name: betas\nbase: {steps: 4, objective: {name: bilinear}}\ngrid: {optimizer.beta2: [0.9, 0.99, 0.999], optimizer.lr: [1e-3, 1e-2]}\nseeds: 2\n"), 100)
	if err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(dir, "betas")
	if err := sw.Prepare(at); err != nil {
		t.Fatal(err)
	}
	for i := range 8 { // of 12
		if err := sw.RunOne(t.Context(), at, i, sweep.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	_, address := serving(t, dir)
	p := browser.Open(t, address+"&sweep=betas", 1280, 900, false)
	cells := `[...document.querySelectorAll("#sweep td.heat")]`
	p.Wait(cells + ".length === 4")
	choose := func(label, value string) {
		p.Do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`(() => { const s = document.querySelector('#sweep select[aria-label="%s"]'); s.value = %q; s.dispatchEvent(new Event("change")); })()`, label, value)))
	}
	choose("measurement", "loss")
	p.Wait(`new URLSearchParams(location.search).get("measure") === "loss"`)
	choose("against", "optimizer.lr")
	choose("curves for each", "optimizer.beta2")
	p.Wait(`new URLSearchParams(location.search).get("by") === "optimizer.beta2"`)

	for i := 8; i < 12; i++ { // the sweep goes on, and the page follows
		if err := sw.RunOne(t.Context(), at, i, sweep.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	p.Wait(cells + ".length === 6")
	if got := p.Text(`[...document.querySelectorAll("#sweep select")].map((s) => s.value).join()`); got != "loss,optimizer.lr,optimizer.beta2" {
		t.Errorf("what was chosen became %s", got)
	}
	shoot(p, "sweep")

	// The address shows the same anew, and the browser's button goes back.
	p.Do(browser.Go(strings.Split(address, "?")[0] + strings.TrimPrefix(p.Text("location.search"), "/")))
	p.Wait(cells + ".length === 6")
	if got := p.Text(`[...document.querySelectorAll("#sweep select")].map((s) => s.value).join()`); got != "loss,optimizer.lr,optimizer.beta2" {
		t.Errorf("the address shows %s", got)
	}
	choose("against", "optimizer.beta2")
	p.Wait(`document.querySelector("#sweep canvas").getAttribute("aria-label").includes("against optimizer.beta2")`)
	p.Do(chromedp.Evaluate[chromedp.Void](`history.back()`))
	p.Wait(`document.querySelector("#sweep canvas").getAttribute("aria-label").includes("against optimizer.lr")`)

	// A cell opens its runs, a mark the run behind it.
	p.Do(chromedp.Evaluate[chromedp.Void](cells + `[0].firstElementChild.click()`))
	p.Wait(`new URLSearchParams(location.search).getAll("run").length === 2`)
	p.Do(chromedp.Evaluate[chromedp.Void](`(() => {
		const c = document.querySelector("#sweep canvas"), box = c.getBoundingClientRect();
		for (let x = 0; x < box.width; x += 4) for (let y = 0; y < box.height; y += 4) {
			c.dispatchEvent(new PointerEvent("pointermove", {clientX: box.left + x, clientY: box.top + y}));
			if (c.style.cursor !== "pointer") continue;
			c.dispatchEvent(new MouseEvent("click", {clientX: Math.round(box.left + x + 6), clientY: Math.round(box.top + y)})); // nearer still
			return;
		}
	})()`))
	p.Wait(`new URLSearchParams(location.search).getAll("run").length === 1`)
	quiet(t, p)
}

func TestAHostileDirectoryDoesNothing(t *testing.T) {
	const markup = `<img src=x onerror="window.pwned=1">`
	dir := t.TempDir()
	name := "<svg onload=window.pwned=1>&amp;'\"`"
	d := begin(t, filepath.Join(dir, name), `objective.name=bilinear`)
	grow(t, d, 0, 5)
	if err := record.WriteFailure(filepath.Join(dir, name), fmt.Errorf("%s", markup)); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		"bad/history.csv": "step," + markup + "\n0,1\n", "bad/config.yaml": markup + ": 1\n", "bad/columns.csv": "name,type,unit,meaning\nstep,int,,\n" + `"` + strings.ReplaceAll(markup, `"`, `""`) + `",float,,` + "\n",
		"sweep/sweep.yaml": "name: " + markup + "\n",
	} {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, address := serving(t, dir)
	p := browser.Open(t, address, 1280, 900, false)
	p.Wait(`document.querySelectorAll("#runs tbody tr").length === 3`)
	p.Wait(`[...document.querySelectorAll("#runs .problem")].some((e) => e.textContent.includes("onerror"))`)
	for _, choose := range []string{`[...document.querySelectorAll("#runs a")].find((a) => a.textContent.includes("<svg")).click()`, `[...document.querySelectorAll("#runs a")].find((a) => a.textContent === "bad").click()`} {
		p.Do(chromedp.Evaluate[chromedp.Void](choose))
		p.Wait(`document.querySelector("#problem").textContent !== "" || document.querySelectorAll("#figures figure").length > 0`)
	}
	p.Wait(`document.querySelector("#problem").textContent.includes("bad: ")`)
	p.Do(chromedp.Evaluate[chromedp.Void](`[...document.querySelectorAll("#runs a")].find((a) => a.textContent === "sweep").click()`))
	p.Wait(`document.querySelector("#sweep").textContent.includes("onerror")`)
	if n := p.Number(`document.querySelectorAll("img, svg, iframe").length + (window.pwned || 0)`); n != 0 {
		t.Error("text of a run became elements of the page")
	}
}

func TestAFingerZoomsToo(t *testing.T) {
	dir := t.TempDir()
	grow(t, begin(t, filepath.Join(dir, "one")), 0, 100)
	_, address := serving(t, dir)
	p := browser.Open(t, address+"&run=one", 400, 800, false)
	p.Wait(`document.querySelectorAll("#figures figure").length >= 2`)
	p.Do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#figure-norm canvas").scrollIntoView({block: "center"})`))
	box := func(of string) float64 {
		return p.Number(`document.querySelector("#figure-norm canvas").getBoundingClientRect().` + of)
	}
	left, top, width := box("left"), box("top"), box("width")
	p.Swipe(left+0.4*width, top+80, left+0.8*width, top+84)
	p.Wait(`new URLSearchParams(location.search).has("from")`)
	quiet(t, p)
}

func TestThePageInEachThemeAndWidth(t *testing.T) {
	dir := t.TempDir()
	grow(t, begin(t, filepath.Join(dir, "one")), 0, 300)
	grow(t, begin(t, filepath.Join(dir, "another run"), "beta2=0.9"), 0, 200)
	_, address := serving(t, dir)
	for _, c := range []struct {
		width int64
		dark  bool
	}{{1280, false}, {1280, true}, {400, false}, {400, true}} {
		name := fmt.Sprintf("page-%d-dark-%v", c.width, c.dark)
		t.Run(name, func(t *testing.T) {
			p := browser.Open(t, address+"&run=one", int(c.width), 900, c.dark)
			p.Wait(`document.querySelectorAll("#figures figure").length >= 2`)
			if wide := p.Number(`document.documentElement.scrollWidth`); wide > float64(c.width) {
				t.Errorf("the page is %v wide in a window of %d", wide, c.width)
			}
			dark := p.Text(`getComputedStyle(document.body).backgroundColor`) == "rgb(21, 24, 30)"
			if dark != c.dark {
				t.Errorf("dark %v", dark)
			}
			shoot(p, name)
			quiet(t, p)
		})
	}
}
