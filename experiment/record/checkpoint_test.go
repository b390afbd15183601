package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"shadowflow/safetensors"
)

var update = flag.Bool("update", false, "write the golden checkpoint anew")

// goldenCheckpoint is what testdata/checkpoint.safetensors holds.
func goldenCheckpoint() *Checkpoint {
	return &Checkpoint{
		Step: 12, Metadata: map[string]string{"run": `{"seconds":3.5}`, "words": `"sha256":"0"`},
		history: binding{size: 77, sum: strings.Repeat("ab", 32), columns: strings.Repeat("cd", 32)},
		Tensors: []safetensors.Tensor{
			{Name: "flow1.0.weight", Shape: []int{2, 2}, Data: []float64{math.Pi, math.Inf(1), math.Copysign(0, -1), math.SmallestNonzeroFloat64}},
			{Name: "num_batches_tracked", Shape: []int{}, Data: []int64{math.MaxInt64}},
			{Name: "0.weight", Shape: []int{2, 2}, Data: []float32{1, -2, 0.5, math.MaxFloat32}},
			{Name: "state.m.0.weight", Shape: []int{2, 2}, Data: []float32{0, float32(math.NaN()), 3, 4}},
			{Name: "none", Shape: []int{0, 3}, Data: []float32{}},
		},
	}
}

func checkpointBytes(t testing.TB, c *Checkpoint) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := c.writeTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// What stands in a checkpoint before its checksum, and in the place of it while it is computed.
var sumText, noSum = `"sha256":"`, strings.Repeat("0", 64)

// sealed gives a file that was changed the checksum of what it is now.
func sealed(data []byte) []byte {
	data = bytes.Clone(data)
	at := bytes.Index(data, []byte(sumText)) + len(sumText)
	if at < len(sumText) || at+len(noSum) > len(data) {
		return data
	}
	copy(data[at:], noSum)
	sum := sha256.Sum256(data)
	hex.Encode(data[at:], sum[:])
	return data
}

func wantSameCheckpoint(t *testing.T, got, want *Checkpoint) {
	t.Helper()
	// As bytes: a NaN is not equal to itself.
	if got.Step != want.Step || !reflect.DeepEqual(got.Metadata, want.Metadata) || !bytes.Equal(checkpointBytes(t, got), checkpointBytes(t, want)) {
		t.Errorf("got step %d, metadata %v, %d tensors", got.Step, got.Metadata, len(got.Tensors))
	}
}

