package dataset

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"shadowflow/internal/plural"
)

// The names of the formats that Spec.Name chooses from.
const (
	NameDigits   = "digits"
	NameIDX      = "idx"
	NameCIFAR10  = "cifar10"
	NameCIFAR100 = "cifar100"
	NameNPZ      = "npz"
	NameCSV      = "csv"
	NameImages   = "images"
	NameText     = "text"
)

// Names returns the names of all formats.
func Names() []string {
	return []string{NameDigits, NameIDX, NameCIFAR10, NameCIFAR100, NameNPZ, NameCSV, NameImages, NameText}
}

// The words of Spec.Task, Spec.Layout and Spec.Colors. Empty stands for the
// first of each.
const (
	TaskAuto           = "auto"
	TaskClassification = "classification"
	TaskRegression     = "regression"

	LayoutNCHW = "nchw"
	LayoutNHWC = "nhwc"

	ColorsRGB  = "rgb"
	ColorsGrey = "grey"
)

const (
	maxImageSide        = 1024
	maxClasses          = 1 << 16
	defaultTestFraction = 0.2
)

// Spec says which data to load and how: the data section of a configuration, whose keys the tags state.
// The zero value of a field that a format does not use is right for it.
type Spec struct {
	Name string `yaml:"name" selector:"true" doc:"format: digits (embedded, 1,297 images to train and 500 to test), idx (the MNIST family), cifar10, cifar100 (the official binary version), npz (arrays X, y and, if there, X_test, y_test; images are [N, C, H, W] unless layout says otherwise), csv (a table with a header), images (a folder of JPEG or PNG files for each class) or text (for model gpt: the last tenth is the test part)"`

	// Path is the .tar.gz of cifar10 or cifar100, its unpacked folder, or a folder with either. An npz file has X ([N, D] or
	// [N, C, H, W], of any real numbers), y ([N] of integers, or [N] or [N, K] of floats) and, if there, X_test and y_test.
	Path string `yaml:"path,omitempty" for:"cifar10|cifar100|npz|csv|images|text" doc:"where the data is: a file, or a folder; for text, empty: nine plays of Shakespeare, embedded"`

	Target   []string `yaml:"target,omitempty" for:"csv" doc:"names of the columns to predict"`
	Features []string `yaml:"features,omitempty" for:"csv" doc:"names of the columns to predict from; []: all others"`

	// Task is found from y, or the target: integers of an npz file, and words of a table, are classes, and what else is numbers
	// are numbers to predict.
	Task string `yaml:"task,omitempty" for:"npz|csv" oneof:"auto|classification|regression" doc:"what y, or the target, is: classes, or numbers to predict; auto: integers of an npz file and words of a table are classes"`

	Layout string `yaml:"layout,omitempty" for:"npz" oneof:"nchw|nhwc" doc:"order of the axes of images: channels before the pixels, as PyTorch has them, or behind, as TensorFlow has them"`

	Colors string `yaml:"colors,omitempty" for:"images" oneof:"rgb|grey" doc:"what images are converted to, as PIL's convert does: three channels or one; alpha is dropped"`

	Level string `yaml:"level,omitempty" for:"text" oneof:"byte" doc:"what a token of a text is"`

	// Context is the number of tokens in a window of a text, the model's; 0 stands for 64. A section data does not have it.
	Context int `yaml:"-"`

	// Without the last two there is no test part.
	TrainImages string `yaml:"train_images,omitempty" for:"idx" doc:"file of the training images, plain or .gz"`
	TrainLabels string `yaml:"train_labels,omitempty" for:"idx" doc:"file of the training labels, plain or .gz"`
	TestImages  string `yaml:"test_images,omitempty" for:"idx" doc:"file of the test images, plain or .gz"`
	TestLabels  string `yaml:"test_labels,omitempty" for:"idx" doc:"file of the test labels, plain or .gz"`

	// Size changes the proportions of images that are not square. The other formats keep the sizes they have.
	Size int `yaml:"size" doc:"images: height and width that they are resized to, in pixels"`

	// TestFraction becomes the test part: always the same examples. npz files may have one of their own, X_test.
	TestFraction *float64 `yaml:"test_fraction,omitempty" for:"images|npz|csv" range:"[0,1)" doc:"fraction of each class, or of all examples where numbers are predicted, that becomes the test part; null: 0.2 for images and csv, 0 for npz"`

	CoarseLabels bool `yaml:"coarse_labels,omitempty" for:"cifar100" doc:"the 20 coarse classes instead of the 100 fine ones"`

	// Classes, if it is 0, is found from the training labels; idx files must then have every class.
	Classes int `yaml:"classes,omitempty" for:"idx|npz" range:"[0,65536]" doc:"number of classes; 0: one more than the largest label"`

	// Standardize works over the whole training part, before a subset is taken. If false, the inputs are the numbers in the
	// files: 0..16 for digits, 0..255 for bytes.
	Standardize bool `yaml:"standardize" for:"digits|idx|cifar10|cifar100|npz|csv|images" doc:"subtract each channel's (in a table, each column's) mean over the training part and divide by its population deviation"`

	StandardizeTarget bool `yaml:"standardize_target,omitempty" for:"npz|csv" doc:"do so with the numbers to predict too; loss and gradient are then those of the standardized ones"`

	Subset     int    `yaml:"subset" range:"[0,inf)" doc:"number of training examples to keep, balanced over the classes (windows of a text: drawn from all); 0: all"`
	TestSubset int    `yaml:"test_subset" range:"[0,inf)" doc:"number of test examples to keep, balanced over the classes; 0: all"`
	SubsetSeed uint64 `yaml:"subset_seed" doc:"seed of the choice of the subsets"`

	SubsetFirst bool `yaml:"subset_first,omitempty" doc:"keep the first examples, in the order of the files, instead"`

	Augment bool `yaml:"augment" doc:"crop and flip the training images at random at each step; the loss is then not one function"`
}

