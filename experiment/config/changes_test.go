package config

import (
	"reflect"
	"strings"
	"testing"
)

func TestChangesAreTheKeysThatChangeWhatIsComputed(t *testing.T) {
	const own = `optimizer={name: mine, lr: 0.1, let: {mu: 0.9}, state: {m: "ema(g, mu)"}, update: m}`
	for name, c := range map[string]struct {
		before, now []string
		want        []Change
	}{
		"none":                          {nil, nil, nil},
		"none but threads":              {nil, []string{"threads=3", "checkpoint.every=7"}, nil},
		"a number and a list":           {nil, []string{"optimizer.lr=0.5", "model.hidden=[3,4]"}, []Change{{"model.hidden", "[64, 64]", "[3, 4]"}, {"optimizer.lr", "0.001", "0.5"}}},
		"a key that loses its meaning":  {nil, []string{"optimizer.name=rmsprop"}, nil},
		"the formula of one's own":      {[]string{own}, []string{strings.Replace(own, "update: m", "update: 2 * m", 1)}, []Change{{"optimizer.update", "m", "'2 * m'"}}},
		"one's own for a built-in name": {[]string{"optimizer.name=gd"}, []string{own}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			before, err := Parse("", nil, c.before)
			if err != nil {
				t.Fatal(err)
			}
			now, err := Parse("", nil, c.now)
			if err != nil {
				t.Fatal(err)
			}
			got := before.Changes(now)
			if c.want != nil && !reflect.DeepEqual(got, c.want) || c.want == nil && (len(got) > 0) != (before.Hash() != now.Hash()) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
