import { AsyncLocalStorage } from "node:async_hooks";
import type { AuditActor } from "./entry.ts";

const acting = new AsyncLocalStorage<AuditActor | undefined>();

/** Runs `work`, and all that it waits for, as done by this actor. */
export const actAs = <T>(actor: AuditActor, work: () => T): T => acting.run(actor, work);

/** Runs `work` as done by the control plane itself, whoever happened to wake it up. */
export const actByItself = <T>(work: () => T): T => acting.run(undefined, work);

/** Who acts here; undefined where nobody in particular does. */
export const actor = (): AuditActor | undefined => acting.getStore();
