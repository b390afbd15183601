package serve

import (
	"context"
	"sync"

	"shadowflow/experiment/record"
)

// followers read the histories that somebody looks at, and keep what they read as long as there is room.
type followers struct {
	mu    sync.Mutex
	open  map[string]*followed // by directory
	clock int64
}

// followed is a history that is read on.
type followed struct {
	mu       sync.Mutex // held while it is read
	follower *record.Follower
	checked  string // the mark of the ended run's files whose sums were right
	bytes    int64
	used     int64
}

// room is the memory, in bytes, for histories that were read: beyond it, those that nobody asked for longest are dropped, and read anew when somebody does.
const room = 512 << 20

// table returns the history of a run as far as it goes, once it is known to be the one that the run ended with, if it has ended. The mark is that of its
// files, see rowsMark: to add them up again where it is the same would take longer than all else.
func (f *followers) table(ctx context.Context, dir, mark string) (*record.Table, error) {
	f.mu.Lock()
	one := f.open[dir]
	if one == nil {
		one = &followed{follower: record.Follow(dir)}
		f.open[dir] = one
	}
	f.clock++
	one.used = f.clock
	f.mu.Unlock()

	one.mu.Lock()
	_, err := one.follower.Read(ctx)
	t := one.follower.Table()
	if err == nil && one.checked != mark {
		if err = record.CheckHistory(dir); err == nil {
			one.checked = mark
		}
	}
	one.mu.Unlock()

	f.mu.Lock()
	defer f.mu.Unlock()
	one.bytes = t.Bytes()
	f.drop(dir)
	if err != nil {
		delete(f.open, dir)
		return nil, err
	}
	return t, nil
}

// drop makes room, but not of the one directory.
func (f *followers) drop(but string) {
	for {
		total, oldest := int64(0), ""
		for dir, one := range f.open {
			total += one.bytes
			if dir != but && (oldest == "" || one.used < f.open[oldest].used) {
				oldest = dir
			}
		}
		if total <= room || oldest == "" {
			return
		}
		delete(f.open, oldest)
	}
}
