package dataset

import (
	"bytes"
	"context"
	"fmt"
	"image"
	_ "image/jpeg" // decoders that image.Decode chooses from
	_ "image/png"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/image/draw"
	"golang.org/x/sync/errgroup"
)

const (
	imageChannels = 3

	// A larger image is refused before memory is taken for it.
	imageMaxPixels = 1 << 26

	// Pixels that a byte of a file can give: deflate makes at most 1032 bytes of
	// one, with 8 pixels each.
	imageMaxRatio = 8 * 1032

	imageMaxBytes = 1 << 28

	// What all resized images may take together.
	imagesMaxBytes = 1 << 33
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
	shape := []int{s.Size, s.Size, imageChannels}
	size := s.Size * s.Size * imageChannels
	if len(files) > imagesMaxBytes/size {
		return nil, &FieldError{"size", fmt.Sprintf("%d; the %d images of %s would take more than 8 GiB", s.Size, len(files), s.Path)}
	}
	x := make([]uint8, len(files)*size)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, file := range files {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return readImage(x[i*size:][:size], file, s.Size)
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	all := Part{Shape: shape, Labels: labels, raw: values{u8: x}}
	train, test := splitRows(labels, len(classNames), s.testFraction())
	return &Dataset{
		Name:       s.Name,
		Shape:      shape,
		Classes:    len(classNames),
		ClassNames: classNames,
		Train:      all.Select(train),
		Test:       all.Select(test),
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

// readImage writes the pixels of a file, resized to size x size, to dst.
func readImage(dst []uint8, file string, size int) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if info.Size() > imageMaxBytes {
		return fmt.Errorf("%s: %d bytes; expected an image of at most %d", file, info.Size(), imageMaxBytes)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return decodeImage(dst, file, content, size)
}

// decodeImage writes red, green and blue of each pixel, row by row. Where an
// image is transparent, black shines through.
func decodeImage(dst []uint8, file string, content []byte, size int) error {
	config, _, err := image.DecodeConfig(bytes.NewReader(content))
	if err != nil {
		return &FormatError{File: file, Got: err.Error(), Want: "a JPEG or PNG image", Err: err}
	}
	if config.Width < 1 || config.Height < 1 || config.Width > imageMaxPixels/config.Height {
		return &FormatError{File: file, Got: fmt.Sprintf("an image of %dx%d pixels", config.Width, config.Height),
			Want: fmt.Sprintf("at least one and at most %d pixels", imageMaxPixels)}
	}
	if config.Width*config.Height > imageMaxRatio*len(content) {
		return &FormatError{File: file, Offset: int64(len(content)), Got: "the file ends",
			Want: fmt.Sprintf("enough bytes for %dx%d pixels", config.Width, config.Height)}
	}
	c := &cursor{file: file, r: bytes.NewReader(content)}
	src, _, err := image.Decode(c)
	if err != nil {
		return c.ended(err, "a whole JPEG or PNG image")
	}
	pixels := resize(src, size)
	for j := range size * size {
		copy(dst[j*imageChannels:][:imageChannels], pixels.Pix[4*j:])
	}
	return nil
}

// resize returns src at size x size; with that size already, its very pixels.
// Making an image smaller, CatmullRom averages over all that it leaves out.
func resize(src image.Image, size int) *image.RGBA {
	dst := image.NewRGBA(image.Rect(0, 0, size, size))
	if src.Bounds().Size() == dst.Bounds().Size() {
		draw.Draw(dst, dst.Bounds(), src, src.Bounds().Min, draw.Src)
		return dst
	}
	draw.CatmullRom.Scale(dst, dst.Bounds(), src, src.Bounds(), draw.Src, nil)
	return dst
}
