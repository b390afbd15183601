package gemm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"
	"unsafe"

	"shadowflow/internal/kernel/isa"
)

// The matrices of F(4x4, 3x3) by interpolation at 0, a, -a, b, -b and infinity, from the definition: Toom and Cook's
// product of polynomials has evaluation matrices and, transposed, becomes a filter.
func winogradMatrices() (image, kernel, result [][]float64) {
	points := []float64{0, math.Sqrt(0.5), -math.Sqrt(0.5), math.Sqrt2, -math.Sqrt2}
	powers := func(n int) [][]float64 { // of each point, and of infinity
		var m [][]float64
		for _, x := range points {
			row := make([]float64, n)
			for i := range row {
				row[i] = math.Pow(x, float64(i))
			}
			m = append(m, row)
		}
		last := make([]float64, n)
		last[n-1] = 1
		return append(m, last)
	}
	result, kernel = powers(4), powers(3)
	// Row i of the image's matrix: the coefficients of the product of (x - p) over the other points p; the scale goes to the kernel.
	product := func(skip int) (poly []float64, scale float64) {
		poly, scale = []float64{1}, 1
		for j, p := range points {
			if j == skip {
				continue
			}
			next := make([]float64, len(poly)+1)
			for k, c := range poly {
				next[k] -= p * c
				next[k+1] += c
			}
			poly = next
			if skip < len(points) {
				scale *= points[skip] - p
			}
		}
		return append(poly, make([]float64, 6-len(poly))...), scale
	}
	for i := range 6 {
		row, scale := product(i)
		image = append(image, row)
		for k := range kernel[i] {
			kernel[i][k] /= scale
		}
	}
	return image, kernel, result
}

func transposed(m [][]float64) [][]float64 {
	t := make([][]float64, len(m[0]))
	for i := range t {
		for j := range m {
			t[i] = append(t[i], m[j][i])
		}
	}
	return t
}

// TestWinogradMatricesConvolve checks the formula itself, on numbers.
func TestWinogradMatricesConvolve(t *testing.T) {
	image, kernel, result := winogradMatrices()
	r := rand.New(rand.NewPCG(1, 2))
	d, g := make([]float64, 6), make([]float64, 3)
	randomize(r, d)
	randomize(r, g)
	for i := range 4 {
		got := 0.0
		for p := range 6 {
			u, v := 0.0, 0.0
			for k := range g {
				u += kernel[p][k] * g[k]
			}
			for k := range d {
				v += image[p][k] * d[k]
			}
			got += result[p][i] * u * v
		}
		if want := d[i]*g[0] + d[i+1]*g[1] + d[i+2]*g[2]; math.Abs(got-want) > 1e-13 {
			t.Errorf("result %d is %v, want %v", i, got, want)
		}
	}
}

func TestTransformsAreTheirMatrices(t *testing.T) {
	image, kernel, result := winogradMatrices()
	r := rand.New(rand.NewPCG(3, 4))
	for _, set := range isa.Available() {
		ks := kernelsFor[float32](set)
		for _, c := range []struct {
			name    string
			run     func(*transform)
			matrix  [][]float64
			gathers bool
		}{
			{"scatterImage", ks.winograd.scatterImage, image, false},
			{"scatterKernel", ks.winograd.scatterKernel, kernel, false},
			{"scatterResult", ks.winograd.scatterResult, result, false},
			{"gatherResult", ks.winograd.gatherResult, transposed(result), true},
			{"gatherKernel", ks.winograd.gatherKernel, transposed(kernel), true},
		} {
			for _, channels := range []int{1, 5, 8, 16, 17, 40, 64} {
				for _, accumulate := range []bool{false, true} {
					if accumulate && !c.gathers {
						continue
					}
					name := fmt.Sprintf("%s on %s of %d channels, accumulate %v", c.name, set, channels, accumulate)
					testTransform(t, name, c.run, c.matrix, channels, ks.lanes, accumulate, r)
				}
			}
		}
	}
}

