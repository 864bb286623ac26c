#!/bin/sh
# Renders the clips that clips/texts.tsv names and that are not there yet, and the server's own in agents/clips; to render
# one again, delete it first. Needs flite, sox and node on the machine of whoever runs it; nothing of them ships. Levels:
# about -20 dBFS RMS, edges 60 ms of silence.
set -eu
cd "$(dirname "$0")"
root=../..
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# $1 = text, $2 = WAV to write
render() {
  [ ! -e "$2" ] || return 0
  flite -voice slt -t "$1" -o "$work/raw.wav"
  # Trim both edges, put back 60 ms of silence on each side, measure the whole, then gain to -20 dBFS RMS.
  sox "$work/raw.wav" -r 8000 "$work/trim.wav" gain -6 silence 1 0.01 0.5% reverse silence 1 0.01 0.5% reverse pad 0.06 0.06
  rms=$(sox "$work/trim.wav" -n stats 2>&1 | awk '/^RMS lev dB/ { print $4 }')
  gain=$(awk -v r="$rms" 'BEGIN { printf "%.2f", -20 - r }')
  sox -D "$work/trim.wav" -e mu-law -b 8 -c 1 "$2" gain -l "$gain"
}

# $1 = folder with texts.tsv; writes <name>.wav for each line and clips.json
render_folder() {
  while IFS="$(printf '\t')" read -r name text; do
    render "$text" "$1/$name.wav"
  done <"$1/texts.tsv"
  node -e '
    const fs = require("node:fs");
    const folder = process.argv[1];
    const lines = fs.readFileSync(folder + "/texts.tsv", "utf8").trim().split("\n").map((l) => l.split("\t"));
    const clips = Object.fromEntries(lines.map(([name, text]) => {
      const wav = fs.readFileSync(folder + "/" + name + ".wav");
      const data = wav.indexOf("data", 12, "latin1");
      return [name, { text, ms: Math.floor(wav.readUInt32LE(data + 4) / 8) }];
    }));
    fs.writeFileSync(folder + "/clips.json", JSON.stringify(clips, null, 2) + "\n");
  ' "$1"
}

render_folder clips
render_folder $root/agents/clips
