import type { HardwareFacts } from "@muster/shared/protocol/hardware";
import type { Labels } from "@muster/shared/protocol/primitives";
import type { ReportedState } from "@muster/shared/protocol/state";
import type { Directive } from "@muster/shared/trust/directive";
import type { Database, Statement } from "better-sqlite3";
import type { Assurance } from "../attestation/verdict.ts";
import type { DeviceFacts } from "./fleet-device.ts";
import type { DeviceStatus } from "./types.ts";

interface DeviceRow {
  id: string;
  name: string;
  site: string;
  labels: string;
  hardware: string;
  hardware_class: string;
  status: DeviceStatus;
  generation: number;
  directive: string | null;
  reported: string | null;
  agent_version: string | null;
  revision: number;
  assurance: Assurance;
  quarantined_reason: string | null;
}

/** Reads the devices whose rows changed since the last look. Devices are never deleted. */
export class DeviceRows {
  readonly #changed: Statement<[number], DeviceRow>;
  /** Boxes of one kind say the same of themselves: kept once. */
  readonly #hardware = new Shared<HardwareFacts>();
  readonly #labels = new Shared<Labels>();
  /** Sites and classes are looked up for every device in each tick: the same text is the same string. */
  readonly #words = new Map<string, string>();
  #revision = 0;

  constructor(db: Database) {
    this.#changed = db.prepare(
      `SELECT id, name, site, labels, hardware, hardware_class, status, generation, directive, reported,
         agent_version, assurance, quarantined_reason, revision
       FROM devices WHERE revision > ? ORDER BY revision`,
    );
  }

  changed(): DeviceFacts[] {
    const rows = this.#changed.all(this.#revision);
    const facts = rows.map((row) => this.#parse(row));
    // Only now: what cannot be read is asked for again, not passed over.
    this.#revision = rows.at(-1)?.revision ?? this.#revision;
    return facts;
  }

  #word(text: string): string {
    const known = this.#words.get(text);
    if (known !== undefined) return known;
    this.#words.set(text, text);
    return text;
  }

  #parse(row: DeviceRow): DeviceFacts {
    return {
      id: row.id,
      name: row.name,
      site: this.#word(row.site),
      labels: this.#labels.parse(row.labels),
      hardware: this.#hardware.parse(row.hardware),
      hardwareClass: this.#word(row.hardware_class),
      status: row.status,
      agentVersion: row.agent_version,
      generation: row.generation,
      directive: row.directive === null ? null : (JSON.parse(row.directive) as Directive).payload,
      reported: row.reported === null ? null : (JSON.parse(row.reported) as ReportedState),
      assurance: row.assurance,
      quarantinedReason: row.quarantined_reason,
    };
  }
}

/** Most texts kept. They hold no free memory, address or name of a box: a fleet has far fewer kinds than devices. */
const MOST_SHARED = 10_000;

/** Parses JSON texts that many rows have in common, once each. */
class Shared<T> {
  readonly #parsed = new Map<string, T>();

  parse(text: string): T {
    const known = this.#parsed.get(text);
    if (known !== undefined) return known;
    const value = JSON.parse(text) as T;
    if (this.#parsed.size >= MOST_SHARED) this.#parsed.clear();
    this.#parsed.set(text, value);
    return value;
  }
}
