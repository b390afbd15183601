// Package serve shows runs and sweeps in a browser, while they go on and after: one page over a folder, drawn from the figures that [report] makes.
//
// It only reads, but for a note of the user's that says where it runs (running.go). A [Server] finds what is in its folder (library.go), follows the
// histories that somebody looks at (follow.go), answers with figures as data, which the page draws (panels.go, sweeps.go), and says when there is more (events.go). Whoever asks has to have the token that the address was
// printed with, and to come from the page itself (guard.go). What runs are called and hold is text of others: it goes to the page as JSON, and the page
// shows it as text alone.
//
// Below /explore/ is the page of [explore], which has what the two pages draw with.
package serve

import (
	"context"
	"embed"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"time"

	"shadowflow/serve/explore"
)

//go:embed static
var static embed.FS

// A Server answers for one folder.
type Server struct {
	library *library
	mux     *http.ServeMux
	guard   guard
}

// New returns a server of the runs and sweeps in dir, for whoever has the token and names one of the hosts, as "127.0.0.1:8077", in the address; none
// stands for any.
func New(dir, token string, hosts []string) (*Server, error) {
	l, err := newLibrary(dir)
	if err != nil {
		return nil, err
	}
	s := &Server{library: l, mux: http.NewServeMux()}
	s.guard = guard{token: token, hosts: hosts, next: s.mux}
	pages, err := fs.Sub(static, "static")
	if err != nil {
		return nil, err
	}
	s.mux.Handle("/", http.FileServerFS(pages))
	s.mux.Handle("/explore/", http.StripPrefix("/explore", explore.Handler()))
	s.mux.HandleFunc("/api/runs", s.answer(s.runs))
	s.mux.HandleFunc("/api/panels", s.answer(s.panels))
	s.mux.HandleFunc("/api/sweep", s.answer(s.sweep))
	s.mux.HandleFunc("/api/events", s.events)
	return s, nil
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.guard.ServeHTTP(w, r) }

// Serve answers on a listener until ctx ends, and returns nil then.
func (s *Server) Serve(ctx context.Context, on net.Listener) error {
	const patience = 10 * time.Second
	answers, stop := context.WithCancel(ctx)
	defer stop()
	h := &http.Server{Handler: s, ReadHeaderTimeout: patience, BaseContext: func(net.Listener) context.Context { return answers }}
	ended := make(chan error, 1)
	go func() { ended <- h.Serve(on) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := h.Shutdown(wait); err != nil {
		return errors.Join(ignoring(err, context.DeadlineExceeded), h.Close())
	}
	return nil
}

func ignoring(err, what error) error {
	if errors.Is(err, what) {
		return nil
	}
	return err
}
