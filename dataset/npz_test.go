package dataset

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sbinet/npyio/npy"
	"github.com/sbinet/npyio/npz"
	"gonum.org/v1/gonum/mat"
)

func countUp(n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = float64(i)
	}
	return x
}

// testdata/npz.py writes these files with NumPy.
func TestNumPysFilesAreRead(t *testing.T) {
	for _, tc := range []struct {
		file  string
		shape []int
		test  int
		scale float64 // X is counting * scale + shift
		shift float64
	}{
		{"features.npz", []int{3}, 0, 1, 0},
		{"images.npz", []int{2, 2, 3}, 2, 1, 0},
		{"fortran.npz", []int{2, 2, 3}, 0, 1, 0},
		{"half.npz", []int{3}, 0, 1. / 8, -0.5},
		{"big_endian.npz", []int{3}, 0, 1, 0},
	} {
		t.Run(tc.file, func(t *testing.T) {
			d, err := Load(t.Context(), Spec{Name: NameNPZ, Path: filepath.Join("testdata", tc.file)})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(d.Shape, tc.shape) || !slices.Equal(d.Test.Shape, tc.shape) || d.Classes != 3 || d.Test.N() != tc.test {
				t.Errorf("shape %v and %v, classes %d, test %d", d.Shape, d.Test.Shape, d.Classes, d.Test.N())
			}
			if !slices.Equal(d.Train.Labels, []int32{0, 1, 2, 0}) {
				t.Errorf("labels %v", d.Train.Labels)
			}
			want := countUp(d.Train.N() * d.Train.Size())
			for i := range want {
				want[i] = want[i]*tc.scale + tc.shift
			}
			// NumPy's images have their channels first, so this is the file's order.
			if got := channelsFirst[float64](d.Train); !slices.Equal(got, want) {
				t.Errorf("inputs %v, want %v", got, want)
			}
			if got := channelsFirst[float64](d.Test); !slices.Equal(got, want[:len(got)]) {
				t.Errorf("test inputs %v, want %v", got, want)
			}
		})
	}
}

// npyio writes them, and leaves .npy off the names.
func TestLabelsOfAnyIntegerWidthAreRead(t *testing.T) {
	for _, y := range []any{
		[]int8{0, 1, 2}, []int16{0, 1, 2}, []int32{0, 1, 2}, []int64{0, 1, 2},
		[]uint8{0, 1, 2}, []uint16{0, 1, 2}, []uint32{0, 1, 2}, []uint64{0, 1, 2},
	} {
		path := filepath.Join(t.TempDir(), "a.npz")
		if err := npz.Write(path, map[string]any{"X": mat.NewDense(3, 2, countUp(6)), "y": y}); err != nil {
			t.Fatal(err)
		}
		d, err := Load(t.Context(), Spec{Name: NameNPZ, Path: path})
		if err != nil || !slices.Equal(d.Train.Labels, []int32{0, 1, 2}) || !slices.Equal(Inputs[float64](d.Train), countUp(6)) {
			t.Errorf("%T: dataset %v, error %v", y, d, err)
		}
	}
}

// Of integers and booleans, inputs and targets are the numbers themselves; booleans to tell apart are two classes.
func TestIntegersAndBooleansAreInputsAndTargets(t *testing.T) {
	for _, tc := range []struct {
		descr string
		bytes []byte
		want  []float64
	}{
		{"|i1", []byte{0xfe, 0, 127, 1}, []float64{-2, 0, 127, 1}},
		{">i2", []byte{0x80, 0, 0, 0, 0, 1, 0x7f, 0xff}, []float64{-32768, 0, 1, 32767}},
		{"<i4", []byte{0xff, 0xff, 0xff, 0xff, 1, 0, 0, 1, 0, 0, 0, 0, 2, 0, 0, 0}, []float64{-1, 1<<24 + 1, 0, 2}},
		{"<i8", []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f, 0, 1, 0, 0, 0, 0, 0, 0xe0, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0},
			[]float64{1<<53 - 1, 1 - 1<<53, 0, 3}},
		{"|u1", []byte{255, 0, 1, 2}, []float64{255, 0, 1, 2}},
		{">u4", []byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2}, []float64{1<<32 - 1, 1, 0, 2}},
		{"<u8", []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0},
			[]float64{1<<53 - 1, 1, 0, 3}},
		{"|b1", []byte{1, 0, 0, 1}, []float64{1, 0, 0, 1}},
	} {
		t.Run(tc.descr, func(t *testing.T) {
			path := archive(t, map[string][]byte{"X.npy": npyOf(tc.descr, "(4, 1)", tc.bytes), "y.npy": npyOf(tc.descr, "(4,)", tc.bytes)})
			d, err := Load(t.Context(), Spec{Name: NameNPZ, Path: path, Task: TaskRegression})
			if err != nil {
				t.Fatal(err)
			}
			if x, y := Inputs[float64](d.Train), d.Train.Targets.Values; !slices.Equal(x, tc.want) || !slices.Equal(y, tc.want) {
				t.Errorf("inputs %v, targets %v, want %v", x, y, tc.want)
			}
		})
	}
	path := archive(t, map[string][]byte{"X.npy": npyOf("|b1", "(4, 1)", []byte{1, 0, 0, 1}), "y.npy": npyOf("|b1", "(4,)", []byte{1, 0, 0, 1})})
	d, err := Load(t.Context(), Spec{Name: NameNPZ, Path: path})
	if err != nil || d.Classes != 2 || !slices.Equal(d.Train.Labels, []int32{1, 0, 0, 1}) {
		t.Errorf("booleans to predict: %+v, %v", d, err)
	}
}

