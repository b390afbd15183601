package dataset

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"shadowflow/internal/plural"
)

// The binary versions of CIFAR-10 and CIFAR-100 (A. Krizhevsky, 2009,
// https://www.cs.toronto.edu/~kriz/cifar.html): records of the labels, a byte
// each, then 3072 bytes, the red, green and blue plane of a 32x32 image.
const (
	cifarSide     = 32
	cifarChannels = 3
	cifarPixels   = cifarSide * cifarSide * cifarChannels

	// cifarMaxRecords is four times what a file of the official archives has.
	cifarMaxRecords = 200_000
	cifarMaxNames   = 1 << 16
	cifarMaxArchive = 1 << 32
)

const cifarAttribution = "A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009, " +
	"https://www.cs.toronto.edu/~kriz/cifar.html"

// cifarLayout is what tells one version from another.
type cifarLayout struct {
	train   []string // files of equally many records
	test    string
	labels  []int // the number of classes of each label byte of a record
	use     int   // the label byte to use
	names   string
	folder  string // what the archive unpacks to
	archive string
}

func cifarLayoutOf(s Spec) cifarLayout {
	if s.Name == NameCIFAR10 {
		return cifarLayout{
			train: []string{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
				"data_batch_4.bin", "data_batch_5.bin"},
			test:    "test_batch.bin",
			labels:  []int{10},
			names:   "batches.meta.txt",
			folder:  "cifar-10-batches-bin",
			archive: "cifar-10-binary.tar.gz",
		}
	}
	l := cifarLayout{
		train:   []string{"train.bin"},
		test:    "test.bin",
		labels:  []int{20, 100},
		use:     1,
		names:   "fine_label_names.txt",
		folder:  "cifar-100-binary",
		archive: "cifar-100-binary.tar.gz",
	}
	if s.CoarseLabels {
		l.use, l.names = 0, "coarse_label_names.txt"
	}
	return l
}

func (l cifarLayout) classes() int { return l.labels[l.use] }

// files are the names of all data files.
func (l cifarLayout) files() []string { return append(slices.Clone(l.train), l.test) }

// cifarFiles is what was read of a data set.
type cifarFiles struct {
	batches map[string]cifarBatch
	names   []string
}

// cifarBatch is the content of one file, channels last.
type cifarBatch struct {
	file   string // for errors
	pixels []uint8
	labels []int32
}

// readCIFAR reads CIFAR-10 or CIFAR-100, packed or unpacked.
func readCIFAR(ctx context.Context, s Spec) (*Dataset, error) {
	l := cifarLayoutOf(s)
	files, err := l.readPath(ctx, s.Path)
	if err != nil {
		return nil, err
	}
	train, err := l.join(files)
	if err != nil {
		return nil, err
	}
	names := files.names
	if names == nil {
		names = numberNames(l.classes())
	}
	shape := []int{cifarSide, cifarSide, cifarChannels}
	test := files.batches[l.test]
	return &Dataset{
		Name:        s.Name,
		Shape:       shape,
		Classes:     l.classes(),
		ClassNames:  names,
		Train:       Part{Shape: shape, Labels: train.labels, raw: values{u8: train.pixels}},
		Test:        Part{Shape: shape, Labels: test.labels, raw: values{u8: test.pixels}},
		Attribution: cifarAttribution,
	}, nil
}

// join puts the training files together. The official ones have equally many
// records, so one that was cut between two records shows.
func (l cifarLayout) join(files cifarFiles) (cifarBatch, error) {
	var all cifarBatch
	first := files.batches[l.train[0]]
	if err := room[uint8](len(l.train) * len(first.pixels)); err != nil {
		return all, fmt.Errorf("%s: %w", first.file, err)
	}
	all.pixels = make([]uint8, 0, len(l.train)*len(first.pixels))
	for _, name := range l.train {
		batch := files.batches[name]
		if len(batch.labels) != len(first.labels) {
			return cifarBatch{}, &FormatError{File: batch.file, Offset: int64(len(batch.labels) * l.record()),
				Got:  fmt.Sprintf("the end of the file after %s", plural.Count(len(batch.labels), "image")),
				Want: fmt.Sprintf("%d as in %s", len(first.labels), l.train[0])}
		}
		all.pixels = append(all.pixels, batch.pixels...)
		all.labels = append(all.labels, batch.labels...)
	}
	return all, nil
}

// readPath finds the data at the path: an archive, a folder of the files, or a
// folder with one of these under its official name.
func (l cifarLayout) readPath(ctx context.Context, root string) (cifarFiles, error) {
	info, err := os.Stat(root)
	if err != nil {
		return cifarFiles{}, err
	}
	if !info.IsDir() {
		return l.readArchiveFile(ctx, root)
	}
	for _, folder := range []string{root, filepath.Join(root, l.folder)} {
		if l.anyIn(folder) {
			return l.readFolder(ctx, folder)
		}
	}
	archive := filepath.Join(root, l.archive)
	if _, err := os.Stat(archive); err == nil {
		return l.readArchiveFile(ctx, archive)
	}
	return cifarFiles{}, fmt.Errorf("%s: found neither %s nor %s nor %s",
		root, l.train[0], l.folder, l.archive)
}

