package torchfile

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"shadowflow/safetensors"
)

// expected is what testdata/files.py says of the files.
type expected struct {
	Tensors map[string]struct {
		Shape  []int
		Values []float64
	}
	Optimizers map[string][]map[string]any
	Names      []string
}

func readExpected(t *testing.T) (e expected) {
	t.Helper()
	text, err := os.ReadFile("testdata/expected.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

func mustRead(t *testing.T, name string) *File {
	t.Helper()
	f, err := ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func numbers(t *testing.T, from safetensors.Tensor) []float64 {
	t.Helper()
	if v, ok := from.Float64s(); ok {
		return v
	}
	var out []float64
	for _, v := range from.Data.([]int64) {
		out = append(out, float64(v))
	}
	return out
}

func TestTensorsAreThoseThatPyTorchSaved(t *testing.T) {
	want := readExpected(t).Tensors
	for _, name := range []string{"zip.pt", "older.pt", "protocol4.pt"} {
		t.Run(name, func(t *testing.T) {
			if !Is(filepath.Join("testdata", name)) {
				t.Error("not recognized")
			}
			tensors, err := mustRead(t, name).Tensors()
			if err != nil {
				t.Fatal(err)
			}
			if len(tensors) != len(want) {
				t.Errorf("%d tensors, want %d", len(tensors), len(want))
			}
			for _, got := range tensors {
				w, ok := want[got.Name]
				if !ok || !slices.Equal(got.Shape, w.Shape) || !slices.Equal(numbers(t, got), w.Values) {
					t.Errorf("%s: %v %v, want %v %v", got.Name, got.Shape, numbers(t, got), w.Shape, w.Values)
				}
			}
		})
	}
}

func TestOptimizersStateIsWhatPyTorchSaved(t *testing.T) {
	for name, want := range readExpected(t).Optimizers {
		t.Run(name, func(t *testing.T) {
			o, err := mustRead(t, name+".pt").Optimizer()
			if err != nil {
				t.Fatal(err)
			}
			if len(o.State) != len(want) || len(o.Groups) != 1 {
				t.Fatalf("%d parameters in %d groups, want %d in one", len(o.State), len(o.Groups), len(want))
			}
			for i, r := range o.State {
				got := map[string][]float64{}
				if r != nil {
					for _, a := range r.Arrays {
						got[a.Name] = numbers(t, a)
					}
					for k, v := range r.Numbers {
						got[k] = []float64{v}
					}
				}
				if len(got) != len(want[i]) {
					t.Errorf("parameter %d: %d entries, want %d", i, len(got), len(want[i]))
				}
				for k, w := range want[i] {
					var values []float64
					for _, v := range w.([]any) {
						values = append(values, v.(float64))
					}
					if !slices.Equal(got[k], values) {
						t.Errorf("parameter %d: %s is %v, want %v", i, k, got[k], values)
					}
				}
			}
		})
	}
}

func TestHyperparametersAreRead(t *testing.T) {
	o, err := mustRead(t, "adam.pt").Optimizer()
	if err != nil {
		t.Fatal(err)
	}
	g := o.Groups[0]
	betas, _ := g["betas"].([]float64)
	if g["foreach"] != nil || g["lr"] != 0.01 || !slices.Equal(betas, []float64{0.8, 0.95}) || g["amsgrad"] != false {
		t.Errorf("%v", g)
	}
}

func TestADictionaryOfATrainingScriptHasBoth(t *testing.T) {
	f, want := mustRead(t, "training.pt"), readExpected(t).Names
	tensors, err := f.Tensors()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, tensor := range tensors {
		names = append(names, tensor.Name)
	}
	o, err := f.Optimizer()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(names, want) || !slices.Equal(o.Names, want) {
		t.Errorf("tensors %v and parameters %v, want %v", names, o.Names, want)
	}
}

func TestObjectsOfPythonsBesideTheTensorsArePassedOver(t *testing.T) {
	want := readExpected(t).Names
	for _, name := range []string{"objects.pt", "beside_module.pt"} {
		f := mustRead(t, name)
		o, err := f.Optimizer()
		if err != nil || !slices.Equal(o.Names, want) {
			t.Errorf("%s: parameters %v, want %v; %v", name, o, want, err)
		}
		tensors, err := f.Tensors()
		if name == "beside_module.pt" {
			if err == nil || !strings.Contains(err.Error(), `"net" is a whole module (torch.nn.modules.container.Sequential), whose code only Python has`) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || len(tensors) != len(want) || tensors[0].Name != "model."+want[0] {
			t.Errorf("%s: %d tensors, %v", name, len(tensors), err)
		}
	}
}

func TestWhatCannotBeReadIsSaidWithWhatToSaveInstead(t *testing.T) {
	for name, want := range map[string][]string{
		"module.pt":       {"whole module", "torch.save(model.state_dict()"},
		"float8.pt":       {"8-bit", "v.float()"},
		"uint16.pt":       {"unsigned 16-bit", "v.float()"},
		"negative.pt":     {"to be negated", "resolve_neg()"},
		"complex.pt":      {`"epoch" is the number 3`, "torch.save(model.state_dict()"},
		"tensor.pt":       {"a tensor of shape [3]", "torch.save(model.state_dict()"},
		"numbers.pt":      {`"epoch" is the number 3`, "its keys: epoch, loss", "torch.save(model.state_dict()"},
		"expected.json":   {"no file of torch.save"},
		"../testdata":     {"folder"},
		"adam.pt":         {`"state" is a dictionary`},
		"there-is-no.pth": {"there-is-no.pth"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("testdata", name)
			f, err := ReadFile(path)
			if err == nil {
				_, err = f.Tensors()
			}
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%v\nshould say %q", err, w)
				}
			}
		})
	}
	if _, err := mustRead(t, "zip.pt").Optimizer(); err == nil || !strings.Contains(err.Error(), "torch.save(optimizer.state_dict()") {
		t.Errorf("weights as an optimizer's state: %v", err)
	}
}

func TestWhatStandsInThePlaceOfATorchFileIsNamed(t *testing.T) {
	for content, want := range map[string]string{
		"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n": "Git LFS pointer",
		"<!DOCTYPE html>\n<html></html>\n":                                    "page of HTML",
		"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03":                            "this is gzip",
	} {
		_, err := Read(strings.NewReader(content), int64(len(content)))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "save the tensors alone") {
			t.Errorf("%q: %v\nshould say %q alone", content, err, want)
		}
	}
}

