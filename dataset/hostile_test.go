package dataset

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// allocated returns the bytes that f takes in all, which its peak is not above.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// bomb is gzip of a head and of the same bytes many times, which costs no more than once.
func bomb(t *testing.T, head, again []byte, times int) []byte {
	t.Helper()
	member := func(content []byte) []byte {
		var buf bytes.Buffer
		w, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return buf.Bytes()
	}
	return append(member(head), bytes.Repeat(member(again), times)...)
}

// randomly returns bytes that do not compress, none of them a quote.
func randomly(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	out := make([]byte, n)
	for i := range out {
		out[i] = 'a' + byte(r.IntN(26))
	}
	return out
}

// bare is a PNG file of that size, with so many bytes in the place of its pixels.
func bare(width, height, bytes int, depth, colours byte) []byte {
	chunk := func(kind string, data []byte) []byte {
		out := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
		out = append(append(out, kind...), data...)
		return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[4:]))
	}
	size := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(width)), uint32(height))
	return slices.Concat([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", append(size, depth, colours, 0, 0, 0)), chunk("IDAT", make([]byte, bytes)), chunk("IEND", nil))
}

// npzWith is an archive of one array, whose directory says what the caller wants of it.
func npzWith(t *testing.T, header string, zeros int64, say func(h *zip.FileHeader)) []byte {
	t.Helper()
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	crc, block := crc32.NewIEEE(), make([]byte, 1<<20)
	put := func(b []byte) {
		crc.Write(b)
		if _, err := w.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	head := npyOf("<f4", header, nil)
	put(head)
	for left := zeros; left > 0; left -= int64(len(block)) {
		put(block[:min(left, int64(len(block)))])
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	h := &zip.FileHeader{Name: "X.npy", Method: zip.Deflate, CRC32: crc.Sum32(), CompressedSize64: uint64(packed.Len()), UncompressedSize64: uint64(len(head)) + uint64(zeros)}
	if say != nil {
		say(h)
	}
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	raw, err := archive.CreateRaw(h)
	if err == nil {
		_, err = raw.Write(packed.Bytes())
	}
	if err := errors.Join(err, archive.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func tarHead(t *testing.T, name string, size int64) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: size, Format: tar.FormatGNU}); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// A file may be anything: what it says of itself, and what it becomes, is bounded before it is believed.
func TestHostileFilesAreRefusedInLittleMemory(t *testing.T) {
	zeros := make([]byte, 1<<20)
	var animation bytes.Buffer
	if err := gif.Encode(&animation, image.NewPaletted(image.Rect(0, 0, 2, 2), color.Palette{color.Black}), nil); err != nil {
		t.Fatal(err)
	}
	idxHead := func(dims ...uint32) []byte {
		out := []byte{0, 0, 8, byte(len(dims))}
		for _, d := range dims {
			out = binary.BigEndian.AppendUint32(out, d)
		}
		return out
	}
	const mib = 1 << 20
	for name, c := range map[string]struct {
		format  string
		content []byte
		want    string
		most    int64 // bytes that it may take
	}{
		"an image of 1 x 67,000,000":              {NameImages, bare(1, 67_000_000, 10_000, 8, 2), "a.png: byte 0: an image of 1x67000000 pixels, which takes", mib},
		"an image of 67,000,000 x 1":              {NameImages, bare(67_000_000, 1, 10_000, 8, 2), "an image of 67000000x1 pixels, which takes", mib},
		"an image of 1 x 67,000,000, of a bit":    {NameImages, bare(1, 67_000_000, 10_000, 1, 0), "which takes", mib},
		"an image of 2^31 x 2^31":                 {NameImages, bare(1<<31-1, 1<<31-1, 10, 8, 2), "png", mib},
		"an image of 60,000 x 60,000":             {NameImages, bare(60_000, 60_000, 1_000_000, 16, 6), "at most 67108864 pixels", 4 * mib},
		"a large image in few bytes":              {NameImages, bare(8_000, 8_000, 100, 8, 2), "a.png: byte 157: the file ends; expected enough bytes for 8000x8000 pixels", mib},
		"an image without its palette":            {NameImages, bare(8, 8, 100, 8, 3), "png: invalid format", mib},
		"an image of no known depth":              {NameImages, bare(8, 8, 100, 7, 2), "png: unsupported feature", mib},
		"a whole GIF named .png":                  {NameImages, animation.Bytes(), "this is a GIF image; expected a JPEG or PNG image", mib},
		"TIFF named .png":                         {NameImages, []byte("II*\x00\x08\x00\x00\x00"), "this is a TIFF image", mib},
		"WebP named .png":                         {NameImages, []byte("RIFF\x10\x00\x00\x00WEBPVP8 "), "this is a WebP image", mib},
		"a text bomb":                             {NameText, bomb(t, nil, zeros, 300), "of it become 31.3 MiB; expected data, which compresses less", 128 * mib},
		"a table bomb":                            {NameCSV, bomb(t, []byte("a,b\n"), bytes.Repeat([]byte("0,0\n"), 1<<18), 200), "expected data, which compresses less", 400 * mib},
		"a table of one row":                      {NameCSV, bomb(t, []byte("a,b\n1,\""), randomly(1<<20), 20), "byte 4: a row of more bytes; expected at most 16777216", 200 * mib},
		"an IDX bomb":                             {NameIDX, bomb(t, idxHead(1<<19, 64, 64), zeros, 300), "expected data, which compresses less", 128 * mib},
		"IDX of 2 GiB that are not there":         {NameIDX, idxHead(1<<19, 64, 64), "the file ends", 4 * mib},
		"IDX of 2^32 images":                      {NameIDX, idxHead(1<<32-1, 1<<12, 1<<12), "number of images 4294967295", mib},
		"CIFAR within a tar bomb":                 {NameCIFAR10, bomb(t, tarHead(t, "junk", 3<<30), zeros, 300), "expected data, which compresses less", 8 * mib},
		"a tar archive of 2^40 bytes":             {NameCIFAR10, tarHead(t, "junk", 1<<40), `"junk" of 1099511627776 bytes; expected an archive of at most 4294967296`, mib},
		"an NPZ bomb":                             {NameNPZ, npzWith(t, "(1048576, 20)", 80*mib, nil), "become 80 MiB; expected data", 4 * mib},
		"NPZ of 16 GiB that are not there":        {NameNPZ, npzWith(t, "(67108864, 64)", mib, nil), "the file ends; expected 4294967296 elements", 4 * mib},
		"NPZ whose directory has 16 GiB":          {NameNPZ, npzWith(t, "(67108864, 64)", mib, func(h *zip.FileHeader) { h.UncompressedSize64 = 1<<34 + 128 }), "become 16 GiB", 4 * mib},
		"NPZ whose directory has 16 GiB, of many": {NameNPZ, npzWith(t, "(67108864, 64)", mib, func(h *zip.FileHeader) { h.UncompressedSize64, h.CompressedSize64 = 1<<34+128, 1<<33 }), "become 16 GiB", 4 * mib},
		"NPZ with labels for 65536 classes": {NameNPZ, zipOf(t, map[string][]byte{"X.npy": npyOf("|u1", "(3, 1)", []byte{1, 2, 3}), "y.npy": npyOf("<u2", "(3,)", []byte{0, 0, 1, 0, 255, 255})}),
			"label 65535, though no example has any of 65533 labels below it; expected labels 0, 1, 2, ..., or data.classes", 4 * mib},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			spec := Spec{Name: c.format, Path: filepath.Join(root, "file"), Size: 32, Target: []string{"b"}}
			switch c.format {
			case NameImages:
				spec.Path = root
				writeFile(t, filepath.Join(root, "a", "a.png"), c.content)
			default:
				writeFile(t, spec.Path, c.content)
			}
			if spec.Target = nil; c.format == NameCSV {
				spec.Target = []string{"b"}
			}
			if c.format == NameIDX {
				spec = Spec{Name: NameIDX, TrainImages: spec.Path, TrainLabels: spec.Path}
			}
			var err error
			took := allocated(func() { _, err = Load(t.Context(), spec) })
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if err != nil && len(err.Error()) > 1000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			if took > c.most {
				t.Errorf("it took %d bytes, want at most %d", took, c.most)
			}
		})
	}
}

// What compresses well is data as long as it is not large.
func TestWhatCompressesWellIsReadWhileItIsSmall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.gz")
	writeFile(t, path, bomb(t, nil, make([]byte, 1<<20), 8))
	d, err := Load(t.Context(), Spec{Name: NameText, Path: path})
	if err != nil || d.Train.N() < 100_000 {
		t.Errorf("%v, error %v", d, err)
	}
}

