import { MusterError } from "@muster/shared/errors";
import { Name } from "@muster/shared/protocol/primitives";
import { Type } from "typebox";
import type { Alerts } from "../../alerts/alerts.ts";
import { ReceiverInput } from "../../alerts/receiver.ts";
import { AlertRuleInput } from "../../alerts/rule.ts";
import { SilenceInput } from "../../alerts/silence.ts";
import { parseSelector } from "../../fleet/selector.ts";
import { confined, isConfined, mayTouch } from "../../people/confine.ts";
import { isWithin } from "../../people/grants.ts";
import { requireSite } from "../../people/places.ts";
import type { Reach } from "../../people/reach.ts";
import { actorOf } from "../actor.ts";
import {
  alertResource,
  historyCursor,
  pageOf,
  readHistoryCursor,
  receiverResource,
  ruleResource,
  silenceResource,
} from "../alert-views.ts";
import type { ApiApp } from "../app.ts";
import {
  AlertFilter,
  AlertList,
  AlertResource,
  AlertRuleList,
  AlertRuleResource,
  HistoryFilter,
  ReceiverList,
  ReceiverResource,
  ReceiverTest,
  SilenceList,
  SilenceResource,
  WrittenReceiver,
} from "../schemas/alerts.ts";
import { closed, PathText } from "../schemas/common.ts";

const byId = Type.Object({ id: PathText }, closed);
const byName = Type.Object({ name: PathText }, closed);
const toWrite = Type.Object({ name: Name }, closed);
const nothing = Type.Null();

/** What stands for the fleet, a class, a rollout or the control plane is for those who see everything. */
const isSeen = (site: string | null, reach: Reach): boolean =>
  reach.isEverywhere || (site !== null && reach.covers(site));

export function alertRoutes(app: ApiApp, alerts: Alerts): void {
  activeRoutes(app, alerts);
  ruleRoutes(app, alerts);
  silenceRoutes(app, alerts);
  receiverRoutes(app, alerts);
}

function activeRoutes(app: ApiApp, alerts: Alerts): void {
  app.get(
    "/alerts",
    {
      config: { access: "alerts.see" },
      schema: {
        summary: "Alerts that are pending or firing, the most severe first",
        querystring: AlertFilter,
        response: { 200: AlertList },
      },
    },
    async ({ reach, query: { state, severity, rule, site, muted, limit, cursor } }) => {
      const selected = alerts.select(
        (alert, muting) =>
          isSeen(alert.place.site, reach) &&
          (state === undefined || alert.state === state) &&
          (severity === undefined || alert.severity === severity) &&
          (rule === undefined || alert.rule === rule) &&
          (site === undefined || (alert.place.site !== null && isWithin(alert.place.site, site))) &&
          (muted === undefined || (muting !== undefined) === muted),
      );
      const { items, next } = pageOf(selected, { limit, cursor });
      return { alerts: items.map((alert) => alertResource(alert, alerts.mutingOf(alert.id) ?? null)), next };
    },
  );

  app.get(
    "/alerts/history",
    {
      config: { access: "alerts.see" },
      schema: {
        summary: "Alerts that fired and ended, the newest end first",
        querystring: HistoryFilter,
        response: { 200: AlertList },
      },
    },
    async ({ reach, query: { cursor, ...filter } }) => {
      const page = await alerts.history({
        ...filter,
        ...(reach.isEverywhere ? {} : { sites: reach.sites }),
        ...(cursor === undefined ? {} : { cursor: readHistoryCursor(cursor) }),
      });
      return {
        alerts: page.alerts.map((alert) => alertResource(alert, null)),
        next: page.next ? historyCursor(page.next) : null,
      };
    },
  );

  app.get(
    "/alerts/:id",
    { config: { access: "alerts.see" }, schema: { params: byId, response: { 200: AlertResource } } },
    async (request) => {
      const alert = await alerts.get(request.params.id);
      if (!isSeen(alert.place.site, request.reach))
        throw new MusterError("request.not-found", `There is no alert ${request.params.id}.`);
      return alertResource(alert, alert.muted);
    },
  );
}

