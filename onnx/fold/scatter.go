package fold

import (
	"fmt"
	"slices"
)

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
	places, err := at.Integers()
	if err != nil {
		return nil, err
	}
	last := len(at.Shape) - 1
	if last < 0 || at.Shape[last] < 1 || at.Shape[last] > len(a.Shape) {
		return nil, fmt.Errorf("its places have shape %v, want a last axis of 1 to %d numbers for an array of shape %v", at.Shape, len(a.Shape), a.Shape)
	}
	axes := at.Shape[last]
	if want := slices.Concat(at.Shape[:last], a.Shape[axes:]); updates.Type != a.Type || !slices.Equal(updates.Shape, want) {
		return nil, fmt.Errorf("it puts %s of shape %v into %s of shape %v, want shape %v", updates.Type, updates.Shape, a.Type, a.Shape, want)
	}
	if err := c.room(a.Shape); err != nil {
		return nil, err
	}
	out := a.pick(a.Shape, sequence(a.Size()))
	part, steps := size(a.Shape[axes:]), strides(a.Shape)
	for i := range len(places) / axes {
		start := 0
		for j, p := range places[i*axes:][:axes] {
			if p < -a.Shape[j] || p >= a.Shape[j] {
				return nil, fmt.Errorf("it puts at place %d of axis %d of length %d", p, j, a.Shape[j])
			}
			start += (p + a.Shape[j]) % a.Shape[j] * steps[j]
		}
		if a.Type.Floating() {
			copy(out.Floats[start:][:part], updates.Floats[i*part:])
		} else {
			copy(out.Ints[start:][:part], updates.Ints[i*part:])
		}
	}
	return one(out, nil)
}
