import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MeasuredLogStore } from "@muster/agent/attestation/measured-log";
import {
  type Epoch,
  extended,
  type MeasuredLog,
  nextPcrStep,
  type OwnBank,
  type WantedPcr,
  zeros,
} from "@muster/agent/attestation/own-pcr";
import { openDatabase } from "@muster/agent/storage/database";
import { type MeasuredExtension, MOST_EXTENSIONS, NO_RELEASE } from "@muster/shared/protocol/evidence";
import { sha256 } from "@muster/shared/trust/digest";
import fc from "fast-check";

const epoch: Epoch = { resetCount: 4, restartCount: 0 };
const agent: MeasuredExtension = { at: 1, what: "agent", digest: sha256("agent") };
const release: MeasuredExtension = { at: 2, what: "release", digest: sha256("release") };
const base = { sha256: zeros("sha256"), sha384: zeros("sha384") };
const log = (more: Partial<MeasuredLog>): MeasuredLog => ({
  epoch,
  base,
  extensions: [],
  pending: null,
  ...more,
});
const value = (...extensions: MeasuredExtension[]): string =>
  extensions.reduce((so, by) => extended("sha256", so, by), zeros("sha256"));
const told: WantedPcr = { agent: null, release: release.digest as `sha256:${string}` };
const fresh: WantedPcr = { ...told, agent: agent.digest as `sha256:${string}` };
const by = ({ what, digest }: MeasuredExtension) => ({ what, digest });

