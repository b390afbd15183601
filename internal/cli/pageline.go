package cli

import (
	"fmt"
	"path/filepath"
	"time"

	"shadowflow/internal/visible"
	"shadowflow/serve"
)

// A pageLine says where the work in a directory is seen in a browser: at the address of a server that shows it, or else by which command.
type pageLine struct {
	kind, dir string // run or sweep
	said      string
	asked     time.Time
}

// due returns the line, once at first, and again where a server has begun since.
func (l *pageLine) due() string {
	if l == nil || time.Since(l.asked) < lineEvery {
		return ""
	}
	first := l.asked.IsZero()
	l.asked = time.Now()
	line := ""
	switch address := serve.AddressOf(l.dir, l.kind); {
	case address != "":
		line = "page: " + address
	case first:
		return fmt.Sprintf("no page is served; to see this in a browser: shadowflow serve %s", visible.Line(filepath.Dir(filepath.Clean(l.dir))))
	}
	if line == l.said {
		return ""
	}
	l.said = line
	return line
}
