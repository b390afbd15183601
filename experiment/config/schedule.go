package config

import "shadowflow/rule/stepsize"

// Plan returns the schedule of a run.
func (c *Config) Plan() (stepsize.Schedule, error) {
	k := c.Schedule
	s := stepsize.Schedule{
		Shape: stepsize.Shape(k.Shape), Warmup: k.Warmup, Steps: k.Steps, Final: k.Final, Every: k.Every, Factor: k.Factor, Stable: k.Stable,
	}
	if s.Steps == 0 {
		s.Steps = c.Steps
	}
	if s.Shape == stepsize.File {
		var err error
		if s.Factors, err = stepsize.Read(k.Path); err != nil {
			return s, err
		}
	}
	return s, s.Validate()
}