// npyOf is an array in NumPy's format, header by hand.
func npyOf(descr, shape string, body []byte) []byte {
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': %s, }\n", descr, shape)
	return slices.Concat([]byte("\x93NUMPY\x01\x00"), []byte{byte(len(header)), byte(len(header) >> 8)}, []byte(header), body)
}

// zipOf is a zip archive of uncompressed files.
func zipOf(t testing.TB, members map[string][]byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	names := slices.DeleteFunc([]string{"X.npy", "y.npy", "X_test.npy", "y_test.npy"}, func(name string) bool { return members[name] == nil })
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, name := range names {
		m, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Write(members[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// npzMembersOf are 4 examples of 3 features and 2 test examples.
func npzMembersOf() map[string][]byte {
	return map[string][]byte{
		"X.npy":      npyOf("|u1", "(4, 3)", make([]byte, 12)),
		"y.npy":      npyOf("|i1", "(4,)", []byte{0, 1, 2, 3}),
		"X_test.npy": npyOf("|u1", "(2, 3)", make([]byte, 6)),
		"y_test.npy": npyOf("|i1", "(2,)", []byte{3, 0}),
	}
}

func TestWrongNPZFilesAreRefusedWithNameOffsetAndExpectation(t *testing.T) {
	whole := func(m map[string][]byte) []byte { return npyOf("|u1", "(4, 3)", make([]byte, 12)) }
	nan := npyOf("<f4", "(4, 3)", make([]byte, 48))
	copy(nan[len(nan)-4:], []byte{0, 0, 0xc0, 0x7f})
	headerLength := len(whole(nil)) - 12
	for _, tc := range []struct {
		name, member string
		content      []byte
		want         string
	}{
		{"cut in the magic", "X.npy", []byte("\x93NUM"), "(X.npy): byte 4: the file ends"},
		{"other magic", "X.npy", []byte("PK\x03\x04aaaabbbb"), `(X.npy): byte 0: magic string "PK`},
		{"version 9", "X.npy", []byte("\x93NUMPY\x09\x00aaaa"), "(X.npy): byte 6: version 9; expected 1, 2 or 3"},
		{"long header", "X.npy", []byte("\x93NUMPY\x02\x00\xff\xff\xff\xff"), "(X.npy): byte 8: header of 4294967295 bytes"},
		{"no dictionary", "X.npy", []byte("\x93NUMPY\x01\x00\x02\x00{}"), "(X.npy): byte 10: header"},
		{"structured type", "X.npy", []byte("\x93NUMPY\x01\x00\x4a\x00{'descr': [('a', '<f4'), ('b', '<f4')], 'fortran_order': False, 'shape': 3}"), "(X.npy): byte 10: header"},
		{"object type", "X.npy", npyOf("|O", "(4, 3)", make([]byte, 96)), `(X.npy): byte 10: elements of type O (Python objects); expected floats (f2, f4, f8), integers (i1 to i8, u1 to u8) or booleans (b1): .astype("float64")`},
		{"complex type", "X.npy", npyOf("<c16", "(4, 3)", make([]byte, 192)), "(X.npy): byte 10: elements of type c16 (complex numbers); expected floats"},
		{"text", "X.npy", npyOf("<U7", "(4, 3)", make([]byte, 336)), "(X.npy): byte 10: elements of type U7 (text); expected floats"},
		{"empty text", "X.npy", npyOf("|S0", "(4, 3)", nil), "(X.npy): byte 10: elements of type S0 (bytes of text); expected floats"},
		{"dates", "y.npy", npyOf("<M8[ns]", "(4,)", make([]byte, 32)), "(y.npy): byte 10: elements of type M8 (dates); expected floats"},
		{"long double", "X.npy", npyOf("<f16", "(4, 3)", make([]byte, 192)), "(X.npy): byte 10: elements of type f16 (floats of another width); expected floats"},
		{"integers that floats round", "X.npy", npyOf("<i8", "(4, 3)", append(make([]byte, 88), 0, 0, 0, 0, 0, 0, 0xe0, 0xff)),
			"-9.007199254740992e+15 in example 3; expected integers below 2^53, which float64 has exactly; .astype(\"float64\") rounds them"},
		{"three dimensions", "X.npy", npyOf("|u1", "(4, 3, 1)", make([]byte, 12)), "(X.npy): byte 0: shape [4 3 1]; expected [N, D] or [N, C, H, W]"},
		{"no examples", "X.npy", npyOf("|u1", "(0, 3)", nil), "(X.npy): byte 10: shape (0, 3)"},
		{"absurd shape", "X.npy", npyOf("<f8", "(99999999, 99999999)", nil), "(X.npy): byte 10: shape (99999999, 99999999)"},
		{"shape beyond integers", "X.npy", npyOf("<f8", "(99999999999999999999, 1)", nil), "(X.npy): byte 10: shape"},
		{"large shape that is not there", "X.npy", npyOf("<f8", "(1000000, 1000)", make([]byte, 10)), "the file ends; expected 1000000000 elements"},
		{"cut in the elements", "X.npy", npyOf("|u1", "(4, 3)", make([]byte, 11)), fmt.Sprintf("(X.npy): byte %d: the file ends; expected 12 elements of shape [4 3]: 1 more bytes", headerLength+11)},
		{"trailing bytes", "X.npy", npyOf("|u1", "(4, 3)", make([]byte, 13)), fmt.Sprintf("(X.npy): byte %d: more bytes", headerLength+12)},
		{"not a number", "X.npy", nan, fmt.Sprintf("(X.npy): byte %d: NaN in example 3; expected finite numbers", len(nan)-4)},
		{"fewer labels", "y.npy", npyOf("|i1", "(3,)", make([]byte, 3)), ": 3 labels; expected 4, one for each example of X"},
		{"negative label", "y.npy", npyOf("|i1", "(4,)", []byte{0, 1, 255, 0}), ": label -1 of example 2; expected whole numbers from 0 to 65535"},
		{"large label", "y.npy", npyOf("<u8", "(4,)", bytes.Repeat([]byte{255}, 32)), ": label 1.8446744073709552e+19 of example 0; expected whole numbers from 0 to 65535"},
		{"labels that are no numbers", "y.npy", npyOf("<c8", "(4,)", make([]byte, 32)), "(y.npy): byte 10: elements of type c8 (complex numbers); expected floats"},
		{"one-hot labels", "y.npy", npyOf("|u1", "(4, 3)", make([]byte, 12)), "(y.npy): byte 0: shape [4 3]; expected [N]"},
		{"test examples of another shape", "X_test.npy", npyOf("|u1", "(2, 4)", make([]byte, 8)), "(X_test.npy): byte 0: shape [2 4]; expected examples of shape [3] as in X"},
		{"unknown test label", "y_test.npy", npyOf("|i1", "(2,)", []byte{0, 4}), ": label 4; expected 0 to 3 (4 classes)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			members := npzMembersOf()
			members[tc.member] = tc.content
			path := filepath.Join(t.TempDir(), "a.npz")
			writeFile(t, path, zipOf(t, members))
			_, err := Load(t.Context(), Spec{Name: NameNPZ, Path: path})
			var format *FormatError
			if !errors.As(err, &format) || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v, want a FormatError with %q", err, tc.want)
			}
		})
	}
}

func TestNPZWithoutWhatIsNeededIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.npz")
	for _, missing := range []string{"X.npy", "y.npy", "X_test.npy", "y_test.npy"} {
		members := npzMembersOf()
		delete(members, missing)
		writeFile(t, path, zipOf(t, members))
		want := fmt.Sprintf("no array %s among", strings.TrimSuffix(missing, ".npy"))
		if _, err := Load(t.Context(), Spec{Name: NameNPZ, Path: path}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("without %s: error %v, want %q", missing, err, want)
		}
	}
	whole := zipOf(t, npzMembersOf())
	members := npzMembersOf()
	delete(members, "X.npy")
	members[strings.Repeat("long", 10)+".npy"] = members["y.npy"]
	writeFile(t, path, zipOf(t, members))
	if _, err := Load(t.Context(), Spec{Name: NameNPZ, Path: path}); err == nil || !strings.Contains(err.Error(), strings.Repeat("long", 10)) {
		t.Errorf("an array is not named as it is: %v", err)
	}
	members = npzMembersOf()
	members["X"] = members["X.npy"] // the same to NumPy
	writeFile(t, path, zipOf(t, members))
	if _, err := Load(t.Context(), Spec{Name: NameNPZ, Path: path}); err == nil || !strings.Contains(err.Error(), `two arrays "X"; expected one of each name`) {
		t.Errorf("two arrays of one name: %v", err)
	}
	members = npzMembersOf()
	members["x_test.npy"] = members["X_test.npy"]
	delete(members, "X_test.npy")
	delete(members, "y_test.npy")
	writeFile(t, path, zipOf(t, members))
	if _, err := Load(t.Context(), Spec{Name: NameNPZ, Path: path}); err == nil || !strings.Contains(err.Error(), `an array "x_test"; expected X_test`) {
		t.Errorf("a test part in small letters: %v", err)
	}
	writeFile(t, path, whole[:len(whole)-10])
	if _, err := Load(t.Context(), Spec{Name: NameNPZ, Path: path}); err == nil || !strings.Contains(err.Error(), "expected a zip archive") {
		t.Errorf("cut archive: error %v", err)
	}
	corrupt := bytes.Clone(whole)
	corrupt[bytes.Index(corrupt, []byte("}\n"))+3] ^= 1
	writeFile(t, path, corrupt)
	if _, err := Load(t.Context(), Spec{Name: NameNPZ, Path: path}); err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("corrupt element: error %v", err)
	}
}

