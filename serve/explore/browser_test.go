package explore_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"shadowflow/internal/browser"
	"shadowflow/serve/explore"
)

// policy is what the page is served under.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'"

// serving returns the address of the explorer, as it is mounted.
func serving(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/explore/", http.StripPrefix("/explore", explore.Handler()))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/explore/"
}

const (
	answered = "document.documentElement.dataset.answered === 'full'" // the last answer is whole
	curves   = "document.getElementById('curves-table').textContent"
	failed   = "document.getElementById('error').textContent"
	said     = "document.getElementById('command').textContent"
	theta1   = "document.getElementById('theta1').value"
)

// after does something on the page, as a script, and waits for the answer to that.
func after(p *browser.Page, script string) {
	p.Text(`(() => { delete document.documentElement.dataset.answered; ` + script + `; return ""; })()`)
	p.Wait(answered)
}

// set sets a control's value as a hand does.
func set(id, value string) string {
	return fmt.Sprintf(`const e = document.getElementById(%q); e.value = %q; e.dispatchEvent(new Event("input", {bubbles: true})); e.dispatchEvent(new Event("change", {bubbles: true}))`, id, value)
}

func TestThePageFollowsItsControlsInABrowser(t *testing.T) {
	address := serving(t)
	p := browser.Open(t, address, 1280, 900, false)
	p.Wait(answered)
	first := p.Text(curves)
	if !strings.Contains(first, "state-2") {
		t.Fatalf("the table of the curves has %q", first)
	}
	after(p, set("o-beta1", "0.3")) // a slider: beta1 = 1 - 10^-0.3
	moved := p.Text(curves)
	if moved == first {
		t.Error("beta1 was moved, and the curves are those of before")
	}
	if got := p.Text(said); !strings.Contains(got, "optimizer.beta1=0.499") {
		t.Errorf("the command is %s", got)
	}

	// The address keeps the state.
	hash := p.Text("location.hash")
	p.Do(browser.Go("about:blank"), browser.Go(address+hash))
	p.Wait(answered)
	if got := p.Text(curves); got != moved {
		t.Error("the address that was kept shows other curves")
	}

	// The arrow keys move the start, and so does a hand.
	before := p.Text(theta1)
	after(p, `document.getElementById("start").dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowLeft"}))`)
	if got := p.Text(theta1); got == before {
		t.Errorf("behind a key, theta1 is %s, as before", got)
	}
	before = p.Text(theta1)
	p.Text("(delete document.documentElement.dataset.answered, '')")
	p.Do(chromedp.DragAndDrop(chromedp.ID("start"), chromedp.ID("plane")))
	p.Wait(answered)
	if got := p.Text(theta1); got == before {
		t.Errorf("dragged, theta1 is %s, as before", got)
	}
	p.Do(chromedp.Focus(chromedp.ID("lr")), chromedp.KeyEvent(kb.ArrowRight))
	p.Wait(`document.getElementById("lr-number").value !== "0.01"`)

	// Formulas are typed in, and have sliders.
	after(p, `document.getElementById("own").value = "optimizer:\n  name: mine\n  lr: 0.01\n  let: {mu: 0.8}\n  state: {m: 'mu * m + g'}\n  update: m\n"; document.getElementById("own-use").click()`)
	p.Wait(`document.getElementById("o-mu-number")`)
	if got := p.Text(said); !strings.Contains(got, "update: m") {
		t.Errorf("the command is %s", got)
	}
	if errors := p.ConsoleErrors(); len(errors) > 0 {
		t.Errorf("the console has %q", errors)
	}

	// What is wrong is said, as text.
	p.Text(`(() => { document.getElementById("own").value = "optimizer: {name: mine, lr: 0.1, update: '<img src=x onerror=alert(1)>'}"; document.getElementById("own-use").click(); return ""; })()`)
	p.Wait(failed + " !== ''")
	if got := p.Text(failed); !strings.Contains(got, "optimizer.update") {
		t.Errorf("the page says %q", got)
	}
	if n := p.Number("document.querySelectorAll('img').length"); n != 0 {
		t.Errorf("an error made %v images", n)
	}
}

