package record

import (
	"errors"
	"io/fs"
	"math"
	"path/filepath"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"

	"shadowflow/schema"
)

// Field numbers and words of TensorBoard's plugin for hyperparameters (tensorboard/plugins/hparams, plugin_data.proto and api.proto), and of
// protobuf's struct.proto and TensorFlow's tensor.proto as far as they are needed.
const (
	pluginName    protowire.Number = 1 // string
	pluginContent protowire.Number = 2 // bytes: HParamsPluginData

	hparamsSessionStart protowire.Number = 3 // SessionStartInfo
	hparamsSessionEnd   protowire.Number = 4 // SessionEndInfo
	startHparams        protowire.Number = 1 // map<string, google.protobuf.Value>
	startTime           protowire.Number = 5 // double, seconds since 1970
	endStatus           protowire.Number = 1 // Status
	endTime             protowire.Number = 2 // double

	statusSuccess = 1
	statusFailure = 2
	statusRunning = 3

	mapKey, mapValue protowire.Number = 1, 2
	numberValue      protowire.Number = 2 // double
	stringValue      protowire.Number = 3 // string
	boolValue        protowire.Number = 4 // bool

	tensorType  protowire.Number = 1 // DataType
	tensorShape protowire.Number = 2 // TensorShapeProto
	shapeDim    protowire.Number = 2 // repeated Dim
	typeFloat                    = 1 // DT_FLOAT
)

// session is a run as TensorBoard's hyperparameters have it.
type session struct {
	config []schema.Setting // nil where there is none
	status uint64
}

// sessionOf reads the config and the end of the run in a directory.
func sessionOf(dir string) (session, error) {
	s := session{status: statusRunning}
	var err error
	if s.config, err = schema.ReadFile(ConfigPath(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	var result struct {
		Status string `json:"status"`
	}
	switch err := readJSON(filepath.Join(dir, resultFile), &result); {
	case err == nil && result.Status == "diverged":
		s.status = statusFailure
	case err == nil && result.Status != "":
		s.status = statusSuccess
	case err != nil && !errors.Is(err, fs.ErrNotExist) && !isJSONError(err):
		return s, err
	}
	if _, failed := ReadFailure(dir); failed {
		s.status = statusFailure
	}
	return s, nil
}

// start returns the summary with every key of the config, numbers and words by what they are and all else as text.
func (s session) start(wall float64) []byte {
	info := appendHparams(nil, "", s.config)
	info = protowire.AppendFixed64(protowire.AppendTag(info, startTime, protowire.Fixed64Type), math.Float64bits(wall))
	return hparamsSummary("_hparams_/session_start_info", appendMessage(nil, hparamsSessionStart, info))
}

// end returns the summary of how the run ended.
func (s session) end(wall float64) []byte {
	info := protowire.AppendVarint(protowire.AppendTag(nil, endStatus, protowire.VarintType), s.status)
	info = protowire.AppendFixed64(protowire.AppendTag(info, endTime, protowire.Fixed64Type), math.Float64bits(wall))
	return hparamsSummary("_hparams_/session_end_info", appendMessage(nil, hparamsSessionEnd, info))
}

// appendHparams appends settings, those of sections by their dotted keys.
func appendHparams(b []byte, section string, settings []schema.Setting) []byte {
	for _, s := range settings {
		key := section + s.Key
		if nested, ok := s.Value.([]schema.Setting); ok {
			b = appendHparams(b, key+".", nested)
			continue
		}
		b = appendMessage(b, startHparams, appendMessage(appendText(nil, mapKey, key), mapValue, hparam(s)))
	}
	return b
}

func hparam(s schema.Setting) []byte {
	switch v := s.Value.(type) {
	case bool:
		return protowire.AppendVarint(protowire.AppendTag(nil, boolValue, protowire.VarintType), protowire.EncodeBool(v))
	case string:
		return appendText(nil, stringValue, v)
	}
	if text, ok := s.Text(); ok {
		if x, err := strconv.ParseFloat(text, 64); err == nil {
			return protowire.AppendFixed64(protowire.AppendTag(nil, numberValue, protowire.Fixed64Type), math.Float64bits(x))
		}
	}
	return appendText(nil, stringValue, schema.Format(s.Value))
}

// hparamsSummary returns a summary whose content is a plugin's. It is a tensor without elements, which TensorBoard wants of each.
func hparamsSummary(tag string, data []byte) []byte {
	shape := appendMessage(nil, shapeDim, nil)
	tensor := protowire.AppendVarint(protowire.AppendTag(nil, tensorType, protowire.VarintType), typeFloat)
	tensor = appendMessage(tensor, tensorShape, shape)
	plugin := appendMessage(appendText(nil, pluginName, "hparams"), pluginContent, data)
	value := appendText(nil, valueTag, tag)
	value = appendMessage(value, valueTensor, tensor)
	value = appendMessage(value, valueMetadata, appendMessage(nil, metadataPlugin, plugin))
	return appendMessage(nil, summaryValue, value)
}
