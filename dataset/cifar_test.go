package dataset

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// cifarRecord is an image whose planes are all v, v+1 and v+2 but for its first
// row, which counts columns.
func cifarRecord(v byte, labels ...byte) []byte {
	record := bytes.Clone(labels)
	for c := range byte(3) {
		for i := range 1024 {
			if i < 32 {
				record = append(record, byte(i))
			} else {
				record = append(record, v+c)
			}
		}
	}
	return record
}

// cifar10Files are five training files of two images each and a test file of one.
func cifar10Files() map[string][]byte {
	files := map[string][]byte{
		"test_batch.bin":   cifarRecord(200, 9),
		"batches.meta.txt": []byte("airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n"),
		"readme.html":      []byte("not of interest"),
	}
	for k := range byte(5) {
		files[fmt.Sprintf("data_batch_%d.bin", k+1)] = append(cifarRecord(10*k, 2*k), cifarRecord(10*k+5, 2*k+1)...)
	}
	return files
}

func cifar100Files() map[string][]byte {
	var fine, coarse strings.Builder
	for i := range 100 {
		fmt.Fprintf(&fine, "fine_%d\n", i)
		if i < 20 {
			fmt.Fprintf(&coarse, "coarse_%d\n", i)
		}
	}
	return map[string][]byte{
		"train.bin":              append(cifarRecord(1, 19, 99), cifarRecord(2, 3, 42)...),
		"test.bin":               cifarRecord(3, 0, 7),
		"fine_label_names.txt":   []byte(fine.String()),
		"coarse_label_names.txt": []byte(coarse.String()),
	}
}

func tarOf(t testing.TB, folder string, files map[string][]byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		content := files[name]
		if err := w.WriteHeader(&tar.Header{Name: folder + "/" + name, Size: int64(len(content)), Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func unpack(t *testing.T, folder string, files map[string][]byte) {
	t.Helper()
	for name, content := range files {
		writeFile(t, filepath.Join(folder, name), content)
	}
}

func TestCIFAR10IsReadPackedAndUnpacked(t *testing.T) {
	dir := t.TempDir()
	archive := filepath.Join(dir, "archive", "cifar-10-binary.tar.gz")
	writeFile(t, archive, gzipped(t, tarOf(t, "cifar-10-batches-bin", cifar10Files())))
	plain := filepath.Join(dir, "plain.tar")
	writeFile(t, plain, tarOf(t, ".", cifar10Files()))
	unpack(t, filepath.Join(dir, "unpacked", "cifar-10-batches-bin"), cifar10Files())
	for _, path := range []string{archive, filepath.Dir(archive), plain, filepath.Join(dir, "unpacked"),
		filepath.Join(dir, "unpacked", "cifar-10-batches-bin")} {
		d, err := Load(t.Context(), Spec{Name: NameCIFAR10, Path: path})
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if !slices.Equal(d.Train.Labels, []int32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}) || !slices.Equal(d.Test.Labels, []int32{9}) {
			t.Errorf("%s: labels %v, %v", path, d.Train.Labels, d.Test.Labels)
		}
		if d.Classes != 10 || d.ClassNames[9] != "truck" || !slices.Equal(d.Shape, []int{32, 32, 3}) {
			t.Errorf("%s: classes %d %v, shape %v", path, d.Classes, d.ClassNames, d.Shape)
		}
		x := Inputs[float32](d.Train)[9*3072:]
		if first, row := x[3*31:3*32], x[3*32:3*33]; !slices.Equal(first, []float32{31, 31, 31}) || !slices.Equal(row, []float32{45, 46, 47}) {
			t.Errorf("%s: pixel (0, 31) %v, pixel (1, 0) %v of the last image", path, first, row)
		}
		flat := channelsFirst[float32](d.Test)
		if !slices.Equal([]float32{flat[32], flat[1024+32], flat[2048+32]}, []float32{200, 201, 202}) {
			t.Errorf("%s: channels first, the planes begin with %v", path, flat[:3])
		}
	}
}

func TestCIFAR100HasFineAndCoarseLabels(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.tar.gz")
	writeFile(t, path, gzipped(t, tarOf(t, "cifar-100-binary", cifar100Files())))
	for _, tc := range []struct {
		coarse  bool
		classes int
		labels  []int32
		name    string
	}{
		{false, 100, []int32{99, 42}, "fine_99"},
		{true, 20, []int32{19, 3}, "coarse_19"},
	} {
		d, err := Load(t.Context(), Spec{Name: NameCIFAR100, Path: path, CoarseLabels: tc.coarse})
		if err != nil {
			t.Fatal(err)
		}
		if d.Classes != tc.classes || !slices.Equal(d.Train.Labels, tc.labels) || d.ClassNames[d.Train.Labels[0]] != tc.name {
			t.Errorf("coarse %v: %d classes, labels %v, first %s", tc.coarse, d.Classes, d.Train.Labels, d.ClassNames[d.Train.Labels[0]])
		}
		if pixel := Inputs[float64](d.Train)[32*3:][:3]; !slices.Equal(pixel, []float64{1, 2, 3}) {
			t.Errorf("coarse %v: pixel (1, 0) %v", tc.coarse, pixel)
		}
	}
}

func TestWrongCIFARFilesAreRefusedWithNameOffsetAndExpectation(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(files map[string][]byte)
		want   string
	}{
		{"cut within an image", func(f map[string][]byte) { f["data_batch_2.bin"] = f["data_batch_2.bin"][:5000] },
			"data_batch_2.bin): byte 5000: the file ends; expected whole records of 3073 bytes, image 1 is cut"},
		{"cut between images", func(f map[string][]byte) { f["data_batch_4.bin"] = f["data_batch_4.bin"][:3073] },
			"data_batch_4.bin): byte 3073: the end of the file after 1 image; expected 2 as in data_batch_1.bin"},
		{"empty", func(f map[string][]byte) { f["test_batch.bin"] = nil },
			"test_batch.bin): byte 0: the file ends; expected whole records"},
		{"wrong label", func(f map[string][]byte) { f["data_batch_3.bin"][3073] = 10 },
			"data_batch_3.bin): byte 3073: label 10 of image 1; expected 0 to 9"},
		{"CIFAR-100's records", func(f map[string][]byte) { f["test_batch.bin"] = cifarRecord(0, 1, 1) },
			"test_batch.bin): byte 3074: the file ends"},
		{"missing file", func(f map[string][]byte) { delete(f, "data_batch_5.bin") },
			"the end of the archive without data_batch_5.bin; expected the files data_batch_1.bin, "},
		{"missing name", func(f map[string][]byte) { f["batches.meta.txt"] = []byte("cat\ndog\n") },
			"batches.meta.txt): byte 0: 2 names of classes; expected 10"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			files := cifar10Files()
			tc.change(files)
			path := filepath.Join(t.TempDir(), "c.tar.gz")
			writeFile(t, path, gzipped(t, tarOf(t, "cifar-10-batches-bin", files)))
			_, err := Load(t.Context(), Spec{Name: NameCIFAR10, Path: path})
			var format *FormatError
			if !errors.As(err, &format) || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v, want a FormatError with %q", err, tc.want)
			}
		})
	}
}