function ruleRoutes(app: ApiApp, { rules }: Alerts): void {
  app.get(
    "/alert-rules",
    { config: { access: "alerts.see" }, schema: { response: { 200: AlertRuleList } } },
    async () => ({
      rules: rules.list().map(ruleResource),
    }),
  );

  app.get(
    "/alert-rules/:name",
    { config: { access: "alerts.see" }, schema: { params: byName, response: { 200: AlertRuleResource } } },
    async (request) => ruleResource(rules.get(request.params.name)),
  );

  app.put(
    "/alert-rules/:name",
    {
      config: { access: "alerts.rule" },
      schema: {
        summary: "Write a rule whole; what is left out takes its default",
        params: toWrite,
        body: AlertRuleInput,
        response: { 200: AlertRuleResource },
      },
    },
    async (request) =>
      ruleResource(await rules.set(request.params.name, request.body, actorOf(request).name)),
  );

  app.delete(
    "/alert-rules/:name",
    {
      config: { access: "alerts.rule" },
      schema: {
        summary: "Remove what was written; a built-in rule is then as it came",
        params: byName,
        response: { 204: nothing },
      },
    },
    async (request, reply) => {
      await rules.remove(request.params.name);
      return reply.code(204).send(null);
    },
  );
}

function silenceRoutes(app: ApiApp, { silences, now }: Alerts): void {
  app.get(
    "/silences",
    { config: { access: "alerts.see" }, schema: { response: { 200: SilenceList } } },
    async (request) => ({
      silences: silences
        .list()
        .filter(({ selector }) => mayTouch(parseSelector(selector), request.reach))
        .map((silence) => silenceResource(silence, now())),
    }),
  );

  app.post(
    "/silences",
    {
      config: { access: "alerts.silence" },
      schema: { body: SilenceInput, response: { 201: SilenceResource } },
    },
    async (request, reply) => {
      const silence = await silences.add(
        { ...request.body, selector: confined(request.body.selector, request.reach) },
        actorOf(request).name,
      );
      return reply.code(201).send(silenceResource(silence, now()));
    },
  );

  app.delete(
    "/silences/:id",
    {
      config: { access: "alerts.silence" },
      schema: {
        summary: "End a silence now",
        params: byId,
        response: { 200: SilenceResource },
      },
    },
    async (request) => {
      const silence = silences.list().find(({ id }) => id === request.params.id);
      const own = silence && isConfined(parseSelector(silence.selector), request.reach);
      if (!own && !request.reach.isEverywhere) requireSite(request, null);
      return silenceResource(await silences.end(request.params.id), now());
    },
  );
}

function receiverRoutes(app: ApiApp, alerts: Alerts): void {
  app.get(
    "/alert-receivers",
    { config: { access: "alerts.receive" }, schema: { response: { 200: ReceiverList } } },
    async () => ({
      receivers: (await alerts.receivers()).map(receiverResource),
    }),
  );

  app.get(
    "/alert-receivers/:name",
    { config: { access: "alerts.receive" }, schema: { params: byName, response: { 200: ReceiverResource } } },
    async (request) => receiverResource(await alerts.receiver(request.params.name)),
  );

  app.put(
    "/alert-receivers/:name",
    {
      config: { access: "alerts.receive" },
      schema: {
        summary: "Write a receiver whole; a secret that is left out stays as it was",
        params: toWrite,
        body: ReceiverInput,
        response: { 200: WrittenReceiver },
      },
    },
    async (request) => {
      const { view, madeSecret } = await alerts.setReceiver(
        request.params.name,
        request.body,
        actorOf(request).name,
      );
      return { ...receiverResource(view), madeSecret };
    },
  );

  app.delete(
    "/alert-receivers/:name",
    {
      config: { access: "alerts.receive" },
      schema: {
        summary: "Remove a receiver and what waits for it",
        params: byName,
        response: { 204: nothing },
      },
    },
    async (request, reply) => {
      await alerts.removeReceiver(request.params.name);
      return reply.code(204).send(null);
    },
  );

  app.post(
    "/alert-receivers/:name/test",
    {
      config: { access: "alerts.receive" },
      schema: {
        summary: "Send a test notification now and say whether it was taken",
        params: byName,
        response: { 200: ReceiverTest },
      },
    },
    async (request) => ({
      delivered: true as const,
      tookMs: await alerts.testReceiver(request.params.name),
    }),
  );
}
