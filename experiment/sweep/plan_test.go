package sweep

import (
	"context"
	"errors"
	"strings"
	"testing"

	"shadowflow/experiment/config"
	"shadowflow/schema"
)

func TestSeedsMakeTheConfigsThatEachWouldBeAlone(t *testing.T) {
	s := mustParse(t, "base: {steps: 3, seed: 9}\ngrid: {optimizer.beta2: [0.9, 0.99]}\nseeds: [5, 0, 18446744073709551615]")
	if len(s.Runs) != 6 {
		t.Fatalf("%d runs", len(s.Runs))
	}
	for i, r := range s.Runs {
		alone, err := config.New(append([]schema.Setting{schema.Set("steps", 3)}, r.Settings...)...)
		if err != nil {
			t.Fatal(err)
		}
		if r.Index != i || r.Hash != alone.Hash() || r.Config.Hash() != alone.Hash() || string(r.Config.YAML()) != string(alone.YAML()) {
			t.Errorf("run %d: %s is %s, and alone %s", i, r, r.Hash, alone.Hash())
		}
	}
}

func TestAMemberThatCannotBePlannedIsARowWithItsReason(t *testing.T) {
	s := mustParse(t, "base: {steps: 3}\ngrid: {model.hidden: [[1], [2], [3], [4]]}")
	size := func(_ context.Context, c *config.Config) (int64, error) {
		switch c.Model.Hidden[0] {
		case 2:
			panic("makeslice: len out of range")
		case 3:
			return 0, errors.New("data: a hostile file")
		case 4:
			return 1 << 50, nil
		}
		return 10, nil
	}
	run := func(_ context.Context, _ *config.Config, _ string) error { return errors.New("tried") }
	plan, err := s.Plan(t.Context(), t.TempDir(), PlanOptions{Options: Options{Size: size, Run: run, Memory: 1 << 30}, Probe: 1})
	if err != nil || len(plan.Runs) != 4 {
		t.Fatalf("%+v, %v", plan, err)
	}
	for i, want := range []string{"tried", "makeslice: len out of range", "data: a hostile file", "needs about 1024 TiB of memory, and 1 GiB are left"} {
		if got := plan.Runs[i].Problem; !strings.Contains(got, want) || strings.Contains(got, "\n") {
			t.Errorf("run %d: %q, want %q", i, got, want)
		}
	}
}

func TestAPlanSaysWhichNumbersARunsTypeLacks(t *testing.T) {
	s := mustParse(t, "base: {steps: 3, objective: {name: bilinear}}\ngrid: {optimizer.lr: [1e-46, 0.1, 1e39], dtype: [float32, float64]}")
	plan, err := s.Plan(t.Context(), t.TempDir(), PlanOptions{})
	if err != nil || len(plan.Runs) != 6 {
		t.Fatalf("%+v, %v", plan, err)
	}
	for i, want := range []string{"optimizer.lr: 1e-46 is 0 in float32", "", "", "", "optimizer.lr: 1e+39 is +Inf in float32", ""} {
		if got := plan.Runs[i].Problem; !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("run %d: %q, want %q", i, got, want)
		}
	}
}

func TestNetworksBeyondAnyMachineAreMeasuredToo(t *testing.T) {
	for _, model := range []string{
		"{name: vit, dim: 65536, mlp_dim: 65536, depth: 1024}", "{name: resnet101, width: 4096}", "{hidden: [65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536]}",
	} {
		t.Run(model, func(t *testing.T) {
			s := mustParse(t, "base: {model: "+model+"}")
			if bytes, err := (&sizer{}).of(t.Context(), s.Runs[0].Config); err != nil || bytes < 1<<40 {
				t.Errorf("%d bytes, %v", bytes, err)
			}
		})
	}
}

func TestMoreRunsThanASweepMayHaveAreRefusedWithTheBound(t *testing.T) {
	_, err := Parse("s.yaml", []byte("seeds: 100000\ngrid: {steps: [1, 2]}"), 0)
	if err == nil || !strings.Contains(err.Error(), "200000 runs, more than the 100000 that a sweep may have") {
		t.Errorf("got %v", err)
	}
}
