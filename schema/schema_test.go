package schema

import (
	"fmt"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// kitchen is a schema with everything: a selector, a key of several variants, a condition on another section.
func kitchen() *Schema {
	oven := func(words ...string) []Condition { return []Condition{{"oven.kind", words}} }
	return New([]Key{
		{Name: "seed", Type: Seed, Default: uint64(1), Doc: "seed"},
		{Section: "oven", Name: "kind", Type: Text, Default: "gas", Words: []string{"gas", "electric", "none"}, Doc: "kind"},
		{Section: "oven", Name: "heat", Type: Number, Default: 200.0, Range: ParseInterval("(0,300]"), Doc: "heat", When: oven("gas")},
		{Section: "oven", Name: "heat", Type: Number, Default: 180.0, Range: ParseInterval("(0,250]"), Doc: "heat", When: oven("electric")},
		{Section: "oven", Name: "fan", Type: Flag, Default: false, Doc: "fan", When: oven("electric"), Timeless: true},
		{Section: "cake", Name: "layers", Type: Wholes, Default: []int(nil), Range: ParseInterval("[1,9]"), Doc: "layers", When: oven("gas", "electric")},
		{Section: "cake", Name: "size", Type: Whole, Default: 20, Doc: "size", When: oven("gas", "electric")},
		{Section: "cake", Name: "text", Type: Text, Default: "", Doc: "text", Sparse: true},
		{Section: "bread", Name: "size", Type: Whole, Default: 5, Doc: "size", When: oven("electric")},
		{Section: "bread", Name: "salt", Type: Number, Optional: true, Doc: "salt", Inert: true},
		{Section: "bread", Name: "mixes", Type: Pairs, Default: [][2]float64(nil), Doc: "mixes"},
	})
}

// resolve parses a document and flags.
func resolve(s *Schema, src string, flags ...string) (Values, error) {
	document, err := Parse("f.yaml", []byte(src))
	if err != nil {
		return nil, err
	}
	var groups [][]Setting
	for _, text := range flags {
		group, err := ParseSet("--set", text)
		if err != nil {
			return nil, err
		}
		groups = append(groups, group)
	}
	r := s.Resolve(document, groups...)
	return r.Values, r.Err()
}

func TestKeysGetTheirValues(t *testing.T) {
	for _, c := range []struct {
		name, src string
		flags     []string
		key       string
		want      any
	}{
		{"the default", "", nil, "oven.heat", 200.0},
		{"the default of a variant", "oven: {kind: electric}", nil, "oven.heat", 180.0},
		{"none where there is no meaning", "oven: {kind: none}", nil, "oven.heat", nil},
		{"what a file says", "oven: {heat: 1e2}", nil, "oven.heat", 100.0},
		{"a dotted key in a file", "oven.heat: 1_0", nil, "oven.heat", 10.0},
		{"what a flag says instead", "oven: {heat: 100}", []string{"oven.heat=7"}, "oven.heat", 7.0},
		{"the last flag", "", []string{"oven.heat=7", "heat=8"}, "oven.heat", 8.0},
		{"a section as a flag", "", []string{"oven={kind: electric, fan: true},seed=3"}, "oven.fan", true},
		{"the second setting of a flag", "", []string{"oven={kind: electric, fan: true},seed=3"}, "seed", uint64(3)},
		{"commas in brackets", "", []string{"layers=[1, 2],seed=3"}, "cake.layers", []int{1, 2}},
		{"commas in quotes", "", []string{"text='a, b=c',seed=3"}, "cake.text", "a, b=c"},
		{"commas behind doubled and escaped quotes", "", []string{`text='it''s, b',seed=3`, `text="\", b"`}, "cake.text", `", b`},
		{"brackets in quotes", "cake: {text: '" + strings.Repeat("[", 100) + "'}", nil, "cake.text", strings.Repeat("[", 100)},
		{"an apostrophe opens no quotes", "", []string{"text=it's,seed=3"}, "seed", uint64(3)},
		{"an empty list", "cake: {layers: []}", nil, "cake.layers", []int(nil)},
		{"null for a list", "cake: {layers: }", nil, "cake.layers", []int(nil)},
		{"null for what is optional", "bread: {salt: null}", nil, "bread.salt", nil},
		{"pairs", "bread: {mixes: [[1, 2.5], [3, 4]]}", nil, "bread.mixes", [][2]float64{{1, 2.5}, {3, 4}}},
		{"a name that only one key has with a meaning", "", []string{"size=7"}, "cake.size", 7},
		{"a selector's section is dropped with it", "oven: {kind: electric, fan: true}", []string{"kind=gas"}, "oven.fan", nil},
		{"a byte order mark", "\ufeffseed: 2", nil, "seed", uint64(2)},
		{"the largest seed", "seed: 18446744073709551615", nil, "seed", uint64(math.MaxUint64)},
		{"a text that looks like a number", "cake: {text: 1e-3}", nil, "cake.text", "1e-3"},
		{"a quoted number", "cake: {text: '12'}", nil, "cake.text", "12"},
		{"a zero with an exponent", "seed: 0e-400", nil, "seed", uint64(0)},
		{"the smallest number", "oven: {heat: 4.9e-324}", nil, "oven.heat", 4.9e-324},
	} {
		t.Run(c.name, func(t *testing.T) {
			values, err := resolve(kitchen(), c.src, c.flags...)
			if err != nil {
				t.Fatal(err)
			}
			if got := kitchen().Get(c.key, values); !reflect.DeepEqual(got, c.want) {
				t.Errorf("%s is %#v, want %#v", c.key, got, c.want)
			}
		})
	}
}

func TestMistakesAreRefusedWithTheirPlace(t *testing.T) {
	deep := strings.Repeat("[", 1000) + strings.Repeat("]", 1000)
	for _, c := range []struct {
		name, src string
		flags     []string
		want      string
	}{
		{"a number too small to be told from 0", "oven: {heat: 1e-400}", nil, "f.yaml:1:14: oven.heat: 1e-400 is below the smallest number above 0, 4.9e-324; write 0 if that is meant"},
		{"a number too large", "oven: {heat: 1e400}", nil, "f.yaml:1:14: oven.heat: 1e400 is beyond the largest number, 1.8e308"},
		{"a hexadecimal number too small", "", []string{"heat=0x1p-2000"}, "--set heat=0x1p-2000: oven.heat: 0x1p-2000 is below the smallest number above 0, 4.9e-324; write 0 if that is meant"},
		{"the range of a variant", "oven: {kind: electric, heat: 280}", nil, "f.yaml:1:30: oven.heat: 280 is out of range; expected a number above 0 and at most 250, (0,250]"},
		{"a key given nested and dotted", "oven.heat: 1\noven: {heat: 2}", nil, "f.yaml:2:8: oven.heat: given twice"},
		{"a key given twice", "seed: 1\nseed: 2", nil, `f.yaml:2:1: not YAML: mapping key "seed" already defined at [1:1]`},
		{"a key twice in a flag", "", []string{"heat=1,oven.heat=2"}, "--set oven.heat=2: oven.heat: given twice"},
		{"nesting", "seed: " + deep, nil, "f.yaml: line 1: nested more than 32 deep"},
		{"nesting in a flag", "", []string{"seed=" + deep}, "--set seed=" + deep[:115] + "...: seed: line 1: nested more than 32 deep"},
		{"lists in lists", strings.Repeat("- ", 1000), nil, "f.yaml: line 1: nested more than 32 deep"},
		{"many brackets", strings.Repeat("[],", 30_000), nil, `f.yaml: more than 20000 times "["`},
		{"length", "# " + strings.Repeat("x", 1<<20), nil, "f.yaml: 1048578 bytes, more than 1048576"},
		{"an anchor", "seed: &a 1", nil, "f.yaml:1:7: seed: expected a whole number, got a YAML anchor, alias or tag, which is of no use here"},
		{"an alias", "seed: *a", nil, "f.yaml:1:7: seed: expected a whole number, got a YAML anchor, alias or tag, which is of no use here"},
		{"a tag", "cake: !!map {size: 1}", nil, "f.yaml:1:1: cake: expected keys and values, got a YAML anchor, alias or tag, which is of no use here"},
		{"an ambiguous name", "oven: {kind: electric}", []string{"size=7"}, "--set size=7: size: several sections have it; say which: cake.size, bread.size"},
		{"a name without its section in a file", "heat: 7", nil, "f.yaml:1:1: heat: unknown key; did you mean oven.heat?"},
		{"an unknown name in a flag", "", []string{"heet=7"}, "--set heet=7: heet: unknown key; did you mean oven.heat?"},
		{"a key without use", "oven: {kind: none, heat: 3}", nil, "f.yaml:1:26: oven.heat: of no use with oven.kind: none; it is for gas, electric"},
		{"a flag without use", "", []string{"kind=none", "heat=3"}, "--set heat=3: oven.heat: of no use with oven.kind: none; it is for gas, electric"},
		{"a wrong selector alone", "oven: {kind: wood, heat: 3}", nil, `f.yaml:1:14: oven.kind: unknown value "wood"; expected one of gas, electric, none`},
		{"no pair", "bread: {mixes: [[1]]}", nil, "f.yaml:1:16: bread.mixes: item 1: expected two numbers, got 1"},
		{"a flag without a value", "", []string{"seed=1,heat"}, "--set heat: expected key=value, like optimizer.beta2=0.99"},
		{"a list for a config", "- 1", nil, "f.yaml:1:1: expected keys and values, got a list"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := resolve(kitchen(), c.src, c.flags...)
			if err == nil || err.Error() != c.want {
				t.Errorf("\n got %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestGoValuesAreConvertedOrRefused(t *testing.T) {
	for _, c := range []struct {
		name  string
		key   string
		value any
		want  any // or a string that is in the error
	}{
		{"a whole number for a number", "oven.heat", 7, 7.0},
		{"a float that is whole", "seed", 7.0, uint64(7)},
		{"an unsigned number", "cake.size", uint8(7), 7},
		{"a float32 as it is written", "oven.heat", float32(0.1), 0.1},
		{"a slice of another type", "cake.layers", []int64{1, 2}, []int{1, 2}},
		{"an array", "bread.mixes", [][2]int{{1, 2}}, [][2]float64{{1, 2}}},
		{"a type of a program's own", "cake.size", Type(3), 3},
		{"a fraction", "cake.size", 1.5, "cake.size: expected a whole number, got 1.5"},
		{"not a number", "oven.heat", math.NaN(), "oven.heat: NaN is out of range"},
		{"infinity", "bread.salt", math.Inf(1), "bread.salt: +Inf is out of range; expected a finite number"},
		{"a negative seed", "seed", -1, "seed: -1 is negative"},
		{"a text", "cake.size", "big", `cake.size: expected a whole number, got the text "big"`},
		{"a bool for a text", "cake.text", true, "cake.text: expected text, got true"},
		{"nothing", "cake.size", nil, "cake.size: expected a whole number, got nothing"},
		{"a struct", "cake.size", struct{}{}, "cake.size: expected a whole number, got a Go struct {}"},
		{"a list in a list", "cake.layers", [][]int{{1}}, "cake.layers: item 1: expected a whole number, got a list"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := kitchen().Resolve([]Setting{Set(c.key, c.value)})
			if want, ok := c.want.(string); ok {
				if err := r.Err(); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want one with %q", err, want)
				}
				return
			}
			if err := r.Err(); err != nil || !reflect.DeepEqual(r.Values[c.key], c.want) {
				t.Errorf("%#v, %v; want %#v", r.Values[c.key], err, c.want)
			}
		})
	}
}

func TestWhatIsWrittenReadsTheSame(t *testing.T) {
	s := kitchen()
	for _, src := range []string{
		"", "oven: {kind: electric, fan: true}", "oven: {kind: none}\ncake: {text: 'a: b'}", "bread: {salt: 1e-300, mixes: [[1, 2]]}\nseed: 12345678901234567890",
	} {
		t.Run(fmt.Sprintf("%q", src), func(t *testing.T) {
			values, err := resolve(s, src)
			if err != nil {
				t.Fatal(err)
			}
			for name, text := range map[string][]byte{"plain": s.YAML(values, nil), "with comments": s.YAML(values, func(k *Key) string { return k.Doc })} {
				again, err := resolve(s, string(text))
				if err != nil || !reflect.DeepEqual(values, again) {
					t.Errorf("%s:\n%s\n%v\n%v, %v", name, text, values, again, err)
				}
			}
		})
	}
	if text := string(s.YAML(s.Resolve(nil).Values, nil)); strings.Contains(text, "text") || strings.Contains(text, "fan") {
		t.Errorf("a sparse key at its default, or a key without meaning, is written:\n%s", text)
	}
}

func TestHashesAreOfTheKeysThatAreWanted(t *testing.T) {
	s := kitchen()
	hash := func(src string, wanted func(*Key) bool) string {
		values, err := resolve(s, src)
		if err != nil {
			t.Fatal(err)
		}
		return s.Hash(values, wanted)
	}
	computed := func(k *Key) bool { return !k.Inert }
	if hash("", computed) != hash("bread: {salt: 3}", computed) || hash("", computed) == hash("seed: 3", computed) {
		t.Error("the hash is not that of what is computed")
	}
}

func TestMergedSettingsResolveLikeTheirParts(t *testing.T) {
	document, err := Parse("f.yaml", []byte("oven: {kind: electric, heat: 100}\nseed: 4"))
	if err != nil {
		t.Fatal(err)
	}
	set, err := ParseSet("--set", "heat=90,oven.fan=true")
	if err != nil {
		t.Fatal(err)
	}
	merged, err := kitchen().Merge(document, set)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, s := range merged {
		texts = append(texts, s.String())
	}
	if got, want := strings.Join(texts, " "), "seed=4 oven.kind=electric oven.heat=90 oven.fan=true"; got != want {
		t.Errorf("merged %q, want %q", got, want)
	}
	set, err = ParseSet("--set", "size=9")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kitchen().Merge(document, set); err == nil || !strings.Contains(err.Error(), "say which: cake.size, bread.size") {
		t.Errorf("error %v", err)
	}
}

// What is right is no error, however much there is of it.
func TestAFlagMayHaveAnyNumberOfSettings(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want string // the error, empty for none
	}{
		"25 that are right":           {strings.Repeat("seed=1,", 24) + "seed=1", ""},
		"24 that are right, one not":  {strings.Repeat("seed=1,", 24) + "seed", "--set seed: expected key=value, like optimizer.beta2=0.99"},
		"30 that are not, among them": {strings.Repeat("seed=1,seed,", 30) + "seed=1", "and 10 more"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseSet("--set", c.text)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasSuffix(err.Error(), c.want)) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func TestCompletionKnowsKeysAndValues(t *testing.T) {
	for _, c := range []struct {
		name, text string
		beside     [][]Setting
		want       []string
		more       bool
	}{
		{"keys of a section", "oven.", nil, []string{"oven.kind=", "oven.heat=", "oven.fan="}, true},
		{"names that need no section", "he", nil, []string{"heat="}, true},
		{"no names that are ambiguous", "siz", nil, nil, true},
		{"sections", "br", nil, []string{"bread.size=", "bread.salt=", "bread.mixes="}, true},
		{"words", "oven.kind=", nil, []string{"oven.kind=gas", "oven.kind=electric", "oven.kind=none"}, false},
		{"the start of a word", "kind=el", nil, []string{"kind=electric"}, false},
		{"true and false", "fan=", nil, []string{"fan=true", "fan=false"}, false},
		{"the defaults of the variants", "heat=", nil, []string{"heat=200", "heat=180"}, false},
		{"behind a comma", "layers=[1, 2],fan=t", nil, []string{"layers=[1, 2],fan=true"}, false},
		{"a key behind a comma", "fan=true,see", nil, []string{"fan=true,seed="}, true},
		{"no default", "bread.salt=", nil, nil, false},
		{"an unknown key", "nothing=", nil, nil, false},
		{"no keys without a meaning", "oven.", [][]Setting{{Set("oven.kind", "none")}}, []string{"oven.kind="}, true},
		{"nor beside what stands before", "kind=none,oven.", [][]Setting{nil}, []string{"kind=none,oven.kind="}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			candidates, more := kitchen().Complete(c.text, c.beside...)
			var got []string
			for _, s := range candidates {
				text, _, _ := strings.Cut(s, "\t")
				got = append(got, text)
			}
			if !reflect.DeepEqual(got, c.want) || more != c.more {
				t.Errorf("%q, %v; want %q, %v", got, more, c.want, c.more)
			}
		})
	}
}

func TestDescriptionsTellVariantsApart(t *testing.T) {
	for _, d := range kitchen().Describe() {
		if d.Key != "oven.heat" {
			continue
		}
		want := Description{
			Key: "oven.heat", Type: "a number", Default: "200 (gas); 180 (electric)", For: "oven.kind: gas, electric", Doc: "heat",
			Values: "above 0 and at most 300 (gas); above 0 and at most 250 (electric)",
		}
		if d != want {
			t.Errorf("%+v, want %+v", d, want)
		}
	}
}

func FuzzResolve(f *testing.F) {
	f.Add("seed: 1\noven: {kind: electric, heat: 1e-3}", "layers=[3, 4],fan=true")
	f.Add("cake: {text: 'x y'}\nbread: {mixes: [[1, 2]]}", "text=\"\\u0007\"")
	f.Add("a: [b: {c: &d e}]\n- *d", "=")
	f.Add("- - - ? x\n? y", "size=1,size=2")
	f.Fuzz(func(t *testing.T, src, set string) {
		s := kitchen()
		values, err := resolve(s, src, set)
		if err != nil {
			return
		}
		again, err := resolve(s, string(s.YAML(values, nil)))
		if err != nil || !reflect.DeepEqual(values, again) {
			t.Fatalf("%s\n%v\n%v, %v", s.YAML(values, nil), values, again, err)
		}
	})
}

// Texts that grow when they are read, or that a parser's time grows faster than, cost no more than their length, and few words.
func TestHostileTextsAreReadInLittleMemory(t *testing.T) {
	laughs := "a0: &a0 [x, x]\n"
	for i := 1; i < 30; i++ {
		laughs += fmt.Sprintf("a%d: &a%d [*a%d, *a%d]\n", i, i, i-1, i-1)
	}
	many := ""
	for i := range 3000 {
		many += fmt.Sprintf("k%d: 1\n", i)
	}
	steps := ""
	for i := range 500 {
		steps += strings.Repeat(" ", i) + "a:\n"
	}
	for name, c := range map[string][2]string{
		"aliases of aliases": {laughs, "a0: unknown key"}, "an alias of itself": {"seed: &a [*a]", "anchor"},
		"keys merged": {"oven: &o {heat: 1}\ncake:\n  <<: *o", "anchor"}, "many keys": {many, "and 2980 more"},
		"a level a line": {steps, "unknown key"}, "a thousand brackets": {"seed: " + strings.Repeat("[", 1000), "nested more than 32 deep"},
		"a thousand braces": {"seed: " + strings.Repeat("{a: ", 1000), "nested more than 32 deep"}, "a tag": {"seed: !!int 3", "tag"},
		"a key twice": {"seed: 1\nseed: 2", "already defined"}, "a key twice, in JSON": {`{"seed": 1, "seed": 2}`, "already defined"},
		"tabs": {"oven:\n\theat: 1", "cannot start any token"}, "a scalar of a megabyte": {"seed: " + strings.Repeat("x", 1_000_000), "got the text"},
		"a key of a megabyte": {strings.Repeat("x", 1_000_000) + ": 1", "unknown key"}, "UTF-16": {"\xff\xfes\x00", "not UTF-8"},
		"a header of a megabyte": {"seed: |" + strings.Repeat(">", 1_000_000), "not YAML"}, "a number beyond float64": {"seed: 1e400", "beyond the largest number"},
		"a number below float64": {"oven: {heat: 1e-400}", "below the smallest number"}, "a number of a megabyte": {"seed: 1" + strings.Repeat("0", 1_000_000), "beyond the largest"},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := resolve(kitchen(), c[0])
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), c[1]) || len(err.Error()) > 20_000 {
				t.Errorf("%.3000s, want %q", fmt.Sprint(err), c[1])
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > 300<<20 {
				t.Errorf("it took %d bytes", took)
			}
		})
	}
}

func ExampleSchema_Resolve() {
	s := New([]Key{
		{Name: "steps", Type: Whole, Default: 900, Range: ParseInterval("[0,inf)"), Doc: "steps to take"},
		{Section: "optimizer", Name: "lr", Type: Number, Default: 1e-3, Range: ParseInterval("(0,inf)"), Doc: "learning rate"},
	})
	document, err := Parse("run.yaml", []byte("optimizer: {lr: 0}\nstep: 3\n"))
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(s.Resolve(document).Err())
	// Output:
	// run.yaml:1:17: optimizer.lr: 0 is out of range; expected a number above 0, (0,inf)
	// run.yaml:2:1: step: unknown key; did you mean steps?
}
