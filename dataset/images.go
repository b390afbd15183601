package dataset

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"shadowflow/internal/memory"
	"shadowflow/internal/plural"
	"shadowflow/internal/userfile"
)

const (
	// A larger image is refused before memory is taken for it.
	imageMaxPixels = 1 << 26

	// Pixels that a byte of a file can give: deflate makes at most 1032 bytes of
	// one, with 8 pixels each.
	imageMaxRatio = 8 * 1032

	imageMaxBytes = 1 << 28

	// What all resized images may take together.
	imagesMaxBytes = 1 << 33

	// What decoding and resizing may take of those that are read at the same time.
	imagesMaxWork = 1 << 30
)

// readImages reads a folder with a folder of images for each class. Classes are
// in the order of the folders' names, examples in that of the files' names
// within a class. Names that start with a dot, and files beside the class
// folders, are left out.
func readImages(ctx context.Context, s Spec) (*Dataset, error) {
	classNames, files, labels, err := listImages(s.Path)
	if err != nil {
		return nil, err
	}
	channels := 3
	if s.Colors == ColorsGrey {
		channels = 1
	}
	shape := []int{s.Size, s.Size, channels}
	size := s.Size * s.Size * channels
	if len(files) > imagesMaxBytes/size {
		return nil, &FieldError{"size", fmt.Sprintf("%d; the %s of %s would take more than 8 GiB", s.Size, plural.Count(len(files), "image"), s.Path)}
	}
	if err := room[uint8](len(files) * size); err != nil {
		return nil, fmt.Errorf("%s: %w", s.Path, err)
	}
	x, turned := make([]uint8, len(files)*size), make([]bool, len(files))
	work := newImageWork()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, file := range files {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			var err error
			turned[i], err = work.read(ctx, x[i*size:][:size], file, s.Size)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	all := Part{Shape: shape, Labels: labels, raw: values{u8: x}}
	train, test, err := all.split(len(classNames), s.testFraction())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Path, err)
	}
	return &Dataset{
		Name:       s.Name,
		Shape:      shape,
		Classes:    len(classNames),
		ClassNames: classNames,
		Train:      train,
		Test:       test,
		Notes:      turnedNotes(files, turned),
	}, nil
}

// listImages returns the names of the classes, and all files with their labels.
func listImages(root string) (classNames, files []string, labels []int32, err error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, nil, nil, err
	}
	for _, e := range entries {
		folder := filepath.Join(root, e.Name())
		info, err := os.Stat(folder)
		if err != nil {
			return nil, nil, nil, err
		}
		if !info.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		inClass, err := listClass(folder)
		if err != nil {
			return nil, nil, nil, err
		}
		files = append(files, inClass...)
		labels = append(labels, slices.Repeat([]int32{int32(len(classNames))}, len(inClass))...)
		classNames = append(classNames, e.Name())
	}
	if len(classNames) == 0 {
		return nil, nil, nil, fmt.Errorf("%s: no folders in it; expected one for each class", root)
	}
	return classNames, files, labels, nil
}

func listClass(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		file := filepath.Join(folder, e.Name())
		extension := strings.ToLower(filepath.Ext(file))
		if e.IsDir() || !slices.Contains([]string{".jpg", ".jpeg", ".png"}, extension) {
			return nil, fmt.Errorf("%s: expected only .jpg, .jpeg and .png files in a class's folder", file)
		}
		files = append(files, file)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: no images in it; expected .jpg, .jpeg or .png files", folder)
	}
	return files, nil
}

// imageWork is the memory that images which are read at the same time take
// together.
type imageWork struct {
	most int64
	sum  *semaphore.Weighted
}

func newImageWork() *imageWork {
	w := &imageWork{most: imagesMaxWork}
	if left := memory.Available(); left > 0 {
		w.most = min(w.most, left/2)
	}
	w.sum = semaphore.NewWeighted(w.most)
	return w
}

// read writes the pixels of a file, resized to size x size, to dst, and says
// whether the file asks for them to be turned.
func (w *imageWork) read(ctx context.Context, dst []uint8, file string, size int) (turned bool, err error) {
	f, length, err := userfile.Open(file)
	if err != nil {
		return false, err
	}
	defer f.Close()
	if length > imageMaxBytes {
		return false, fmt.Errorf("%s: %s; expected an image of at most %d", file, plural.Count(length, "byte"), imageMaxBytes)
	}
	config, err := imageConfig(file, f, length)
	if err != nil {
		return false, err
	}
	bytes := length + workOf(config, size)
	if bytes > w.most {
		return false, &FormatError{File: file, Got: fmt.Sprintf("an image of %dx%d pixels, which takes %s to resize to %dx%d",
			config.Width, config.Height, memory.Format(bytes), size, size), Want: "one that takes at most " + memory.Format(w.most)}
	}
	if err := w.sum.Acquire(ctx, bytes); err != nil {
		return false, err
	}
	defer w.sum.Release(bytes)
	content, err := io.ReadAll(io.NewSectionReader(f, 0, length))
	if err != nil {
		return false, err
	}
	return orientation(content) > 1, decodeImage(dst, file, content, size)
}

