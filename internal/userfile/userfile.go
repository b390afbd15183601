// Package userfile opens files that users name: files alone, never a pipe or a device that would be waited for or read without end, and it
// tells what a file is that is not what was wanted.
package userfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"unicode"

	"shadowflow/internal/memory"
	"shadowflow/internal/visible"
)

// Open opens a regular file, and returns its size in bytes. A Git LFS pointer is an error: it is never the file that is wanted, and where any text is data
// nothing else would tell.
func Open(path string) (*os.File, int64, error) { return openBy(path, os.Stat, os.Open) }

// OpenIn is Open in a folder, by a name that a file of others says: neither the name nor a symbolic link leads out of the folder.
func OpenIn(folder, name string) (*os.File, int64, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, 0, err
	}
	defer root.Close()
	return openBy(name, root.Stat, root.Open)
}

// openBy opens what a path names to the two functions.
func openBy(path string, stat func(string) (fs.FileInfo, error), open func(string) (*os.File, error)) (*os.File, int64, error) {
	info, err := stat(path) // before it is opened, which waits where there is a pipe
	if err != nil {
		return nil, 0, shown(path, err)
	}
	if err := regular(path, info); err != nil {
		return nil, 0, err
	}
	f, err := open(path)
	if err != nil {
		return nil, 0, shown(path, err)
	}
	if info, err = f.Stat(); err == nil {
		err = regular(path, info) // it may be another by now
	}
	if err == nil && isPointer(f) {
		err = fmt.Errorf("%s%s", visible.Line(path), Explain(f))
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// shown says the path in an error as it is shown, and that it was to be opened, whatever the system was asked.
func shown(path string, err error) error {
	if fault := (*fs.PathError)(nil); errors.As(err, &fault) {
		fault.Op, fault.Path = "open", visible.Line(path)
	}
	return err
}

// Writable returns an error if what a path names is there and no regular file: one that is written to, and may be another's.
func Writable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return nil // nothing is there, or whoever opens it says what is wrong
	}
	return regular(path, info)
}

// ReadAll returns what a regular file holds, if that fits the memory: of one that is being written, like a history, what it held when it was opened.
func ReadAll(path string) ([]byte, error) {
	f, size, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := memory.Check(size); err != nil {
		return nil, fmt.Errorf("%s: its %s of content %w", path, memory.Format(size), err)
	}
	data := make([]byte, size)
	n, err := io.ReadFull(f, data)
	if err == io.EOF || err == io.ErrUnexpectedEOF { // it became shorter meanwhile
		err = nil
	}
	return data[:n], err
}

// Read returns what a regular file holds, of more than so many bytes only these and one more.
func Read(path string, most int64) ([]byte, error) {
	f, _, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most+1))
}

func regular(path string, info fs.FileInfo) error {
	what := ""
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		what = "a folder"
	case mode&fs.ModeNamedPipe != 0:
		what = "a named pipe"
	case mode&fs.ModeSocket != 0:
		what = "a socket"
	case mode&fs.ModeDevice != 0:
		what = "a device"
	default:
		what = "no regular file"
	}
	return fmt.Errorf("%s: this is %s, want a file", visible.Line(path), what)
}

// headLength is the number of bytes at a file's start that tell what it is.
const headLength = 512

// kinds are what files begin with, and what that says.
var kinds = []struct{ magic, kind string }{
	{pointerMagic, "a Git LFS pointer, which stands for a file that was not downloaded: `git lfs pull` fetches it"},
	{"<!DOCTYPE", "a page of HTML, perhaps a server's error in the place of the file"},
	{"<!doctype", "a page of HTML, perhaps a server's error in the place of the file"},
	{"<html", "a page of HTML, perhaps a server's error in the place of the file"},
	{"PK\x03\x04", "a zip archive, as torch.save and numpy.savez write"},
	{"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.", "what torch.save wrote before PyTorch 1.6"},
	{"\x80", "a pickle of Python's"},
	{"\x93NUMPY", "an array of numpy.save"},
	{"\x89HDF\r\n\x1a\n", "HDF5, as Keras saves weights"},
	{"GGUF", "GGUF"},
	{"\x1f\x8b", "gzip"},
	{"BZh", "bzip2"},
	{"\xfd7zXZ\x00", "xz"},
	{"\x28\xb5\x2f\xfd", "Zstandard"},
	{"7z\xbc\xaf\x27\x1c", "a 7z archive"},
	{"\x89PNG\r\n\x1a\n", "a PNG image"},
	{"\xff\xd8\xff", "a JPEG image"},
	{"GIF8", "a GIF image"},
	{"II*\x00", "a TIFF image"},
	{"MM\x00*", "a TIFF image"},
	{"BM", "a BMP image"},
	{"%PDF", "a PDF"},
	{"PAR1", "Parquet"},
	{"ARROW1", "Arrow"},
	{"\x00asm", "WebAssembly"},
	{"\x7fELF", "a program"},
}

// pointerMagic is how pointers of Git LFS begin.
const pointerMagic = "version https://git-lfs.github.com/"

func isPointer(r io.ReaderAt) bool {
	head := make([]byte, len(pointerMagic))
	n, _ := r.ReadAt(head, 0)
	return string(head[:n]) == pointerMagic
}

// Kind says what bytes at the start of a file are of, empty if it is not known.
func Kind(head []byte) string {
	if bytes.HasPrefix(head, []byte("RIFF")) && len(head) >= 12 && string(head[8:12]) == "WEBP" {
		return "a WebP image"
	}
	if bytes.HasPrefix(head, []byte("BM")) && (len(head) < 10 || !bytes.Equal(head[6:10], make([]byte, 4))) {
		return "" // a word: where a bitmap's header has zeros is something else
	}
	for _, k := range kinds {
		if bytes.HasPrefix(head, []byte(k.magic)) {
			return k.kind
		}
	}
	switch text := bytes.TrimLeft(head, " \t\r\n"); {
	case bytes.HasPrefix(text, []byte("{")) && bytes.Contains(text, []byte(`"weight_map"`)):
		return "the index of a model in several files, which its weight_map names: merge them into one, or give one that has all of the weights"
	case bytes.HasPrefix(text, []byte("{")):
		return "JSON"
	case IsProtobuf(head):
		return "ONNX, or another protocol buffer"
	}
	return ""
}

// IsProtobuf reports whether bytes at the start of a file are ONNX's, or those of another protocol buffer: the version of the format, and who wrote it.
func IsProtobuf(head []byte) bool {
	return len(head) >= 3 && head[0] == 8 && head[1] < 32 && head[2] == 0x12
}

// ExplainBinary is Explain where neither text nor an archive of files was wanted.
func ExplainBinary(r io.ReaderAt) string {
	if what := Explain(r); what != "" {
		return what
	}
	head := make([]byte, headLength)
	n, _ := r.ReadAt(head, 0)
	head = head[:n]
	if n >= 262 && string(head[257:262]) == "ustar" {
		return ": this is a tar archive"
	}
	if n > 0 && !bytes.ContainsFunc(head, func(c rune) bool { return c < ' ' && !unicode.IsSpace(c) || c == unicode.ReplacementChar }) {
		return ": this is text"
	}
	return ""
}

// Explain says what a file is that could not be read as what was wanted, to stand behind an error; empty if it is not known.
func Explain(r io.ReaderAt) string {
	head := make([]byte, headLength)
	n, _ := r.ReadAt(head, 0)
	if kind := Kind(head[:n]); kind != "" {
		return ": this is " + kind
	}
	return ""
}
