package report

import (
	"fmt"
	"strings"

	"shadowflow/rule"
)

// gradientLines say what g and H F stand for in the formulas where the gradient is clipped, or coupled decay is added to it, before the formulas see it:
//
//	gamma = clip(grad E) + l2 theta,    d gamma = D H d theta + l2 d theta,    D the derivative of clipping.
//
// Each moment and the gradient itself move along F, so that C is the same formula of gamma with D H F + l2 F for H F. They are none where nothing is done to it.
func gradientLines(c rule.Conditioning) []string {
	if !c.Active() {
		return nil
	}
	g, hf := "grad E", "H F"
	if c.Clips() {
		g, hf = "clip(grad E)", "D H F"
	}
	what := fmt.Sprintf("Here g stands for %s, and H F for %s, H the Hessian of the loss E", g, hf)
	if c.Decaying() {
		what = fmt.Sprintf("Here g stands for %s + l2 theta, and H F for %s + l2 F, H the Hessian of the loss E, l2 = %v", g, hf, c.L2)
	}
	if !c.Clips() {
		return []string{what + ":", "the optimizer is that of the loss E + (l2/2)|theta|^2, of whose gradient the norm is."}
	}
	lines := []string{what + ", D the derivative of clipping:"}
	if c.ClipValue > 0 {
		lines = append(lines, fmt.Sprintf("clip_value keeps each g_j within +-%v; (D v)_j = v_j, and 0 where g_j is beyond.", c.ClipValue))
	}
	if c.ClipNorm > 0 {
		lines = append(lines, clipNormLine(c))
	}
	unclipped := "E"
	if c.Decaying() {
		unclipped = "E + (l2/2)|theta|^2"
	}
	return append(lines, fmt.Sprintf("D H F is the gradient of no norm: what follows of norms is of the steps at which nothing is clipped, of the gradient of %s.", unclipped))
}

// clipNormLine says what bounds the norm, and its derivative.
func clipNormLine(c rule.Conditioning) string {
	of, norm, along, behind := "clip_norm makes it", "|g|", "ghat (ghat.v)", ""
	if c.ClipValue > 0 {
		of, behind = "Then clip_norm makes it", ", behind that of the elements"
	}
	if c.PyTorch {
		norm, along = fmt.Sprintf("(|g| + %g)", rule.Softening), fmt.Sprintf("ghat (ghat.v) |g|/(|g| + %g)", rule.Softening)
	}
	return fmt.Sprintf("%s g min(1, %v/%s), the norm over all parameters; where that is shorter, D v = (%[2]v/%[3]s)(v - %s), ghat = g/|g|%s.", of, c.ClipNorm, norm, along, behind)
}

// gradientText is gradientLines as a paragraph.
func gradientText(c rule.Conditioning) string { return strings.Join(gradientLines(c), " ") }
