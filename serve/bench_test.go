package serve

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"shadowflow/experiment/record"
	"shadowflow/internal/browser"
)

// many makes a folder of so many runs of so many rows. Their histories are one file, by hard links, and differ for whoever reads them.
func many(b *testing.B, runs, rows int) (dir string, first *record.Dir) {
	b.Helper()
	dir = b.TempDir()
	first = begin(b, filepath.Join(dir, "run-000"))
	grow(b, first, 0, rows)
	for i := 1; i < runs; i++ {
		d := begin(b, filepath.Join(dir, fmt.Sprintf("run-%03d", i)), fmt.Sprintf("beta2=%v", 1-1/float64(i+1)))
		if err := os.Remove(record.HistoryPath(d.Path())); err != nil {
			b.Fatal(err)
		}
		if err := os.Link(record.HistoryPath(first.Path()), record.HistoryPath(d.Path())); err != nil {
			b.Fatal(err)
		}
	}
	return dir, first
}

// BenchmarkTwoHundredLongRuns says what a folder of 200 runs of 100,000 rows costs: the list, the first figure in a browser since the address was opened,
// the figures of all, the next rows of one, and the memory that is held then.
func BenchmarkTwoHundredLongRuns(b *testing.B) {
	const runs, rows = 200, 100_000
	dir, first := many(b, runs, rows)
	for i := range b.N {
		server, address := serving(b, dir)
		began := time.Now()
		lap := func() float64 { ms := float64(time.Since(began).Microseconds()) / 1e3; began = time.Now(); return ms }
		ask(b, server, "/api/runs", nil)
		b.ReportMetric(lap(), "list-ms")
		p := browser.Open(b, "about:blank", 1280, 900, false)
		p.Do(browser.Go(address))
		p.Wait(`document.querySelectorAll("#runs tbody tr").length > 100`)
		b.ReportMetric(p.Number(`performance.getEntriesByName("first-contentful-paint")[0].startTime`), "first-paint-ms")
		p.Wait(`document.documentElement.dataset.figures`)
		b.ReportMetric(p.Number(`document.documentElement.dataset.listed`), "listed-ms")
		b.ReportMetric(p.Number(`document.documentElement.dataset.figures`), "figures-ms")
		const last = `document.querySelector("#figure-norm details tbody tr:last-child td")?.textContent`
		p.Do(browser.Go(address + "&run=run-000"))
		p.Wait(`document.documentElement.dataset.figures && document.querySelector("#figure-norm summary")`)
		p.Do(chromedp.Click("#figure-norm summary"))
		p.Wait(last)
		before := p.Text(last)
		p.Wait(`document.querySelector("#link").textContent === "live"`)
		lap()
		grow(b, first, rows+1000*i, rows+1000*(i+1)) // enough for the last place that is drawn to move
		p.Wait(fmt.Sprintf("%s !== %q", last, before))
		b.ReportMetric(lap(), "new-rows-ms")
		for from := 0; from < runs; from += 10 {
			q := url.Values{"compared": {"1"}, "points": {"100"}}
			for i := range 10 {
				q.Add("run", fmt.Sprintf("run-%03d", from+i))
			}
			ask(b, server, "/api/panels?"+q.Encode(), nil)
		}
		b.ReportMetric(lap()/1e3, "all-runs-s")
		ask(b, server, "/api/panels?run=run-199", nil)
		lap()
		ask(b, server, "/api/panels?run=run-199", nil)
		b.ReportMetric(lap(), "again-ms")
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.HeapInuse)/(1<<20), "held-MiB")
	}
}
