package nn

import "shadowflow/graph"

// Softplus records log(1 + e^z), which neither overflows nor loses what is small; every derivative is exact, at 0 too, where those of
// max(z, 0) + log(1 + e^-|z|) are not.
func Softplus(z graph.Value) graph.Value {
	positive := z.Greater(z.Like(0))
	tail := graph.Select(positive, z.Neg(), z).Exp().Log1p()
	return graph.Select(positive, z, z.Like(0)).Add(tail)
}

// perClass returns the logits of the classes: where two have one logit z, 0 and z, whose softmax has sigmoid(z) for its second share.
func perClass(logits graph.Value) graph.Value {
	if shape := logits.Shape(); len(shape) == 2 && shape[1] == 1 {
		return graph.Concat(1, logits.Like(0).BroadcastTo(shape...), logits)
	}
	return logits
}

// Residuals records the sum over examples of the squared difference between what is predicted and the targets [N, C], one for each
// output: [C]. What is predicted are the outputs, of binary cross-entropy their sigmoids.
func (l Loss) Residuals(outputs, targets graph.Value) graph.Value {
	if l == BinaryCrossEntropy {
		outputs = outputs.Sigmoid()
	}
	return outputs.Sub(targets).Square().Sum(0)
}
