package config

import (
	"slices"
	"strings"
	"testing"
)

func TestConventionsSayWhatIsOtherwiseUnderTheOthers(t *testing.T) {
	for _, c := range []struct{ name, set, want string }{
		{"the papers'", "optimizer.name=adam", "Conventions: optimizer.preset is paper. --set optimizer.preset=pytorch takes the others, of keys that are left out: beta2 is 0.99, there 0.999; " +
			"eps_inside is true, there false. Where eps stands decides what is penalized."},
		{"PyTorch's", "optimizer.preset=pytorch", "Conventions: optimizer.preset is pytorch. --set optimizer.preset=paper takes the others, of keys that are left out: beta2 is 0.999, there 0.99; " +
			"eps_inside is false, there true. Where eps stands decides what is penalized."},
		{"a value of one's own", "optimizer.beta2=0.999", "Conventions: optimizer.preset is paper. --set optimizer.preset=pytorch takes the others, of keys that are left out: " +
			"eps_inside is true, there false. Under pytorch, too, stays what is set: beta2 is 0.999 (by default 0.99, there 0.999). " +
			"Where eps stands decides what is penalized."},
		{"an lr of one's own", "optimizer={name: sgd, preset: pytorch, lr: 0.1, momentum: 0.9}", "Conventions: optimizer.preset is pytorch. Under paper, too, stays what is set: " +
			"lr is 0.1 (by default 0.001, there 0.01); momentum is 0.9 (by default 0, there 0.9)."},
		{"the sign itself", "optimizer={name: lion, eps: 0}", "Conventions: optimizer.preset is paper. Under pytorch, too, stays what is set: eps is 0 (by default 1e-08, there 0)."},
		{"where eps stands is set", "optimizer={name: adam, eps_inside: false}", "Conventions: optimizer.preset is paper. --set optimizer.preset=pytorch takes the others, of keys that are left out: " +
			"beta2 is 0.99, there 0.999. Under pytorch, too, stays what is set: eps_inside is false (by default true, there false)."},
		{"clipping", "optimizer={name: lamb, clip_norm: 1}", "Conventions: optimizer.preset is paper. --set optimizer.preset=pytorch takes the others, of keys that are left out: " +
			"the factor of clip_norm is c/norm, there c/(norm + 1e-6)."},
		{"no correction of the bias", "optimizer={name: adam, bias_correction: false}", "Conventions: optimizer.preset is paper. --set optimizer.preset=pytorch takes the others, of keys that are left out: " +
			"beta2 is 0.99, there 0.999; eps_inside is true, there false. Under pytorch, too, stays what is set: bias_correction is false (by default true under both). " +
			"Where eps stands decides what is penalized."},
		{"all the same", "optimizer.name=lamb", "Conventions: optimizer.preset is paper. No default of lamb is another under pytorch."},
		{"a group's", "optimizer={name: muon, groups: [{dims: 1, name: adamw, preset: pytorch}]}", "Conventions: optimizer.preset is paper. No default of muon is another under pytorch. " +
			"Of muon: torch.optim.Muon rounds its Newton-Schulz steps to bfloat16, which is not done here. " +
			"The preset of adamw in optimizer.groups is pytorch; what differs under paper: beta2 is 0.999, there 0.99; eps_inside is false, there true. " +
			"Of adamw: weights decay by lr weight_decay a step under both, as in PyTorch; weight_decay: lambda / lr is the decay of the paper, which lr does not scale."},
		{"what no preset sets", "optimizer={name: nadam, preset: pytorch, momentum_decay: 0}", "Conventions: optimizer.preset is pytorch. --set optimizer.preset=paper takes the others, of keys " +
			"that are left out: beta2 is 0.999, there 0.99; eps_inside is false, there true. Under paper, too, stays what is set: momentum_decay is 0 (by default 0.004, there 0). " +
			"Where eps stands decides what is penalized. Of nadam: momentum_decay 0 is a constant beta1; PyTorch's 0, which keeps momentum at half of beta1, is 1e-13 here."},
		{"a note of one's own", "optimizer={name: mine, lr: 1, update: g, note: it is gd}", "Of mine: it is gd."},
		{"a definition of one's own", "optimizer={name: mine, lr: 1, update: g}", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := mustParse(t, "", c.set).Optimizer.Conventions(); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestDeviationsAreWhatIsNotTheDefaultUnderThePreset(t *testing.T) {
	for set, want := range map[string]string{
		"optimizer.name=adam":                                                  "",
		"optimizer={name: adam, beta2: 0.99, eps: 1e-6}":                       "eps",
		"optimizer={name: adam, preset: pytorch, beta2: 0.999, beta1: 0.8}":    "beta1",
		"optimizer={name: sgd, momentum: 0.9, dampening: 0.5, nesterov: true}": "dampening nesterov",
		"optimizer={name: muon, exact: true, nesterov: false}":                 "nesterov exact",
	} {
		t.Run(set, func(t *testing.T) {
			var got []string
			for _, k := range mustParse(t, "", set).Optimizer.Deviations() {
				got = append(got, k.Name)
			}
			slices.Sort(got)
			expected := strings.Fields(want)
			slices.Sort(expected)
			if !slices.Equal(got, expected) {
				t.Errorf("%v, want %v", got, expected)
			}
		})
	}
}
