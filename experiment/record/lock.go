package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"shadowflow/internal/atomicfile"
)

// The lock's file is never removed, so that no two processes can lock different
// files of that name; who holds it is written beside it, since a lock says nothing.
const (
	lockFile   = "lock"
	holderFile = "lock.json"
)

// InUseError says that another process works in a run directory.
type InUseError struct {
	Dir string
	// PID, Host and Since say which process, as far as it is known.
	PID   int
	Host  string
	Since time.Time
}

func (e *InUseError) Error() string {
	who := "another process"
	if e.PID > 0 {
		who = fmt.Sprintf("process %d on %s, since %s", e.PID, e.Host, e.Since.Format(time.DateTime))
	}
	return fmt.Sprintf("run directory %s is in use by %s; wait for it to end, stop it, or choose another directory", e.Dir, who)
}

type holder struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	Since time.Time `json:"since"`
}

// lockDir takes the lock of a run directory or returns an *InUseError. The system
// frees it when the process ends, however that happens.
func lockDir(dir string) (*flock.Flock, error) {
	lock := flock.New(filepath.Join(dir, lockFile))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("cannot lock run directory %s: %w", dir, err)
	}
	path := filepath.Join(dir, holderFile)
	if !ok {
		inUse := &InUseError{Dir: dir}
		var h holder
		if data, err := os.ReadFile(path); err == nil && json.Unmarshal(data, &h) == nil {
			inUse.PID, inUse.Host, inUse.Since = h.PID, h.Host, h.Since
		}
		return nil, inUse
	}
	host, err := os.Hostname()
	if err != nil {
		host = "this host"
	}
	data, err := json.Marshal(holder{PID: os.Getpid(), Host: host, Since: time.Now().Truncate(time.Second)})
	if err == nil {
		err = atomicfile.WriteBytes(path, data)
	}
	if err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return lock, nil
}
