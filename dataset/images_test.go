package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func pngOf(t testing.TB, img image.Image) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func jpegOf(t testing.TB, img image.Image) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := jpeg.Encode(&buf, img, &jpeg.Options{Quality: 100}); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// plain is an image of one colour.
func plain(width, height int, c color.Color) image.Image {
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			img.Set(x, y, c)
		}
	}
	return img
}

// imageFolder has ten images of each of two classes; their red says which.
func imageFolder(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for i := range 10 {
		red := color.NRGBA{R: byte(10 + i), G: 20, B: 30, A: 255}
		writeFile(t, filepath.Join(root, "forest", fmt.Sprintf("f_%02d.png", i)), pngOf(t, plain(4, 4, red)))
		red.R += 200
		writeFile(t, filepath.Join(root, "river", fmt.Sprintf("r_%02d.PNG", i)), pngOf(t, plain(7, 5, red)))
	}
	writeFile(t, filepath.Join(root, "forest", ".DS_Store"), []byte("x"))
	writeFile(t, filepath.Join(root, "README"), []byte("x"))
	return root
}

func TestFolderOfImagesIsReadResizedAndSplit(t *testing.T) {
	spec := Spec{Name: NameImages, Path: imageFolder(t), Size: 4}
	d, err := Load(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(d.ClassNames, []string{"forest", "river"}) || d.Classes != 2 || !slices.Equal(d.Shape, []int{4, 4, 3}) {
		t.Errorf("classes %d %v, shape %v", d.Classes, d.ClassNames, d.Shape)
	}
	if train, test := d.Train.ClassCounts(2), d.Test.ClassCounts(2); !slices.Equal(train, []int{8, 8}) || !slices.Equal(test, []int{2, 2}) {
		t.Errorf("classes in train %v, in test %v", train, test)
	}
	var reds []float64
	for _, p := range []Part{d.Train, d.Test} {
		x := Inputs[float64](p)
		for i, label := range p.Labels {
			image := x[i*48:][:48]
			for j := 0; j < 48; j += 3 {
				if !slices.Equal(image[j:j+3], []float64{image[0], 20, 30}) {
					t.Fatalf("image %d: pixel %d is %v in an image of one colour", i, j/3, image[j:j+3])
				}
			}
			if label != int32(image[0])/200 {
				t.Errorf("image of red %v has label %d", image[0], label)
			}
			reds = append(reds, image[0])
		}
	}
	slices.Sort(reds)
	if len(slices.Compact(reds)) != 20 {
		t.Errorf("reds %v, want each image once", reds)
	}
	again, err := Load(t.Context(), spec)
	if err != nil || !slices.Equal(Inputs[float32](again.Test), Inputs[float32](d.Test)) {
		t.Errorf("a second load has another test part (error %v)", err)
	}
}

func TestTestFractionOfZeroKeepsAllImagesForTraining(t *testing.T) {
	fraction := 0.
	d, err := Load(t.Context(), Spec{Name: NameImages, Path: imageFolder(t), Size: 2, TestFraction: &fraction})
	if err != nil || d.Train.N() != 20 || d.Test.N() != 0 {
		t.Errorf("dataset %v, error %v", d, err)
	}
}

func TestImageOfTheRightSizeKeepsItsVeryPixels(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 3, 3))
	for i := range img.Pix {
		img.Pix[i] = byte(37 * i)
		if i%4 == 3 {
			img.Pix[i] = 255
		}
	}
	dst := make([]uint8, 27)
	if err := decodeImage(dst, "f", pngOf(t, img), 3); err != nil {
		t.Fatal(err)
	}
	for i := range 9 {
		if !slices.Equal(dst[3*i:3*i+3], img.Pix[4*i:4*i+3]) {
			t.Errorf("pixel %d: %v, want %v", i, dst[3*i:3*i+3], img.Pix[4*i:4*i+3])
		}
	}
}

func TestGreyImagesBecomeColours(t *testing.T) {
	dst := make([]uint8, 3)
	grey := image.NewGray(image.Rect(0, 0, 8, 8))
	for i := range grey.Pix {
		grey.Pix[i] = 77
	}
	if err := decodeImage(dst, "f", jpegOf(t, grey), 1); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(dst, []uint8{77, 77, 77}) {
		t.Errorf("grey: %v", dst)
	}
}

