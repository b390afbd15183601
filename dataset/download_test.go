package dataset

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// clock is time that passes where a test says so, for one alarm.
type clock struct {
	mu            sync.Mutex
	now, deadline time.Duration
	expired       time.Duration // when the alarm first went off
	expire        func()
}

func (c *clock) afterFunc(d time.Duration, f func()) alarm {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline, c.expire = c.now+d, f
	return c
}

func (c *clock) Reset(d time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = c.now + d
	return true
}

func (c *clock) Stop() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expire = func() {}
	return true
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	c.now += d
	late, expire := c.now >= c.deadline, c.expire
	if late && c.expired == 0 {
		c.expired = c.now
	}
	c.mu.Unlock()
	if late {
		expire()
	}
}

func partialOf(dir string) string { return filepath.Join(dir, "test.tar.gz"+partialSuffix) }

func TestFetchGivesUpAServerThatSendsAByteAMinute(t *testing.T) {
	var c clock
	address, _ := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		for at := 0; r.Context().Err() == nil && at < len(content); at++ {
			w.Write(content[at : at+1])
			http.NewResponseController(w).Flush()
			c.pass(59 * time.Second)
		}
	})
	source := sourceOf(content, address)
	source.afterFunc = c.afterFunc
	_, err := source.Fetch(t.Context(), t.TempDir(), nil)
	if err == nil || !strings.Contains(err.Error(), "the server sent less than 65536 bytes in 1m0s") {
		t.Errorf("error %v", err)
	}
	if c.expired != 118*time.Second {
		t.Errorf("it waited for %v", c.expired)
	}
}

func TestFetchWaitsForASlowLine(t *testing.T) {
	var c clock
	arrived := make(chan int64, 1)
	address, _ := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		for at := 0; at < len(content); at += fetchLeast {
			end := min(at+fetchLeast, len(content))
			w.Write(content[at:end])
			http.NewResponseController(w).Flush()
			for n := range arrived {
				if n == int64(end) {
					break
				}
			}
			c.pass(59 * time.Second)
		}
	})
	source := sourceOf(content, address)
	source.afterFunc = c.afterFunc
	file, err := source.Fetch(t.Context(), t.TempDir(), func(done, _ int64) { arrived <- done })
	checkFetched(t, file, err)
}

func TestFetchTakesNoMoreBytesThanTheFileHas(t *testing.T) {
	var sent atomic.Int64
	address, requests := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil && sent.Load() < 1<<32 {
			n, err := w.Write(content)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	dir := t.TempDir()
	_, err := sourceOf(content, address).Fetch(t.Context(), dir, nil)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("sends more than the %d bytes that the file has", len(content))) {
		t.Errorf("error %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if *requests != 1 || sent.Load() >= 1<<32 {
		t.Errorf("%d requests, %d bytes sent", *requests, sent.Load())
	}
}

func TestFetchRefusesAFileOfAnotherLength(t *testing.T) {
	address, _ := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>sorry</html>")) })
	_, err := sourceOf(content, address).Fetch(t.Context(), t.TempDir(), nil)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("has 18 bytes; expected %d", len(content))) {
		t.Errorf("error %v", err)
	}
}

func TestFetchGivesUpConnectionsThatBringAByteEach(t *testing.T) {
	address, requests := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		have := 0
		fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &have)
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", have, len(content)-1, len(content)))
		w.Header().Set("Content-Length", fmt.Sprint(len(content)-have))
		w.WriteHeader(http.StatusPartialContent)
		w.Write(content[have : have+1])
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	_, err := sourceOf(content, address).Fetch(t.Context(), t.TempDir(), nil)
	if err == nil || !strings.Contains(err.Error(), "the connection was cut") {
		t.Errorf("error %v", err)
	}
	if *requests != fetchPoor+1 {
		t.Errorf("%d requests", *requests)
	}
}

