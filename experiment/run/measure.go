package run

import (
	"shadowflow/diagnose"
	"shadowflow/experiment/record"
)

// measure puts everything that is due at the present point into the row. last says that no step follows.
func (t *trainer[T]) measure(n int, last bool) error {
	clear(t.record.row)
	t.record.set("step", record.Int(int64(n)))
	t.recordPoint()
	c := t.config.Record
	if c.Bias > 0 && (last || due(c.Bias, n)) && finite(t.point.norms.Two) {
		if err := t.watch.time("bias", func() error { return t.bias.measure(t) }); err != nil {
			return err
		}
	}
	if c.Sharpness > 0 && (last || due(c.Sharpness, n)) && finite(t.point.norms.Two) {
		if err := t.sharp.measure(t); err != nil {
			return err
		}
	}
	if c.Test > 0 && t.data.Test.N() > 0 && (last || due(c.Test, n)) {
		if err := t.watch.time("test", t.recordTest); err != nil {
			return err
		}
	}
	return t.shadow.record(t)
}

func (t *trainer[T]) recordPoint() {
	p, r := &t.point, t.record
	r.float("loss", p.seen.Loss)
	r.float("accuracy", p.seen.Accuracy())
	r.float("perturbed_norm", p.norms.Perturbed)
	r.float("excess", p.norms.Excess)
	r.float("one_norm", p.norms.One)
	r.float("two_norm", p.norms.Two)
	r.float("max_norm", p.norms.Max)
	r.float("gradient_mean", p.norms.Mean)
	r.float("gradient_deviation", p.norms.Deviation)
}

func (t *trainer[T]) recordTest() error {
	e, err := t.loss.Test(t.context(), t.theta)
	if err != nil {
		return err
	}
	t.record.float("test_loss", e.Loss)
	t.record.float("test_accuracy", e.Accuracy())
	return nil
}

func (t *trainer[T]) recordBias(b diagnose.Bias) {
	r := t.record
	r.float("bias_share", b.Share)
	r.float("penalized", b.PenalizedCoordinates)
	r.float("hindered", b.HinderedCoordinates)
	r.float("penalized_weight", b.PenalizedWeight)
	r.float("hindered_weight", b.HinderedWeight)
	r.float("drive_main", b.MainDrive)
	r.float("drive_bias", b.BiasDrive)
	t.lastDrive = b.BiasDrive
}

// commit writes the row.
func (t *trainer[T]) commit(d *record.Dir, n int) error {
	if err := d.Append(t.record.row); err != nil {
		return err
	}
	return t.times.Add(n, t.watch.seconds())
}
