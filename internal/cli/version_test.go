package cli

import (
	"strings"
	"testing"

	"shadowflow/internal/version"
)

func TestVersionSaysWhatRanInBothForms(t *testing.T) {
	want := version.Current()
	if got := strings.TrimSpace(printed(t, "version")); got != want.String() {
		t.Errorf("it prints %q, want %q", got, want)
	}
	if got := decode[version.Program](t, printed(t, "version", "--json")); got != want {
		t.Errorf("as JSON it is %+v, want %+v", got, want)
	}
}