// workOf is the memory, at most, in which an image is decoded and resized: its
// pixels of up to 16 bits a channel, those in 8 bits with alpha and without, and,
// where it is resized, rows that are as wide as the result, and the weights of
// all pixels in both directions, in 22 bits and before.
func workOf(c image.Config, size int) int64 {
	const decoded, opaque, bare, weights = 8, 4, 3, 64
	w, h := int64(c.Width), int64(c.Height)
	bytes := (decoded + opaque + bare) * w * h
	if c.Width != size || c.Height != size {
		bytes += bare*int64(size)*h + weights*(w+h+2*int64(size))
	}
	return bytes
}

// imageFormat is how images of a kind are read.
type imageFormat struct {
	magic  string
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}

// formatOf goes by a file's first bytes, whatever its name is. It is not image.Decode, which knows what formats other packages have registered.
func formatOf(r io.ReaderAt) *imageFormat {
	for _, f := range []imageFormat{{"\x89PNG\r\n\x1a\n", png.DecodeConfig, png.Decode}, {"\xff\xd8", jpeg.DecodeConfig, jpeg.Decode}} {
		head := make([]byte, len(f.magic))
		if _, err := r.ReadAt(head, 0); err == nil && string(head) == f.magic {
			return &f
		}
	}
	return nil
}

// imageConfig returns the size of an image that a file of so many bytes may hold.
func imageConfig(file string, r io.ReaderAt, length int64) (image.Config, error) {
	format := formatOf(r)
	if format == nil {
		return image.Config{}, &FormatError{File: file, Got: "no image that is read" + userfile.Explain(r), Want: "a JPEG or PNG image"}
	}
	config, err := format.config(io.NewSectionReader(r, 0, length))
	if err != nil {
		return config, &FormatError{File: file, Got: err.Error(), Want: "a JPEG or PNG image", Err: err}
	}
	if config.Width < 1 || config.Height < 1 || config.Width > imageMaxPixels/config.Height {
		return config, &FormatError{File: file, Got: fmt.Sprintf("an image of %dx%d pixels", config.Width, config.Height),
			Want: fmt.Sprintf("at least one and at most %d pixels", imageMaxPixels)}
	}
	if int64(config.Width)*int64(config.Height) > imageMaxRatio*length {
		return config, &FormatError{File: file, Offset: length, Got: "the file ends",
			Want: fmt.Sprintf("enough bytes for %dx%d pixels", config.Width, config.Height)}
	}
	return config, nil
}

// decodeImage writes red, green and blue of each pixel, row by row, or its grey
// if dst has room for one channel.
func decodeImage(dst []uint8, file string, content []byte, size int) error {
	if _, err := imageConfig(file, bytes.NewReader(content), int64(len(content))); err != nil {
		return err
	}
	c := &cursor{file: file, r: bytes.NewReader(content)}
	src, err := formatOf(bytes.NewReader(content)).decode(c)
	if err != nil {
		return c.ended(err, "a whole JPEG or PNG image")
	}
	copy(dst, channelsOf(opaque(src), len(dst)/(size*size)).resized(size, size).of)
	return nil
}

// channelsOf returns an image's red, green and blue, or its grey for one channel.
func channelsOf(src *image.RGBA, channels int) pixels {
	p := pixels{src.Rect.Dx(), src.Rect.Dy(), channels, make([]uint8, src.Rect.Dx()*src.Rect.Dy()*channels)}
	for j := range p.width * p.height {
		if pixel := src.Pix[4*j:]; channels == 1 {
			p.of[j] = grey(pixel)
		} else {
			copy(p.of[3*j:][:3], pixel)
		}
	}
	return p
}

// opaque returns an image's colours without its alpha, as PIL's convert("RGB"):
// a transparent pixel has the colour that the file has for it, and nothing
// shines through. Of 16 bits the upper 8 are taken, also of grey, where PIL
// clips at 255.
func opaque(src image.Image) *image.RGBA {
	dst := image.NewRGBA(image.Rectangle{Max: src.Bounds().Size()})
	switch src := src.(type) {
	case *image.NRGBA:
		copy(dst.Pix, src.Pix)
	case *image.NRGBA64:
		for i := range dst.Pix {
			dst.Pix[i] = src.Pix[2*i]
		}
	case *image.Paletted:
		whole := *src
		whole.Palette = nil
		for _, c := range src.Palette {
			bare := color.NRGBAModel.Convert(c).(color.NRGBA)
			bare.A = 0xff
			whole.Palette = append(whole.Palette, bare)
		}
		draw.Draw(dst, dst.Bounds(), &whole, src.Bounds().Min, draw.Src)
	default:
		draw.Draw(dst, dst.Bounds(), src, src.Bounds().Min, draw.Src)
	}
	for i := 3; i < len(dst.Pix); i += 4 {
		dst.Pix[i] = 0xff
	}
	return dst
}

// grey is ITU-R 601-2 luma as PIL's convert("L") rounds it.
func grey(rgb []uint8) uint8 {
	return uint8((19595*uint32(rgb[0]) + 38470*uint32(rgb[1]) + 7471*uint32(rgb[2]) + 1<<15) >> 16)
}
