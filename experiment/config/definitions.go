package config

import (
	"fmt"
	"slices"
	"strings"

	"shadowflow/rule"
	"shadowflow/schema"
)

// ownDefinitions returns the optimizers that settings define, by the group that they are in, and the settings without those of a definition
// that one of a later group replaces, and with what stands in the files that name optimizers.
func ownDefinitions(groups [][]schema.Setting) (own []*rule.Definition, kept [][]schema.Setting, err error) {
	kept = slices.Clone(groups)
	for i := range groups {
		group, err := withFile(withMoments(groups[i], ""))
		if err != nil {
			return nil, nil, err
		}
		kept[i] = group
		definition := rule.DefinitionIn(optimizerIn(group))
		if definition == nil {
			continue
		}
		d, err := rule.DefinitionOf(definition)
		if err != nil {
			return nil, nil, err
		}
		own = append(own, d)
		for j := range i {
			kept[j] = withoutDefinition(kept[j], "")
		}
	}
	return own, kept, nil
}

// withMoments returns a group, or what is inside of a section, with optimizer.moments in the place of optimizer.state, where that is a text: a
// definition's state is keys and values.
func withMoments(group []schema.Setting, section string) []schema.Setting {
	if section == "" && slices.ContainsFunc(optimizerIn(group), func(s schema.Setting) bool { return s.Key == "update" }) {
		return group
	}
	out := slices.Clone(group)
	for i, s := range out {
		if _, isText := s.Text(); isText && section+s.Key == "optimizer.state" {
			out[i].Key = strings.TrimSuffix(s.Key, "state") + "moments"
		}
		if inside, ok := s.Value.([]schema.Setting); ok && section+s.Key == "optimizer" {
			out[i].Value = withMoments(inside, "optimizer.")
		}
	}
	return out
}

// optimizerIn returns the settings of the section optimizer among those of a group, by their names in it.
func optimizerIn(group []schema.Setting) (section []schema.Setting) {
	for _, s := range group {
		inside, _ := s.Value.([]schema.Setting)
		if name, ok := strings.CutPrefix(s.Key, "optimizer."); ok {
			s.Key = name
			section = append(section, s)
		} else if s.Key == "optimizer" {
			section = append(section, inside...)
		}
	}
	return section
}

// withoutDefinition returns a group, or what is inside of a section, without the definition of an optimizer.
func withoutDefinition(group []schema.Setting, section string) []schema.Setting {
	var out []schema.Setting
	for _, s := range group {
		name, ok := strings.CutPrefix(section+s.Key, "optimizer.")
		if ok && slices.Contains(rule.DefinitionKeys(), name) {
			continue
		}
		if inside, ok := s.Value.([]schema.Setting); ok && section+s.Key == "optimizer" {
			s.Value = withoutDefinition(inside, "optimizer.")
		}
		out = append(out, s)
	}
	return out
}

// withFile returns a group with the section optimizer of a file in the place of optimizer.name, where that is the path of one. What the group
// says itself of the optimizer counts more than the file.
func withFile(group []schema.Setting) ([]schema.Setting, error) {
	section := optimizerIn(group)
	at := slices.IndexFunc(section, func(s schema.Setting) bool {
		text, ok := s.Text()
		return s.Key == "name" && ok && rule.IsFile(text)
	})
	if at < 0 {
		return group, nil
	}
	path, _ := section[at].Text()
	inside, err := readOptimizer(path)
	if err != nil {
		return nil, section[at].ValueError("optimizer.name", "%v", err)
	}
	out := slices.DeleteFunc(slices.Clone(group), func(s schema.Setting) bool { return s.Key == "optimizer" || strings.HasPrefix(s.Key, "optimizer.") })
	for _, s := range inside {
		if s.Key == "name" || !slices.ContainsFunc(section, func(o schema.Setting) bool { return o.Key == s.Key }) {
			s.Key = "optimizer." + s.Key
			out = append(out, s)
		}
	}
	for _, s := range section {
		if s.Key != "name" {
			s.Key = "optimizer." + s.Key
			out = append(out, s)
		}
	}
	return out, nil
}

// readOptimizer returns the keys of a file with a section optimizer and nothing else.
func readOptimizer(path string) ([]schema.Setting, error) {
	document, err := schema.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if OptimizerAlone(document) {
		if inside, ok := document[0].Value.([]schema.Setting); ok {
			return inside, nil
		}
	}
	return nil, fmt.Errorf("%s: expected a file with a section optimizer and nothing else", path)
}

// OptimizerAlone reports whether a document says what the optimizer is and nothing else.
func OptimizerAlone(document []schema.Setting) bool {
	return len(document) == 1 && document[0].Key == "optimizer"
}