func TestAFileCutShortIsRefused(t *testing.T) {
	for _, name := range []string{"zip.pt", "older.pt", "adam.pt"} {
		whole, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		for n := range len(whole) {
			if _, err := Read(bytes.NewReader(whole[:n]), int64(n)); err == nil {
				t.Fatalf("%s: %d of %d bytes are accepted", name, n, len(whole))
			}
		}
	}
}

// consume reads a file and all that is in it, as long as it is small.
func consume(t *testing.T, raw []byte) error {
	f, err := Read(bytes.NewReader(raw), int64(len(raw)))
	var format *FormatError
	if err != nil {
		if !errors.As(err, &format) {
			t.Fatalf("not a *FormatError: %v", err)
		}
		return err
	}
	tensors, _ := f.Tensors()
	if o, err := f.Optimizer(); err == nil {
		for _, r := range o.State {
			if r != nil {
				tensors = append(tensors, r.Arrays...)
			}
		}
	}
	for _, tensor := range tensors {
		size := 1.0
		for _, n := range tensor.Shape {
			size *= float64(n)
		}
		if size > 1e5 || math.IsNaN(size) {
			continue
		}
		if v, ok := tensor.Float64s(); ok && float64(len(v)) != size {
			t.Errorf("%q has %d elements, its shape %v", tensor.Name, len(v), tensor.Shape)
		}
	}
	return nil
}