func TestFetchWritesThroughNoLink(t *testing.T) {
	for name, c := range map[string]struct {
		make func(precious, partial string) error
		want string
	}{
		"a symbolic link":   {os.Symlink, "a symbolic link; remove it"},
		"a link to nothing": {func(precious, partial string) error { return os.Symlink(precious+"-none", partial) }, "a symbolic link; remove it"},
		"a hard link":       {os.Link, "no file that a fetch left; remove it"},
		"a folder":          {func(_, partial string) error { return os.Mkdir(partial, 0o755) }, "a folder; remove it"},
	} {
		t.Run(name, func(t *testing.T) {
			address, requests := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) { serveContent(w, r) })
			dir := t.TempDir()
			precious := filepath.Join(t.TempDir(), "precious")
			writeFile(t, precious, []byte("precious"))
			if err := c.make(precious, partialOf(dir)); err != nil {
				t.Fatal(err)
			}
			_, err := sourceOf(content, address).Fetch(t.Context(), dir, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v", err)
			}
			if got, _ := os.ReadFile(precious); string(got) != "precious" || *requests != 0 {
				t.Errorf("the file now has %d bytes, after %d requests", len(got), *requests)
			}
			if _, err := os.Stat(precious + "-none"); err == nil {
				t.Error("the file that the link names was made")
			}
		})
	}
}

// TestFetchNoticesAFileThatChangesBetweenTwoRanges has a server whose first connection is cut, and that has another file then.
func TestFetchNoticesAFileThatChangesBetweenTwoRanges(t *testing.T) {
	old := bytes.ToUpper(content)
	for name, c := range map[string]struct {
		tag      func(request int) string // an ETag, or the time of the change
		requests int
	}{
		"with tags":    {func(n int) string { return fmt.Sprintf(`"%d"`, min(n, 2)) }, 2},
		"with times":   {func(n int) string { return time.Unix(int64(min(n, 2)), 0).UTC().Format(http.TimeFormat) }, 2},
		"without them": {func(int) string { return "" }, 3}, // the checksum tells, and all is fetched anew
	} {
		t.Run(name, func(t *testing.T) {
			address, requests := serve(t, func(n int, w http.ResponseWriter, r *http.Request) {
				tag, now := c.tag(n), time.Time{}
				if strings.HasPrefix(tag, `"`) {
					w.Header().Set("ETag", tag)
				} else if tag != "" {
					now = time.Unix(int64(min(n, 2)), 0)
					w.Header().Set("Last-Modified", tag)
				}
				if n == 1 {
					cut(w, old, 70000)
				}
				http.ServeContent(w, r, "", now, bytes.NewReader(content))
			})
			file, err := sourceOf(content, address).Fetch(t.Context(), t.TempDir(), nil)
			checkFetched(t, file, err)
			if *requests != c.requests {
				t.Errorf("%d requests, want %d", *requests, c.requests)
			}
		})
	}
	t.Run("each time", func(t *testing.T) {
		address, requests := serve(t, func(n int, w http.ResponseWriter, r *http.Request) {
			if n%2 == 1 {
				cut(w, old, 70000)
			}
			serveContent(w, r)
		})
		dir := t.TempDir()
		_, err := sourceOf(content, address).Fetch(t.Context(), dir, nil)
		if err == nil || !strings.Contains(err.Error(), "the download is deleted") || *requests != 4 {
			t.Errorf("error %v after %d requests", err, *requests)
		}
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	t.Run("a range of another version", func(t *testing.T) {
		address, _ := serve(t, func(n int, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", fmt.Sprintf(`"%d"`, min(n, 2)))
			if n == 1 {
				cut(w, old, 70000)
			}
			r.Header.Del("If-Range") // which this server does not know
			serveContent(w, r)
		})
		file, err := sourceOf(content, address).Fetch(t.Context(), t.TempDir(), nil)
		checkFetched(t, file, err)
	})
}
