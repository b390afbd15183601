package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"shadowflow/experiment/config"
	"shadowflow/schema"
)

// settings are the flags and the argument that make a config, the same for every command: [config.yaml], --set, and short ways to
// say some keys.
type settings struct {
	cmd    *cobra.Command
	set    []string
	short  []*short
	preset []schema.Setting // the config where no file is given
	// several says that the settings are for several configs, of which each may choose its own optimizer and loss.
	several bool
}

// A short is a flag for one key.
type short struct {
	flag, key string
	text      string
	read      func(flag, key, text string) (schema.Setting, error)
}

// bindSettings gives a command the flags. preset is what its config is where no file is given, beside the defaults.
func bindSettings(cmd *cobra.Command, preset ...schema.Setting) *settings {
	s := &settings{cmd: cmd, preset: preset}
	if cmd.ValidArgs == nil {
		cmd.ValidArgsFunction = completeFiles("yaml", "yml")
	}
	flags := cmd.PersistentFlags()
	flags.StringArrayVar(&s.set, "set", nil, "settings, key=value,...: any keys of a config, those that only one section has without it; may be repeated")
	complete(cmd, "set", func(text string) ([]string, cobra.ShellCompDirective) {
		candidates, more := config.Schema().Complete(text, s.beside(cmd.Flags().Args())...)
		if more {
			return candidates, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
		}
		return candidates, cobra.ShellCompDirectiveNoFileComp
	})
	s.bind("objective", "objective.name", "the loss", readValue)
	s.bind("optimizer", "optimizer.name", "the optimizer, or a file with a section optimizer", readValue)
	s.bind("theta", "objective.theta", "the parameters to start from, a,b,... (default: the objective's own)", readList)
	s.bind("pairs", "objective.pairs", "pairs x:y,x:y,... of bilinear and cubic, one a batch", readPairs)
	s.bind("batches", "batch.mode", "the batch of a step", readValue)
	s.bind("seed", "seed", "seed of every random choice", readValue)
	return s
}

// bind adds a flag for one key, whose words it completes, unless the command has another flag of that name.
func (s *settings) bind(flag, key, usage string, read func(flag, key, text string) (schema.Setting, error)) {
	if s.cmd.Flags().Lookup(flag) != nil {
		return
	}
	f := &short{flag: flag, key: key, read: read}
	s.short = append(s.short, f)
	words := config.Schema().Words(key)
	if words != nil {
		usage += ": " + strings.Join(words, ", ")
	}
	s.cmd.PersistentFlags().StringVar(&f.text, flag, "", fmt.Sprintf("%s; short for --set %s", usage, key))
	complete(s.cmd, flag, func(string) ([]string, cobra.ShellCompDirective) {
		if flag == "optimizer" {
			return words, cobra.ShellCompDirectiveDefault
		}
		return words, cobra.ShellCompDirectiveNoFileComp
	})
}

// given returns the settings of the file among the arguments, or the preset where it says nothing but the optimizer, and those of the flags.
func (s *settings) given(args []string) (document []schema.Setting, overrides [][]schema.Setting, err error) {
	document = s.preset
	if len(args) > 0 {
		if document, err = schema.ReadFile(args[0]); err != nil {
			return nil, nil, err
		}
		if config.OptimizerAlone(document) { // as --optimizer with the file: it says nothing of the rest
			document = append(slices.Clone(s.preset), document...)
		}
	}
	var shorts []schema.Setting
	for _, f := range s.short {
		if !s.cmd.PersistentFlags().Changed(f.flag) {
			continue
		}
		setting, err := f.read("--"+f.flag+" "+f.text, f.key, f.text)
		if err != nil {
			return nil, nil, err
		}
		shorts = append(shorts, setting)
	}
	overrides = append(overrides, shorts)
	for _, text := range s.set {
		group, err := schema.ParseSet("--set", text)
		if err != nil {
			return nil, nil, err
		}
		overrides = append(overrides, group)
	}
	return document, overrides, nil
}

// beside returns the settings that a further one would stand beside, nil where the command's file is no config.
func (s *settings) beside(args []string) [][]schema.Setting {
	document, overrides, err := s.given(args)
	if err != nil || s.several {
		return nil
	}
	return append([][]schema.Setting{document}, overrides...)
}

// onlyOptimizer reports whether all that was given concerns the optimizer, the seed or the threads: nothing says what the loss is.
func (s *settings) onlyOptimizer(args []string) bool {
	document, overrides, err := s.given(args)
	if err != nil {
		return false
	}
	keys, err := config.SchemaOf(append([][]schema.Setting{document}, overrides...)...)
	if err != nil {
		return false
	}
	all, err := keys.Merge(document, overrides...)
	return err == nil && !slices.ContainsFunc(all, func(g schema.Setting) bool {
		return !strings.HasPrefix(g.Key, "optimizer.") && g.Key != "seed" && g.Key != "threads"
	})
}

// any reports whether one of the flags was given.
func (s *settings) any() bool {
	return len(s.set) > 0 || slices.ContainsFunc(s.short, func(f *short) bool { return s.cmd.PersistentFlags().Changed(f.flag) })
}

// config returns the config that arguments and flags make.
func (s *settings) config(args []string) (*config.Config, error) {
	document, overrides, err := s.given(args)
	if err != nil {
		return nil, err
	}
	return config.Resolve(document, overrides...)
}

// readValue takes a value as YAML.
func readValue(source, key, text string) (schema.Setting, error) {
	return schema.ParseValue(source, key, text)
}

// readList takes a,b,...
func readList(source, key, text string) (schema.Setting, error) {
	return schema.ParseValue(source, key, "["+text+"]")
}

// readPairs takes x:y,x:y,...
func readPairs(source, key, text string) (schema.Setting, error) {
	return schema.ParseValue(source, key, "[["+strings.NewReplacer(",", "], [", ":", ", ").Replace(text)+"]]")
}
