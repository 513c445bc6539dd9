import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Alert } from "@muster/control-plane/alerts/alert";
import { type Outgoing, planNotifications, type ToldGroup } from "@muster/control-plane/alerts/notify-plan";
import { completeReceiver, type Receiver, type ReceiverInput } from "@muster/control-plane/alerts/receiver";
import fc from "fast-check";
import { deviceAt, ScriptedFleet } from "../../support/alerts/scripted-fleet.ts";

const FLEET = new ScriptedFleet()
  .add(deviceAt("d1", "eu/a", { line: "a" }))
  .add(deviceAt("d2", "eu/b", { line: "b" }));

const receiver = (given: Partial<ReceiverInput> = {}): Receiver =>
  completeReceiver("ops", {
    webhook: { url: "http://127.0.0.1:1/" },
    groupWaitSeconds: 30,
    groupIntervalSeconds: 300,
    repeatSeconds: 3600,
    ...given,
  });

const firing = (id: string, at: number, given: Partial<Alert> = {}): Alert => ({
  id,
  rule: "hot",
  group: id,
  place: { device: "d1", name: "d1", site: "eu/a", hardwareClass: "x", rollout: null },
  severity: "warning",
  signal: "temperatureC",
  state: "firing",
  since: at * 1000,
  firedAt: at * 1000,
  quietSince: null,
  unknownSince: null,
  resolvedAt: null,
  resolvedReason: null,
  breaching: 1,
  members: 1,
  value: 95,
  examples: [],
  summary: `${id} is hot.`,
  remedy: "Cool it.",
  ...given,
});

/** Receivers, what they know and what waits, gone through in steps of seconds. */
class Desk {
  readonly receivers: Receiver[];
  readonly alerts = new Map<string, Alert>();
  readonly ended = new Map<string, Alert>();
  readonly muted = new Set<string>();
  readonly waiting = new Set<string>();
  records = new Map<string, ToldGroup>();
  room = 100;

  constructor(...receivers: Receiver[]) {
    this.receivers = receivers;
  }

  fire(alert: Alert): void {
    this.alerts.set(alert.id, alert);
  }

  end(id: string): void {
    const alert = this.alerts.get(id);
    if (alert) this.ended.set(id, { ...alert, state: "resolved" });
    this.alerts.delete(id);
  }

  plan(at: number): Outgoing[] {
    const now = at * 1000;
    const all = [...this.alerts.values()];
    const plans = this.receivers.map((each) =>
      planNotifications({
        receiver: each,
        audible: all.filter(({ id }) => !this.muted.has(id)),
        firing: new Set(all.map(({ id }) => id)),
        endedAlert: (id) => this.ended.get(id),
        records: [...this.records.values()].filter((record) => record.receiver === each.name),
        isWaiting: (group) => this.waiting.has(`${each.name} ${group}`),
        room: this.room,
        places: FLEET,
        now,
      }),
    );
    const send = plans.flatMap((plan) => plan.send);
    const forget = plans.flatMap((plan) => plan.forget);
    for (const {
      receiver: { name },
      group,
      told,
    } of send)
      this.records.set(`${name} ${group}`, { receiver: name, group, lastSentAt: now, told: new Set(told) });
    for (const { receiver: name, group } of forget) this.records.delete(`${name} ${group}`);
    return send;
  }

  /** What is sent, in words. */
  told(at: number): string[] {
    return this.plan(at).map(
      ({ reason, group, firing: on, resolved }) =>
        `${reason} ${group}: ${on.map(({ id }) => id).join(" ")} / ${resolved.map(({ id }) => id).join(" ")}`,
    );
  }
}

