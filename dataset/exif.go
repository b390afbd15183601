package dataset

import (
	"bytes"
	"encoding/binary"
)

// orientation returns the EXIF orientation of a JPEG or PNG file, 2 to 8 where
// the pixels are stored turned or mirrored, and 1 where they are not or the file
// does not say (EXIF 2.32, section 4.6.4: tag 0x0112 of the first directory).
func orientation(file []byte) int {
	if bytes.HasPrefix(file, []byte("\x89PNG\r\n\x1a\n")) {
		return tiffOrientation(pngChunk(file[8:], "eXIf"))
	}
	return tiffOrientation(jpegExif(file))
}

// pngChunk returns the data of the first chunk of that type, nil without one.
func pngChunk(chunks []byte, want string) []byte {
	for len(chunks) >= 12 {
		length := uint64(binary.BigEndian.Uint32(chunks))
		if length+12 > uint64(len(chunks)) {
			return nil
		}
		if string(chunks[4:8]) == want {
			return chunks[8 : 8+length]
		}
		chunks = chunks[12+length:]
	}
	return nil
}

// jpegExif returns what follows the header of an EXIF segment, nil without one.
func jpegExif(file []byte) []byte {
	const startOfScan, app1, header = 0xda, 0xe1, "Exif\x00\x00"
	for i := 2; i+4 <= len(file) && file[i] == 0xff && file[i+1] != startOfScan; {
		if file[i+1] == 0xff { // fills up
			i++
			continue
		}
		length := int(binary.BigEndian.Uint16(file[i+2:]))
		if length < 2 || i+2+length > len(file) {
			return nil
		}
		if data := file[i+4 : i+2+length]; file[i+1] == app1 && bytes.HasPrefix(data, []byte(header)) {
			return data[len(header):]
		}
		i += 2 + length
	}
	return nil
}

// tiffOrientation reads the tag from the first directory of a TIFF structure.
func tiffOrientation(tiff []byte) int {
	if len(tiff) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.LittleEndian
	if string(tiff[:2]) == "MM" {
		order = binary.BigEndian
	}
	at := uint64(order.Uint32(tiff[4:]))
	if at+2 > uint64(len(tiff)) {
		return 1
	}
	entries := tiff[at+2:]
	for range order.Uint16(tiff[at:]) {
		if len(entries) < 12 {
			break
		}
		const tag, short = 0x0112, 3
		if order.Uint16(entries) == tag && order.Uint16(entries[2:]) == short {
			if v := int(order.Uint16(entries[8:])); v >= 1 && v <= 8 {
				return v
			}
		}
		entries = entries[12:]
	}
	return 1
}
