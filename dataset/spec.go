package dataset

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// The names of the formats that Spec.Name chooses from.
const (
	NameDigits   = "digits"
	NameIDX      = "idx"
	NameCIFAR10  = "cifar10"
	NameCIFAR100 = "cifar100"
	NameNPZ      = "npz"
	NameImages   = "images"
)

// Names returns the names of all formats.
func Names() []string {
	return []string{NameDigits, NameIDX, NameCIFAR10, NameCIFAR100, NameNPZ, NameImages}
}

const (
	maxImageSide        = 1024
	maxClasses          = 1 << 16
	defaultTestFraction = 0.2
)

// Spec says which data to load and how: the data section of a configuration.
// The zero value of a field that a format does not use is right for it.
type Spec struct {
	// Name is the format: digits (embedded), idx (the MNIST family), cifar10,
	// cifar100, npz or images.
	Name string `yaml:"name"`

	// Path is where the data is. cifar10, cifar100: the official binary
	// version, as .tar.gz or unpacked, or a folder with either. npz: the file,
	// with X ([N, D] or [N, C, H, W], floats or uint8), y (integers) and, if
	// there, X_test and y_test. images: a folder with a folder of JPEG or PNG
	// files for each class.
	Path string `yaml:"path,omitempty"`

	// TrainImages, TrainLabels, TestImages and TestLabels are the four files of
	// idx, plain or compressed with gzip. Without the last two there is no test
	// part.
	TrainImages string `yaml:"train_images,omitempty"`
	TrainLabels string `yaml:"train_labels,omitempty"`
	TestImages  string `yaml:"test_images,omitempty"`
	TestLabels  string `yaml:"test_labels,omitempty"`

	// Size is the height and width, in pixels, that images are resized to.
	// Their proportions change if they are not square. The other formats keep
	// the sizes they have.
	Size int `yaml:"size"`

	// TestFraction is the fraction of each class, in [0, 1), that becomes the
	// test part: always the same examples. It is for images and for npz files
	// without X_test. Nil means 0.2 for images and 0 (no test part) for npz.
	TestFraction *float64 `yaml:"test_fraction,omitempty"`

	// CoarseLabels takes the 20 coarse classes of cifar100 instead of its 100
	// fine ones.
	CoarseLabels bool `yaml:"coarse_labels,omitempty"`

	// Classes is the number of classes of idx and npz. 0 means one more than
	// the largest training label; idx files must then have every class.
	Classes int `yaml:"classes,omitempty"`

	// Standardize subtracts from each channel the mean of the whole training
	// part (before a subset is taken) and divides by its population deviation.
	// If false, the inputs are the numbers in the files: 0..16 for digits,
	// 0..255 for bytes.
	Standardize bool `yaml:"standardize"`

	// Subset and TestSubset are numbers of examples to keep of the training and
	// of the test part, balanced over the classes. 0 means all.
	Subset     int `yaml:"subset"`
	TestSubset int `yaml:"test_subset"`

	// SubsetSeed chooses which examples the subsets keep.
	SubsetSeed uint64 `yaml:"subset_seed"`

	// Augment crops and flips the training images at random at each step. With
	// it, the loss is a different function at each step.
	Augment bool `yaml:"augment"`
}

// DefaultSpec returns the digits, standardized, and the defaults of the other
// formats' fields.
func DefaultSpec() Spec {
	return Spec{Name: NameDigits, Size: 32, Standardize: true}
}

// FieldError says which field of a Spec is wrong.
type FieldError struct {
	// Field is the field's YAML key.
	Field string

	// Problem says what is wrong and what would be right.
	Problem string
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Problem }

// Validate checks everything about the Spec that does not need the files. Its
// errors are of type *FieldError.
func (s Spec) Validate() error {
	if !slices.Contains(Names(), s.Name) {
		return &FieldError{"name", fmt.Sprintf("%q; expected one of %s", s.Name, strings.Join(Names(), ", "))}
	}
	if err := s.validatePaths(); err != nil {
		return err
	}
	if err := s.validateFormatOptions(); err != nil {
		return err
	}
	for _, f := range []struct {
		key   string
		value int
	}{{"subset", s.Subset}, {"test_subset", s.TestSubset}} {
		if f.value < 0 {
			return &FieldError{f.key, fmt.Sprintf("%d; expected a number of examples, or 0 for all", f.value)}
		}
	}
	return nil
}

