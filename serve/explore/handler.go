package explore

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"strings"
	"time"
)

//go:embed page
var files embed.FS

// atOnce is how many questions are worked on at a time: more would only wait for each other's processors.
const atOnce = 2

// longest is how long one question may take, the wait for its turn apart.
const longest = 30 * time.Second

// errTooMuch ends the work on a question.
var errTooMuch = errors.New("this asks for more than the explorer does at once: want fewer steps, or fewer equations; the command of it has no such bound")

// Handler returns the page and what it asks, all of it relative to where it is mounted: files of the page, `catalogue` for what there is to choose from,
// and `answer?q=`, a [Request] as JSON, for an [Answer]. Errors are {"error": text}. It only reads, and keeps nothing between questions. Whoever mounts it
// says who may ask, and sends the Content-Security-Policy; the page needs no more than script-src, style-src, connect-src 'self' and img-src data:.
func Handler() http.Handler {
	page, err := fs.Sub(files, "page")
	if err != nil {
		panic(err) // it is embedded
	}
	turns := make(chan struct{}, atOnce)
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(page))
	mux.HandleFunc("GET /catalogue", func(w http.ResponseWriter, _ *http.Request) {
		c, err := catalogue()
		reply(w, c, err)
	})
	mux.HandleFunc("GET /answer", func(w http.ResponseWriter, r *http.Request) {
		q, err := ParseRequest(r.URL.Query().Get("q"))
		if err != nil {
			reply(w, nil, err)
			return
		}
		select {
		case turns <- struct{}{}:
			defer func() { <-turns }()
		case <-r.Context().Done(): // nobody waits for the answer
			return
		}
		ctx, cancel := context.WithTimeoutCause(r.Context(), longest, errTooMuch)
		defer cancel()
		a, err := answer(ctx, q)
		if err != nil && errors.Is(context.Cause(ctx), errTooMuch) {
			err = errTooMuch
		}
		reply(w, a, err)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/") { // a mount point that was stripped with its slash
			r = r.Clone(r.Context())
			r.URL.Path, r.URL.RawPath = "/"+r.URL.Path, ""
		}
		mux.ServeHTTP(w, r)
	})
}

// reply writes an answer, or why there is none.
func reply(w http.ResponseWriter, answer any, err error) {
	status := http.StatusOK
	if err != nil {
		answer, status = map[string]string{"error": err.Error()}, http.StatusBadRequest
	}
	text, err := json.Marshal(answer)
	if err != nil {
		http.Error(w, `{"error": "the answer has no JSON"}`, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(text) // who asked may be gone
}
