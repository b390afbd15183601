#!/bin/sh
# Makes the golden files of test_watch_golden.py: runs of the program, which pytest then needs no more.
#
#     python/tests/golden/make.sh path/to/shadowflow
#
# digits60.csv has the first 60 of the digits, each the means of its 2x2 pixels over 16.
set -eu
shadowflow=$(realpath "$1")
cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

run() { # NAME DTYPE SETTINGS
    "$shadowflow" run --out "$scratch/$1-$2" --set "dtype=$2,seed=3,steps=30,model.hidden=[8],data.name=csv,data.path=digits60.csv" \
        --set "data.target=[label],data.task=classification,data.standardize=false,data.test_fraction=0" \
        --set "record.every=5,record.bias=5,record.blocks=true,record.sharpness=10,record.state=0,optimizer.preset=pytorch,$3" >"$scratch/said" 2>&1
    sed '$d' "$scratch/$1-$2/history.csv" >"$1-$2.csv" # the last row has no step
}

run init float64 steps=0,optimizer.name=gd
cp "$scratch/init-float64/weights.safetensors" init.safetensors
rm init-float64.csv

for dtype in float64 float32; do
    with="model.weights=init.safetensors"
    run adam $dtype "$with,optimizer.name=adam,optimizer.lr=0.01"
    run adamw $dtype "$with,optimizer.name=adamw,optimizer.lr=0.01,optimizer.weight_decay=0.1"
    run adam-l2 $dtype "$with,optimizer.name=adam,optimizer.lr=0.01,optimizer.l2=0.01"
    run amsgrad $dtype "$with,optimizer.name=amsgrad,optimizer.lr=0.01,optimizer.beta2=0.9"
    run nadam $dtype "$with,optimizer.name=nadam,optimizer.lr=0.01"
    run rmsprop $dtype "$with,optimizer.name=rmsprop,optimizer.lr=0.001"
    run rmsprop-momentum $dtype "$with,optimizer.name=rmsprop,optimizer.lr=0.001,optimizer.momentum=0.9"
    run sgd $dtype "$with,optimizer.name=sgd,optimizer.lr=0.1,optimizer.momentum=0.9"
    run sgd-nesterov $dtype "$with,optimizer.name=sgd,optimizer.lr=0.1,optimizer.momentum=0.9,optimizer.nesterov=true,optimizer.l2=0.001"
    run lion $dtype "$with,optimizer.name=lion,optimizer.lr=0.001,optimizer.weight_decay=0.1"
    run adamw-groups $dtype "$with,optimizer.name=adamw,optimizer.lr=0.01,optimizer.groups=[{dims: 1, weight_decay: 0, lr: 0.003}]"
    run sgd-adam $dtype "$with,optimizer.name=sgd,optimizer.lr=0.1,optimizer.momentum=0.9,optimizer.groups=[{dims: 1, name: adam, lr: 0.01}]"
    [ $dtype = float32 ] || run muon-adamw $dtype "$with,optimizer.name=muon,optimizer.lr=0.01,optimizer.weight_decay=0.1,optimizer.groups=[{dims: 1, name: adamw, lr: 0.003, weight_decay: 0}]"
    run adamw-clipped-cosine $dtype "$with,optimizer.name=adamw,optimizer.lr=0.01,optimizer.clip_norm=0.1,schedule.shape=cosine,schedule.warmup=4"
done