func (s Spec) validatePaths() error {
	fields := []struct {
		key, value     string
		used, required bool
	}{
		{"path", s.Path, s.Name != NameDigits && s.Name != NameIDX, true},
		{"train_images", s.TrainImages, s.Name == NameIDX, true},
		{"train_labels", s.TrainLabels, s.Name == NameIDX, true},
		{"test_images", s.TestImages, s.Name == NameIDX, s.TestLabels != ""},
		{"test_labels", s.TestLabels, s.Name == NameIDX, s.TestImages != ""},
	}
	for _, f := range fields {
		switch {
		case !f.used && f.value != "":
			return &FieldError{f.key, fmt.Sprintf("%q is of no use with name: %s; remove it", f.value, s.Name)}
		case f.used && f.required && f.value == "":
			return &FieldError{f.key, fmt.Sprintf("empty; name: %s needs it", s.Name)}
		}
	}
	return nil
}

func (s Spec) validateFormatOptions() error {
	if s.Name == NameImages && (s.Size < 1 || s.Size > maxImageSide) {
		return &FieldError{"size", fmt.Sprintf("%d; expected 1 to %d pixels", s.Size, maxImageSide)}
	}
	if f := s.TestFraction; f != nil {
		if s.Name != NameImages && s.Name != NameNPZ {
			return &FieldError{"test_fraction", fmt.Sprintf("of no use with name: %s, which has its own test part; remove it", s.Name)}
		}
		if !(*f >= 0 && *f < 1) {
			return &FieldError{"test_fraction", fmt.Sprintf("%v; expected at least 0 and less than 1", *f)}
		}
	}
	if s.CoarseLabels && s.Name != NameCIFAR100 {
		return &FieldError{"coarse_labels", "only name: cifar100 has them; remove it"}
	}
	if s.Classes != 0 && s.Name != NameIDX && s.Name != NameNPZ {
		return &FieldError{"classes", fmt.Sprintf("of no use with name: %s, which knows its classes; remove it", s.Name)}
	}
	if s.Classes < 0 || s.Classes > maxClasses {
		return &FieldError{"classes", fmt.Sprintf("%d; expected 1 to %d, or 0 to count them", s.Classes, maxClasses)}
	}
	return nil
}

// Load reads the data that the Spec describes. Errors about a field are of type
// *FieldError, errors about a file's content of type *FormatError.
func Load(ctx context.Context, s Spec) (*Dataset, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	d, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	if s.Augment && len(d.Shape) != 3 {
		return nil, &FieldError{"augment", fmt.Sprintf("%s has examples of shape %v; expected images", s.Path, d.Shape)}
	}
	if s.Standardize {
		d.Standardize()
	}
	if err := s.takeSubsets(d); err != nil {
		return nil, err
	}
	return d, nil
}

func (s Spec) read(ctx context.Context) (*Dataset, error) {
	switch s.Name {
	case NameIDX:
		return readIDX(ctx, s)
	case NameCIFAR10, NameCIFAR100:
		return readCIFAR(ctx, s)
	case NameNPZ:
		return readNPZ(ctx, s)
	case NameImages:
		return readImages(ctx, s)
	default:
		return rawDigits(), nil
	}
}

func (s Spec) takeSubsets(d *Dataset) error {
	for _, f := range []struct {
		key  string
		size int
		part *Part
	}{{"subset", s.Subset, &d.Train}, {"test_subset", s.TestSubset, &d.Test}} {
		if f.size == 0 {
			continue
		}
		part, err := f.part.Balanced(f.size, d.Classes, s.SubsetSeed)
		if err != nil {
			return &FieldError{f.key, err.Error()}
		}
		*f.part = part
	}
	return nil
}

// testFraction is the fraction to split off, where there is no test part.
func (s Spec) testFraction() float64 {
	switch {
	case s.TestFraction != nil:
		return *s.TestFraction
	case s.Name == NameImages:
		return defaultTestFraction
	default:
		return 0
	}
}