func TestWrongCIFARArchivesAreRefused(t *testing.T) {
	whole := tarOf(t, "c", cifar10Files())
	zipped := gzipped(t, whole)
	twice := slices.Concat(whole[:len(whole)-1024], tarOf(t, "d", map[string][]byte{"test_batch.bin": cifarRecord(0, 1)}))
	for _, tc := range []struct {
		name    string
		content []byte
		want    string
	}{
		{"cut gzip", zipped[:len(zipped)/2], "the file ends"},
		{"cut after the last file", zipped[:len(zipped)-4], "the file ends"},
		{"cut tar", whole[:10000], "the file ends"},
		{"no archive", bytes.Repeat([]byte("text "), 300), "invalid tar header"},
		{"more after the end", append(bytes.Clone(whole), "more"...), fmt.Sprintf("byte %d: more bytes; expected zeros", len(whole))},
		{"a file twice", twice, "a second test_batch.bin"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "c.tar.gz")
			writeFile(t, path, tc.content)
			_, err := Load(t.Context(), Spec{Name: NameCIFAR10, Path: path})
			var format *FormatError
			if !errors.As(err, &format) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want a FormatError with %q", err, tc.want)
			}
		})
	}
}

func TestUnpackedCIFARMustBeComplete(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(t.Context(), Spec{Name: NameCIFAR10, Path: dir}); err == nil ||
		!strings.Contains(err.Error(), "found neither data_batch_1.bin nor cifar-10-batches-bin nor cifar-10-binary.tar.gz") {
		t.Errorf("empty folder: error %v", err)
	}
	files := cifar10Files()
	delete(files, "data_batch_3.bin")
	unpack(t, dir, files)
	if _, err := Load(t.Context(), Spec{Name: NameCIFAR10, Path: dir}); err == nil || !strings.Contains(err.Error(), "data_batch_3.bin") {
		t.Errorf("missing file: error %v", err)
	}
}

func TestClassesWithoutNamesAreNumbered(t *testing.T) {
	dir := t.TempDir()
	files := cifar10Files()
	delete(files, "batches.meta.txt")
	unpack(t, dir, files)
	d, err := Load(t.Context(), Spec{Name: NameCIFAR10, Path: dir})
	if err != nil || d.ClassNames[9] != "9" {
		t.Errorf("names %v, error %v", d.ClassNames, err)
	}
}

func FuzzCIFARRecords(f *testing.F) {
	f.Add(cifarRecord(7, 3))
	f.Add(cifarRecord(7, 3)[:100])
	f.Add(append(cifarRecord(7, 19, 99), cifarRecord(7, 1, 2)...))
	f.Fuzz(func(t *testing.T, file []byte) {
		for _, name := range []string{NameCIFAR10, NameCIFAR100} {
			l := cifarLayoutOf(Spec{Name: name})
			b, err := l.parse(&cursor{file: "f", r: bytes.NewReader(file)})
			if err == nil && (len(b.labels)*l.record() != len(file) || len(b.pixels) != len(b.labels)*3072) {
				t.Errorf("%d labels and %d pixels of %d bytes", len(b.labels), len(b.pixels), len(file))
			}
		}
	})
}

func FuzzCIFARArchive(f *testing.F) {
	small := map[string][]byte{"train.bin": cifarRecord(7, 3, 4), "test.bin": cifarRecord(7, 3, 4)}
	f.Add(tarOf(f, "c", small))
	f.Add(tarOf(f, "c", small)[:3000])
	f.Add(gzipped(f, tarOf(f, "c", small)))
	f.Add(gzipped(f, tarOf(f, "c", small))[:60])
	l := cifarLayoutOf(Spec{Name: NameCIFAR100})
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := maybeGunzip("f", bytes.NewReader(file))
		if err != nil {
			t.Skip()
		}
		out, err := l.readArchive(&cursor{file: "f", r: r})
		if err == nil && (len(out.batches["train.bin"].labels) == 0 || len(out.batches["test.bin"].labels) == 0) {
			t.Error("an empty part and no error")
		}
	})
}