func (l cifarLayout) anyIn(folder string) bool {
	return slices.ContainsFunc(l.files(), func(name string) bool {
		_, err := os.Stat(filepath.Join(folder, name))
		return err == nil
	})
}

func (l cifarLayout) readFolder(ctx context.Context, folder string) (cifarFiles, error) {
	out := cifarFiles{batches: map[string]cifarBatch{}}
	for _, name := range l.files() {
		err := withFile(ctx, filepath.Join(folder, name), func(c *cursor) (err error) {
			out.batches[name], err = l.parse(c)
			return err
		})
		if err != nil {
			return cifarFiles{}, err
		}
	}
	err := withFile(ctx, filepath.Join(folder, l.names), func(c *cursor) (err error) {
		out.names, err = l.parseNames(c)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return cifarFiles{}, err
	}
	return out, nil
}

func (l cifarLayout) readArchiveFile(ctx context.Context, archive string) (cifarFiles, error) {
	var out cifarFiles
	err := withFile(ctx, archive, func(c *cursor) (err error) {
		out, err = l.readArchive(c)
		return err
	})
	return out, err
}

// readArchive reads a tar archive, in which the files may be in any folder.
func (l cifarLayout) readArchive(c *cursor) (cifarFiles, error) {
	out := cifarFiles{batches: map[string]cifarBatch{}}
	archive := tar.NewReader(c)
	for {
		header, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return cifarFiles{}, c.ended(err, "a tar archive's next file, or its end")
		}
		if header.Size > cifarMaxArchive-c.off {
			return cifarFiles{}, c.fail(c.off, fmt.Sprintf("%.80q of %s", header.Name, plural.Count(header.Size, "byte")), fmt.Sprintf("an archive of at most %d", cifarMaxArchive))
		}
		if err := l.readMember(c.file, header.Name, archive, &out); err != nil {
			return cifarFiles{}, err
		}
	}
	if err := c.zeros(); err != nil {
		return cifarFiles{}, err
	}
	for _, name := range l.files() {
		if _, ok := out.batches[name]; !ok {
			return cifarFiles{}, c.fail(c.off, "the end of the archive without "+name,
				"the files "+strings.Join(l.files(), ", "))
		}
	}
	return out, nil
}

// readMember reads one file of an archive, if it is one of the layout's.
func (l cifarLayout) readMember(archive, name string, r io.Reader, out *cifarFiles) (err error) {
	base := path.Base(name)
	c := &cursor{file: fmt.Sprintf("%s (%.80s)", archive, name), r: r}
	switch {
	case base == l.names:
		out.names, err = l.parseNames(c)
		return err
	case !slices.Contains(l.files(), base):
		return nil
	case out.batches[base].labels != nil:
		return c.fail(0, "a second "+base, "one")
	}
	out.batches[base], err = l.parse(c)
	return err
}

// record is the number of bytes of a record.
func (l cifarLayout) record() int { return len(l.labels) + cifarPixels }

// parse reads records to the end of the file.
func (l cifarLayout) parse(c *cursor) (cifarBatch, error) {
	batch := cifarBatch{file: c.file}
	record := make([]byte, l.record())
	image := make([]byte, cifarPixels)
	for {
		start := c.off
		_, err := io.ReadFull(c, record)
		switch {
		case err == io.EOF && len(batch.labels) > 0:
			return batch, nil
		case err != nil:
			return cifarBatch{}, c.ended(err, fmt.Sprintf("whole records of %d bytes, image %d is cut",
				len(record), len(batch.labels)))
		case len(batch.labels) == cifarMaxRecords:
			return cifarBatch{}, c.fail(start, "more images", fmt.Sprintf("at most %d", cifarMaxRecords))
		}
		for i, classes := range l.labels {
			if int(record[i]) >= classes {
				return cifarBatch{}, c.fail(start+int64(i), fmt.Sprintf("label %d of image %d", record[i], len(batch.labels)),
					fmt.Sprintf("0 to %d", classes-1))
			}
		}
		batch.labels = append(batch.labels, int32(record[l.use]))
		channelsLast(image, record[len(l.labels):], cifarChannels)
		if batch.pixels, err = extend(batch.pixels, len(image)); err != nil {
			return cifarBatch{}, fmt.Errorf("%s: %w", c.file, err)
		}
		batch.pixels = append(batch.pixels, image...)
	}
}

// parseNames reads the names of the classes, one a line.
func (l cifarLayout) parseNames(c *cursor) ([]string, error) {
	text, err := io.ReadAll(io.LimitReader(c, cifarMaxNames))
	if err != nil {
		return nil, c.ended(err, "names of classes")
	}
	var names []string
	for line := range strings.Lines(string(text)) {
		if name := strings.TrimSpace(line); name != "" {
			names = append(names, name)
		}
	}
	if len(names) != l.classes() {
		return nil, c.fail(0, fmt.Sprintf("%d names of classes", len(names)), fmt.Sprintf("%d", l.classes()))
	}
	return names, nil
}
