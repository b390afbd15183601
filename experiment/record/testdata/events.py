"""Reads events/ with TensorBoard's own readers and writes what they found into events.json.

    pip install tensorboard==2.21.0
    python events.py

The file in events/ is what `go test ./experiment/record -run TestTensorBoard -update` wrote.
"""

import json
import math
import pathlib

from google.protobuf import json_format
from tensorboard import context
from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
from tensorboard.plugins import base_plugin
from tensorboard.plugins.hparams import api_pb2, backend_context, metadata

here = pathlib.Path(__file__).parent
logdir = str(here / "events")

multiplexer = plugin_event_multiplexer.EventMultiplexer()
multiplexer.AddRunsFromDirectory(logdir)
multiplexer.Reload()
provider = data_provider.MultiplexerDataProvider(multiplexer, logdir)
ctx = context.RequestContext()

scalars, descriptions = {}, {}
for run, tags in provider.list_scalars(ctx, experiment_id="", plugin_name="scalars").items():
    for tag, series in tags.items():
        descriptions[tag] = series.description
    read = provider.read_scalars(ctx, experiment_id="", plugin_name="scalars", downsample=1000)
    for tag, points in read[run].items():
        scalars[tag] = [
            {"wall_time": p.wall_time, "step": p.step, "value": p.value if math.isfinite(p.value) else None} for p in points
        ]

backend = backend_context.Context(base_plugin.TBContext(data_provider=provider))
content = backend.hparams_metadata(ctx, "")
(tags,) = content.values()
start = metadata.parse_session_start_info_plugin_data(tags[metadata.SESSION_START_INFO_TAG])
end = metadata.parse_session_end_info_plugin_data(tags[metadata.SESSION_END_INFO_TAG])
tab = backend.experiment_from_metadata(ctx, "", True, content, backend.hparams_from_data_provider(ctx, "", 0))

(events,) = pathlib.Path(logdir).iterdir()
first = next(iter(LegacyEventFileLoader(str(events)).Load()))

found = {
    "version": first.file_version,
    "scalars": dict(sorted(scalars.items())),
    "descriptions": dict(sorted(descriptions.items())),
    "hparams": {name: json_format.MessageToDict(value) for name, value in sorted(start.hparams.items())},
    "start_time": start.start_time_secs,
    "end_time": end.end_time_secs,
    "status": api_pb2.Status.Name(end.status),
    "hparams_tab": sorted(info.name for info in tab.hparam_infos),
    "metrics": sorted(info.name.tag for info in tab.metric_infos),
}
(here / "events.json").write_text(json.dumps(found, indent=1) + "\n")
