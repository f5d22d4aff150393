#!/bin/sh
# Holds a running registry to its own OpenAPI document.
#
#   scripts/schemathesis.sh --install                install schemathesis into .cache/schemathesis (Python 3.10 or newer, pip)
#   scripts/schemathesis.sh URL [TOKEN [EXAMPLES [SEED [CONFIG]]]]
#
# Every row of the document is asked, with valid and with broken input: no 5xx, and every answer has a status, a content type and a body that the document declares.
set -eu
version=4.32.5
folder="$(cd "$(dirname "$0")/.." && pwd)/.cache/schemathesis"

if [ "${1:-}" = --install ]; then
  [ -x "$folder/bin/schemathesis" ] && exit 0
  python3 -m venv "$folder"
  exec "$folder/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version"
fi

url=$1
token=${2:-}
examples=${3:-50}
seed=${4:-20261107}
config=${5:-}
# one worker: ast of CPython 3.11 fails at random where two threads compile (python/cpython#106905)
set -- run "$url/openapi.json" --url "$url" \
  --checks not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance \
  --mode all --phases examples,coverage,fuzzing --max-examples "$examples" --seed "$seed" --workers 1 --generation-database none --no-color
[ -n "$token" ] && set -- "$@" --header "Authorization: Bearer $token"
[ -n "$config" ] && set -- --config-file "$config" "$@"
# it writes its caches where it stands
mkdir -p "$folder/run" && cd "$folder/run"
exec "$folder/bin/schemathesis" "$@"
