package safetensors

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// What a header claims is bounded before it is believed, and errors are short whatever stands in it.
func TestHeadersThatLieAreRefusedInLittleMemory(t *testing.T) {
	long := strings.Repeat("n", 1<<20)
	one := `{"dtype":"F32","shape":[1],"data_offsets":[0,4]}`
	for name, c := range map[string]struct{ header, want string }{
		"offsets of 2^63":           {`{"a":{"dtype":"F32","shape":[1],"data_offsets":[9223372036854775804,9223372036854775808]}}`, "from 0 to 2^63-1"},
		"offsets beyond the file":   {`{"a":{"dtype":"F64","shape":[1099511627776],"data_offsets":[0,8796093022208]}}`, "the file is cut short"},
		"a negative offset":         {`{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}`, "from 0 to 2^63-1"},
		"a shape beyond 64 bits":    {`{"a":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,4]}}`, "does not fill"},
		"a shape that wraps around": {`{"a":{"dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4]}}`, "does not fill"},
		"two arrays in one place":   {`{"a":` + one + `,"b":` + one + `}`, "overlap"},
		"two arrays of one name":    {`{"a":` + one + `,"a":` + one + `}`, "comes twice"},
		"two names that JSON joins": {`{"a":` + one + `,"\u0061":` + one + `}`, "comes twice"},
		"a long name":               {`{"` + long + `":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,4]}}`, "want F64, F32, "},
		"a long name, twice":        {`{"` + long + `":` + one + `,"` + long + `":` + one + `}`, "comes twice"},
		"a long type":               {`{"a":{"dtype":"` + long + `","shape":[1],"data_offsets":[0,4]}}`, "want F64, F32, "},
		"a long field":              {`{"a":{"` + long + `":1}}`, "unknown field"},
		"a long number":             {`{"a":{"dtype":"F32","shape":[` + strings.Repeat("9", 1<<20) + `],"data_offsets":[0,4]}}`, "from 0 to 2^63-1"},
		"a number that is a text":   {`{"a":{"dtype":"F32","shape":["` + long + `"],"data_offsets":[0,4]}}`, "want an integer"},
		"a thousand brackets":       {`{"a":` + strings.Repeat("[", 1000), "want {"},
		"a million brackets":        {`{"a":{"shape":` + strings.Repeat("[", 1<<20), "want an integer"},
		"a million numbers":         {`{"a":{"shape":[` + strings.Repeat("1,", 1<<20), "more than 64 numbers"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "w.safetensors")
			if err := os.WriteFile(path, withHeader(c.header, 4), 0o600); err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := ReadFile(path)
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 1000 {
				t.Errorf("%.2000s, want %q", fmt.Sprint(err), c.want)
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > 16<<20 {
				t.Errorf("it took %d bytes", took)
			}
		})
	}
}

func TestAFileBeyondTheMemoryIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.safetensors")
	content := withHeader(`{"a":{"dtype":"F64","shape":[1099511627776],"data_offsets":[0,8796093022208]}}`, 0)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, int64(len(content))+8796093022208); err != nil { // of which nothing is on the disk
		t.Skip(err)
	}
	if _, err := ReadFile(path); err == nil || !strings.Contains(err.Error(), "a file of 8 TiB needs 8 TiB of memory, and") {
		t.Errorf("%v", err)
	}
}
