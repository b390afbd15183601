package dataset

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

func TestSpecErrorsNameTheField(t *testing.T) {
	one, minus := 1., -0.1
	for _, tc := range []struct {
		spec  Spec
		field string
		want  string
	}{
		{Spec{}, "name", `"": expected`},
		{Spec{Name: "mnist"}, "name", `"mnist"; expected one of digits, idx, cifar10, cifar100, npz, csv, images`},
		{Spec{Name: NameDigits, Path: "x"}, "path", "of no use with name: digits"},
		{Spec{Name: NameCIFAR10}, "path", "empty; name: cifar10 needs it"},
		{Spec{Name: NameNPZ, Path: "x", TrainImages: "y"}, "train_images", "of no use"},
		{Spec{Name: NameIDX, TrainImages: "x"}, "train_labels", "needs it"},
		{Spec{Name: NameIDX, TrainImages: "x", TrainLabels: "y", TestImages: "z"}, "test_labels", "needs it"},
		{Spec{Name: NameImages, Path: "x"}, "size", "0; expected 1 to 1024 pixels"},
		{Spec{Name: NameImages, Path: "x", Size: 4096}, "size", "4096; expected"},
		{Spec{Name: NameImages, Path: "x", Size: 8, TestFraction: &one}, "test_fraction", "1; expected at least 0"},
		{Spec{Name: NameNPZ, Path: "x", TestFraction: &minus}, "test_fraction", "-0.1; expected"},
		{Spec{Name: NameDigits, TestFraction: &one}, "test_fraction", "its own test part"},
		{Spec{Name: NameCIFAR10, Path: "x", CoarseLabels: true}, "coarse_labels", "only name: cifar100"},
		{Spec{Name: NameDigits, Classes: 10}, "classes", "knows its classes"},
		{Spec{Name: NameNPZ, Path: "x", Classes: -1}, "classes", "-1; expected"},
		{Spec{Name: NameDigits, Subset: -1}, "subset", "-1; expected"},
		{Spec{Name: NameDigits, TestSubset: -5}, "test_subset", "-5; expected"},
	} {
		err := tc.spec.Validate()
		var field *FieldError
		if !errors.As(err, &field) || field.Field != tc.field {
			t.Errorf("%+v: error %v, want one about %s", tc.spec, err, tc.field)
			continue
		}
		if tc.spec.Name != "" && !strings.Contains(field.Problem, tc.want) {
			t.Errorf("%+v: error %v, want %q", tc.spec, err, tc.want)
		}
		if _, loadErr := Load(t.Context(), tc.spec); loadErr == nil || loadErr.Error() != err.Error() {
			t.Errorf("Load says %v, Validate %v", loadErr, err)
		}
	}
}

func TestErrorsFoundWhenLoadingNameTheFieldToo(t *testing.T) {
	for _, tc := range []struct {
		spec  Spec
		field string
	}{
		{Spec{Name: NameDigits, Subset: 1298}, "subset"},
		{Spec{Name: NameDigits, TestSubset: 501}, "test_subset"},
		{Spec{Name: NameNPZ, Path: "testdata/features.npz", Augment: true}, "augment"},
	} {
		_, err := Load(t.Context(), tc.spec)
		var field *FieldError
		if !errors.As(err, &field) || field.Field != tc.field {
			t.Errorf("%+v: error %v, want one about %s", tc.spec, err, tc.field)
		}
	}
}

func TestDefaultSpecIsDigitsStandardized(t *testing.T) {
	d, err := Load(t.Context(), DefaultSpec())
	if err != nil {
		t.Fatal(err)
	}
	if want := Digits(); !slices.Equal(Inputs[float64](d.Train), Inputs[float64](want.Train)) || d.Mean[0] != want.Mean[0] {
		t.Error("the default is not Digits()")
	}
}

func TestStandardizationOffLeavesTheNumbers(t *testing.T) {
	d, err := Load(t.Context(), Spec{Name: NameDigits})
	if err != nil {
		t.Fatal(err)
	}
	if d.Mean != nil || d.Std != nil || slices.Max(Inputs[float64](d.Test)) != 16 {
		t.Errorf("mean %v, deviation %v", d.Mean, d.Std)
	}
}

// Runs on subsets of one data set see the same inputs.
func TestSubsetKeepsTheWholeTrainingPartsStandardization(t *testing.T) {
	s := DefaultSpec()
	s.Subset, s.TestSubset, s.SubsetSeed = 100, 50, 3
	d, err := Load(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if whole := Digits(); d.Mean[0] != whole.Mean[0] || d.Std[0] != whole.Std[0] {
		t.Errorf("mean %v, deviation %v; want %v, %v", d.Mean, d.Std, whole.Mean, whole.Std)
	}
	if train, test := d.Train.ClassCounts(10), d.Test.ClassCounts(10); slices.Min(train) != 10 || slices.Max(train) != 10 || slices.Min(test) != 5 || slices.Max(test) != 5 {
		t.Errorf("classes in train %v, in test %v", train, test)
	}
}

func TestASubsetMayBeTheFirstExamples(t *testing.T) {
	spec := DefaultSpec()
	spec.Standardize = false
	all, err := Load(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	spec.Subset, spec.TestSubset, spec.SubsetFirst = 40, 7, true
	first, err := Load(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(first.Train.Labels, all.Train.Labels[:40]) || !slices.Equal(first.Test.Labels, all.Test.Labels[:7]) {
		t.Errorf("labels %v and %v, want %v and %v", first.Train.Labels, first.Test.Labels, all.Train.Labels[:40], all.Test.Labels[:7])
	}
	spec.Subset = all.Train.N() + 1
	if _, err := Load(t.Context(), spec); err == nil || !strings.Contains(err.Error(), "subset: subset of") {
		t.Errorf("more than there are: %v", err)
	}
}

func TestSpecIsReadFromYAML(t *testing.T) {
	s := DefaultSpec()
	text := "{name: images, path: eurosat, size: 64, standardize: false, test_fraction: 0.1, subset: 500, subset_seed: 9, augment: true}"
	if err := yaml.UnmarshalWithOptions([]byte(text), &s, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	if s.Name != NameImages || s.Path != "eurosat" || s.Size != 64 || s.Standardize || *s.TestFraction != 0.1 ||
		s.Subset != 500 || s.SubsetSeed != 9 || !s.Augment {
		t.Errorf("spec %+v", s)
	}
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
}

func ExampleLoad() {
	spec := DefaultSpec()
	spec.Subset = 500
	d, err := Load(context.Background(), spec)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(d.Train.N(), d.Test.N(), d.Train.ClassCounts(d.Classes))
	// Output: 500 500 [50 50 50 50 50 50 50 50 50 50]
}