describe("what is told when", () => {
  it("waits for the group to come together, then for the interval, and repeats what stays", () => {
    const desk = new Desk(receiver());
    desk.fire(firing("a", 0));
    assert.deepEqual(desk.told(0), []);
    desk.fire(firing("b", 10));
    assert.deepEqual(desk.told(29), []);
    assert.deepEqual(desk.told(30), ["changed hot: a b / "]);
    desk.fire(firing("c", 40));
    assert.deepEqual(desk.told(329), [], "not before the interval is over");
    assert.deepEqual(desk.told(330), ["changed hot: a b c / "]);
    assert.deepEqual(desk.told(3929), []);
    assert.deepEqual(desk.told(3930), ["repeat hot: a b c / "]);
  });

  it("tells what is over once, with what still fires", () => {
    const desk = new Desk(receiver());
    desk.fire(firing("a", 0));
    desk.fire(firing("b", 0));
    desk.told(30);
    desk.end("a");
    assert.deepEqual(desk.told(329), []);
    assert.deepEqual(desk.told(330), ["changed hot: b / a"]);
    desk.end("b");
    assert.deepEqual(desk.told(630), ["changed hot:  / b"]);
    assert.deepEqual(desk.told(9999), []);
    assert.equal(desk.records.size, 0, "nothing is left to remember");
  });

  it("never tells what came and went within the wait", () => {
    const desk = new Desk(receiver());
    desk.fire(firing("a", 0));
    desk.told(10);
    desk.end("a");
    assert.deepEqual(desk.told(60), []);
  });

  it("rests for the interval when the same comes again", () => {
    const desk = new Desk(receiver());
    desk.fire(firing("a", 0));
    desk.told(30);
    desk.end("a");
    assert.deepEqual(desk.told(330), ["changed hot:  / a"]);
    desk.fire(firing("a2", 340));
    assert.deepEqual(desk.told(400), []);
    assert.deepEqual(desk.told(630), ["changed hot: a2 / "]);
  });

  it("tells the end also of what is silenced meanwhile, but does not repeat it", () => {
    const desk = new Desk(receiver());
    desk.fire(firing("a", 0));
    desk.told(30);
    desk.muted.add("a");
    assert.deepEqual(desk.told(8000), []);
    desk.end("a");
    assert.deepEqual(desk.told(8001), ["changed hot:  / a"]);
  });

  it("tells nothing of the end where the receiver does not want it", () => {
    const desk = new Desk(receiver({ sendResolved: false }));
    desk.fire(firing("a", 0));
    desk.told(30);
    desk.end("a");
    assert.deepEqual(desk.told(9000), []);
    assert.equal(desk.records.size, 0);
  });

  it("waits behind what is not delivered, and tells all of it after", () => {
    const desk = new Desk(receiver());
    desk.fire(firing("a", 0));
    desk.told(30);
    desk.waiting.add("ops hot");
    desk.end("a");
    desk.fire(firing("b", 100));
    assert.deepEqual(desk.told(5000), []);
    desk.waiting.clear();
    assert.deepEqual(desk.told(5001), ["changed hot: b / a"]);
  });

  it("puts off what does not fit into the queue, and loses nothing of it", () => {
    const desk = new Desk(receiver({ groupBy: "alert" }));
    for (const id of ["a", "b", "c"]) desk.fire(firing(id, 0));
    desk.room = 2;
    assert.equal(desk.told(30).length, 2);
    assert.deepEqual(desk.told(31), ["changed c: c / "]);
  });

  const routes: [what: string, given: Partial<ReceiverInput>, told: string[]][] = [
    ["everything by rule", {}, ["changed hot: a b / ", "changed cold: c / "]],
    ["by site", { groupBy: "site" }, ["changed eu/a: a c / ", "changed eu/b: b / "]],
    ["alone", { groupBy: "alert" }, ["changed a: a / ", "changed b: b / ", "changed c: c / "]],
    ["from a severity on", { minSeverity: "critical" }, ["changed cold: c / "]],
    ["of some devices", { selector: "line=b" }, ["changed hot: b / "]],
    ["of a rule", { selector: "rule=cold" }, ["changed cold: c / "]],
    ["nothing while it is off", { enabled: false }, []],
  ];
  for (const [what, given, told] of routes)
    it(`routes ${what}`, () => {
      const desk = new Desk(receiver(given));
      desk.fire(firing("a", 0));
      const place = { device: "d2", name: "d2", site: "eu/b", hardwareClass: "x", rollout: null };
      desk.fire(firing("b", 0, { place }));
      desk.fire(firing("c", 0, { rule: "cold", severity: "critical" }));
      assert.deepEqual(desk.told(30), told);
    });
});

describe("for any course of alerts", () => {
  const event = fc.record({
    after: fc.integer({ min: 1, max: 200 }),
    what: fc.constantFrom("fire", "end", "mute", "unmute", "jam", "clear"),
    which: fc.integer({ min: 0, max: 4 }),
  });

  it("a group is never told twice within its interval, and each end at most once and only of what was told", () => {
    fc.assert(
      fc.property(
        fc.array(event, { maxLength: 80 }),
        fc.constantFrom("rule", "site", "alert"),
        (events, groupBy) => {
          const desk = new Desk(receiver({ groupBy: groupBy as "rule" }));
          const current = new Map<number, string>();
          const lastAt = new Map<string, number>();
          const knows = new Set<string>();
          const over = new Set<string>();
          let at = 0;
          let count = 0;
          const look = () => {
            for (const { group, firing: on, resolved } of desk.plan(at)) {
              assert.ok(at - (lastAt.get(group) ?? -300) >= 300, "the interval");
              lastAt.set(group, at);
              assert.ok(on.length + resolved.length > 0, "says something");
              for (const { id } of on) {
                assert.ok(!desk.muted.has(id) && desk.alerts.has(id) && !over.has(id));
                knows.add(id);
              }
              for (const { id } of resolved) {
                assert.ok(knows.has(id) && !over.has(id), "the end is told once");
                over.add(id);
              }
            }
          };
          for (const { after, what, which } of events) {
            at += after;
            const id = current.get(which);
            if (what === "fire" && id === undefined) {
              current.set(which, `x${++count}`);
              desk.fire(firing(`x${count}`, at));
            } else if (what === "end" && id !== undefined) {
              desk.end(id);
              current.delete(which);
            } else if (what === "mute" && id !== undefined) desk.muted.add(id);
            else if (what === "unmute" && id !== undefined) desk.muted.delete(id);
            else if (what === "jam") for (const group of lastAt.keys()) desk.waiting.add(`ops ${group}`);
            else if (what === "clear") desk.waiting.clear();
            look();
          }
          desk.waiting.clear();
          for (const id of current.values()) desk.end(id);
          for (let turn = 0; turn < 5; turn += 1) {
            at += 300;
            look();
          }
          assert.deepEqual(
            [...over].sort(),
            [...knows].sort(),
            "whatever was told as firing is told as over",
          );
          assert.equal(desk.records.size, 0, "and then forgotten");
        },
      ),
      { numRuns: 300 },
    );
  });

  it("an alert that nobody silences is told within wait and interval", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 900 }), { minLength: 1, maxLength: 20 }), (times) => {
        const desk = new Desk(receiver());
        const open = new Map(times.map((at, index) => [`y${index}`, at]));
        const told = new Map<string, number>();
        for (let at = 0; at <= 1500; at += 15) {
          for (const [id, from] of open) if (from <= at && !desk.alerts.has(id)) desk.fire(firing(id, from));
          for (const { firing: on } of desk.plan(at))
            for (const { id } of on) if (!told.has(id)) told.set(id, at);
        }
        for (const [id, from] of open) assert.ok((told.get(id) ?? 9999) - from <= 30 + 300 + 15, id);
      }),
    );
  });
});