// older returns a file of the older format, up to the pickle of its object, which is given.
func older(object string) []byte {
	return []byte(string(pickleMagic) + "\x80\x02M\xe9\x03.\x80\x02}." + object)
}

func TestHostilePicklesAreErrors(t *testing.T) {
	for name, object := range map[string]string{
		"a text of 2^62 bytes":               "\x80\x04\x8d\x00\x00\x00\x00\x00\x00\x00\x40",
		"a text of 4 GB":                     "\x80\x02X\xff\xff\xff\xff",
		"a frame of 2^62 bytes":              "\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x40.",
		"an integer of a million bytes":      "\x80\x02\x8b\x40\x42\x0f\x00" + strings.Repeat("1", 1000000) + ".",
		"an integer of no bytes":             "\x80\x02\x8a\x00.",
		"a key without a value":              "\x80\x02}(K\x01u.",
		"a key that is bytes":                "\x80\x02ccollections\nOrderedDict\n)R(C\x01aK\x01u.",
		"an instruction that does not exist": "\xff.",
		"a dictionary in itself":             "\x80\x02}q\x00K\x01h\x00s.",
		"a storage of 2^31 numbers":          "\x80\x02(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuJ\xff\xff\xff\x7fNtQ.",
		"a million marks":                    "\x80\x02" + strings.Repeat("(", 1<<20) + ".",
		"nothing":                            ".",
		"a key of 2^60 parts":                "\x80\x02}K\x01" + strings.Repeat("q\x00h\x00\x86", 60) + "K\x02s.",
		"a value of 2^60 parts":              "\x80\x02}X\x01\x00\x00\x00aK\x01" + strings.Repeat("q\x00h\x00\x86", 60) + "s.",
		"a function of 2^60 parts":           "\x80\x02K\x01" + strings.Repeat("q\x00h\x00\x86", 60) + "(tR.",
		"a state of 2^60 parts":              "\x80\x02]K\x01" + strings.Repeat("q\x00h\x00\x86", 60) + "a}b.",
		"keys of storages of 2^60 parts":     "\x80\x02}.\x80\x02]K\x01" + strings.Repeat("q\x00h\x00\x86", 60) + "a.",
		"a tuple a million deep":             "\x80\x02N" + strings.Repeat("\x85", 1<<20-10) + ".",
		"a list a million deep":              "\x80\x02" + strings.Repeat("]", 1<<19-10) + strings.Repeat("a", 1<<19-11) + ".",
		"a million items of the memo":        "\x80\x02K\x01" + strings.Repeat("r\xff\xff\xff\x7f", 1<<19) + ".",
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := consume(t, older(object))
			runtime.ReadMemStats(&after)
			if err == nil || len(err.Error()) > 2000 {
				t.Errorf("%.3000s", fmt.Sprint(err))
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > 400<<20 {
				t.Errorf("it took %d bytes", took)
			}
		})
	}
}

func TestAnArchiveOfNumpyIsNamed(t *testing.T) {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	if _, err := w.Create("X.npy"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := consume(t, out.Bytes()); err == nil || !strings.Contains(err.Error(), "numpy.savez") {
		t.Errorf("%v", err)
	}
}

func TestAnArchiveWithTwoFilesOfOneNameIsRefused(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("testdata", "zip.pt"))
	if err != nil {
		t.Fatal(err)
	}
	from, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range append(from.File, from.File[0]) {
		if err := w.Copy(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := consume(t, out.Bytes()); err == nil || !strings.Contains(err.Error(), "has two files") {
		t.Errorf("%v", err)
	}
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"zip.pt", "older.pt", "protocol4.pt", "adam.pt", "rmsprop.pt", "training.pt", "module.pt", "float8.pt", "objects.pt"} {
		raw, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if err := consume(t, raw); err != nil && len(err.Error()) > 4000 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
	})
}
