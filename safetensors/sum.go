package safetensors

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"strings"
)

// What the metadata of a run's checkpoint have: the version of its format, and its checksum. The checksum is the SHA-256, in lower-case hexadecimal digits, of
// the whole file with 64 zeros in the place of these digits.
const (
	CheckpointVersion = "checkpoint_version"
	Sum               = "sha256"

	// sumText is what stands before the checksum in the header, and nowhere else: in a name or a text its quotes would be escaped.
	sumText = `"` + Sum + `":"`
)

// noSum stands for the checksum while it is computed.
var noSum = strings.Repeat("0", hex.EncodedLen(sha256.Size))

// ErrSum marks a checkpoint that is not what was written.
var ErrSum = errors.New("its checksum is not that of its content")

// WriteSummed writes a file as Write does, with its checksum in its metadata. It asks for the elements of each tensor twice: to compute the checksum, which
// comes first in the file, and to write them.
func WriteSummed(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	metadata = maps.Clone(metadata)
	metadata[Sum] = noSum
	sum := sha256.New()
	if err := Write(sum, tensors, metadata); err != nil {
		return err
	}
	metadata[Sum] = hex.EncodeToString(sum.Sum(nil))
	return Write(w, tensors, metadata)
}

// ReadSummed reads a file as Read does, and reports whether its checksum is there and that of its content.
func ReadSummed(r io.Reader, size int64) (file *File, whole bool, err error) {
	in := io.LimitReader(r, size)
	head, err := readHead(in)
	if err != nil {
		return nil, false, err
	}
	sum, rest := sha256.New(), in
	before, after, ok := cutSum(head)
	if ok {
		sum.Write(before)
		io.WriteString(sum, noSum)
		sum.Write(after)
		rest = io.TeeReader(in, sum)
	}
	if file, err = Read(io.MultiReader(bytes.NewReader(head), rest), size); err != nil {
		return nil, false, err
	}
	return file, ok && file.Metadata[Sum] == hex.EncodeToString(sum.Sum(nil)), nil
}

// readHead reads a file's beginning as far as its header goes, or as there is anything: what is wrong with it is for Read to say.
func readHead(r io.Reader) ([]byte, error) {
	var length [8]byte
	n, err := io.ReadFull(r, length[:])
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return length[:n], nil
	}
	if err != nil {
		return nil, err
	}
	header, err := io.ReadAll(io.LimitReader(r, int64(min(binary.LittleEndian.Uint64(length[:]), maxHeader))))
	return append(length[:], header...), err
}

// cutSum returns what stands before and behind the checksum in a file's head.
func cutSum(head []byte) (before, after []byte, ok bool) {
	at := bytes.Index(head, []byte(sumText)) + len(sumText)
	if at < len(sumText) || len(head)-at < len(noSum) {
		return nil, nil, false
	}
	return head[:at], head[at+len(noSum):], true
}
