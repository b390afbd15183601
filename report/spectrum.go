package report

import (
	"fmt"
	"strings"

	"shadowflow/experiment/record"
	"shadowflow/experiment/run"
	"shadowflow/internal/plural"
)

// SpectrumLines says what is known of a Hessian's spectrum.
func SpectrumLines(s *run.Spectrum) []string {
	how := "by " + plural.Of(s.Products, "Hessian-vector product")
	if s.Exact {
		how = "from the whole matrix"
	}
	lines := []string{fmt.Sprintf("loss %.9g (%s, %s), %s", s.Loss, plural.Of(s.Parameters, "parameter"), plural.Of(s.Examples, "example"), how)}
	for _, note := range s.Notes {
		lines = append(lines, "note: "+note)
	}
	lines = append(append(lines, "", "Hessian"), eigenvalueLines(&s.Eigenvalues)...)
	if s.Layers != nil {
		lines = append(append(lines, ""), layerLines(s)...)
	}
	if d := s.Density; d != nil {
		lines = append(lines, "", fmt.Sprintf("density from %.4g to %.4g, smoothed with a standard deviation of %.3g%s", d.X[0], d.X[len(d.X)-1], d.Width, densest(d)))
	}
	if p := s.Preconditioned; p != nil {
		lines = append(append(lines, "", "P^-1/2 H P^-1/2, the memory "+p.Memory), eigenvalueLines(&p.Eigenvalues)...)
		lines = append(lines, "  "+beyondPeriodTwo(p))
	}
	return lines
}

// densest says where the density is highest.
func densest(d *run.SpectralDensity) string {
	at := 0
	for i, y := range d.Y {
		if y > d.Y[at] {
			at = i
		}
	}
	return fmt.Sprintf("; highest at %.3g", d.X[at])
}

// beyondPeriodTwo says how many eigenvalues lie above the threshold.
func beyondPeriodTwo(p *run.Preconditioned) string {
	threshold := float64(p.PeriodTwo)
	switch {
	case threshold != threshold:
		return "there is no single threshold of period two"
	case p.Beyond == 0:
		return fmt.Sprintf("none is above %.6g, where oscillations of period two begin to grow", threshold)
	case p.Beyond == len(p.Top):
		return fmt.Sprintf("all %d that were looked for, and perhaps more, are above %.6g, where oscillations of period two begin to grow", p.Beyond, threshold)
	}
	return fmt.Sprintf("%d above %.6g, where oscillations of period two begin to grow", p.Beyond, threshold)
}

func eigenvalueLines(e *run.Eigenvalues) []string {
	var lines []string
	for _, part := range []struct {
		name              string
		values, residuals []record.Number
	}{{"largest ", e.Top, e.Residuals.Top}, {"smallest", e.Bottom, e.Residuals.Bottom}} {
		for k, v := range part.values {
			name := part.name
			if k > 0 {
				name = strings.Repeat(" ", len(name))
			}
			lines = append(lines, fmt.Sprintf("  %s %14.8g   within %.1e", name, v, part.residuals[k]))
		}
	}
	if !e.Converged {
		lines = append(lines, fmt.Sprintf("  not all within the tolerance, %.1e of the largest: these are the nearest that were found", e.Tolerance))
	}
	if e.Trace == nil {
		return lines
	}
	return append(lines, "  trace    "+estimate(*e.Trace), "  tr Diag(.)^1/2 "+strings.TrimSpace(estimate(*e.RootDiagonal)))
}

// estimate writes a mean with its deviation.
func estimate(e run.Estimate) string {
	if e.Deviation == 0 {
		return fmt.Sprintf("%14.8g", e.Mean)
	}
	return fmt.Sprintf("%14.6g +- %.2g", e.Mean, e.Deviation)
}

func layerLines(s *run.Spectrum) []string {
	width := len("layer")
	for _, name := range s.Names {
		width = max(width, len(name))
	}
	lines := []string{fmt.Sprintf("%-*s  parameters       largest      smallest   within  trace", width, "layer")}
	for _, name := range s.Names {
		l := s.Layers[name]
		lines = append(lines, fmt.Sprintf("%-*s  %10d  %12.6g  %12.6g  %7.1e  %s", width, name, l.Parameters, l.Top, l.Bottom, l.Residual, strings.TrimSpace(estimate(l.Trace))))
	}
	return lines
}
