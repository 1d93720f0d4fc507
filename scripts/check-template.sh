#!/bin/sh
# Packages the service as a deploy does, without network and credentials, and checks the template with AWS's linter.
set -eu
cd "$(dirname "$0")/.."
[ -x .venv/bin/cfn-lint ] || { python3 -m venv .venv && .venv/bin/pip install --quiet cfn-lint; }
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for stage in dev prod; do
  env -u AWS_PROFILE serverless package --stage "$stage" --package "$out/$stage" >"$out/log" 2>&1 || { cat "$out/log"; exit 1; }
  # W3005: the serverless CLI adds a DependsOn where a reference already implies it.
  .venv/bin/cfn-lint --ignore-checks W3005 -- "$out/$stage/cloudformation-template-update-stack.json"
  echo "The template of the stage $stage is valid."
done
