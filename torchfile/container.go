package torchfile

import (
	"archive/zip"
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"strings"

	"github.com/nlpodyssey/gopickle/types"

	"shadowflow/internal/element"
	"shadowflow/internal/memory"
	"shadowflow/internal/plural"
)

// loader takes storages out of a file.
type loader struct {
	left     int64 // bytes that storages may still have
	storages map[string]*storage
	// fill, if not nil, reads the bytes of a storage as soon as it is named.
	fill func(key string, s *storage) error
}

// load returns the storage that a pickle names as standing outside of it: ("storage", type, key, device, number of elements), in the older
// format with a part of it, or None.
func (l *loader) load(id any) (any, error) {
	wrong := malformed("a tensor's storage is not named as torch.save does: the file is damaged")
	tuple, ok := id.(*types.Tuple)
	if !ok || tuple.Len() < 5 || tuple.Get(0) != "storage" {
		if ok && tuple.Len() > 0 && tuple.Get(0) == "module" {
			return nil, malformed("it holds a whole module, whose code only Python has: %s", Advice)
		}
		return nil, wrong
	}
	of, isElement := tuple.Get(1).(*element.Type)
	key, isText := tuple.Get(2).(string)
	count, isWhole := tuple.Get(4).(int)
	if !isElement || !isText || !isWhole {
		return nil, wrong
	}
	if tuple.Len() > 5 && tuple.Get(5) != nil {
		return nil, malformed("its storages are parts of others, as before PyTorch 0.4: load and save it once more: torch.save(torch.load(path), path)")
	}
	if s := l.storages[key]; s != nil {
		if s.of != of || s.count != count {
			return nil, malformed("storage %.100q is named twice, with other types or sizes: the file is damaged", key)
		}
		return s, nil
	}
	if count < 0 || int64(count) > l.left/int64(of.Size) {
		return nil, malformed("storage %.100q has %s, which the file cannot hold: it is cut short or damaged", key, plural.Count(count, "element"))
	}
	l.left -= int64(count) * int64(of.Size)
	s := &storage{of: of, count: count}
	l.storages[key] = s
	if l.fill != nil {
		return s, l.fill(key, s)
	}
	return s, nil
}

// read sets a storage's bytes.
func (s *storage) read(key string, r io.Reader) error {
	if err := memory.Check(int64(s.count) * int64(s.of.Size)); err != nil {
		return malformed("storage %.100q of %s %v", key, plural.Count(s.count, "element"), err)
	}
	s.data = make([]byte, s.count*s.of.Size)
	if _, err := io.ReadFull(r, s.data); err != nil {
		return malformed("the elements of storage %.100q cannot be read (%v): the file is cut short or damaged", key, err)
	}
	return nil
}

// readZip reads today's format: an archive NAME with NAME/data.pkl and a file NAME/data/KEY for each storage, none compressed.
func (l *loader) readZip(r io.ReaderAt, size int64) (any, error) {
	archive, err := zip.NewReader(r, size)
	if err != nil {
		return nil, malformed("it is a zip archive whose directory cannot be read (%v): the file is cut short or damaged", err)
	}
	files, prefix := map[string]*zip.File{}, ""
	for _, f := range archive.File {
		if strings.HasSuffix(f.Name, ".npy") {
			return nil, malformed("it is an archive of numpy.savez (.npz), whose arrays are not read as weights: save them by safetensors.numpy.save_file, or %s", Advice)
		}
		if name, ok := strings.CutSuffix(f.Name, "data.pkl"); ok && strings.Count(name, "/") <= 1 {
			prefix = name
		}
		if strings.HasSuffix(f.Name, "/constants.pkl") {
			return nil, malformed("it holds a TorchScript program: %s", Advice)
		}
		if files[f.Name] != nil {
			return nil, malformed("the archive has two files %.100q: it is damaged", f.Name)
		}
		files[f.Name] = f
	}
	open := func(name string) (io.ReadCloser, error) {
		f := files[prefix+name]
		if f == nil {
			return nil, malformed("the archive has no %.100q: it is damaged, or no file of torch.save; %s", prefix+name, Advice)
		}
		if f.Method != zip.Store {
			return nil, malformed("%.100q is compressed, which torch.save does not do", f.Name)
		}
		in, err := f.Open()
		if err != nil {
			return nil, malformed("%.100q cannot be read: %v", f.Name, err)
		}
		return in, nil
	}
	if files[prefix+"byteorder"] != nil {
		if err := littleEndian(open); err != nil {
			return nil, err
		}
	}
	in, err := open("data.pkl")
	if err != nil {
		return nil, err
	}
	defer in.Close()
	pickled, err := readPickle(bufio.NewReader(in))
	if err != nil {
		return nil, err
	}
	l.fill = func(key string, s *storage) error {
		f, err := open("data/" + key)
		if err != nil {
			return err
		}
		return errors.Join(s.read(key, f), f.Close())
	}
	return unpickle(pickled, l.load)
}

func littleEndian(open func(name string) (io.ReadCloser, error)) error {
	f, err := open("byteorder")
	if err != nil {
		return err
	}
	defer f.Close()
	order := make([]byte, 16)
	n, _ := io.ReadFull(f, order)
	if got := string(order[:n]); got != "little" {
		return malformed("its numbers have the byte order %q; want little, as most machines write", got)
	}
	return nil
}

// readSequence reads the older format: pickles of a magic number, a version, what machine wrote it, the object and the keys of its storages;
// then the storages, each behind its number of elements.
func (l *loader) readSequence(in *bufio.Reader) (any, error) {
	next := func(load func(id any) (any, error)) (any, error) {
		pickled, err := readPickle(in)
		if err != nil {
			return nil, err
		}
		return unpickle(pickled, load)
	}
	var head [3]any
	for i := range head {
		var err error
		if head[i], err = next(nil); err != nil {
			return nil, err
		}
	}
	if head[1] != 1001 {
		return nil, malformed("it is of version %.40s of the older format; want 1001: %s", keyText(head[1]), Advice)
	}
	if machine, ok := entriesOf(head[2]); ok {
		for _, e := range machine {
			if e.Key == "little_endian" && e.Value != true {
				return nil, malformed("its numbers have the byte order big; want little, as most machines write")
			}
		}
	}
	root, err := next(l.load)
	if err != nil {
		return nil, err
	}
	keys, err := next(nil)
	if err != nil {
		return nil, err
	}
	list, ok := keys.(*types.List)
	if !ok {
		return nil, malformed("there is no list of storages: the file is damaged")
	}
	for _, key := range *list {
		if err := l.readNext(in, keyText(key)); err != nil {
			return nil, err
		}
	}
	for key, s := range l.storages {
		if len(s.data) != s.count*s.of.Size {
			return nil, malformed("storage %.100q has no elements: the file is damaged", key)
		}
	}
	return root, nil
}

// readNext reads the storage that comes next in the older format.
func (l *loader) readNext(in io.Reader, key string) error {
	s := l.storages[key]
	if s == nil || s.data != nil {
		return malformed("storage %.100q is of no tensor, or there twice: the file is damaged", key)
	}
	var count [8]byte
	if _, err := io.ReadFull(in, count[:]); err != nil {
		return malformed("storage %.100q is missing (%v): the file is cut short", key, err)
	}
	if n := binary.LittleEndian.Uint64(count[:]); n != uint64(s.count) {
		return malformed("storage %.100q has %s, where its tensors say %d: the file is damaged", key, plural.Count(n, "element"), s.count)
	}
	return s.read(key, in)
}