// Images wait for each other, so that what they take together is bounded.
func TestAnImageWaitsForItsShareOfTheMemory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.png")
	writeFile(t, file, pngOf(t, image.NewGray(image.Rect(0, 0, 8, 8))))
	w, pixels := newImageWork(), make([]uint8, 8*8)
	if !w.sum.TryAcquire(w.most) {
		t.Fatal("there is less room than it says")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := w.read(ctx, pixels, file, 8); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while others have it all: %v, want the context's end", err)
	}
	w.sum.Release(w.most)
	if _, err := w.read(t.Context(), pixels, file, 8); err != nil {
		t.Errorf("when they have ended: %v", err)
	}
	if !w.sum.TryAcquire(w.most) {
		t.Error("it has not given its share back")
	}
}

func TestColumnsOfManyDifferentCellsAreNoClasses(t *testing.T) {
	var table bytes.Buffer
	table.WriteString("a,b\n")
	for i := range maxSpellings + 10 {
		fmt.Fprintf(&table, "%d,%d.5\n", i, i)
	}
	path := filepath.Join(t.TempDir(), "t.csv")
	writeFile(t, path, table.Bytes())
	spec := Spec{Name: NameCSV, Path: path, Target: []string{"b"}}
	d, err := Load(t.Context(), spec)
	if err != nil || d.Classes != 0 || d.Train.N()+d.Test.N() != maxSpellings+10 {
		t.Fatalf("%v, error %v: want numbers to predict", d, err)
	}
	spec.Task = TaskClassification
	if _, err := Load(t.Context(), spec); err == nil || !strings.Contains(err.Error(), "at most 65536 classes") {
		t.Errorf("error %v", err)
	}
}