func TestACheckpointKeepsEveryBit(t *testing.T) {
	large := make([]float32, 20_000)
	for i := range large {
		large[i] = float32(i) / 3
	}
	want := goldenCheckpoint()
	want.Tensors = append(want.Tensors, safetensors.Tensor{Name: "large", Shape: []int{len(large)}, Data: large})
	data := checkpointBytes(t, want)
	got, err := readCheckpoint(iotest.OneByteReader(bytes.NewReader(data)), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	wantSameCheckpoint(t, got, want)
	if last := got.Tensors[len(got.Tensors)-1]; !reflect.DeepEqual(last.Data, large) {
		t.Errorf("the last tensor is %s", last.Name)
	}
}

func TestTheGoldenCheckpointIsWhatIsWrittenAndRead(t *testing.T) {
	path := filepath.Join("testdata", "checkpoint.safetensors")
	data := checkpointBytes(t, goldenCheckpoint())
	if *update {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(readFile(t, path), data) {
		t.Error("what is written now is another file")
	}
	got, err := openCheckpoint(path)
	if err != nil {
		t.Fatal(err)
	}
	wantSameCheckpoint(t, got, goldenCheckpoint())
}

// TestPythonOpensACheckpoint runs the lines of docs/runs.md on the golden checkpoint.
func TestPythonOpensACheckpoint(t *testing.T) {
	if err := exec.Command("python3", "-c", "import numpy, safetensors").Run(); err != nil {
		t.Skipf("there is no python3 with the packages numpy and safetensors: %v", err)
	}
	_, lines, _ := strings.Cut(string(readFile(t, "..", "..", "docs", "runs.md")), "```python\n")
	lines, _, ok := strings.Cut(lines, "```")
	const name = `"checkpoint-000000000900.safetensors"`
	if !ok || !strings.Contains(lines, name) {
		t.Fatalf("docs/runs.md has no lines that open %s", name)
	}
	lines = strings.ReplaceAll(lines, name, `"testdata/checkpoint.safetensors"`) + `
print(meta["run"], meta["words"], len(state), state["flow1.0.weight"].dtype, state["flow1.0.weight"].tobytes().hex())
print(state["0.weight"].tolist(), state["num_batches_tracked"], state["state.m.0.weight"].shape, state["none"].shape)
`
	out, err := exec.Command("python3", "-c", lines).CombinedOutput()
	const want = `12
{"seconds":3.5} "sha256":"0" 5 float64 182d4454fb210940000000000000f07f00000000000000800100000000000000
[[1.0, -2.0], [0.5, 3.4028234663852886e+38]] 9223372036854775807 (2, 2) (0, 3)
`
	if err != nil || string(out) != want {
		t.Errorf("%v: got\n%s\nwant\n%s", err, out, want)
	}
}

func TestACheckpointCutShortAnywhereIsRefused(t *testing.T) {
	data := checkpointBytes(t, goldenCheckpoint())
	for size := range len(data) {
		_, err := readCheckpoint(bytes.NewReader(data[:size]), int64(size))
		if !errors.Is(err, errDamaged) {
			t.Fatalf("cut to %d bytes: %v", size, err)
		}
		// The size may be right where the disk lost the content.
		_, err = readCheckpoint(bytes.NewReader(data[:size]), int64(len(data)))
		if !errors.Is(err, errDamaged) {
			t.Fatalf("only %d bytes readable: %v", size, err)
		}
	}
	longer := append(bytes.Clone(data), 0)
	if _, err := readCheckpoint(bytes.NewReader(longer), int64(len(longer))); !errors.Is(err, errDamaged) {
		t.Errorf("a byte longer: %v", err)
	}
}

func TestEveryChangedByteIsNoticed(t *testing.T) {
	data := checkpointBytes(t, goldenCheckpoint())
	for i := range data {
		for _, bit := range []byte{0x01, 0x10, 0x20} {
			data[i] ^= bit
			if _, err := readCheckpoint(bytes.NewReader(data), int64(len(data))); !errors.Is(err, errDamaged) {
				t.Fatalf("bit %x of byte %d changed: %v", bit, i, err)
			}
			data[i] ^= bit
		}
	}
}

func TestAnotherVersionIsNotCalledDamaged(t *testing.T) {
	data := checkpointBytes(t, goldenCheckpoint())
	data = sealed(bytes.Replace(data, []byte(`"checkpoint_version":"1"`), []byte(`"checkpoint_version":"2"`), 1))
	_, err := readCheckpoint(bytes.NewReader(data), int64(len(data)))
	if err == nil || errors.Is(err, errDamaged) || err.Error() != `version "2" of the format; this program reads "1"` {
		t.Errorf("got %v", err)
	}
}

func TestAnErrorOfTheDiskIsNotCalledDamaged(t *testing.T) {
	data := checkpointBytes(t, goldenCheckpoint())
	errDisk := errors.New("input/output error")
	for _, size := range []int{0, 5, 100, len(data) - 1} {
		t.Run(fmt.Sprintf("after %d bytes", size), func(t *testing.T) {
			r := io.MultiReader(bytes.NewReader(data[:size]), iotest.ErrReader(errDisk))
			if _, err := readCheckpoint(r, int64(len(data))); !errors.Is(err, errDisk) || errors.Is(err, errDamaged) {
				t.Error(err)
			}
		})
	}
}

// allocated returns the bytes that f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestLargeTensorsAreWrittenWithoutACopy(t *testing.T) {
	c := &Checkpoint{Tensors: []safetensors.Tensor{{Name: "a", Shape: []int{1 << 22}, Data: make([]float32, 1<<22)}}}
	if n := allocated(func() { _ = c.writeTo(io.Discard) }); n > 1<<20 {
		t.Errorf("%d bytes were allocated to write 16 MiB", n)
	}
}

func TestHeadersThatClaimMuchAllocateLittle(t *testing.T) {
	file := func(length uint64, header string) []byte {
		return sealed(append(binary.LittleEndian.AppendUint64(nil, length), header...))
	}
	own := `"__metadata__":{"checkpoint_version":"1","history_size":"0","sha256":"` + noSum + `","step":"0"}`
	for name, header := range map[string]string{
		"a header beyond the file": "",
		"a large tensor":           `{` + own + `,"a":{"dtype":"F64","shape":[1099511627776],"data_offsets":[0,8796093022208]}}`,
		"a tensor of 2^66 bytes":   `{` + own + `,"a":{"dtype":"F64","shape":[9223372036854775807],"data_offsets":[0,8]}}`,
		"tensors that overlap":     `{` + own + `,"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"b":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}01234567`,
	} {
		t.Run(name, func(t *testing.T) {
			length := uint64(strings.LastIndexByte(header, '}') + 1)
			if header == "" {
				length = 1 << 26
			}
			data := file(length, header)
			var err error
			n := allocated(func() { _, err = readCheckpoint(bytes.NewReader(data), int64(len(data))) })
			if !errors.Is(err, errDamaged) {
				t.Errorf("got %v", err)
			}
			if n > 1<<20 {
				t.Errorf("%d bytes were allocated to read %d", n, len(data))
			}
		})
	}
}

func TestWhatCannotBeStoredIsNamed(t *testing.T) {
	for name, c := range map[string]struct {
		checkpoint Checkpoint
		want       string
	}{
		"an unknown type": {Checkpoint{Tensors: []safetensors.Tensor{{Name: "x", Shape: []int{1}, Data: []int{1}}}}, `"x": []int`},
		"the record's own metadata": {Checkpoint{Step: 3, Metadata: map[string]string{"step": "4"}},
			`checkpoint of step 3: metadata "step" is the record's own`},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.checkpoint.writeTo(io.Discard); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// FuzzReadCheckpoint also gives what it makes the right checksum, to come past it.
func FuzzReadCheckpoint(f *testing.F) {
	f.Add(checkpointBytes(f, goldenCheckpoint()))
	f.Add(checkpointBytes(f, &Checkpoint{}))
	f.Add(append(binary.LittleEndian.AppendUint64(nil, 2), "{}"...))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, data := range [][]byte{data, sealed(data)} {
			c, err := readCheckpoint(bytes.NewReader(data), int64(len(data)))
			if err != nil {
				continue
			}
			again := checkpointBytes(t, c)
			if _, err := readCheckpoint(bytes.NewReader(again), int64(len(again))); err != nil {
				t.Error(err)
			}
		}
	})
}
