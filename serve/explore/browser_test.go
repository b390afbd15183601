package explore_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"shadowflow/serve/explore"
)

// policy is what the page is served under.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'"

// browserPath returns a Chromium. Where none is installed the test is skipped; one that SHADOWFLOW_BROWSER names must be there.
func browserPath(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("SHADOWFLOW_BROWSER"); path != "" {
		if _, err := exec.LookPath(path); err != nil {
			t.Fatalf("SHADOWFLOW_BROWSER: %v", err)
		}
		return path
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no browser: install chromium, or name one by SHADOWFLOW_BROWSER")
	return ""
}

// A page is the explorer in a browser.
type page struct {
	t   *testing.T
	ctx context.Context
	url string

	lock     sync.Mutex
	messages []string // what it wrote to the console
}

func openBrowser(t *testing.T) *page {
	t.Helper()
	path := browserPath(t)
	mux := http.NewServeMux()
	mux.Handle("/explore/", http.StripPrefix("/explore", explore.Handler()))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	ctx, cancel := chromedp.NewContext(t.Context(), chromedp.WithAllocatorOptions(chromedp.ExecPath(path), chromedp.NoSandbox),
		chromedp.WithErrorf(t.Logf))
	t.Cleanup(cancel)
	p := &page{t: t, ctx: ctx, url: server.URL + "/explore/"}
	p.do(chromedp.Navigate("about:blank"))
	go func() {
		for m, err := range chromedp.Console(ctx) {
			if err != nil {
				return
			}
			p.lock.Lock()
			p.messages = append(p.messages, fmt.Sprintf("%s: %s", m.Type, m.Text))
			p.lock.Unlock()
		}
	}()
	return p
}

func (p *page) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, steps...); err != nil {
		p.t.Fatal(err)
	}
}

// text evaluates an expression that is a text.
func (p *page) text(expression string) string {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](expression))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// waitFor waits until an expression holds.
func (p *page) waitFor(expression string) {
	p.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(30 * time.Millisecond) {
		if p.text("String(Boolean("+expression+"))") == "true" {
			return
		}
	}
	p.t.Fatalf("the page does not come to %s; its error: %s", expression, p.text("document.getElementById('error').textContent"))
}

// answered is that the last answer is whole.
const answered = "document.documentElement.dataset.answered === 'full'"

// open loads the page in a state.
func (p *page) open(hash string) {
	p.t.Helper()
	p.do(chromedp.Navigate("about:blank"), chromedp.Navigate(p.url+hash))
	p.waitFor(answered)
}

// quiet fails where the page wrote to the console.
func (p *page) quiet() {
	p.t.Helper()
	p.lock.Lock()
	defer p.lock.Unlock()
	if len(p.messages) > 0 {
		p.t.Errorf("the console has:\n%s", strings.Join(p.messages, "\n"))
	}
}

const (
	curves = "document.getElementById('curves-table').textContent"
	failed = "document.getElementById('error').textContent"
	said   = "document.getElementById('command').textContent"
)

// set sets a control's value as a hand does.
func (p *page) set(id, value string) {
	p.t.Helper()
	p.text(fmt.Sprintf(`(() => { const e = document.getElementById(%q); delete document.documentElement.dataset.answered; e.value = %q;
		e.dispatchEvent(new Event("input", {bubbles: true})); e.dispatchEvent(new Event("change", {bubbles: true})); return ""; })()`, id, value))
	p.waitFor(answered)
}

