package onnx

import "strings"

// longestScope is the most bytes of a module's path: all weights that a node reads may be called by it.
const longestScope = 1 << 10

// Scope returns the path of the module that a node belongs to, as PyTorch names modules, like layer1.0.conv1: from the namespace that its newer exporter
// writes, or from the node's name as the older one makes it. It is empty where neither says, or says more than a path.
func (n *Node) Scope() string {
	scope := ""
	if n.Namespace != "" {
		scope = ofNamespace(n.Namespace)
	} else if len(n.Name) <= 2*longestScope {
		scope = ofName(n.Name)
	}
	if len(scope) > longestScope {
		return ""
	}
	return scope
}

// ofNamespace reads ": Net/layer1: Sequential/layer1.0: Block/linear: aten.linear.default", where the last part is the node itself.
func ofNamespace(namespace string) string {
	parts := strings.Split(namespace, "/")
	if len(parts) < 2 {
		return ""
	}
	path, _, _ := strings.Cut(parts[len(parts)-2], ": ")
	return path
}

// ofName reads "/layer1/layer1.0/conv1/Conv", where the last part is the node itself. What is in a list or a sequence repeats that one's name.
func ofName(name string) string {
	parts := strings.Split(name, "/")
	if len(parts) < 3 || parts[0] != "" {
		return ""
	}
	var path []string
	for _, part := range parts[1 : len(parts)-1] {
		if last := len(path) - 1; last >= 0 && strings.HasPrefix(part, path[last]+".") {
			path = path[:last]
		}
		path = append(path, part)
	}
	return strings.Join(path, ".")
}
