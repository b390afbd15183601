package dataset

import "math"

// pixels are those of an image row by row, its channels beside each other.
type pixels struct {
	width, height, channels int
	of                      []uint8
}

// resized returns an image at other width and height as PIL's resize(..., BICUBIC) does, to the bit (src/libImaging/Resample.c): first along rows, then along
// columns, each only where its length changes, with weights of 22 bits, and rounded and cut to 8 bits behind each.
func (p pixels) resized(width, height int) pixels {
	if width != p.width {
		p = p.alongRows(width)
	}
	if height != p.height {
		p = p.alongColumns(height)
	}
	return p
}

func (p pixels) alongRows(width int) pixels {
	out := pixels{width, p.height, p.channels, make([]uint8, width*p.height*p.channels)}
	for x, from := range samplesOf(p.width, width) {
		for y := range p.height {
			for c := range p.channels {
				out.of[(y*width+x)*p.channels+c] = from.of(p.of[(y*p.width+from.first)*p.channels+c:], p.channels)
			}
		}
	}
	return out
}

func (p pixels) alongColumns(height int) pixels {
	row := p.width * p.channels
	out := pixels{p.width, height, p.channels, make([]uint8, row*height)}
	for y, from := range samplesOf(p.height, height) {
		for i := range row {
			out.of[y*row+i] = from.of(p.of[from.first*row+i:], row)
		}
	}
	return out
}

// sample is what a pixel takes of those from the first one on along a row or a column.
type sample struct {
	first   int
	weights []int32 // in units of 2^-weightBits
}

const weightBits = 32 - 8 - 2

// of returns the weighted sum of values so far apart from each other.
func (s sample) of(values []uint8, stride int) uint8 {
	sum := int32(1) << (weightBits - 1)
	for i, w := range s.weights {
		sum += w * int32(values[i*stride])
	}
	return uint8(min(max(sum>>weightBits, 0), math.MaxUint8))
}

// samplesOf returns what each of to pixels takes of from pixels. The conversions keep a compiler from joining operations, which would round otherwise.
func samplesOf(from, to int) []sample {
	out := make([]sample, to)
	scale := float64(from) / float64(to)
	wide := max(scale, 1)
	reach := bicubicReach * wide
	for i := range out {
		center := float64((float64(i) + 0.5) * scale)
		first := max(int(center-reach+0.5), 0)
		behind := min(int(center+reach+0.5), from)
		weights, sum := make([]float64, behind-first), 0.0
		for j := range weights {
			weights[j] = bicubic(float64((float64(j+first) - center + 0.5) * (1 / wide)))
			sum += weights[j]
		}
		out[i] = sample{first, make([]int32, len(weights))}
		for j, w := range weights {
			if sum != 0 {
				w *= 1 / sum
			}
			out[i].weights[j] = int32(float64(w*(1<<weightBits)) + math.Copysign(0.5, w))
		}
	}
	return out
}

// bicubicReach is where bicubic ends.
const bicubicReach = 2.0

// bicubic is Keys' cubic convolution with a = -1/2, which is the spline of Catmull and Rom.
func bicubic(x float64) float64 {
	const a = -0.5
	x = math.Abs(x)
	switch {
	case x < 1:
		return float64(float64(float64(float64((a+2)*x)-(a+3))*x)*x) + 1
	case x < bicubicReach:
		return float64(float64(float64(float64(float64(x-5)*x)+8)*x)-4) * a
	}
	return 0
}
