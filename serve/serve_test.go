package serve

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shadowflow/experiment/config"
	"shadowflow/experiment/record"
	"shadowflow/experiment/run"
)

const testToken = "0123456789abcdef"

// columns are those of the runs that tests write themselves.
var columns = []record.Column{
	{Name: "step", Type: record.IntColumn}, {Name: "loss", Type: record.FloatColumn, Unit: "nats"}, {Name: "test_loss", Type: record.FloatColumn},
	{Name: "excess", Type: record.FloatColumn}, {Name: "two_norm", Type: record.FloatColumn}, {Name: "monitor.second_over_first", Type: record.FloatColumn},
}

// begin makes the directory of a run that goes on.
func begin(t testing.TB, dir string, overrides ...string) *record.Dir {
	t.Helper()
	c, err := config.Parse("test.yaml", []byte("steps: 100000\n"), overrides)
	if err != nil {
		t.Fatal(err)
	}
	d, err := record.Create(dir, c.YAML(), columns)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// grow adds rows to a run, up to a step.
func grow(t testing.TB, d *record.Dir, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		x := float64(n)
		row := []record.Value{record.Int(int64(n)), record.Float(2 * math.Exp(-x/50)), {}, record.Float(1.1 + math.Sin(x/10)), record.Float(1 / (1 + x)), record.Float(0.5)}
		if n%10 == 0 {
			row[2] = record.Float(2.1 * math.Exp(-x/60))
		}
		if err := d.Append(row); err != nil {
			t.Fatal(err)
		}
	}
}

// serving serves a folder, and returns the address that a user would open.
func serving(t testing.TB, dir string) (server *httptest.Server, address string) {
	t.Helper()
	server = httptest.NewUnstartedServer(nil)
	s, err := New(dir, testToken, []string{server.Listener.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = s
	server.Start()
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server, server.URL + "/?token=" + testToken
}

// request asks with the token.
func request(ctx context.Context, t testing.TB, server *httptest.Server, path string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+testToken)
	answer, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// ask asks with the token, and reads JSON into value where that is not nil.
func ask(t testing.TB, server *httptest.Server, path string, value any) (status int, text string) {
	t.Helper()
	answer := request(t.Context(), t, server, path)
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if value != nil {
		if err := json.Unmarshal(data, value); err != nil {
			t.Fatalf("%s: %v: %.300s", path, err, data)
		}
	}
	return answer.StatusCode, string(data)
}

func TestWhoHasNoTokenOrComesFromElsewhereSeesNothing(t *testing.T) {
	server, _ := serving(t, t.TempDir())
	for _, c := range []struct {
		name, method, path string
		headers            map[string]string
		status             int
	}{
		{"no token", "GET", "/", nil, 401},
		{"no token for data", "GET", "/api/runs", nil, 401},
		{"another token", "GET", "/?token=0123456789abcdeg", nil, 401},
		{"the token", "GET", "/?token=" + testToken, nil, 303},
		{"the token in a header", "GET", "/api/runs", map[string]string{"Authorization": "Bearer " + testToken}, 200},
		{"a cookie", "GET", "/api/runs", map[string]string{"Cookie": cookieOf(server.Listener.Addr().String()) + "=" + testToken}, 200},
		{"a cookie of another port", "GET", "/api/runs", map[string]string{"Cookie": "shadowflow_1=" + testToken}, 401},
		{"another host", "GET", "/?token=" + testToken, map[string]string{"Host": "evil.example"}, 403},
		{"another page", "GET", "/api/runs", map[string]string{"Authorization": "Bearer " + testToken, "Origin": "http://evil.example"}, 403},
		{"another site's script", "GET", "/api/runs", map[string]string{"Authorization": "Bearer " + testToken, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403},
		{"a change", "POST", "/api/runs", map[string]string{"Authorization": "Bearer " + testToken}, 405},
		{"a deletion", "DELETE", "/api/runs", map[string]string{"Authorization": "Bearer " + testToken}, 405},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), c.method, server.URL+c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			for name, value := range c.headers {
				if r.Header.Set(name, value); name == "Host" {
					r.Host = value
				}
			}
			client := *server.Client()
			client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			answer, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != c.status {
				t.Errorf("status %d, want %d", answer.StatusCode, c.status)
			}
			if policy := answer.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") {
				t.Errorf("policy %q", policy)
			}
		})
	}
}

