package sweep

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"shadowflow/schema"
)

func spec() Spec {
	return Spec{
		Name: "betas",
		Base: []schema.Setting{schema.Set("steps", 40), schema.Set("stop", []schema.Setting{schema.Set("loss", 0.005)})},
		List: [][]schema.Setting{{}, {schema.Set("model.name", "cnn"), schema.Set("model.channels", []int{2, 4})}},
		Zip:  []schema.Setting{schema.Set("optimizer.lr", []float64{1e-3, 1e-4}), schema.Set("record.bias", []int{1, 2})},
		Grid: []schema.Setting{schema.Set("optimizer.beta2", []float64{0.9, 0.99})},

		Seeds: Seeds(2), AtLoss: []float64{0.1},
	}
}

func TestASweepOfGoValuesIsThatOfItsFile(t *testing.T) {
	made, err := New(spec(), Limit)
	if err != nil {
		t.Fatal(err)
	}
	read, err := Parse("elsewhere.yaml", made.Source, Limit)
	if err != nil {
		t.Fatalf("%v\n%s", err, made.Source)
	}
	if len(made.Runs) != 16 || read.Name != "betas" || !reflect.DeepEqual(made.AtLoss, read.AtLoss) || !slices.Equal(made.Keys, read.Keys) {
		t.Errorf("%d runs of %+v, want those of %+v", len(made.Runs), made, read)
	}
	for i, r := range made.Runs {
		if r.Hash != read.Runs[i].Hash {
			t.Errorf("run %d differs: %s and %s", i, r, read.Runs[i])
		}
	}
	last := made.Runs[15]
	if c := last.Config; c.Steps != 40 || c.Stop.Loss != 0.005 || c.Optimizer.LR != 1e-4 || !slices.Equal(c.Model.Channels, []int{2, 4}) || c.Seed != 1 {
		t.Errorf("the last run is %s: %+v", last, c)
	}
}

func TestWrongGoValuesAreRefusedByKey(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(s *Spec)
		want   string
	}{
		{"unknown key", func(s *Spec) { s.Base = append(s.Base, schema.Set("stepz", 1)) }, "stepz: unknown key; did you mean steps?"},
		{"out of range", func(s *Spec) { s.Grid = []schema.Setting{schema.Set("optimizer.beta2", []float64{2})} }, "optimizer.beta2: 2 is out of range"},
		{"no list", func(s *Spec) { s.Grid = []schema.Setting{schema.Set("optimizer.beta2", 0.9)} }, "grid: optimizer.beta2: expected a list of values"},
		{"no values", func(s *Spec) { s.Seeds = []uint64{} }, "seeds: an empty list makes no runs"},
		{"two lengths", func(s *Spec) { s.Zip[1] = schema.Set("record.bias", []int{1}) }, "zip: record.bias: 1 value, and zip: optimizer.lr has 2"},
		{"a key in two dimensions", func(s *Spec) { s.Grid = []schema.Setting{schema.Set("seed", []int{7})} }, "seeds: gives values to seed, and so does grid: seed"},
		{"a key given twice", func(s *Spec) { s.Base = append(s.Base, schema.Set("steps", 50)) }, "steps: given twice"},
		{"an override of a key of the grid", func(s *Spec) {
			s.Overrides = [][]schema.Setting{{schema.Set("optimizer.beta2", 0.5)}}
		}, "optimizer.beta2: of no use, for the sweep gives it values: grid: optimizer.beta2"},
		{"an override of a key in a section of the list", func(s *Spec) {
			s.List[1] = []schema.Setting{schema.Set("model", []schema.Setting{schema.Set("dense", 3)})}
			s.Overrides = [][]schema.Setting{{schema.Set("model.dense", 4)}}
		}, "model.dense: of no use, for the sweep gives it values: list"},
		{"another type", func(s *Spec) { s.Base = append(s.Base, schema.Set("dtype", 64)) }, "dtype: expected text, got the number 64"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := spec()
			c.change(&s)
			if _, err := New(s, Limit); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestOverridesReplaceSettingsOfTheBase(t *testing.T) {
	src := "base: {steps: 5, optimizer: {lr: 1e-3}}\nseeds: 2\n"
	set, err := schema.ParseSet("--set", "lr=0.5,threads=1")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Parse("s.yaml", []byte(src), Limit, set)
	if err != nil {
		t.Fatal(err)
	}
	if c := s.Runs[1].Config; c.Steps != 5 || c.Optimizer.LR != 0.5 || c.Threads != 1 {
		t.Errorf("%+v", c)
	}
	if again := mustParse(t, string(s.Source)); again.Runs[1].Hash != s.Runs[1].Hash {
		t.Errorf("the copy differs:\n%s", s.Source)
	}
}
