package onnx

import (
	"strings"
	"testing"
)

func TestAScopeIsTheModulesPath(t *testing.T) {
	for _, c := range []struct{ name, namespace, want string }{
		{"/layer1/layer1.0/conv1/Conv", "", "layer1.0.conv1"},
		{"/encoder/layers/encoder_layer_0/mlp/mlp.0/Gemm", "", "encoder.layers.encoder_layer_0.mlp.0"},
		{"/0/Gemm", "", "0"},
		{"/MatMul", "", ""},
		{"node_linear", "", ""},
		{"", "", ""},
		{"node_linear", ": __main__.Net/layer1: torch.nn.modules.container.Sequential/layer1.0: __main__.Block/linear: aten.linear.default", "layer1.0"},
		{"node_linear", ": __main__.Net/linear: aten.linear.default", ""},
		{"/fc/Gemm", "one", ""},
		{"/" + strings.Repeat("a", longestScope+1) + "/Gemm", "", ""},
		{"", ": Net/" + strings.Repeat("a", longestScope+1) + ": Linear/linear: aten", ""},
	} {
		if got := (&Node{Name: c.name, Namespace: c.namespace}).Scope(); got != c.want {
			t.Errorf("%q, %q: %q, want %q", c.name, c.namespace, got, c.want)
		}
	}
}
