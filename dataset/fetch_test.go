package dataset

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// content is what the test servers have.
var content = bytes.Repeat([]byte("The loss along the iterates, and along the flow. "), 4000)

func sourceOf(content []byte, address string) Source {
	sum := md5.Sum(content)
	return Source{Name: "test", URL: address, File: "test.tar.gz", Size: int64(len(content)), MD5: hex.EncodeToString(sum[:])}
}

// serve starts a server on the loopback and counts its requests.
func serve(t *testing.T, handler func(request int, w http.ResponseWriter, r *http.Request)) (address string, requests *int) {
	t.Helper()
	requests = new(int)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*requests++
		handler(*requests, w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/test.tar.gz", requests
}

// serveContent answers as a server with Range support does.
func serveContent(w http.ResponseWriter, r *http.Request) {
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// cut sends the start of the body and closes the connection.
func cut(w http.ResponseWriter, body []byte, n int) {
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	w.Write(body[:n])
	http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func checkFetched(t *testing.T, file string, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("%s: %d bytes, error %v; want the server's %d", file, len(got), err, len(content))
	}
	if _, err := os.Stat(file + partialSuffix); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a partial file is left (%v)", err)
	}
}

func TestFetchBringsTheWholeFileAndTellsItsProgress(t *testing.T) {
	address, requests := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) { serveContent(w, r) })
	dir := filepath.Join(t.TempDir(), "new", "folder")
	last, total := int64(0), int64(0)
	progress := func(d, n int64) {
		if d <= last {
			t.Errorf("progress from %d to %d", last, d)
		}
		last, total = d, n
	}
	file, err := sourceOf(content, address).Fetch(t.Context(), dir, progress)
	checkFetched(t, file, err)
	if file != filepath.Join(dir, "test.tar.gz") || last != int64(len(content)) || total != last {
		t.Errorf("file %s, progress %d of %d", file, last, total)
	}
	file, err = sourceOf(content, address).Fetch(t.Context(), dir, nil)
	checkFetched(t, file, err)
	if *requests != 1 {
		t.Errorf("%d requests; want none for a file that is there", *requests)
	}
}

func TestFetchGoesOnAfterACutConnection(t *testing.T) {
	var asked []string
	address, _ := serve(t, func(request int, w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("Range"))
		if request == 1 {
			cut(w, content, 70000)
		}
		serveContent(w, r)
	})
	file, err := sourceOf(content, address).Fetch(t.Context(), t.TempDir(), nil)
	checkFetched(t, file, err)
	if len(asked) != 2 || asked[0] != "" || asked[1] != "bytes=70000-" {
		t.Errorf("ranges asked for: %q", asked)
	}
}

func TestFetchResumesWhatAnEarlierOneLeft(t *testing.T) {
	sent := 0
	address, _ := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &sent)
		serveContent(w, r)
	})
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "test.tar.gz"+partialSuffix), content[:100_000])
	file, err := sourceOf(content, address).Fetch(t.Context(), dir, nil)
	checkFetched(t, file, err)
	if sent != 100_000 {
		t.Errorf("resumed at %d", sent)
	}
}

func TestFetchKeepsAPartialFileThatIsComplete(t *testing.T) {
	address, requests := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) { serveContent(w, r) })
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "test.tar.gz"+partialSuffix), content)
	file, err := sourceOf(content, address).Fetch(t.Context(), dir, nil)
	checkFetched(t, file, err)
	if *requests != 0 {
		t.Errorf("%d requests for a file that is there", *requests)
	}
}

func TestFetchStartsAgainWhereItCannotResume(t *testing.T) {
	for name, tc := range map[string]struct {
		partial []byte
		handler func(int, http.ResponseWriter, *http.Request)
	}{
		"server ignores ranges": {content[:5000], func(_ int, w http.ResponseWriter, _ *http.Request) { w.Write(content) }},
		"server sends another range": {content[:5000], func(request int, w http.ResponseWriter, r *http.Request) {
			if request == 1 {
				w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-9/%d", len(content)))
				w.WriteHeader(http.StatusPartialContent)
				w.Write(content[:10])
				return
			}
			serveContent(w, r)
		}},
		"partial file is too long": {append(bytes.Clone(content), "more"...), func(_ int, w http.ResponseWriter, r *http.Request) { serveContent(w, r) }},
	} {
		t.Run(name, func(t *testing.T) {
			address, _ := serve(t, tc.handler)
			dir := t.TempDir()
			writeFile(t, filepath.Join(dir, "test.tar.gz"+partialSuffix), tc.partial)
			file, err := sourceOf(content, address).Fetch(t.Context(), dir, nil)
			checkFetched(t, file, err)
		})
	}
}

