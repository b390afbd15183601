package config

import "testing"

func TestConventionsSayWhatIsOtherwiseUnderTheOthers(t *testing.T) {
	for _, c := range []struct{ name, set, want string }{
		{"the papers'", "optimizer.name=adam", "Conventions: optimizer.preset is paper. --set optimizer.preset=pytorch takes the others: beta2 is 0.99, there 0.999; " +
			"eps_inside is true, there false. Where eps stands decides what is penalized."},
		{"PyTorch's", "optimizer.preset=pytorch", "Conventions: optimizer.preset is pytorch. --set optimizer.preset=paper takes the others: beta2 is 0.999, there 0.99; " +
			"eps_inside is false, there true. Where eps stands decides what is penalized."},
		{"a value of one's own", "optimizer.beta2=0.999", "Conventions: optimizer.preset is paper. --set optimizer.preset=pytorch takes the others: " +
			"eps_inside is true, there false. Where eps stands decides what is penalized."},
		{"all the same", "optimizer.name=lamb", "Conventions: optimizer.preset is paper. No default of lamb is another under pytorch."},
		{"a group's", "optimizer={name: muon, groups: [{dims: 1, name: adamw, preset: pytorch}]}", "Conventions: optimizer.preset is paper. No default of muon is another under pytorch. " +
			"The preset of adamw in optimizer.groups is pytorch; what differs under paper: beta2 is 0.999, there 0.99; eps_inside is false, there true."},
		{"a definition of one's own", "optimizer={name: mine, lr: 1, update: g}", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := mustParse(t, "", c.set).Optimizer.Conventions(); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}