// Samples are drawn anew where curves are others, and not with each move of a hand.
func TestTheLegendStaysWhileItsCurvesDo(t *testing.T) {
	p := browser.Open(t, serving(t)+"#"+url.PathEscape(`{"beside":["state-2"]}`), 1280, 900, false)
	p.Wait(answered)
	const legend = "document.getElementById('legend')"
	p.Text("(" + legend + ".firstElementChild.title = 'as before')")
	after(p, set("o-beta1", "0.3"))
	if got := p.Text(legend + ".firstElementChild.title"); got != "as before" {
		t.Error("a move of beta1 made another legend")
	}
	after(p, `document.getElementById("e-state-1").click()`)
	if got := p.Text(legend + ".textContent"); !strings.Contains(got, "state-1") || !strings.Contains(got, "state-2") {
		t.Errorf("behind state-1's being chosen the legend is %q", got)
	}
	if errors := p.ConsoleErrors(); len(errors) > 0 {
		t.Errorf("the console has %q", errors)
	}
}

func TestTheDigitsAreTrainedInBatchesIfAsked(t *testing.T) {
	p := browser.Open(t, serving(t)+"#"+url.PathEscape(`{"objective":"network","steps":10,"begin":2,"beside":["state-2"]}`), 1280, 900, false)
	p.Wait(answered)
	whole := p.Text(curves)
	after(p, set("batch", "shuffled"))
	if got := p.Text(said); !strings.Contains(got, "batch.mode=shuffled,batch.size=25") || p.Text(curves) == whole {
		t.Errorf("the command is %s", got)
	}
	if errors := p.ConsoleErrors(); p.Text(failed) != "" || len(errors) > 0 {
		t.Errorf("the page says %q, the console %q", p.Text(failed), errors)
	}
}

// shots is where pictures are put to be looked at, if it is set.
const shots = "SHADOWFLOW_SHOTS"

func TestThePageIsDrawnInAllItsStates(t *testing.T) {
	address := serving(t)
	for name, state := range map[string]string{
		"first": "{}", "digits": `{"objective":"network","steps":60,"beside":["state-1","state-2"]}`,
		"edge":  `{"theta":[2.7,0.3],"optimizer":"gd","lr":0.08,"steps":120,"begin":2,"beside":["memoryless-2","lift-1","lift-2"],"view":[1.8,3,0,0.8]}`,
		"short": `{"values":{"beta1":0.3,"beta2":0.5,"eps":1},"lr":0.05,"steps":100,"beside":["memoryless-1","memoryless-2","memoryless-3","memoryless-4"]}`,
		"none":  `{"optimizer":"amsgrad","quantity":"excess","steps":5}`, "hostile": `{"objective":["<b>"],"view":[1],"beside":[3],"values":null,"layers":"x"}`,
	} {
		for _, c := range []struct {
			width int
			dark  bool
		}{{1280, false}, {400, true}, {1280, true}, {400, false}} {
			if name != "first" && (c.width == 400 || c.dark) {
				continue
			}
			p := browser.Open(t, address+"#"+url.PathEscape(state), c.width, 900, c.dark)
			p.Wait(answered)
			if wide := p.Number("document.documentElement.scrollWidth"); wide > float64(c.width) {
				t.Errorf("%s: the page is %v wide in a window of %d", name, wide, c.width)
			}
			if errors := p.ConsoleErrors(); len(errors) > 0 {
				t.Errorf("%s: the console has %q", name, errors)
			}
			if dir := os.Getenv(shots); dir != "" {
				p.Shot(filepath.Join(dir, fmt.Sprintf("explore-%s-%d-dark-%v.png", name, c.width, c.dark)))
			}
			if c.width > 400 {
				continue
			}
			p.Text(`(() => { document.getElementById("o-beta1").scrollIntoView({block: "center"}); return ""; })()`)
			if top := p.Number(`document.getElementById("plane").getBoundingClientRect().top`); top < 0 {
				t.Errorf("where beta1 is moved, the plane is %v above the window", -top)
			}
		}
	}
}
