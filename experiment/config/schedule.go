package config

import (
	"errors"

	"shadowflow/rule/stepsize"
)

// Plan returns the schedule of a run, with the factors of its file.
func (c *Config) Plan() (stepsize.Schedule, error) {
	s := c.plan()
	if s.Shape == stepsize.File {
		var err error
		if s.Factors, err = stepsize.Read(c.Schedule.Path); err != nil {
			return s, err
		}
	}
	return s, s.Validate()
}

// plan returns the schedule without the factors of a file.
func (c *Config) plan() stepsize.Schedule {
	k := c.Schedule
	s := stepsize.Schedule{
		Shape: stepsize.Shape(k.Shape), Warmup: k.Warmup, Steps: k.Steps, Final: k.Final, Every: k.Every, Factor: k.Factor, Stable: k.Stable,
	}
	if s.Steps == 0 {
		s.Steps = c.Steps
	}
	return s
}

// checkSchedule says what is wrong with the section schedule, nil if nothing is.
func (c *Config) checkSchedule() *stepsize.KeyError {
	s := c.plan()
	var wrong *stepsize.KeyError
	switch {
	case s.Shape == stepsize.File && c.Schedule.Path == "":
		return &stepsize.KeyError{Key: "path", Problem: "no file; expected one with the factor of each step, a number a line"}
	case s.Shape == stepsize.File || !errors.As(s.Validate(), &wrong):
		return nil
	case wrong.Key == "steps" && c.Schedule.Steps == 0 && c.Optimizer.Moments != "":
		return nil // the steps that the moments are from count too, which the file tells
	}
	return wrong
}
