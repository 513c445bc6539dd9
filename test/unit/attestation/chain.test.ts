import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Chain } from "@muster/agent/attestation/chain";
import { openDatabase } from "@muster/agent/storage/database";
import { Evidence, linkDigestOf } from "@muster/shared/protocol/evidence";
import { validate } from "@muster/shared/protocol/validate";
import type { Database } from "better-sqlite3";
import fc from "fast-check";
import { evidenceAt } from "./evidence.ts";

let directory = "";
before(() => {
  directory = mkdtempSync(join(tmpdir(), "muster-chain-"));
});
after(() => rmSync(directory, { recursive: true }));

let files = 0;
function newFile(): string {
  files += 1;
  return join(directory, `${files}.db`);
}

type Step =
  | { do: "add"; nonce: string | null }
  | { do: "restart" }
  /** Power is cut in the middle of the transaction: what was to be written with the link fails. */
  | { do: "cut" }
  | { do: "known"; behind: number }
  | { do: "send" };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("add" as const),
      nonce: fc.option(fc.constantFrom("a", "b", "c")),
    }),
  },
  fc.record({ do: fc.constant("restart" as const) }),
  fc.record({ do: fc.constant("cut" as const) }),
  fc.record({ do: fc.constant("known" as const), behind: fc.integer({ min: 0, max: 3 }) }),
  { weight: 3, arbitrary: fc.record({ do: fc.constant("send" as const) }) },
);

/** A device that answers and restarts, and all that anybody ever saw of it. */
class World {
  readonly file = newFile();
  readonly seen = new Map<number, string>();
  readonly links: Evidence[] = [];
  db: Database = openDatabase(this.file);
  chain = new Chain(this.db);
  #made = 0;

  run(step: Step): void {
    if (step.do === "add" || step.do === "cut") {
      this.#made += 1;
      // Each attempt at a link has another content, as a clock and a nonce make it.
      const nonce = step.do === "add" ? step.nonce : null;
      const link = evidenceAt(this.chain.place(), { at: this.#made, nonce: nonce?.repeat(64) ?? null });
      const cut = () => {
        throw new Error("power");
      };
      if (step.do === "cut") assert.throws(() => this.chain.add(link, cut));
      else this.chain.add(link);
      if (step.do === "add") this.links.push(link);
    } else if (step.do === "restart") {
      this.db.close();
      this.db = openDatabase(this.file);
      this.chain = new Chain(this.db);
    } else if (step.do === "known") {
      const newest = Math.max(-1, ...this.seen.keys());
      if (newest - step.behind >= 0) this.chain.known(newest - step.behind);
    } else
      for (const { payload } of this.chain.waiting()) {
        const digest = linkDigestOf(payload);
        assert.equal(this.seen.get(payload.chain.index) ?? digest, digest, "a second link for one index");
        this.seen.set(payload.chain.index, digest);
      }
  }
}

describe("the chain", () => {
  it("never forks, whatever is cut, restarted, sent and acknowledged", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const world = new World();
        for (const each of steps) world.run(each);
        for (const [index, link] of world.links.entries()) {
          const previous = world.links[index - 1];
          assert.deepEqual(link.payload.chain, {
            index,
            previous: previous ? linkDigestOf(previous.payload) : null,
          });
        }
        world.db.close();
      }),
      { numRuns: 60 },
    );
  });

  it("keeps what nobody has yet, and knows what it answered after a restart", () => {
    const file = newFile();
    let db = openDatabase(file);
    let chain = new Chain(db);
    for (const nonce of ["a", null, "b"])
      chain.add(evidenceAt(chain.place(), { nonce: nonce?.repeat(64) ?? null }));
    db.close();
    db = openDatabase(file);
    chain = new Chain(db);
    assert.deepEqual(
      chain.waiting().map(({ payload }) => payload.chain.index),
      [0, 1, 2],
    );
    assert.deepEqual([chain.hasAnswered("b".repeat(64)), chain.hasAnswered("a".repeat(64))], [true, false]);
    chain.known(1);
    assert.deepEqual(
      chain.waiting().map(({ payload }) => payload.chain.index),
      [2],
    );
    chain.known(2);
    assert.ok(chain.hasAnswered("b".repeat(64)), "also when the link itself is not needed any more");
    db.close();
  });

  it("makes no link with an index that somebody else has used", () => {
    const db = openDatabase(newFile());
    const chain = new Chain(db);
    chain.add(evidenceAt(chain.place()));
    const { previous } = chain.place();
    chain.known(7);
    assert.deepEqual(chain.place(), { index: 8, previous });
    chain.known(3);
    assert.deepEqual(chain.place(), { index: 8, previous });
    db.close();
  });

  it("has room for later links whatever index it is told", () => {
    const db = openDatabase(newFile());
    const chain = new Chain(db);
    for (const told of [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]) {
      chain.known(told);
      chain.add(evidenceAt(chain.place()));
    }
    const [link] = chain.waiting().slice(-1);
    assert.deepEqual(validate(Evidence, link, "wire.malformed"), link);
    assert.ok(chain.place().index < Number.MAX_SAFE_INTEGER / 2);
    db.close();
  });

  it("is bounded in number and bytes, and keeps the newest whatever its size", () => {
    const db = openDatabase(newFile());
    const chain = new Chain(db);
    for (let made = 0; made < 40; made += 1) chain.add(evidenceAt(chain.place()));
    assert.deepEqual(
      chain.waiting().map(({ payload }) => payload.chain.index),
      Array.from({ length: 16 }, (_, index) => 24 + index),
    );
    for (let made = 0; made < 3; made += 1) chain.add(evidenceAt(chain.place(), { bytes: 600_000 }));
    assert.deepEqual(
      chain.waiting().map(({ payload }) => payload.chain.index),
      [42],
    );
    chain.add(evidenceAt(chain.place(), { bytes: 1_500_000 }));
    assert.deepEqual(
      chain.waiting().map(({ payload }) => payload.chain.index),
      [43],
    );
    db.close();
  });

  it("takes no link that does not follow", () => {
    const db = openDatabase(newFile());
    const chain = new Chain(db);
    const first = evidenceAt(chain.place());
    chain.add(first);
    assert.throws(() => chain.add(first), /does not follow/);
    assert.throws(() => chain.add(evidenceAt({ index: 1, previous: null })), /does not follow/);
    assert.equal(chain.place().index, 1);
    db.close();
  });
});
