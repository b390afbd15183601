package safetensors

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"shadowflow/internal/memory"
	"shadowflow/internal/plural"
	"shadowflow/internal/userfile"
)

// ReadFile reads a safetensors file. A run's checkpoint is refused where its checksum is not that of its content.
func ReadFile(path string) (*File, error) {
	f, size, err := userfile.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	file, whole, err := ReadSummed(f, size)
	var format *FormatError
	if errors.As(err, &format) {
		format.File = path
		format.Reason += userfile.ExplainBinary(f)
		return nil, format
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if _, summed := file.Metadata[Sum]; summed && file.IsCheckpoint() && !whole {
		return nil, fmt.Errorf("%s: damaged: %w; want the checkpoint as the run wrote it, or another", path, ErrSum)
	}
	return file, nil
}

// IsCheckpoint reports whether a file is a run's checkpoint, which holds what the optimizer remembers, too.
func (f *File) IsCheckpoint() bool {
	_, ok := f.Metadata[CheckpointVersion]
	return ok
}

// Read reads a file of size bytes. No array is allocated before the header is known to fit the size. Faults of the content are
// reported as *FormatError.
func Read(r io.Reader, size int64) (*File, error) {
	in := bufio.NewReaderSize(r, 1<<16)
	entries, metadata, begin, err := readHeader(in, size)
	if err != nil {
		return nil, err
	}
	if err := memory.Check(need(entries)); err != nil {
		return nil, fmt.Errorf("a file of %s %w", memory.Format(size), err)
	}
	file := &File{Metadata: metadata}
	for _, e := range entries {
		t, err := readTensor(in, e)
		if err != nil {
			return nil, fmt.Errorf("read tensor %.120q at offset %d: %w", e.name, begin+e.begin, err)
		}
		file.Tensors = append(file.Tensors, t)
	}
	return file, nil
}

// need returns the bytes that the elements take in memory.
func need(entries []entry) (bytes int64) {
	for _, e := range entries {
		of := elements[e.dtype]
		bytes += int64(e.end-e.begin) / int64(of.Size) * int64(width(of))
	}
	return bytes
}

// ReadMetadata reads the metadata of a file of size bytes, and none of its arrays. The errors are those of Read, as far as the header goes.
func ReadMetadata(r io.Reader, size int64) (map[string]string, error) {
	_, metadata, _, err := readHeader(r, size)
	return metadata, err
}

// readHeader reads the header of a file of size bytes, and returns where the arrays begin.
func readHeader(in io.Reader, size int64) (entries []entry, metadata map[string]string, begin uint64, err error) {
	var length [8]byte
	if size < 8 {
		return nil, nil, 0, &FormatError{Offset: max(size, 0), Reason: "the file is shorter than the 8 bytes of the header's length"}
	}
	if _, err := io.ReadFull(in, length[:]); err != nil {
		return nil, nil, 0, fmt.Errorf("read the header's length: %w", err)
	}
	n := binary.LittleEndian.Uint64(length[:])
	switch {
	case n > maxHeader:
		return nil, nil, 0, &FormatError{Reason: fmt.Sprintf("a header of %s, want at most %d", plural.Count(n, "byte"), maxHeader)}
	case n > uint64(size-8):
		return nil, nil, 0, &FormatError{Reason: fmt.Sprintf("a header of %s, but only %d follow", plural.Count(n, "byte"), size-8)}
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(in, header); err != nil {
		return nil, nil, 0, fmt.Errorf("read the header: %w", err)
	}
	entries, metadata, err = parseHeader(header, uint64(size-8)-n)
	return entries, metadata, 8 + n, err
}

func readTensor(r io.Reader, e entry) (Tensor, error) {
	shape := make([]int, len(e.shape))
	for i, d := range e.shape {
		shape[i] = int(d)
	}
	of := elements[e.dtype]
	width := of.Size
	t := Tensor{Name: e.name, Shape: shape, Data: newData(of, int(e.end-e.begin)/width)}
	block := make([]byte, min(1<<15, int(e.end-e.begin)))
	for at := 0; at < int(e.end-e.begin)/width; at += len(block) / width {
		part := block[:min(len(block), int(e.end-e.begin)-at*width)]
		if _, err := io.ReadFull(r, part); err != nil {
			return t, err
		}
		decode(of, t.Data, at, part)
	}
	return t, nil
}
