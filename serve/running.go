package serve

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"

	"shadowflow/internal/userfile"
)

// A running server leaves a note in a folder of its user's, so that who works in the folder that it shows can say where to look. The note has no token: the
// browser that was let in once has a cookie. A lock beside the note, which the system frees however the server ends, says that it still runs.
type note struct {
	Folder  string `json:"folder"` // absolute, without symbolic links
	Address string `json:"address"`
}

const (
	noteEnd = ".json"
	lockEnd = ".lock"
)

// mostNotes is how many servers are asked, noteBytes how long a note may be.
const (
	mostNotes = 100
	noteBytes = 1 << 14
)

// notes returns the folder of the user's that notes are in.
func notes() (string, error) {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "shadowflow"), nil
	}
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "shadowflow", "serve"), err
}

// Announce leaves a note that the server answers at an address, without a token, as long as it runs. What is returned takes it away.
func (s *Server) Announce(address string) (withdraw func() error, err error) {
	dir, err := notes()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(dir, "*"+lockEnd)
	if err != nil {
		return nil, err
	}
	lock := flock.New(f.Name())
	path := strings.TrimSuffix(f.Name(), lockEnd) + noteEnd
	withdraw = func() error {
		return errors.Join(ignoring(os.Remove(path), fs.ErrNotExist), lock.Unlock(), os.Remove(lock.Path()))
	}
	err = errors.Join(f.Close(), lock.Lock())
	text, fault := json.Marshal(note{s.library.root, address})
	if err = errors.Join(err, fault); err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		return nil, errors.Join(err, withdraw())
	}
	return withdraw, nil
}

// AddressOf returns where a server of this user's that runs shows a run or a sweep, "" where none does.
func AddressOf(dir, kind string) string {
	dir, err := filepath.Abs(dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	folder, fault := notes()
	if err != nil || fault != nil {
		return ""
	}
	paths, err := filepath.Glob(filepath.Join(folder, "*"+noteEnd))
	if err != nil {
		return ""
	}
	for _, path := range paths[:min(len(paths), mostNotes)] {
		n, ok := read(path)
		if !ok {
			continue
		}
		below, err := filepath.Rel(n.Folder, dir)
		if err == nil && filepath.IsLocal(below) {
			return n.Address + "?" + url.Values{kind: {filepath.ToSlash(below)}}.Encode()
		}
	}
	return ""
}

// read returns a note if its server runs, and takes it away otherwise.
func read(path string) (n note, ok bool) {
	lock := flock.New(strings.TrimSuffix(path, noteEnd) + lockEnd)
	if info, err := os.Stat(lock.Path()); err != nil || !info.Mode().IsRegular() {
		return n, false // flock would make it
	}
	if free, err := lock.TryLock(); err != nil || free {
		if free {
			_ = errors.Join(os.Remove(path), lock.Unlock(), os.Remove(lock.Path())) // if not now, whoever looks next does it
		}
		return n, false
	}
	text, err := userfile.Read(path, noteBytes)
	return n, err == nil && json.Unmarshal(text, &n) == nil && n.Folder != "" && n.Address != ""
}