func TestNPZWithoutTestPartIsSplitOnlyWhenAsked(t *testing.T) {
	labels := make([]byte, 40)
	x := make([]byte, 40)
	for i := range labels {
		labels[i], x[i] = byte(i%4), byte(i)
	}
	path := filepath.Join(t.TempDir(), "a.npz")
	writeFile(t, path, zipOf(t, map[string][]byte{"X.npy": npyOf("|u1", "(40, 1)", x), "y.npy": npyOf("|i1", "(40,)", labels)}))
	spec := Spec{Name: NameNPZ, Path: path}
	d, err := Load(t.Context(), spec)
	if err != nil || d.Train.N() != 40 || d.Test.N() != 0 {
		t.Fatalf("error %v, %d and %d examples", err, d.Train.N(), d.Test.N())
	}
	fraction := 0.3
	spec.TestFraction = &fraction
	d, err = Load(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Test.ClassCounts(4); !slices.Equal(got, []int{3, 3, 3, 3}) {
		t.Errorf("classes in the test part %v", got)
	}
	all := append(Inputs[float64](d.Train), Inputs[float64](d.Test)...)
	slices.Sort(all)
	if !slices.Equal(all, countUp(40)) {
		t.Errorf("train and test together %v, want each example once", all)
	}
	for i, v := range Inputs[float64](d.Test) {
		if d.Test.Labels[i] != int32(v)%4 {
			t.Errorf("example %v has label %d", v, d.Test.Labels[i])
		}
	}
	writeFile(t, path, zipOf(t, npzMembersOf()))
	if _, err := Load(t.Context(), spec); err == nil || !strings.HasPrefix(err.Error(), "test_fraction: ") {
		t.Errorf("with a test part of its own: error %v", err)
	}
}

func FuzzNPZ(f *testing.F) {
	f.Add(zipOf(f, npzMembersOf()))
	f.Add(zipOf(f, npzMembersOf())[:100])
	for _, name := range []string{"images.npz", "fortran.npz", "half.npz"} {
		content, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		for _, task := range []string{TaskAuto, TaskClassification, TaskRegression} {
			train, _, err := parseNPZ(t.Context(), "f", bytes.NewReader(file), int64(len(file)), task)
			if n := max(len(train.labels.labels), len(train.targets.Values)/max(train.targets.Columns, 1)); err == nil && n != train.shape[0] {
				t.Errorf("%d labels or targets for shape %v", n, train.shape)
			}
		}
	})
}

