import { asMusterError, type MusterError } from "@muster/shared/errors";
import type { Database } from "better-sqlite3";
import type { NewRecord, Outbox } from "../outbox/outbox.ts";
import type { DriftReport } from "../runner/reports.ts";
import { judgeWindow } from "./judge-window.ts";
import { NEW_SERIES } from "./series-state.ts";
import { SeriesStore } from "./series-store.ts";

export interface DriftPorts {
  readonly database: Database;
  readonly outbox: Pick<Outbox, "append">;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** A window could not be stored. */
  readonly failed: (error: MusterError) => void;
}

/** Judges the windows that runners report and puts them on record, with an event when an alarm begins or ends. */
export class DriftWatch {
  readonly #ports: DriftPorts;
  readonly #take: (report: DriftReport) => void;

  constructor(ports: DriftPorts) {
    this.#ports = ports;
    const store = new SeriesStore(ports.database);
    // A window counts for the alarm if it is on record, and the other way round.
    this.#take = ports.database.transaction((report: DriftReport) => {
      const { release, model, version, variant } = report.window;
      const name = `${release}/${model}/${version}/${variant}`;
      const { body, state, events } = judgeWindow(report, store.get(name) ?? NEW_SERIES);
      const at = ports.now();
      const records: NewRecord[] = [
        { kind: "drift", at, body },
        ...events.map((event): NewRecord => ({ kind: "event", at, body: event })),
      ];
      store.put(name, state);
      ports.outbox.append(records);
    });
  }

  /** Never throws: inference goes on without its windows. */
  take(report: DriftReport): void {
    try {
      this.#take(report);
    } catch (error) {
      this.#ports.failed(asMusterError(error));
    }
  }
}
