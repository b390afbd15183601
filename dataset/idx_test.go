package dataset

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func idxFile(magic uint32, dims []uint32, body []byte) []byte {
	file := binary.BigEndian.AppendUint32(nil, magic)
	for _, d := range dims {
		file = binary.BigEndian.AppendUint32(file, d)
	}
	return append(file, body...)
}

// idxImages are n images of 2x3 pixels, which count up.
func idxImages(n int) []byte {
	body := make([]byte, n*6)
	for i := range body {
		body[i] = byte(i)
	}
	return idxFile(0x803, []uint32{uint32(n), 2, 3}, body)
}

func idxLabels(labels ...byte) []byte {
	return idxFile(0x801, []uint32{uint32(len(labels))}, labels)
}

func gzipped(t testing.TB, content []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// idxSpec writes the four files; nil stands for a right one.
func idxSpec(t *testing.T, trainImages, trainLabels, testImages, testLabels []byte) Spec {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, content, right []byte) string {
		if content == nil {
			content = right
		}
		file := filepath.Join(dir, name)
		writeFile(t, file, content)
		return file
	}
	return Spec{
		Name:        NameIDX,
		TrainImages: write("train-images", trainImages, idxImages(4)),
		TrainLabels: write("train-labels", trainLabels, idxLabels(0, 1, 2, 1)),
		TestImages:  write("test-images", testImages, gzipped(t, idxImages(2))),
		TestLabels:  write("test-labels", testLabels, gzipped(t, idxLabels(2, 0))),
	}
}

func TestIDXFilesPlainAndCompressedAreRead(t *testing.T) {
	d, err := Load(t.Context(), idxSpec(t, nil, nil, nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(d.Shape, []int{2, 3, 1}) || d.Classes != 3 || !slices.Equal(d.ClassNames, []string{"0", "1", "2"}) {
		t.Errorf("shape %v, classes %d %v", d.Shape, d.Classes, d.ClassNames)
	}
	if !slices.Equal(d.Train.Labels, []int32{0, 1, 2, 1}) || !slices.Equal(d.Test.Labels, []int32{2, 0}) {
		t.Errorf("labels %v, %v", d.Train.Labels, d.Test.Labels)
	}
	if x := Inputs[float32](d.Test); !slices.Equal(x, []float32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}) {
		t.Errorf("test inputs %v", x)
	}
}

func TestIDXWithoutTestFilesHasAnEmptyTestPart(t *testing.T) {
	s := idxSpec(t, nil, nil, nil, nil)
	s.TestImages, s.TestLabels = "", ""
	s.Standardize = true
	d, err := Load(t.Context(), s)
	if err != nil || d.Test.N() != 0 || len(Inputs[float64](d.Test)) != 0 {
		t.Errorf("dataset %v, error %v", d, err)
	}
}

func TestWrongIDXFilesAreRefusedWithNameOffsetAndExpectation(t *testing.T) {
	images, labels := idxImages(4), idxLabels(0, 1, 2, 1)
	zipped := gzipped(t, images)
	badSum := bytes.Clone(zipped)
	badSum[len(badSum)-8] ^= 1
	for _, tc := range []struct {
		name           string
		images, labels []byte
		want           string
	}{
		{"labels as images", labels, nil, "train-images: byte 0: magic number 0x00000801; expected 0x00000803"},
		{"images as labels", nil, images, "train-labels: byte 0: magic number 0x00000803; expected 0x00000801"},
		{"empty", []byte{}, nil, "train-images: byte 0: the file ends; expected magic number: 4 more bytes"},
		{"cut in the header", images[:10], nil, "train-images: byte 10: the file ends; expected height"},
		{"cut in the pixels", images[:30], nil, "train-images: byte 30: the file ends; expected pixels of 4 images of 2x3: 10 more bytes"},
		{"cut in the compressed data", zipped[:len(zipped)-9], nil, "train-images: byte "},
		{"wrong checksum", badSum, nil, "train-images: byte 40: gzip: invalid checksum"},
		{"trailing bytes", append(bytes.Clone(images), 0), nil, "train-images: byte 40: more bytes; expected the end of the file"},
		{"no images", idxFile(0x803, []uint32{0, 2, 3}, nil), nil, "train-images: byte 4: number of images 0; expected 1 to"},
		{"no width", idxFile(0x803, []uint32{4, 2, 0}, nil), nil, "train-images: byte 12: width 0; expected 1 to"},
		{"absurd height", idxFile(0x803, []uint32{4, 1 << 31, 3}, nil), nil, "train-images: byte 8: height 2147483648; expected 1 to 4096"},
		{"absurd size", idxFile(0x803, []uint32{1 << 30, 4096, 4096}, nil), nil, "train-images: byte 4: 1073741824 images of 4096x4096 bytes; expected at most"},
		{"large size that is not there", idxFile(0x803, []uint32{1 << 20, 32, 32}, nil), nil, "train-images: byte 16: the file ends"},
		{"fewer labels", nil, idxLabels(0, 1, 2), "train-labels: byte 11: 3 labels; expected 4, one for each example of"},
		{"cut labels", nil, labels[:10], "train-labels: byte 10: the file ends; expected 4 labels: 2 more bytes"},
		{"no labels", nil, idxLabels(), "train-labels: byte 4: number of labels 0"},
		{"more labels after the end", nil, append(bytes.Clone(labels), 1), "train-labels: byte 12: more bytes"},
		{"a label far off", nil, idxLabels(0, 1, 2, 200), "train-labels: byte 11: label 200, though no example has label 3"},
		{"no example of a test label", nil, idxLabels(0, 1, 1, 1), "test-labels: byte 8: label 2; expected 0 to 1 (2 classes)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Load(t.Context(), idxSpec(t, tc.images, tc.labels, nil, nil))
			var format *FormatError
			if !errors.As(err, &format) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want a FormatError with %q", err, tc.want)
			}
		})
	}
}

