#!/bin/sh
# Makes the namespace in which the cases run. Finished cases stay readable in the Temporal UI for 30 days; Postgres keeps them for good.
set -eu
if temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1; then
  echo "Namespace $TEMPORAL_NAMESPACE is there."
  exit 0
fi
temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention 720h