func FuzzNPY(f *testing.F) {
	f.Add(npyOf("<f8", "(2, 2)", make([]byte, 32)))
	f.Add(npyOf(">f4", "(3,)", make([]byte, 12)))
	f.Add(npyOf("<f2", "(3, 1, 1, 1)", make([]byte, 6)))
	f.Add(npyOf("|u1", "(3,)", make([]byte, 2)))
	f.Add(npyOf("<i8", "(3, 1)", make([]byte, 24)))
	var buf bytes.Buffer
	if err := npy.Write(&buf, []float32{1, 2}); err != nil {
		f.Fatal(err)
	}
	f.Add(buf.Bytes())
	f.Fuzz(func(t *testing.T, file []byte) {
		for _, labels := range []bool{false, true} {
			c := &cursor{file: "f", r: bytes.NewReader(file)}
			h, err := parseNPYHeader(c)
			if err != nil {
				return
			}
			var n int
			if labels {
				var l labelled
				l, err = readNPYLabels(c, h)
				n = len(l.labels)
			} else {
				var v values
				v, err = readNPYInputs(c, h)
				n = len(v.u8) + len(v.f32) + len(v.f64)
			}
			if err == nil && n != h.count() {
				t.Errorf("%d elements of shape %v", n, h.shape)
			}
		}
	})
}
