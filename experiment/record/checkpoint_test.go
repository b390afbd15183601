package record

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

func testCheckpoint() *Checkpoint {
	large := make([]float32, 20_000)
	for i := range large {
		large[i] = float32(i) / 3
	}
	return &Checkpoint{
		Step: 12, Meta: json.RawMessage(`{"rng":[1,2],"seconds":3.5}`), historySize: 77,
		Arrays: []Array{
			{"theta", large},
			{"m", []float64{math.Pi, math.Inf(1), math.Copysign(0, -1), math.SmallestNonzeroFloat64}},
			{"order", []int64{math.MinInt64, -1, 0, math.MaxInt64}},
			{"blob", []byte("abc")},
			{"none", []float64{}},
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

func TestCheckpointKeepsEveryBit(t *testing.T) {
	want := testCheckpoint()
	data := checkpointBytes(t, want)
	got, err := readCheckpoint(iotest.OneByteReader(bytes.NewReader(data)), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got step %d, meta %s, %d arrays", got.Step, got.Meta, len(got.Arrays))
	}
	if m, err := ArrayOf[float64](got, "m"); err != nil || math.Signbit(m[2]) != true {
		t.Errorf("m = %v, %v", m, err)
	}
}

func TestArraysAreAskedForByNameAndType(t *testing.T) {
	c := testCheckpoint()
	if _, err := ArrayOf[float64](c, "theta"); err == nil || err.Error() != "checkpoint of step 12: array theta is a []float32, expected a []float64" {
		t.Errorf("got %v", err)
	}
	if _, err := ArrayOf[float64](c, "v"); err == nil || err.Error() != "checkpoint of step 12: no array v" {
		t.Errorf("got %v", err)
	}
}

func TestACheckpointCutShortAnywhereIsRefused(t *testing.T) {
	c := testCheckpoint()
	c.Arrays = c.Arrays[1:]
	data := checkpointBytes(t, c)
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
}

func TestEveryChangedByteIsNoticed(t *testing.T) {
	c := testCheckpoint()
	c.Arrays = c.Arrays[1:]
	data := checkpointBytes(t, c)
	for i := range data {
		data[i] ^= 0x10
		if _, err := readCheckpoint(bytes.NewReader(data), int64(len(data))); err == nil {
			t.Fatalf("byte %d changed, and nobody noticed", i)
		}
		data[i] ^= 0x10
	}
}

func TestAnotherVersionIsNotCalledDamaged(t *testing.T) {
	data := checkpointBytes(t, testCheckpoint())
	binary.LittleEndian.PutUint32(data[8:], 2)
	_, err := readCheckpoint(bytes.NewReader(data), int64(len(data)))
	if err == nil || errors.Is(err, errDamaged) || err.Error() != "version 2 of the format; this program reads 1" {
		t.Errorf("got %v", err)
	}
}

func TestAnErrorOfTheDiskIsNotCalledDamaged(t *testing.T) {
	data := checkpointBytes(t, testCheckpoint())
	errDisk := errors.New("input/output error")
	r := io.MultiReader(bytes.NewReader(data[:5000]), iotest.ErrReader(errDisk))
	if _, err := readCheckpoint(r, int64(len(data))); !errors.Is(err, errDisk) || errors.Is(err, errDamaged) {
		t.Errorf("got %v", err)
	}
}

func TestUnknownArraysAreNotStored(t *testing.T) {
	c := &Checkpoint{Arrays: []Array{{"x", []int{1}}}}
	if err := c.writeTo(io.Discard); err == nil || !strings.Contains(err.Error(), "array x: cannot store a []int") {
		t.Errorf("got %v", err)
	}
}

func FuzzReadCheckpoint(f *testing.F) {
	c := testCheckpoint()
	c.Arrays = c.Arrays[1:]
	f.Add(checkpointBytes(f, c))
	f.Add(checkpointBytes(f, &Checkpoint{}))
	f.Add([]byte(checkpointMagic + "\x01\x00\x00\x00\x02\x00\x00\x00{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := readCheckpoint(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		again := checkpointBytes(t, c)
		if _, err := readCheckpoint(bytes.NewReader(again), int64(len(again))); err != nil {
			t.Error(err)
		}
	})
}
