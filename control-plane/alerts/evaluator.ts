import type { Alert, Muting } from "./alert.ts";
import type { AlertBook } from "./alert-book.ts";
import type { NotificationQueue } from "./delivery/notification-queue.ts";
import { type Judgement, judge, withoutRule } from "./engine.ts";
import { Mutes } from "./muting.ts";
import { planNotifications } from "./notify-plan.ts";
import type { ReceiverBook } from "./receiver-book.ts";
import type { AlertRule } from "./rule.ts";
import type { RuleBook } from "./rule-book.ts";
import type { SignalSource } from "./signal-source.ts";
import type { SilenceBook } from "./silence-book.ts";
import { Tally } from "./tally.ts";

export interface EvaluatorParts {
  source: SignalSource;
  rules: RuleBook;
  silences: SilenceBook;
  receivers: ReceiverBook;
  alerts: AlertBook;
  queue: NotificationQueue;
  /** Milliseconds since the epoch. */
  clock: () => number;
  newId: () => string;
}

/** Looks of a rule at a device, or of a silence at an alert, before others have their turn: some milliseconds. */
const CHUNK = 12_000;
/** Groups of a rule judged before that. */
const JUDGED = 500;

const breathe = (): Promise<void> => new Promise(setImmediate);

/** One look at all signals: states move on and are stored, then what is to be told goes into the queue. */
export class Evaluator {
  readonly #parts: EvaluatorParts;
  /** Ended alerts that some receiver still knows as firing. */
  readonly #ended = new Map<string, Alert>();
  #mutings = new Map<string, Muting>();
  #loaded = false;

  constructor(parts: EvaluatorParts) {
    this.#parts = parts;
  }

  /** Why the alert is not told, as of the last evaluation. */
  mutingOf(id: string): Muting | undefined {
    return this.#mutings.get(id);
  }

  /** @throws MusterError of the `storage.` family; the next evaluation then decides anew */
  async evaluate(): Promise<void> {
    const { source, rules, alerts, clock } = this.#parts;
    await source.refresh();
    const inForce = rules.enabled();
    const formers = byRule(alerts.active());
    const tally = await this.#count(inForce, formers);
    const now = clock();
    const judgements: Judgement[] = [];
    for (const rule of inForce) {
      await this.#judgeRule(rule, tally, formers.get(rule.name) ?? [], now, judgements);
      formers.delete(rule.name);
    }
    for (const orphans of formers.values())
      for (const former of orphans) judgements.push(withoutRule(former, now));
    for (const { alert, change } of judgements) if (change === "resolved") this.#ended.set(alert.id, alert);
    await alerts.apply(judgements);
    await this.#tell(inForce, now);
  }

  async #count(rules: readonly AlertRule[], formers: ReadonlyMap<string, readonly Alert[]>): Promise<Tally> {
    const { source } = this.#parts;
    const followed = new Map<string, ReadonlySet<string>>();
    for (const [rule, alerts] of formers) followed.set(rule, new Set(alerts.map(({ group }) => group)));
    const tally = new Tally(rules, followed);
    const slice = sliceOf(rules.length);
    let counted = 0;
    for (const device of source.devices()) {
      tally.addDevice(device);
      counted += 1;
      if (counted % slice === 0) await breathe();
    }
    for (const rollout of source.rollouts()) tally.addRollout(rollout);
    tally.addControlPlane({ ...source.controlPlane(), receiversFailing: this.#receiversFailing() });
    return tally;
  }

  #receiversFailing(): number {
    const { receivers, queue } = this.#parts;
    return receivers.list().filter(({ name, enabled }) => enabled && queue.errorOf(name) !== null).length;
  }

  async #judgeRule(
    rule: AlertRule,
    tally: Tally,
    formers: readonly Alert[],
    now: number,
    into: Judgement[],
  ): Promise<void> {
    const { alerts, newId } = this.#parts;
    const readings = tally.readingsOf(rule.name);
    let judged = 0;
    const look = async (group: string, former: Alert | undefined) => {
      const judgement = judge(rule, group, readings.get(group), former, now, newId);
      if (judgement && judgement.alert !== former) into.push(judgement);
      else if (judgement?.change === "dropped") into.push(judgement);
      judged += 1;
      if (judged % JUDGED === 0) await breathe();
    };
    for (const group of readings.keys()) await look(group, alerts.get(rule.name, group));
    for (const former of formers) if (!readings.has(former.group)) await look(former.group, former);
  }

  async #tell(rules: readonly AlertRule[], now: number): Promise<void> {
    const { alerts, silences, receivers, queue, source } = this.#parts;
    const inForce = silences.inForce(now);
    const mutes = new Mutes(rules, alerts.active(), inForce, source);
    const slice = sliceOf(inForce.length);
    const mutings = new Map<string, Muting>();
    const audible: Alert[] = [];
    const firing = new Set<string>();
    let seen = 0;
    for (const alert of [...alerts.active()]) {
      if (alert.state === "firing") {
        firing.add(alert.id);
        const muting = mutes.of(alert);
        if (muting) mutings.set(alert.id, muting);
        else audible.push(alert);
      }
      seen += 1;
      if (seen % slice === 0) await breathe();
    }
    this.#mutings = mutings;
    await this.#recallEnded(firing);
    for (const receiver of receivers.list()) {
      const plan = planNotifications({
        receiver,
        audible,
        firing,
        endedAlert: (id) => this.#ended.get(id),
        records: queue.toldOf(receiver.name),
        isWaiting: (group) => queue.isWaiting(receiver.name, group),
        room: queue.room(receiver.name),
        places: source,
        now,
      });
      await queue.enqueue(plan.send, now);
      await queue.forget(plan.forget);
      await breathe();
    }
    this.#forgetEnded();
  }

  /** After a start: alerts that ended before it and have still to be told as resolved. */
  async #recallEnded(firing: ReadonlySet<string>): Promise<void> {
    if (this.#loaded) return;
    const { alerts, queue } = this.#parts;
    const open = [...queue.told()].flatMap(({ told }) => [...told].filter((id) => !firing.has(id)));
    for (const alert of await alerts.ended([...new Set(open)])) this.#ended.set(alert.id, alert);
    this.#loaded = true;
  }

  #forgetEnded(): void {
    if (this.#ended.size === 0) return;
    const known = new Set([...this.#parts.queue.told()].flatMap(({ told }) => [...told]));
    for (const id of this.#ended.keys()) if (!known.has(id)) this.#ended.delete(id);
  }
}

/** Subjects gone through at a time, of which each is looked at so often. */
const sliceOf = (looks: number): number => Math.max(1, Math.floor(CHUNK / Math.max(24, looks)));

function byRule(alerts: Iterable<Alert>): Map<string, Alert[]> {
  const rules = new Map<string, Alert[]>();
  for (const alert of alerts) {
    const list = rules.get(alert.rule);
    if (list) list.push(alert);
    else rules.set(alert.rule, [alert]);
  }
  return rules;
}
