package sweep

import (
	"context"
	"errors"
	"io/fs"
	"iter"

	"shadowflow/experiment/record"
)

// A Trial is a run of a sweep with its record.
type Trial struct {
	Status
	History *record.History // nil before the first row
}

// Trials returns the runs of a sweep in a directory with their records, one at a time, since together they may not fit the memory.
// One whose directory is damaged has failed, and has none. The error is the context's cause if that ends first.
func (s *Sweep) Trials(ctx context.Context, dir string) iter.Seq2[Trial, error] {
	return func(yield func(Trial, error) bool) {
		statuses, err := s.Status(ctx, dir)
		if err != nil {
			yield(Trial{}, err)
			return
		}
		for _, st := range statuses {
			if ctx.Err() != nil {
				yield(Trial{}, context.Cause(ctx))
				return
			}
			h, err := record.ReadHistory(st.Dir)
			if err != nil && !errors.Is(err, fs.ErrNotExist) && !st.Damaged {
				st = st.damaged(err)
			}
			if st.Damaged { // what is there is not what it is taken for
				h = nil
			}
			if !yield(Trial{st, h}, nil) {
				return
			}
		}
	}
}