func TestThePageFollowsItsControlsInABrowser(t *testing.T) {
	p := openBrowser(t)
	p.open("")
	first := p.text(curves)
	if !strings.Contains(first, "state-2") {
		t.Fatalf("the table of the curves has %q", first)
	}
	t.Run("a slider moves the curves", func(t *testing.T) {
		p.t = t
		p.set("o-beta1", "0.3") // beta1 = 1 - 10^-0.3
		if got := p.text(curves); got == first {
			t.Error("beta1 was moved, and the curves are those of before")
		}
		if got := p.text(said); !strings.Contains(got, "optimizer.beta1=0.499") {
			t.Errorf("the command is %s", got)
		}
	})
	t.Run("the address keeps the state", func(t *testing.T) {
		p.t = t
		moved, hash := p.text(curves), p.text("location.hash")
		p.open(hash)
		if got := p.text(curves); got != moved {
			t.Error("the address that was kept shows other curves")
		}
	})
	t.Run("the arrow keys move the start", func(t *testing.T) {
		p.t = t
		before := p.text("document.getElementById('theta1').value")
		p.text("(delete document.documentElement.dataset.answered, '')")
		p.do(chromedp.Focus(chromedp.ID("start")), chromedp.KeyEvent(kb.ArrowLeft))
		p.waitFor(answered)
		if got := p.text("document.getElementById('theta1').value"); got == before {
			t.Errorf("theta1 is %s, as before", got)
		}
	})
	t.Run("the start is dragged", func(t *testing.T) {
		p.t = t
		before := p.text("document.getElementById('theta2').value")
		p.text("(delete document.documentElement.dataset.answered, scrollTo(0, 0), '')")
		p.do(chromedp.DragAndDrop(chromedp.ID("start"), chromedp.ID("plane")))
		p.waitFor(answered)
		if got := p.text("document.getElementById('theta2').value"); got == before {
			t.Errorf("theta2 is %s, as before", got)
		}
	})
	t.Run("formulas are typed in", func(t *testing.T) {
		p.t = t
		p.text(`(() => { delete document.documentElement.dataset.answered; document.getElementById("own").value = "optimizer:\n  name: mine\n  lr: 0.01\n  let: {mu: 0.8}\n  state: {m: 'mu * m + g'}\n  update: m\n";
			document.getElementById("own-use").click(); return ""; })()`)
		p.waitFor(answered)
		p.waitFor("document.getElementById('o-mu-number')")
		if got := p.text(said); !strings.Contains(got, "update: m") {
			t.Errorf("the command is %s", got)
		}
	})
	t.Run("what is wrong is said", func(t *testing.T) {
		p.t = t
		p.text(`(() => { document.getElementById("own").value = "optimizer: {name: mine, lr: 0.1, update: '<img src=x onerror=alert(1)>'}"; document.getElementById("own-use").click(); return ""; })()`)
		p.waitFor(failed + " !== ''")
		if got := p.text("String(document.querySelectorAll('img').length)"); got != "0" {
			t.Errorf("an error made %s images", got)
		}
		if got := p.text(failed); !strings.Contains(got, "optimizer.update") {
			t.Errorf("the page says %q", got)
		}
	})
	p.lock.Lock()
	defer p.lock.Unlock()
	for _, m := range p.messages { // of the question that was wrong
		if !strings.Contains(m, "400") {
			t.Errorf("the console has %s", m)
		}
	}
}

// pictures are taken into the folder that SHADOWFLOW_PICTURES names, to be looked at.
func TestPicturesOfThePage(t *testing.T) {
	dir := os.Getenv("SHADOWFLOW_PICTURES")
	if dir == "" {
		t.Skip("SHADOWFLOW_PICTURES names no folder for pictures of the page")
	}
	p := openBrowser(t)
	for name, hash := range map[string]string{
		"first": "", "digits": "#" + `{"objective":"network","steps":60,"beside":["state-1","state-2"]}`,
		"edge":  "#" + `{"theta":[2.7,0.3],"optimizer":"gd","lr":0.08,"steps":120,"begin":2,"beside":["memoryless-2","lift-1","lift-2"],"view":[1.8,3,0,0.8]}`,
		"short": "#" + `{"values":{"beta1":0.3,"beta2":0.5,"eps":1},"lr":0.05,"steps":100,"beside":["memoryless-1","memoryless-2","memoryless-3","memoryless-4"]}`,
	} {
		for _, scheme := range []string{"light", "dark"} {
			for _, width := range []int64{1280, 400} {
				if name != "first" && (scheme == "dark" || width == 400) {
					continue
				}
				media := chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
					_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
					return err
				})
				p.do(chromedp.EmulateViewport(width, 900), media)
				p.open(hash)
				picture, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%s-%d.png", name, scheme, width)), picture, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	p.quiet()
}
