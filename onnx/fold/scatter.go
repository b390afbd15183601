package fold

import (
	"fmt"
	"slices"
)

// Places returns, of the places that GatherND and ScatterND have as numbers along the last axis of at, how many of the first axes of that shape each counts
// along, and where it is when these axes are one.
func Places(at *Array, shape []int) (flat []int, axes int, err error) {
	numbers, err := at.Integers()
	if err != nil {
		return nil, 0, err
	}
	if rank := len(at.Shape); rank > 0 {
		axes = at.Shape[rank-1]
	}
	if axes < 1 || axes > len(shape) {
		return nil, 0, fmt.Errorf("its places have shape %v, want a last axis of 1 to %d numbers for an array of shape %v", at.Shape, len(shape), shape)
	}
	flat = make([]int, len(numbers)/axes)
	for i := range flat {
		for j, p := range numbers[i*axes:][:axes] {
			if p < -shape[j] || p >= shape[j] {
				return nil, 0, fmt.Errorf("it has place %d of axis %d of length %d", p, j, shape[j])
			}
			flat[i] = flat[i]*shape[j] + (p+shape[j])%shape[j]
		}
	}
	return flat, axes, nil
}

// scatterND puts elements, or parts, at places of the first axes; of equal places the last counts.
func scatterND(c *call, a *Array) ([]*Array, error) {
	if how := c.attributes.Text("reduction", "none"); how != "none" {
		return nil, fmt.Errorf("reduction is %.40q, want none: others are not there yet", how)
	}
	at, err := c.input(1)
	if err != nil {
		return nil, err
	}
	updates, err := c.input(2)
	if err != nil {
		return nil, err
	}
	places, axes, err := Places(at, a.Shape)
	if err != nil {
		return nil, err
	}
	want := slices.Concat(at.Shape[:len(at.Shape)-1], a.Shape[axes:])
	if updates.Type != a.Type || !slices.Equal(updates.Shape, want) {
		return nil, fmt.Errorf("it puts %s of shape %v into %s of shape %v, want shape %v", updates.Type, updates.Shape, a.Type, a.Shape, want)
	}
	if err := c.room(a.Shape); err != nil {
		return nil, err
	}
	out, part := a.clone(), size(a.Shape[axes:])
	for i, place := range places {
		out.put(place*part, updates, i*part, part)
	}
	return one(out, nil)
}
