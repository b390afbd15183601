package schema

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestADeviceIsNoFileOfSettings(t *testing.T) {
	if _, err := os.Stat("/dev/zero"); err != nil {
		t.Skip("there is no such file")
	}
	if _, err := ReadFile("/dev/zero"); err == nil || !strings.Contains(err.Error(), "a device") {
		t.Errorf("%v, want that it is a device", err)
	}
}

func TestSettingsAreReadFromAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.yaml")
	if err := os.WriteFile(path, []byte("a: 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadFile(path); err != nil || len(got) != 1 || got[0].String() != "a=1" {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := ReadFile(path + ".none"); err == nil {
		t.Error("a file that is not there is read")
	}
}
