// Package browser opens pages in a real browser for tests, and fails them where the page writes an error to its console.
//
// The browser is the one that SHADOWFLOW_BROWSER names, or else a chromium or chrome that is installed. Where there is none, tests are skipped with a word,
// unless the variable names one: then they fail.
package browser

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// variable names the browser.
const variable = "SHADOWFLOW_BROWSER"

// patience is for how long anything that a page is to do is waited for: machines are shared, and slow at times.
const patience = 2 * time.Minute

// A test is what a page needs of a [testing.TB].
type test interface {
	Helper()
	Cleanup(f func())
	Skip(args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// A Page is open in a browser until its test ends.
type Page struct {
	t   test
	ctx context.Context

	mu     sync.Mutex
	errors []string
}

func executable(t test) string {
	t.Helper()
	if name := os.Getenv(variable); name != "" {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatalf("%s: %v", variable, err)
		}
		return path
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no chromium is installed: a Debian package of that name brings one; or set " + variable)
	return ""
}

// Open opens an address in a window of such a size, in the dark theme if asked.
func Open(t test, address string, width, height int, dark bool) *Page {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(executable(t)), chromedp.NoSandbox, chromedp.WindowSize(width, height))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	p := &Page{t: t, ctx: ctx}
	p.Do() // starts the browser
	console := chromedp.Console(ctx)
	go func() {
		for m, err := range console {
			if err != nil {
				return
			}
			if m.Type == chromedp.ConsoleError || m.Type == chromedp.ConsoleException {
				p.mu.Lock()
				p.errors = append(p.errors, m.Text)
				p.mu.Unlock()
			}
		}
	}()
	theme := "light"
	if dark {
		theme = "dark"
	}
	p.Do(func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}})
		return chromedp.Void{}, err
	}, chromedp.EmulateViewport(int64(width), int64(height)), chromedp.Navigate(address))
	return p
}

// Go opens another address.
func Go(address string) chromedp.Action[chromedp.Void] { return chromedp.Navigate(address) }

// Do takes steps.
func (p *Page) Do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, steps...); err != nil {
		p.t.Fatal(err)
	}
}

// Wait waits until an expression holds on a page.
func (p *Page) Wait(expression string) {
	p.t.Helper()
	if _, err := chromedp.Run(p.ctx, chromedp.Poll[bool]("Boolean("+expression+")", chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(patience))); err != nil {
		p.Shot(filepath.Join(os.TempDir(), "shadowflow-browser-test.png"))
		p.t.Fatalf("%s: %v; console: %v", expression, err, p.ConsoleErrors())
	}
}

// Text returns the text that an expression has.
func (p *Page) Text(expression string) string {
	p.t.Helper()
	s, err := chromedp.Run(p.ctx, chromedp.Evaluate[string]("String("+expression+")"))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return s
}

// Number returns the number that an expression has.
func (p *Page) Number(expression string) float64 {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[float64]("Number("+expression+")"))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// Drag presses the pointer at one place of the window, moves it to another, and lets it go.
func (p *Page) Drag(x0, y0, x1, y1 float64) {
	p.t.Helper()
	p.Do(
		chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x0, y0),
		chromedp.MouseEvent(input.DispatchMouseEventTypeMousePressed, x0, y0, chromedp.Button(string(input.MouseButtonLeft)), chromedp.ClickCount(1)),
		chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, (x0+x1)/2, (y0+y1)/2, chromedp.Button(string(input.MouseButtonLeft))),
		chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x1, y1, chromedp.Button(string(input.MouseButtonLeft))),
		chromedp.MouseEvent(input.DispatchMouseEventTypeMouseReleased, x1, y1, chromedp.Button(string(input.MouseButtonLeft)), chromedp.ClickCount(1)),
	)
}

// Swipe puts a finger at one place of the window, moves it to another, and lifts it.
func (p *Page) Swipe(x0, y0, x1, y1 float64) {
	p.t.Helper()
	touch := func(kind input.DispatchTouchEventType, at ...*input.TouchPoint) {
		p.Do(func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
			_, err := cdp.Call(ctx, t, input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: kind, TouchPoints: append([]*input.TouchPoint{}, at...)})
			return chromedp.Void{}, err
		})
	}
	const steps = 4
	touch(input.DispatchTouchEventTypeTouchStart, &input.TouchPoint{X: x0, Y: y0})
	for i := 1; i <= steps; i++ {
		f := float64(i) / steps
		touch(input.DispatchTouchEventTypeTouchMove, &input.TouchPoint{X: x0 + f*(x1-x0), Y: y0 + f*(y1-y0)})
	}
	touch(input.DispatchTouchEventTypeTouchEnd)
}

// Shot writes a picture of the whole page as PNG.
func (p *Page) Shot(file string) {
	p.t.Helper()
	const best = 100
	data, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(best))
	if err == nil {
		err = os.WriteFile(file, data, 0o644)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// ConsoleErrors returns what the page wrote to the console as errors.
func (p *Page) ConsoleErrors() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.errors...)
}