// DefaultSpec returns the digits, standardized, and the defaults of the other
// formats' fields.
func DefaultSpec() Spec {
	return Spec{Name: NameDigits, Size: 32, Standardize: true, Task: TaskAuto, Layout: LayoutNCHW, Colors: ColorsRGB, Level: "byte"}
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
		{"path", s.Path, s.Name != NameDigits && s.Name != NameIDX, s.Name != NameText},
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
		if s.Name != NameImages && s.Name != NameNPZ && s.Name != NameCSV {
			return &FieldError{"test_fraction", fmt.Sprintf("of no use with name: %s, which has its own test part; remove it", s.Name)}
		}
		if !(*f >= 0 && *f < 1) {
			return &FieldError{"test_fraction", fmt.Sprintf("%v; expected at least 0 and less than 1", *f)}
		}
	}
	if err := s.validateTarget(); err != nil {
		return err
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

func (s Spec) validateTarget() error {
	table, array := s.Name == NameCSV, s.Name == NameNPZ
	for _, f := range []struct {
		key         string
		given, used bool
	}{
		{"target", len(s.Target) > 0, table}, {"features", len(s.Features) > 0, table},
		{"task", s.Task != "" && s.Task != TaskAuto, table || array}, {"standardize_target", s.StandardizeTarget, table || array},
		{"layout", s.Layout != "" && s.Layout != LayoutNCHW, array}, {"colors", s.Colors != "" && s.Colors != ColorsRGB, s.Name == NameImages},
	} {
		if f.given && !f.used {
			return &FieldError{f.key, fmt.Sprintf("of no use with name: %s; remove it", s.Name)}
		}
	}
	if table && len(s.Target) == 0 {
		return &FieldError{"target", "empty; name: csv needs the columns to predict, like [price]"}
	}
	if len(s.Target) > 1 && s.Task == TaskClassification {
		return &FieldError{"target", fmt.Sprintf("%s; classes are in one", plural.Count(len(s.Target), "column"))}
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
	d.Notes = append(d.Notes, classNotes(d)...)
	if s.Augment && len(d.Shape) != 3 {
		return nil, &FieldError{"augment", fmt.Sprintf("%s has examples of shape %v; expected images", s.Path, d.Shape)}
	}
	if s.Standardize && !d.Train.tokens {
		d.Standardize()
		if i := beyond(d.Mean, d.Std); i >= 0 {
			return nil, tooLarge("standardize", s.Path, d.FeatureNames, i)
		}
	}
	if s.StandardizeTarget {
		if d.Classes > 0 {
			return nil, &FieldError{"standardize_target", fmt.Sprintf("%s has classes, which have no mean; remove it, or say task: %s",
				s.Path, TaskRegression)}
		}
		d.StandardizeTargets()
		if i := beyond(d.TargetMean, d.TargetStd); i >= 0 {
			return nil, tooLarge("standardize_target", s.Path, d.TargetNames, i)
		}
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
	case NameCSV:
		return readCSV(ctx, s)
	case NameImages:
		return readImages(ctx, s)
	case NameText:
		return readText(ctx, s)
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
		part, err := s.subset(*f.part, f.size, d.Classes)
		if err != nil {
			return &FieldError{f.key, err.Error()}
		}
		*f.part = part
	}
	return nil
}

func (s Spec) subset(p Part, size, classes int) (Part, error) {
	if s.SubsetFirst {
		return p.First(size)
	}
	return p.Balanced(size, classes, s.SubsetSeed)
}

// testFraction is the fraction to split off, where there is no test part.
func (s Spec) testFraction() float64 {
	switch {
	case s.TestFraction != nil:
		return *s.TestFraction
	case s.Name == NameImages || s.Name == NameCSV:
		return defaultTestFraction
	default:
		return 0
	}
}
