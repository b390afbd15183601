package cli

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// firstLine gives its reader the first line that is written.
type firstLine struct {
	bytes.Buffer
	lines chan string
}

func (f *firstLine) Write(p []byte) (int, error) {
	n, err := f.Buffer.Write(p)
	if line, _, whole := strings.Cut(f.String(), "\n"); whole && f.lines != nil {
		f.lines <- line
		f.lines = nil
	}
	return n, err
}

func TestServePrintsAnAddressWithATokenAndEndsWithItsContext(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &firstLine{lines: make(chan string, 1)}
	lines, ended := out.lines, make(chan int, 1)
	go func() {
		ended <- Main(ctx, []string{"serve", t.TempDir(), "--listen", "127.0.0.1:0"}, out, io.Discard)
	}()
	var address string
	select {
	case address = <-lines:
	case <-time.After(time.Minute):
		t.Fatal("no address")
	}
	for url, want := range map[string]int{address: http.StatusOK, strings.Split(address, "?")[0]: http.StatusUnauthorized} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodHead, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		jar := &http.Client{CheckRedirect: func(r *http.Request, _ []*http.Request) error {
			r.Header.Set("Authorization", "Bearer "+strings.Split(address, "token=")[1])
			return nil
		}}
		answer, err := jar.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%s: status %d, want %d", url, answer.StatusCode, want)
		}
	}
	cancel()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatal("it does not end")
	}
}

func TestServeRefusesWhatOthersCouldSeeWithoutAToken(t *testing.T) {
	short := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(short, []byte("1234\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--listen", "0.0.0.0:0"}, "--token-file"},
		{[]string{"--listen", "8077"}, "want HOST:PORT"},
		{[]string{"--token-file", short}, "is no token"},
		{[]string{"nowhere"}, "nowhere"},
	} {
		var stderr bytes.Buffer
		code := Main(t.Context(), append([]string{"serve", "--listen", "127.0.0.1:0"}, c.args...), io.Discard, &stderr)
		if code == 0 || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("%v: exit code %d, %s; want %s", c.args, code, stderr.String(), c.want)
		}
	}
}
