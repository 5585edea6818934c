package volume

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

// blockSize is the unit in which files are compared and carried. @source engine/model/volume.ts
const blockSize = 64 << 10

const markSize = 16

// marker finds the marks of blocks under one key.
//
// A mark is NH of UMAC (RFC 4418, 5.2.2) with words of 64 bits: who does not know the key finds two blocks of one mark with
// a chance of 2^-64. It costs one multiplication for 16 bytes, which an emulated processor does as fast as it reads.
type marker struct {
	words [blockSize/8 + 2]uint64
}

func newMarker(key []byte) *marker {
	m := &marker{}
	for i := 0; i < len(m.words); i += 4 {
		counted := binary.BigEndian.AppendUint32(append([]byte{}, key...), uint32(i))
		sum := sha256.Sum256(counted)
		for j := 0; j < 4 && i+j < len(m.words); j++ {
			m.words[i+j] = binary.LittleEndian.Uint64(sum[8*j:])
		}
	}
	return m
}

// mark gives the mark of a block, and whether it is nothing but zeros.
func (m *marker) mark(block []byte) (mark [markSize]byte, isZero bool) {
	length := len(block)
	var high, low, seen uint64
	words := m.words[:]
	for len(block) > 0 {
		if len(block) < 16 {
			var last [16]byte
			copy(last[:], block)
			block = last[:]
		}
		a, b := binary.LittleEndian.Uint64(block), binary.LittleEndian.Uint64(block[8:])
		seen |= a | b
		h, l := bits.Mul64(a+words[0], b+words[1])
		var carry uint64
		low, carry = bits.Add64(low, l, 0)
		high += h + carry
		block, words = block[16:], words[2:]
	}
	h, l := bits.Mul64(uint64(length)+m.words[blockSize/8], m.words[blockSize/8+1])
	low, carry := bits.Add64(low, l, 0)
	high += h + carry
	binary.BigEndian.PutUint64(mark[:], high)
	binary.BigEndian.PutUint64(mark[8:], low)
	return mark, seen == 0
}