// Shrinking must average, not pick: stripes of black and white become grey.
func TestShrinkingAveragesOverWhatItLeavesOut(t *testing.T) {
	stripes := image.NewGray(image.Rect(0, 0, 64, 64))
	for i := range stripes.Pix {
		stripes.Pix[i] = byte(i%2) * 255
	}
	dst := make([]uint8, 4*4*3)
	if err := decodeImage(dst, "f", pngOf(t, stripes), 4); err != nil {
		t.Fatal(err)
	}
	if slices.Min(dst) < 120 || slices.Max(dst) > 135 {
		t.Errorf("values from %d to %d, want about 127", slices.Min(dst), slices.Max(dst))
	}
}

// pngHeader is that of an image of side x side pixels, and nothing more.
func pngHeader(side uint32) []byte {
	header := binary.BigEndian.AppendUint32([]byte("IHDR"), side)
	header = binary.BigEndian.AppendUint32(header, side)
	header = append(header, 8, 2, 0, 0, 0)
	file := slices.Concat([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), header)
	return binary.BigEndian.AppendUint32(file, crc32.ChecksumIEEE(header))
}

func TestWrongImageFilesAreRefusedWithTheirName(t *testing.T) {
	whole := pngOf(t, plain(20, 20, color.White))
	wholeJPEG := jpegOf(t, plain(64, 64, color.White))
	for _, tc := range []struct {
		name, file string
		content    []byte
		want       string
	}{
		{"cut PNG", "a.png", whole[:len(whole)-20], "a.png: byte "},
		{"cut JPEG", "a.jpg", wholeJPEG[:len(wholeJPEG)-20], "a.jpg: byte "},
		{"text", "a.png", []byte("text"), "a.png: byte 0: no image that is read; expected a JPEG or PNG image"},
		{"empty", "a.jpeg", nil, "a.jpeg: byte 0: no image that is read"},
		{"absurd size", "a.png", pngHeader(60000), "a.png: byte 0: an image of 60000x60000 pixels; expected"},
		{"size that is not there", "a.png", pngHeader(8000), "a.png: byte 33: the file ends; expected enough bytes for 8000x8000 pixels"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root := imageFolder(t)
			writeFile(t, filepath.Join(root, "river", tc.file), tc.content)
			_, err := Load(t.Context(), Spec{Name: NameImages, Path: root, Size: 4})
			var format *FormatError
			if !errors.As(err, &format) || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), filepath.Join(root, "river", tc.file)) {
				t.Errorf("error %v, want a FormatError with %q", err, tc.want)
			}
		})
	}
}

func TestFoldersThatAreNotClassesAreRefused(t *testing.T) {
	root := t.TempDir()
	load := func() error {
		_, err := Load(t.Context(), Spec{Name: NameImages, Path: root, Size: 4})
		return err
	}
	if err := load(); err == nil || !strings.Contains(err.Error(), "expected one for each class") {
		t.Errorf("no folders: error %v", err)
	}
	writeFile(t, filepath.Join(root, "a", ".hidden"), nil)
	if err := load(); err == nil || !strings.Contains(err.Error(), "no images in it") {
		t.Errorf("no images: error %v", err)
	}
	writeFile(t, filepath.Join(root, "a", "x.gif"), nil)
	if err := load(); err == nil || !strings.Contains(err.Error(), "x.gif: expected only .jpg, .jpeg and .png") {
		t.Errorf("another format: error %v", err)
	}
}

func FuzzImage(f *testing.F) {
	small := plain(9, 6, color.NRGBA{R: 1, G: 2, B: 3, A: 200})
	f.Add(pngOf(f, small))
	f.Add(pngOf(f, small)[:40])
	f.Add(jpegOf(f, small))
	f.Add(jpegOf(f, small)[:300])
	f.Add(pngHeader(8000))
	f.Fuzz(func(t *testing.T, file []byte) {
		dst := make([]uint8, 4*4*3)
		var format *FormatError
		if err := decodeImage(dst, "f", file, 4); err != nil && !errors.As(err, &format) {
			t.Errorf("error %v, want a FormatError", err)
		}
	})
}
