package cli

import (
	"errors"

	"shadowflow/experiment/run"
	"shadowflow/graph"
	"shadowflow/objective/closed"
	"shadowflow/schema"
)

// aClosedForm is the loss of the theory's commands where no config says another.
var aClosedForm = schema.Set("objective.name", closed.Names()[0])

// closing closes a problem, and joins what fails to an error.
func closing[T graph.Float](p *run.Problem[T], err *error) { *err = errors.Join(*err, p.Close()) }

// floats reads the numbers that a flag was given, a,b,...
func floats(flag, text string) ([]float64, error) {
	s, err := readList(flag+" "+text, "", text)
	if err != nil {
		return nil, err
	}
	values, problem := (&schema.Key{Type: schema.Numbers}).Convert(s.Value)
	if problem != "" {
		return nil, s.ValueError("", "%s", problem)
	}
	return values.([]float64), nil
}
