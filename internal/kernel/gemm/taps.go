package gemm

// tapConv is what a convolution and its input gradient have in common: results on one or more regular grids, each a
// correlation of source images with its own taps. A strided input gradient has a grid for each residue of a result's
// position modulo the stride, since different taps reach different residues.
type tapConv struct {
	images           int
	srcH, srcW, srcC int
	dstH, dstW, dstC int
	groups           int
	chans, outs      int // source and result channels of a group
	inH, inW         int // source step between neighbours on a grid
	outH, outW       int // result step between neighbours on a grid
	apartH, apartW   int // source step between neighbouring taps of a grid
	grids            []tapGrid

	// Weights: the tap (kh, kw) is a matrix [chans, outs] at (kh*kw0+kw)*tapSize + group*groupStep.
	kw0, tapSize, groupStep int
	weights                 matrix
}

// tapGrid is one grid of results.
type tapGrid struct {
	row, col       int   // result position of the grid's origin
	rows, cols     int   // extent
	kh, kw         []int // taps, such that the source position grows with the index, by apartH and apartW
	srcRow, srcCol int   // source position that the first tap sees from the origin
}

func forwardTaps(s Conv) tapConv {
	t := tapConv{
		images: s.N, srcH: s.H, srcW: s.W, srcC: s.C, dstH: s.OutH(), dstW: s.OutW(), dstC: s.O,
		groups: s.Groups, chans: s.C / s.Groups, outs: s.O / s.Groups,
		inH: s.StrideH, inW: s.StrideW, outH: 1, outW: 1,
		kw0: s.KW, tapSize: s.C / s.Groups * s.O, groupStep: s.O / s.Groups,
		weights: matrix{row: s.O, col: 1},
	}
	t.apartH, t.apartW = s.dilation()
	grid := tapGrid{rows: t.dstH, cols: t.dstW, srcRow: -s.PadTop, srcCol: -s.PadLeft}
	for k := range s.KH {
		grid.kh = append(grid.kh, k)
	}
	for k := range s.KW {
		grid.kw = append(grid.kw, k)
	}
	t.grids = []tapGrid{grid}
	return t
}

func inputGradTaps(s Conv) tapConv {
	t := tapConv{
		images: s.N, srcH: s.OutH(), srcW: s.OutW(), srcC: s.O, dstH: s.H, dstW: s.W, dstC: s.C,
		groups: s.Groups, chans: s.O / s.Groups, outs: s.C / s.Groups,
		inH: 1, inW: 1, outH: s.StrideH, outW: s.StrideW,
		kw0: s.KW, tapSize: s.C / s.Groups * s.O, groupStep: s.O / s.Groups,
		weights: matrix{row: 1, col: s.O},
	}
	dilationH, dilationW := s.dilation()
	t.apartH, t.apartW = dilationH/gcd(dilationH, s.StrideH), dilationW/gcd(dilationW, s.StrideW)
	for row := range min(s.StrideH, s.H) {
		for col := range min(s.StrideW, s.W) {
			g := tapGrid{row: row, col: col, rows: ceilDiv(s.H-row, s.StrideH), cols: ceilDiv(s.W-col, s.StrideW)}
			g.kh, g.srcRow = residueTaps(row+s.PadTop, s.KH, s.StrideH, dilationH)
			g.kw, g.srcCol = residueTaps(col+s.PadLeft, s.KW, s.StrideW, dilationW)
			t.grids = append(t.grids, g)
		}
	}
	return t
}

// residueTaps returns the taps that reach a position, the last first, and the output position of the first of them. Those of the others follow at a distance
// of the dilation divided by its greatest common divisor with the stride.
func residueTaps(pos, taps, stride, dilation int) (ks []int, src int) {
	for k := taps - 1; k >= 0; k-- {
		if (pos-k*dilation)%stride == 0 {
			ks = append(ks, k)
		}
	}
	if len(ks) > 0 {
		src = (pos - ks[0]*dilation) / stride
	}
	return ks, src
}

// gcd returns the greatest common divisor of two positive numbers.
func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// depth returns the inner dimension of a grid's product.
func (t *tapConv) depth(g *tapGrid) int { return len(g.kh) * len(g.kw) * t.chans }

// segments returns the number of a grid's runs of inner steps that lie side by side in the images, and their length: a run is a kernel row, or, where its taps lie
// apart, a tap.
func (t *tapConv) segments(g *tapGrid) (count, run int) {
	if t.apartW > 1 {
		return len(g.kh) * len(g.kw), t.chans
	}
	return len(g.kh), len(g.kw) * t.chans
}

// tap returns where in a grid's lists the tap of an inner step is, which is step q of a segment.
func (t *tapConv) tap(g *tapGrid, segment, q int) (row, col int) {
	if t.apartW > 1 {
		return segment / len(g.kw), segment % len(g.kw)
	}
	return segment, q / t.chans
}

// window returns the frame that all grids read.
func (t *tapConv) window() frame {
	f := frame{h: t.srcH, w: t.srcW, c: t.srcC, step: t.inH, chans: t.chans}
	var rowEnd, colEnd int
	seen := false
	for i := range t.grids {
		g := &t.grids[i]
		if t.depth(g) == 0 {
			continue
		}
		re, ce := g.srcRow+(len(g.kh)-1)*t.apartH+1, g.srcCol+(g.cols-1)*t.inW+(len(g.kw)-1)*t.apartW+1
		if !seen {
			f.row0, f.col0, rowEnd, colEnd, seen = g.srcRow, g.srcCol, re, ce, true
			continue
		}
		f.row0, f.col0 = min(f.row0, g.srcRow), min(f.col0, g.srcCol)
		rowEnd, colEnd = max(rowEnd, re), max(colEnd, ce)
	}
	f.rows, f.cols = rowEnd-f.row0, colEnd-f.col0
	return f
}