func TestIDXTestImagesMustHaveTheTrainingImagesSize(t *testing.T) {
	other := idxFile(0x803, []uint32{2, 3, 2}, make([]byte, 12))
	_, err := Load(t.Context(), idxSpec(t, nil, nil, other, nil))
	if err == nil || !strings.Contains(err.Error(), "test-images: byte 8: images of 3x2; expected 2x3") {
		t.Errorf("error %v", err)
	}
}

func TestGivenNumberOfClassesAllowsGaps(t *testing.T) {
	s := idxSpec(t, nil, idxLabels(1, 2, 26, 1), nil, idxLabels(1, 2))
	s.Classes = 27
	d, err := Load(t.Context(), s)
	if err != nil || d.Classes != 27 {
		t.Errorf("dataset %v, error %v", d, err)
	}
	s.Classes = 26
	if _, err := Load(t.Context(), s); err == nil || !strings.Contains(err.Error(), "byte 10: label 26; expected 0 to 25 (26 classes)") {
		t.Errorf("error %v", err)
	}
}

func TestLoadingEndsWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Load(ctx, idxSpec(t, nil, nil, nil, nil)); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestMissingFileIsAnErrorOfTheSystem(t *testing.T) {
	s := idxSpec(t, nil, nil, nil, nil)
	s.TrainImages += "x"
	if _, err := Load(t.Context(), s); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), s.TrainImages) {
		t.Errorf("error %v", err)
	}
}

// The real thing, where Debian's package dataset-fashion-mnist is installed.
func TestFashionMNISTIsRead(t *testing.T) {
	dir := "/usr/share/datasets/fashion-mnist"
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no Fashion-MNIST: %v", err)
	}
	d, err := Load(t.Context(), Spec{
		Name:        NameIDX,
		TrainImages: filepath.Join(dir, "train-images-idx3-ubyte.gz"),
		TrainLabels: filepath.Join(dir, "train-labels-idx1-ubyte.gz"),
		TestImages:  filepath.Join(dir, "t10k-images-idx3-ubyte.gz"),
		TestLabels:  filepath.Join(dir, "t10k-labels-idx1-ubyte.gz"),
		Standardize: true,
		Subset:      1000,
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(d.Shape, []int{28, 28, 1}) || d.Classes != 10 || d.Test.N() != 10000 {
		t.Errorf("shape %v, classes %d, test %d", d.Shape, d.Classes, d.Test.N())
	}
	// The mean and deviation known for pixels in 0..1: 0.2860 and 0.3530.
	if m, s := d.Mean[0]/255, d.Std[0]/255; m < 0.28595 || m > 0.28605 || s < 0.35295 || s > 0.35305 {
		t.Errorf("mean %v, deviation %v", m, s)
	}
	if counts := d.Train.ClassCounts(10); slices.Min(counts) != 100 || slices.Max(counts) != 100 {
		t.Errorf("classes of the subset %v", counts)
	}
}

func FuzzIDX(f *testing.F) {
	f.Add(idxImages(3))
	f.Add(idxImages(3)[:20])
	f.Add(idxLabels(0, 1, 2))
	f.Add(idxLabels(0, 1, 2)[:9])
	f.Add(gzipped(f, idxImages(2)))
	f.Add(gzipped(f, idxLabels(1, 0))[:20])
	f.Fuzz(func(t *testing.T, file []byte) {
		unzipped := func() *cursor {
			r, err := maybeGunzip("f", bytes.NewReader(file))
			if err != nil {
				t.Skip()
			}
			return &cursor{file: "f", r: r}
		}
		if p, err := parseIDXImages(unzipped()); err == nil && len(p.raw.u8)%p.Size() != 0 {
			t.Errorf("%d values of shape %v", len(p.raw.u8), p.Shape)
		}
		if l, err := parseIDXLabels(unzipped()); err == nil && len(l.labels) == 0 {
			t.Error("no labels and no error")
		}
	})
}
