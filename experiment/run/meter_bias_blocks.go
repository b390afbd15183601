package run

import (
	"fmt"

	"shadowflow/diagnose"
	"shadowflow/graph"
	"shadowflow/internal/plural"
)

// maxBlocks bounds the weights that have columns of their own.
const maxBlocks = 256

// blockGauges are the columns of one weight. Some may be nil.
type blockGauges struct {
	at                          graph.Block
	main, predicted, realized   *Gauge
	observed                    *Gauge
	cosine, explained           *Gauge
	penalizes, hinders          *Gauge // by the predicted bias
	realizedPenalizes, hindered *Gauge // by the realized one
}

func newBlockGauges(blocks []graph.Block, predicted, realized bool) ([]blockGauges, error) {
	if len(blocks) > maxBlocks {
		return nil, fmt.Errorf("record.blocks: the network has %s: want at most %d, or false", plural.Count(len(blocks), "weight"), maxBlocks)
	}
	var out []blockGauges
	for _, at := range blocks {
		of := func(name, unit, doc string) *Gauge { return gauge("block."+at.Name+"."+name, unit, doc) }
		b := blockGauges{
			at:       at,
			main:     of("drive.main", "1/h", "the part of drive.main that the movement of this weight makes"),
			observed: of("drive.observed", "1/h", "the part of drive.observed in the sum over this weight's gradient that N has, whichever weights' movement made it"),
		}
		const penalizes, hinders = "fraction of this weight's coordinates that %s moves so that N falls", "fraction of this weight's coordinates that %s moves so that N rises"
		if predicted {
			b.predicted = of("drive.predicted", "1/h", "the part of drive.predicted that this weight's movement makes")
			b.penalizes = of("penalized", "", fmt.Sprintf(penalizes, "the predicted bias"))
			b.hinders = of("hindered", "", fmt.Sprintf(hinders, "the predicted bias"))
		}
		if realized {
			b.realized = of("drive.realized", "1/h", "the part of drive.realized that this weight's movement makes")
			b.realizedPenalizes = of("realized.penalized", "", fmt.Sprintf(penalizes, "the realized bias"))
			b.hindered = of("realized.hindered", "", fmt.Sprintf(hinders, "the realized bias"))
		}
		if predicted && realized {
			b.cosine = of("cosine", "", "cosine between the realized and the predicted bias of this weight")
			b.explained = of("explained", "", "projection of its realized bias on the predicted one: how much of this is realized")
		}
		out = append(out, b)
	}
	return out, nil
}

func (g blockGauges) gauges() []*Gauge {
	return []*Gauge{g.main, g.predicted, g.realized, g.observed, g.cosine, g.explained, g.penalizes, g.hinders, g.realizedPenalizes, g.hindered}
}

// predict sets the weight's parts of what the main term and the predicted bias do, given its parts of F, C and q.
func predict[T graph.Float](g blockGauges, h float64, f, c, q []T) {
	if g.predicted == nil {
		g.main.Set(-diagnose.Dot(q, f))
		return
	}
	b := diagnose.BiasOf(h, f, c, q)
	g.main.Set(b.MainDrive)
	g.predicted.Set(b.Drive)
	g.penalizes.Set(b.PenalizedCoordinates)
	g.hinders.Set(b.HinderedCoordinates)
}

// realize sets those of the realized bias.
func realize[T graph.Float](g blockGauges, h float64, f, c, b, q []T) {
	bias := diagnose.BiasOf(1, f, b, q)
	g.realized.Set(bias.Drive)
	g.realizedPenalizes.Set(bias.PenalizedCoordinates)
	g.hindered.Set(bias.HinderedCoordinates)
	if g.cosine != nil {
		if likeness := diagnose.LikenessOf(h, c, b); likeness != (diagnose.Likeness{}) {
			g.cosine.Set(likeness.Cosine)
			g.explained.Set(likeness.Explained)
		}
	}
}

// part returns a block's part of a vector, nil if there is none.
func part[T graph.Float](at graph.Block, v []T) []T {
	if v == nil {
		return nil
	}
	return v[at.Offset : at.Offset+at.Size()]
}

// excesses returns the excess of each weight's part of N, given the gradient.
func excesses[T graph.Float](blocks []blockGauges, g []T, eps float64) []float64 {
	var out []float64
	for _, b := range blocks {
		out = append(out, diagnose.GradientNorms(part(b.at, g), eps).Excess)
	}
	return out
}