func TestTheTokenLeavesTheAddressForACookieThatScriptsDoNotSee(t *testing.T) {
	s, err := New(t.TempDir(), testToken, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://127.0.0.1:80//evil.example/?run=a&token="+testToken, nil))
	cookies := w.Result().Cookies()
	if to := w.Header().Get("Location"); to != "/evil.example/?run=a" {
		t.Errorf("sent to %q", to)
	}
	if len(cookies) != 1 || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteStrictMode || cookies[0].Value != testToken {
		t.Errorf("cookies %v", cookies)
	}
}

// listed are the entries of a list by their paths.
func listed(t *testing.T, server *httptest.Server) map[string]entry {
	t.Helper()
	var list struct {
		Entries []entry
		Whole   bool
	}
	if status, text := ask(t, server, "/api/runs", &list); status != 200 || !list.Whole {
		t.Fatalf("status %d: %s", status, text)
	}
	out := map[string]entry{}
	for _, e := range list.Entries {
		out[e.Path] = e
	}
	return out
}

func TestTheListSaysWhereEachRunStands(t *testing.T) {
	dir := t.TempDir()
	grow(t, begin(t, filepath.Join(dir, "a", "running")), 0, 7)
	ended, err := config.Parse("test.yaml", []byte("steps: 3\ndata: {name: digits, subset: 20}\nmodel: {name: mlp, hidden: [4]}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run.Run(t.Context(), ended, filepath.Join(dir, "ended"), run.Options{}); err != nil {
		t.Fatal(err)
	}
	left := begin(t, filepath.Join(dir, "left"))
	grow(t, left, 0, 3)
	if err := left.Close(); err != nil {
		t.Fatal(err)
	}
	nobody := fmt.Sprintf(`{"pid": %d, "host": %q}`, 1<<30, hostname(t))
	broken := begin(t, filepath.Join(dir, "broken"))
	grow(t, broken, 0, 3)
	for path, text := range map[string]string{
		"left/lock.json": nobody, "failed/x": "", "broken/config.yaml": "steps: many\n", "no-run/readme.txt": "hello",
	} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	failing := begin(t, filepath.Join(dir, "failing"))
	if err := record.WriteFailure(failing.Path(), fmt.Errorf("the disk is <full>")); err != nil {
		t.Fatal(err)
	}
	server, _ := serving(t, dir)
	entries := listed(t, server)
	for path, want := range map[string]struct {
		state, problem string
		step, steps    int
	}{
		"a/running": {running, "", 6, 100000}, "ended": {string(run.Finished), "", 3, 3}, "left": {interrupted, "", 2, 100000},
		"broken": {damaged, "steps", 0, 0}, "failing": {failed, "the disk is <full>", 0, 100000},
	} {
		e := entries[path]
		if e.State != want.state || !strings.Contains(e.Problem, want.problem) || e.Step != want.step || e.Steps != want.steps {
			t.Errorf("%s: %+v, want %+v", path, e, want)
		}
	}
	if len(entries) != 5 {
		t.Errorf("%d entries: %v", len(entries), entries)
	}
	if e := entries["ended"]; e.Loss == nil || !strings.HasPrefix(e.Optimizer, "adam") || e.Objective != "mlp on digits" {
		t.Errorf("ended: %+v", e)
	}
	grow(t, broken, 3, 4) // the list is not of what was
	if err := os.RemoveAll(filepath.Join(dir, "failing")); err != nil {
		t.Fatal(err)
	}
	if after := listed(t, server); len(after) != 4 {
		t.Errorf("%d entries after one was removed", len(after))
	}
}

func hostname(t *testing.T) string {
	t.Helper()
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func TestNoPathLeavesTheFolder(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	grow(t, begin(t, filepath.Join(outside, "secret")), 0, 3)
	inside := begin(t, filepath.Join(dir, "linked"))
	grow(t, inside, 0, 3)
	if err := os.Symlink(filepath.Join(outside, "secret"), filepath.Join(dir, "link")); err != nil {
		t.Skip(err)
	}
	history := record.HistoryPath(inside.Path())
	if err := os.Remove(history); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(record.HistoryPath(filepath.Join(outside, "secret")), history); err != nil {
		t.Fatal(err)
	}
	server, _ := serving(t, dir)
	for _, at := range []string{"../" + filepath.Base(outside) + "/secret", outside + "/secret", "link", "linked", "a/../../x", "..", ""} {
		var v view
		ask(t, server, "/api/panels?"+url.Values{"run": {at}}.Encode(), &v)
		if len(v.Figures) > 0 || v.Problems[at] == "" {
			t.Errorf("%q: %d figures, problem %q", at, len(v.Figures), v.Problems[at])
		}
	}
	entries := listed(t, server)
	if _, there := entries["link"]; there || entries["linked"].State != damaged {
		t.Errorf("entries %v", entries)
	}
}

func TestPanelsOfARunAreItsReportsFigures(t *testing.T) {
	dir := t.TempDir()
	d := begin(t, filepath.Join(dir, "one"))
	grow(t, d, 0, 5000)
	server, _ := serving(t, dir)
	var v view
	if status, text := ask(t, server, "/api/panels?run=one", &v); status != 200 || len(v.Sentences) == 0 {
		t.Fatalf("status %d: %.300s", status, text)
	}
	said := v.Sentences
	loss := axesOf(t, v, "loss", 0)
	if len(loss.Series) != 2 || loss.Series[0].Name != "train" || loss.Series[1].Name != "test" || !loss.LogY {
		t.Fatalf("%+v", loss)
	}
	if n := len(loss.Series[0].X); n == 0 || n > 1300 || loss.Series[0].X[0] != 0 {
		t.Errorf("%d points", n)
	}
	ask(t, server, "/api/panels?run=one&from=1000&to=1100", &v)
	zoomed := axesOf(t, v, "loss", 0).Series[0]
	if len(zoomed.X) != 103 || zoomed.X[0] != 999 || zoomed.X[102] != 1101 { // one more at either side, so that the curve reaches the ends
		t.Errorf("%d points from %v", len(zoomed.X), zoomed.X[0])
	}
	if !slices.Equal(v.Sentences, said) {
		t.Errorf("of a part of the steps it says %q, of all %q", v.Sentences, said)
	}
	ask(t, server, "/api/panels?run=one&x=loss", &v)
	if byLoss := axesOf(t, v, "norm", 0); byLoss.X != "training loss" || math.Abs(byLoss.Series[0].X[0]-2) > 1e-9 {
		t.Errorf("against loss: %s from %v", byLoss.X, byLoss.Series[0].X[0])
	}
	for query, want := range map[string]string{
		"run=one&x=weight": "want step, time or loss", "run=one&from=NaN": "from is", "run=one&points=1": "points is", "": "0 runs",
	} {
		if status, text := ask(t, server, "/api/panels?"+query, nil); status != 400 || !strings.Contains(text, want) {
			t.Errorf("%s: %d, %s; want %s", query, status, text, want)
		}
	}
}

func TestDensitiesStandAgainstEigenvaluesWhateverTheAbscissa(t *testing.T) {
	dir := t.TempDir()
	c, err := config.Parse("test.yaml", []byte(withDensities), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run.Run(t.Context(), c, filepath.Join(dir, "one"), run.Options{}); err != nil {
		t.Fatal(err)
	}
	server, _ := serving(t, dir)
	var v view
	for query, curves := range map[string]int{"run=one": 3, "run=one&x=loss": 3, "run=one&x=time": 3, "run=one&from=0&to=4": 2} {
		ask(t, server, "/api/panels?"+query, &v)
		density := axesOf(t, v, "density", 0)
		if density.X != "eigenvalue" || density.LogX || !density.LogY || len(density.Series) != curves || !(density.Series[0].X[0] < 1) {
			t.Errorf("%s: %d curves against %s", query, len(density.Series), density.X)
		}
	}
}

// withDensities is a run with eigenvalues 1, 4 and 10, and three densities of them.
const withDensities = "objective: {name: quadratic, spectrum: [1, 4, 10]}\noptimizer: {name: gd, lr: 0.01}\nsteps: 10\nrecord: {density: 5, spectrum: 5, sharpness: 0, state: 0}\n"

func axesOf(t *testing.T, v view, name string, i int) axes {
	t.Helper()
	at := slices.IndexFunc(v.Figures, func(f figure) bool { return f.Name == name })
	if at < 0 || i >= len(v.Figures[at].Axes) {
		t.Fatalf("no axes %d of a figure %s", i, name)
	}
	return v.Figures[at].Axes[i]
}

func TestPanelsOfSeveralRunsCompareThem(t *testing.T) {
	dir := t.TempDir()
	grow(t, begin(t, filepath.Join(dir, "one")), 0, 50)
	grow(t, begin(t, filepath.Join(dir, "two"), "beta2=0.9"), 0, 80)
	server, _ := serving(t, dir)
	var v view
	ask(t, server, "/api/panels?run=one&run=two&run=none", &v)
	if loss := axesOf(t, v, "loss", 0); len(loss.Series) != 2 || loss.Series[0].Name != "one" || loss.Series[1].Name != "two" {
		t.Errorf("%+v", loss.Series)
	}
	if !slices.Equal(v.Differences.Header, []string{"run", "optimizer.beta2"}) || v.Differences.Rows[1][1] != "0.9" {
		t.Errorf("%+v", v.Differences)
	}
	if !strings.Contains(v.Problems["none"], "there is no none") {
		t.Errorf("problems %v", v.Problems)
	}
}

func TestEventsTellOfNewRowsAndOfARunThatBegins(t *testing.T) {
	dir := t.TempDir()
	d := begin(t, filepath.Join(dir, "one"))
	grow(t, d, 0, 5)
	server, _ := serving(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	answer := request(ctx, t, server, "/api/events?run=one")
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	wait := func(event, data string) {
		t.Helper()
		any := data == ""
		for at := ""; lines.Scan(); {
			if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				at = name
			}
			if text, ok := strings.CutPrefix(lines.Text(), "data: "); ok && at == event {
				if text != data && !any {
					t.Fatalf("%s: %s, want %s", event, text, data)
				}
				return
			}
		}
		t.Fatalf("no event %s: %v", event, lines.Err())
	}
	wait("ready", "")
	grow(t, d, 5, 6)
	wait("rows", `["one"]`)
	begin(t, filepath.Join(dir, "two"))
	wait("list", "{}")
}

func TestFollowersAreDroppedWhereThereIsNoRoom(t *testing.T) {
	f := followers{open: map[string]*followed{"old": {bytes: room, used: 1}, "new": {bytes: room, used: 2}, "this": {bytes: 3, used: 3}}}
	f.drop("this")
	if len(f.open) != 1 || f.open["this"] == nil {
		t.Errorf("kept %v", f.open)
	}
}

func TestATokenFromAFileIsItsFirstLine(t *testing.T) {
	for text, want := range map[string]string{
		"0123456789abcdef\nmore\n": "0123456789abcdef", "  0123456789abcdef  ": "0123456789abcdef", "short\n": "", "": "", "0123456789 abcdef": "", "0123456789abcde\"": "",
	} {
		path := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadToken(path); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func TestHostsOfAnAddress(t *testing.T) {
	for address, want := range map[string]struct {
		local, any bool
		fails      string
	}{
		"127.0.0.1:0": {local: true}, "localhost:0": {local: true}, "0.0.0.0:0": {any: true}, "nonsense": {fails: "want HOST:PORT"}, "127.0.0.1:99999": {fails: "127.0.0.1:0 takes"},
	} {
		on, hosts, err := Listen(t.Context(), address)
		if want.fails != "" {
			if err == nil || !strings.Contains(err.Error(), want.fails) {
				t.Errorf("%s: %v", address, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		host, _, _ := net.SplitHostPort(address)
		if Local(host) != want.local || (len(hosts) == 0) != want.any || !want.any && !slices.Contains(hosts, strings.Replace(on.Addr().String(), "[::1]", "127.0.0.1", 1)) {
			t.Errorf("%s: local %v, hosts %v", address, Local(host), hosts)
		}
		on.Close()
	}
}