func TestFetchGivesUpWhenConnectionsBringNothingNew(t *testing.T) {
	address, requests := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) { cut(w, content, 70000) })
	dir := t.TempDir()
	_, err := sourceOf(content, address).Fetch(t.Context(), dir, nil)
	if err == nil || !strings.Contains(err.Error(), "the connection was cut") || !strings.Contains(err.Error(), "by hand") {
		t.Errorf("error %v", err)
	}
	if *requests != 2 {
		t.Errorf("%d requests", *requests)
	}
	if info, err := os.Stat(filepath.Join(dir, "test.tar.gz"+partialSuffix)); err != nil || info.Size() != 70000 {
		t.Errorf("partial file %v, error %v; want what arrived to be kept", info, err)
	}
}

func TestFetchDeletesAFileWithAWrongChecksum(t *testing.T) {
	address, requests := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) { w.Write(bytes.ToUpper(content)) })
	dir := t.TempDir()
	source := sourceOf(content, address)
	_, err := source.Fetch(t.Context(), dir, nil)
	if err == nil || !strings.Contains(err.Error(), "expected "+source.MD5) || !strings.Contains(err.Error(), "deleted") {
		t.Errorf("error %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if *requests != 1 {
		t.Errorf("%d requests; want one for a file that came whole", *requests)
	}
}

func TestFetchDoesNotTouchAnotherFileOfThatName(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "test.tar.gz"), []byte("precious"))
	_, err := sourceOf(content, "http://127.0.0.1:1/").Fetch(t.Context(), dir, nil)
	if err == nil || !strings.Contains(err.Error(), "move it away") {
		t.Errorf("error %v", err)
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "test.tar.gz")); string(got) != "precious" {
		t.Errorf("the file now has %q", got)
	}
}

func TestFetchErrorsSayWhatToDoByHand(t *testing.T) {
	missing, _ := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) })
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	dir := t.TempDir()
	for name, tc := range map[string]struct{ address, want string }{
		"not found":  {missing, "404 Not Found"},
		"no network": {closed.URL + "/x", "connection refused"},
		"no scheme":  {"www.example.org/x", "expected an http"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Fetch(t.Context(), NameCIFAR10, tc.address, dir, nil)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range []string{tc.want, "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
				"c32a1d4ab5d03f1284b67883e8d87530", filepath.Join(dir, "cifar-10-binary.tar.gz")} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q, want it to have %q", err, want)
				}
			}
			if left, _ := os.ReadDir(dir); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
	if _, err := Fetch(t.Context(), "mnist", "", dir, nil); err == nil || !strings.Contains(err.Error(), "cifar10, cifar100") {
		t.Errorf("error %v, want the names there are", err)
	}
}

func TestCancelledFetchKeepsWhatArrived(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	address, _ := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		w.Write(content[:70000])
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	dir := t.TempDir()
	progress := func(done, total int64) {
		if done == 70000 {
			cancel()
		}
	}
	_, err := sourceOf(content, address).Fetch(ctx, dir, progress)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if info, err := os.Stat(filepath.Join(dir, "test.tar.gz"+partialSuffix)); err != nil || info.Size() != 70000 {
		t.Errorf("partial file %v, error %v", info, err)
	}
}

func TestSecondFetchOfAFileIsRefusedWhileTheFirstRuns(t *testing.T) {
	dir := t.TempDir()
	var second error
	var address string
	address, _ = serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		_, second = sourceOf(content, address).Fetch(r.Context(), dir, nil)
		serveContent(w, r)
	})
	file, err := sourceOf(content, address).Fetch(t.Context(), dir, nil)
	checkFetched(t, file, err)
	if second == nil || !strings.Contains(second.Error(), "another fetch") {
		t.Errorf("error of the second fetch: %v", second)
	}
}

func writeFile(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, content, 0o666); err != nil {
		t.Fatal(err)
	}
}
