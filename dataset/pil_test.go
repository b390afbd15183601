package dataset

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// testdata/pil.py writes the images, and what PIL's convert makes of them.
func TestImagesAreConvertedAsPILDoes(t *testing.T) {
	files, err := filepath.Glob("testdata/pil/*.[pj][np]g")
	if err != nil || len(files) != 18 {
		t.Fatalf("files %v, error %v", files, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
		for kind, channels := range map[string]int{"rgb": 3, "grey": 1} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				want, err := os.ReadFile(filepath.Join("testdata/pil", name+"."+kind))
				if err != nil {
					t.Fatal(err)
				}
				got := make([]uint8, 8*8*channels)
				turned, err := newImageWork().read(t.Context(), got, file, 8)
				if err != nil {
					t.Fatal(err)
				}
				if turned != strings.HasPrefix(name, "turned") {
					t.Errorf("an EXIF orientation: %v", turned)
				}
				tolerance := 0
				if filepath.Ext(file) == ".jpg" {
					tolerance = 2 // rounding
				}
				worst := 0
				for i := range want {
					worst = max(worst, int(want[i])-int(got[i]), int(got[i])-int(want[i]))
				}
				if worst > tolerance || len(want) != len(got) {
					t.Errorf("off by up to %d of 255", worst)
				}
			})
		}
	}
}

func TestImagesThatAreStoredTurnedAreNoticed(t *testing.T) {
	root := t.TempDir()
	for class, files := range map[string][]string{"a": {"rgb.png", "turned_png.png"}, "b": {"turned_jpeg.jpg", "l.png"}} {
		for _, name := range files {
			content, err := os.ReadFile(filepath.Join("testdata/pil", name))
			if err != nil {
				t.Fatal(err)
			}
			writeFile(t, filepath.Join(root, class, name), content)
		}
	}
	d, err := Load(t.Context(), Spec{Name: NameImages, Path: root, Size: 4, Colors: ColorsGrey})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(d.Shape, []int{4, 4, 1}) || len(d.Notes) != 1 || !strings.Contains(d.Notes[0], "2 of 4 images, like "+filepath.Join(root, "a", "turned_png.png")) {
		t.Errorf("shape %v, notes %q", d.Shape, d.Notes)
	}
}

func FuzzOrientation(f *testing.F) {
	for _, name := range []string{"turned_jpeg.jpg", "turned_png.png", "rgb.png"} {
		content, err := os.ReadFile(filepath.Join("testdata/pil", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
		f.Add(content[:len(content)/2])
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		if o := orientation(file); o < 1 || o > 8 {
			t.Errorf("orientation %d", o)
		}
	})
}
