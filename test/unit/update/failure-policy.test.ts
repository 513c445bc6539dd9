import assert from "node:assert/strict";
import { test } from "node:test";
import { failureKind } from "@muster/agent/update/failure-policy";
import type { Effect, FailureKind } from "@muster/agent/update/machine";
import { type ErrorCode, MusterError } from "@muster/shared/errors";

const table: [Effect, ErrorCode, FailureKind][] = [
  ["resolve", "request.unreachable", "retry"],
  ["resolve", "trust.metadata-expired", "retry"],
  ["resolve", "certificate.expired", "retry"],
  ["resolve", "trust.metadata-invalid", "final"],
  ["resolve", "release.unsigned", "final"],
  ["resolve", "release.no-variant", "final"],
  ["fetch", "download.interrupted", "retry"],
  ["fetch", "storage.full", "retry"],
  ["fetch", "release.artifact-missing", "retry"],
  ["fetch", "artifact.corrupted", "final"],
  ["fetch", "artifact.too-large", "final"],
  ["stage", "artifact.corrupted", "refetch"],
  ["stage", "storage.full", "retry"],
  ["stage", "model.golden-mismatch", "final"],
  ["stage", "runner.crashed", "final"],
  ["activate", "runner.hung", "final"],
  ["watch", "storage.full", "final"],
  ["restore", "model.load-failed", "final"],
];

for (const [effect, code, kind] of table)
  test(`failure policy: ${code} while it is to ${effect} is ${kind}`, () => {
    assert.equal(failureKind(effect, new MusterError(code)), kind);
  });