describe("the agent's own PCR", () => {
  const rows: [string, MeasuredLog, Epoch, string, WantedPcr, ReturnType<typeof nextPcrStep>][] = [
    ["is new", log({ epoch: null }), epoch, value(), fresh, { do: "begin", epoch }],
    ["holds nothing yet", log({}), epoch, value(), fresh, { do: "extend", by: [by(agent), by(release)] }],
    [
      "waits for the release to be proven",
      log({ extensions: [agent] }),
      epoch,
      value(agent),
      { agent: null, release: null },
      { do: "nothing", foreign: false },
    ],
    [
      "needs nothing for no release",
      log({ extensions: [agent] }),
      epoch,
      value(agent),
      { agent: null, release: NO_RELEASE },
      { do: "nothing", foreign: false },
    ],
    [
      "says that nothing runs any more",
      log({ extensions: [agent, release] }),
      epoch,
      value(agent, release),
      { agent: null, release: NO_RELEASE },
      { do: "extend", by: [{ what: "release", digest: NO_RELEASE }] },
    ],
    [
      "says what runs",
      log({ extensions: [agent, release] }),
      epoch,
      value(agent, release),
      told,
      { do: "nothing", foreign: false },
    ],
    [
      "takes a new start of the agent",
      log({ extensions: [agent, release] }),
      epoch,
      value(agent, release),
      fresh,
      { do: "extend", by: [by(agent)] },
    ],
    [
      "was extended before the power cut",
      log({ extensions: [agent], pending: release }),
      epoch,
      value(agent, release),
      told,
      { do: "settle" },
    ],
    [
      "was not extended before the power cut",
      log({ extensions: [agent], pending: release }),
      epoch,
      value(agent),
      told,
      { do: "redo" },
    ],
    [
      "was extended by somebody else",
      log({ extensions: [agent, release] }),
      epoch,
      value(agent, release, agent),
      told,
      { do: "nothing", foreign: true },
    ],
    [
      "was reset by somebody else",
      log({ extensions: [agent, release] }),
      epoch,
      value(),
      told,
      { do: "nothing", foreign: true },
    ],
    [
      "was reset with its TPM",
      log({ extensions: [agent, release] }),
      { resetCount: 5, restartCount: 0 },
      value(),
      told,
      { do: "begin", epoch: { resetCount: 5, restartCount: 0 } },
    ],
    [
      "was reset by a restart of the TPM",
      log({ extensions: [agent, release] }),
      { resetCount: 4, restartCount: 1 },
      value(),
      told,
      { do: "begin", epoch: { resetCount: 4, restartCount: 1 } },
    ],
    [
      "slept with its TPM",
      log({ extensions: [agent, release] }),
      { resetCount: 4, restartCount: 1 },
      value(agent, release),
      told,
      { do: "resume", epoch: { resetCount: 4, restartCount: 1 } },
    ],
  ];
  for (const [name, before, at, found, wanted, step] of rows)
    it(name, () =>
      assert.deepEqual(nextPcrStep(before, { epoch: at, bank: "sha256", value: found }, wanted), step),
    );

  it("ends where its list says in both banks, over cuts at every step and lists of any length", () => {
    const turn = fc.record({
      restart: fc.boolean(),
      release: fc.integer({ min: 0, max: 3 }),
      /** The power is cut after so many writes to disk and TPM; none while it is undefined. */
      cut: fc.option(fc.integer({ min: 0, max: 6 })),
      reset: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(turn, { maxLength: 40 }), (turns) => {
        const db = openDatabase(":memory:");
        let store = new MeasuredLogStore(db, 23);
        const pcr: Record<OwnBank, string> = { ...base };
        let resetCount = 1;
        let start: WantedPcr["agent"] = sha256("agent");
        for (const { restart, release: number, cut, reset } of [
          ...turns,
          { restart: true, release: 1, cut: null, reset: false },
        ]) {
          if (reset) {
            resetCount += 1;
            Object.assign(pcr, base);
          }
          if (restart || reset) {
            store = new MeasuredLogStore(db, 23);
            start = sha256("agent");
          }
          let left = cut ?? Number.POSITIVE_INFINITY;
          const write = (work: () => void): void => {
            left -= 1;
            if (left < 0) throw new Error("power");
            work();
          };
          const extend = (extension: MeasuredExtension): void => {
            write(() => {
              for (const bank of ["sha256", "sha384"] as const)
                pcr[bank] = extended(bank, pcr[bank], extension);
            });
            write(() => store.settle());
            if (extension.what === "agent") start = null;
          };
          try {
            for (;;) {
              const quoted = {
                epoch: { resetCount, restartCount: 0 },
                bank: "sha256" as const,
                value: pcr.sha256,
              };
              const wanted = { agent: start, release: sha256(`release ${number}`) };
              const step = nextPcrStep(store.read(), quoted, wanted);
              if (step.do === "nothing") {
                assert.equal(step.foreign, false);
                break;
              }
              if (step.do === "begin") write(() => store.begin(step.epoch));
              else if (step.do === "resume") write(() => store.resume(step.epoch));
              else if (step.do === "settle") write(() => store.settle());
              else if (step.do === "redo") extend(store.read().pending!);
              else
                for (const each of step.by) {
                  const extension = { at: 1, ...each };
                  write(() => store.pend(extension));
                  extend(extension);
                }
            }
          } catch (error) {
            if (!(error instanceof Error && error.message === "power")) throw error;
            start = sha256("agent");
          }
        }
        const { base: from, extensions, pending, dropped } = store.read();
        assert.equal(pending, null);
        assert.ok(extensions.length <= MOST_EXTENSIONS);
        if (extensions.length < MOST_EXTENSIONS) assert.equal(dropped, 0);
        for (const bank of ["sha256", "sha384"] as const)
          assert.equal(
            extensions.reduce((so, each) => extended(bank, so, each), from[bank]),
            pcr[bank],
          );
        db.close();
      }),
      { numRuns: 100 },
    );
  });

  it("tells the newest of a long list, and what those before made", () => {
    const db = openDatabase(":memory:");
    const store = new MeasuredLogStore(db, 23);
    store.begin(epoch);
    let so = zeros("sha256");
    for (let made = 0; made < 100; made += 1) {
      const extension: MeasuredExtension = { at: made, what: "release", digest: sha256(`${made}`) };
      store.pend(extension);
      store.settle();
      if (made < 100 - MOST_EXTENSIONS) so = extended("sha256", so, extension);
    }
    const { base: from, extensions, dropped } = store.read();
    assert.deepEqual([from.sha256, extensions.length, dropped], [so, MOST_EXTENSIONS, 100 - MOST_EXTENSIONS]);
    db.close();
  });
});
