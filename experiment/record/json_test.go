package record

import (
	"encoding/json"
	"math"
	"testing"
)

func TestNumbersThatAreNotFiniteAreNullInJSON(t *testing.T) {
	text, err := json.Marshal(Numbers([]float64{0.1, math.NaN(), math.Inf(-1)}))
	if err != nil || string(text) != "[0.1,null,null]" {
		t.Fatalf("got %s, %v", text, err)
	}
	var back []Number
	if err := json.Unmarshal(text, &back); err != nil || back[0] != 0.1 || !math.IsNaN(float64(back[1])) {
		t.Errorf("read back as %v, %v", back, err)
	}
	if text, err := json.Marshal(Numbers(nil)); err != nil || string(text) != "[]" {
		t.Errorf("none are %s, %v", text, err)
	}
}
