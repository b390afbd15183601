package rule

// entry is a rule of the literature: its defaults, the keys of its hyperparameters, and how it is made of them.
type entry struct {
	defaults Config
	keys     string
	build    func(c Config) *Rule
}

func catalog() []entry {
	return []entry{
		{Config{Name: "gd", LR: 0.01}, "lr", gradientDescent},
		{Config{Name: "heavy-ball", LR: 0.01, Beta1: 0.9}, "lr beta1", heavyBall},
		{Config{Name: "nesterov", LR: 0.01, Beta1: 0.9}, "lr beta1", nesterov},
		{
			Config{Name: "rmsprop", LR: 1e-3, Beta2: 0.99, Eps: 1e-8, EpsInside: true},
			"lr beta2 eps eps_inside bias_correction", rmsProp,
		},
		{
			Config{Name: "adam", LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, EpsInside: true, BiasCorrection: true},
			"lr beta1 beta2 eps eps_inside bias_correction", adam,
		},
		{
			Config{Name: "adamw", LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 0.01, EpsInside: true, BiasCorrection: true},
			"lr beta1 beta2 eps weight_decay eps_inside bias_correction", adamW,
		},
		{
			Config{Name: "nadam", LR: 2e-3, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, EpsInside: true, BiasCorrection: true},
			"lr beta1 beta2 eps eps_inside bias_correction", nAdam,
		},
		{Config{Name: "signum", LR: 1e-3, Beta1: 0.9, Eps: 1e-8}, "lr beta1 eps bias_correction", signum},
		{
			Config{Name: "lion", LR: 1e-4, Beta1: 0.9, Beta2: 0.99, Eps: 1e-8},
			"lr beta1 beta2 eps weight_decay", lion,
		},
	}
}
