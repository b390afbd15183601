package serve

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"shadowflow/experiment/record"
)

// How often files are looked at, in the hope of news.
const (
	rowsEvery = 200 * time.Millisecond
	listEvery = 2 * time.Second
	// aliveEvery is after how long a word goes to a browser that hears nothing else, so that a connection that is gone is noticed.
	aliveEvery = 15 * time.Second
)

// mostFollowed is how many runs one page follows.
const mostFollowed = 1000

// events tells a page, as long as it listens, when runs that it names have new rows and when the list changes, and first what they are at. What is new it
// then asks for.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	flusher, ok := w.(http.Flusher)
	paths := r.URL.Query()["run"]
	if !ok || len(paths) > mostFollowed {
		http.Error(w, fmt.Sprintf("%d runs; want at most %d", len(paths), mostFollowed), http.StatusBadRequest)
		return
	}
	dirs := map[string]string{}
	for _, at := range paths {
		if dir, err := s.library.inside(at); err == nil {
			dirs[at] = dir
		}
	}
	w.Header().Set("Content-Type", "text/event-stream")
	send := func(event string, data any) bool {
		text, err := json.Marshal(data)
		if err == nil {
			_, err = fmt.Fprintf(w, "event: %s\ndata: %s\n\n", event, text)
		}
		flusher.Flush()
		return err == nil
	}
	s.tell(r.Context(), dirs, send)
}

// tell sends events until ctx ends or nobody listens.
func (s *Server) tell(ctx context.Context, dirs map[string]string, send func(event string, data any) bool) {
	rows, list := time.NewTicker(rowsEvery), time.NewTicker(listEvery)
	defer rows.Stop()
	defer list.Stop()
	marks := map[string]string{}
	for at, dir := range dirs {
		marks[at] = rowsMark(dir)
	}
	shown, spoke := s.listMark(ctx), time.Now()
	if !send("ready", marks) {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-rows.C:
			changed := []string{}
			for at, dir := range dirs {
				if mark := rowsMark(dir); mark != marks[at] {
					marks[at], changed = mark, append(changed, at)
				}
			}
			if len(changed) == 0 {
				break
			}
			if spoke = time.Now(); !send("rows", changed) {
				return
			}
		case <-list.C:
			mark := s.listMark(ctx)
			if mark == shown && time.Since(spoke) < aliveEvery {
				break
			}
			event := "alive"
			if mark != shown {
				shown, event = mark, "list"
			}
			if spoke = time.Now(); !send(event, struct{}{}) {
				return
			}
		}
	}
}

// rowsMark is a text that changes with a run's rows, and with its end.
func rowsMark(dir string) string {
	mark := ""
	for _, file := range []string{record.HistoryPath(dir), record.ResultPath(dir)} {
		mark += markOfFile(file) + ";"
	}
	return mark
}

// listMark is a text that changes with what the list says of runs but for the number of steps.
func (s *Server) listMark(ctx context.Context) string {
	entries, _, err := s.library.list(ctx)
	if err != nil {
		return err.Error()
	}
	mark := ""
	for _, e := range entries {
		if mark += e.Path + e.State; e.State == running {
			mark += fmt.Sprint(e.Step)
		}
	}
	return mark
}
