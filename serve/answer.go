package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net/http"
	"net/url"
	"strconv"
)

// A refusal is an error of what was asked.
type refusal struct{ error }

func refuse(format string, args ...any) error { return refusal{fmt.Errorf(format, args...)} }

// answer makes a handler of what returns a value, which goes out as JSON, as errors do.
func (s *Server) answer(get func(ctx context.Context, query url.Values) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		value, err := get(r.Context(), r.URL.Query())
		if r.Context().Err() != nil { // nobody waits for it
			return
		}
		status := http.StatusOK
		if err != nil {
			status, value = statusOf(err), map[string]string{"error": err.Error()}
		}
		data, err := json.Marshal(value)
		if err != nil {
			status, data = http.StatusInternalServerError, []byte(`{"error":"the answer is no JSON"}`)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write(data) // whoever is gone needs no answer
	}
}

func statusOf(err error) int {
	switch {
	case isRefusal(err):
		return http.StatusBadRequest
	case errors.Is(err, fs.ErrNotExist):
		return http.StatusNotFound
	}
	return http.StatusInternalServerError
}

// numbers are a curve's: nine digits, more than a screen shows, and null for what is no number.
type numbers []float64

// MarshalJSON implements json.Marshaler.
func (v numbers) MarshalJSON() ([]byte, error) {
	out := make([]byte, 0, 2+12*len(v))
	out = append(out, '[')
	for i, x := range v {
		if i > 0 {
			out = append(out, ',')
		}
		if math.IsNaN(x) || math.IsInf(x, 0) {
			out = append(out, "null"...)
			continue
		}
		out = strconv.AppendFloat(out, x, 'g', 9, 64)
	}
	return append(out, ']'), nil
}

// numberOf reads a number of a query, NaN where there is none.
func numberOf(query url.Values, name string) (float64, error) {
	text := query.Get(name)
	if text == "" {
		return math.NaN(), nil
	}
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
		return 0, refuse("%s is %.80q; want a number", name, text)
	}
	return x, nil
}

func isRefusal(err error) bool {
	var refused refusal
	return errors.As(err, &refused)
}