// testTransform runs a transform on three squares, with room between channels, elements and squares.
func testTransform(t *testing.T, name string, run func(*transform), l [][]float64, channels, lanes int, accumulate bool, r *rand.Rand) {
	t.Helper()
	const squares = 3
	m, n := len(l), len(l[0])
	pixel := channels + r.IntN(9)
	inRow, outRow := n*pixel+r.IntN(9), m*pixel+r.IntN(9)
	inStep, outStep := n*inRow+r.IntN(9), m*outRow+r.IntN(9)
	last := func(step, row, n int) int { return (squares-1)*step + (n-1)*row + (n-1)*pixel + channels }
	src, _ := fenced[float32](last(inStep, inRow, n), r.IntN(4))
	dst, all := fenced[float32](last(outStep, outRow, m), 0)
	randomize(r, src)
	randomize(r, dst)
	before := append([]float32(nil), dst...)

	tr := transform{
		src: unsafe.Pointer(&src[0]), dst: unsafe.Pointer(&dst[0]), srcRow: 4 * inRow, srcCol: 4 * pixel,
		dstRow: 4 * outRow, dstCol: 4 * pixel, srcStep: 4 * inStep, dstStep: 4 * outStep, count: squares,
	}
	tr.channels(channels, lanes)
	if accumulate {
		tr.accumulate = 1
	}
	run(&tr)

	written := map[int]bool{}
	for s := range squares {
		for c := range channels {
			for i := range m {
				for j := range m {
					want := 0.0
					for p := range n {
						for q := range n {
							want += l[i][p] * float64(src[s*inStep+p*inRow+q*pixel+c]) * l[j][q]
						}
					}
					at := s*outStep + i*outRow + j*pixel + c
					written[at] = true
					if accumulate {
						want += float64(before[at])
					}
					if diff := math.Abs(float64(dst[at]) - want); !(diff < 1e-5*(1+math.Abs(want))) {
						t.Fatalf("%s: square %d, channel %d, element %d,%d is %v, want %v", name, s, c, i, j, dst[at], want)
					}
				}
			}
		}
	}
	for i := range dst {
		if !written[i] && dst[i] != before[i] {
			t.Fatalf("%s: wrote to %d, which is no element's", name, i)
		}
	}
	if !fenceIntact(all, len(dst), 0) {
		t.Fatalf("%s: wrote outside of dst", name)
	}
}

func TestWhatIsDoneOfAConvolutionIsItsTransformedProductsAndTheTransforms(t *testing.T) {
	set, err := isa.Best()
	if err != nil {
		t.Fatal(err)
	}
	s := Conv{N: 2, H: 32, W: 30, C: 64, O: 48, KH: 3, KW: 3, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1, Groups: 1}
	direct := s
	direct.StrideW = 2
	s.Terms = 3
	const tiles = 2 * 8 * 8 // 8 squares of 4 results cover 30 columns
	products := 3 * 2. * 36 * tiles * 64 * 48
	want := map[string]float64{
		"forward":         products + 3*tiles*64*264 + 3*64*48*126 + tiles*48*160,
		"input gradient":  products + 3*tiles*48*264 + 3*64*48*126 + tiles*64*160,
		"kernel gradient": products + 3*tiles*(64*264+48*160) + 64*48*135,
	}
	for name, p := range map[string]*Plan[float32]{
		"forward": NewConv[float32](s, set, 1), "input gradient": NewConvInputGrad[float32](s, set, 1), "kernel gradient": NewConvKernelGrad[float32](s, set, 1),
	} {
		if !s.winograd(kernelsFor[float32](set)) {
			want[name] = s.flops()
		}
		if p.Done() != want[name] {
			t.Errorf("%s: %g flops done, want %g", name, p.Done(), want[name])
		}
	}
	if p := NewConv[float32](direct, set, 1); p.Done() != p.Flops() {
		t.Errorf("of a direct convolution %g flops of %g", p.Done(), p.Flops())
	}
}

// The operations of a transform are those of its assembly, whose text has one square of it, those that gather one with and one without what is there added.
func TestTheOperationsOfTransformsAreThoseOfTheirAssembly(t *testing.T) {
	text, err := os.ReadFile("avx512_amd64.s")
	if err != nil {
		t.Fatal(err)
	}
	twice, one := regexp.MustCompile(`\bVFN?M(ADD|SUB)\d+PS\b`), regexp.MustCompile(`\bV(ADD|SUB|MUL)PS\b`)
	for name, want := range map[string]int{
		"scatterImage": scatterImageFlops, "scatterKernel": scatterKernelFlops, "scatterResult": scatterResultFlops,
		"gatherResult": 2*gatherResultFlops + 4*4, "gatherKernel": 2*gatherKernelFlops + 3*3,
	} {
		_, body, found := strings.Cut(string(text), "TEXT ·"+name+"F32AVX512")
		body, _, _ = strings.Cut(body, "TEXT ·")
		got := 2*len(twice.FindAllString(body, -1)) + len(one.FindAllString(body, -1))
		if !found || got != want {
			t.Errorf("%s: %d operations, want %d", name, got, want)
		}
	}
}
