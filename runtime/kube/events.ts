// Records Kubernetes Events (core/v1) about objects: aggregated, rate-limited, never in the way.

import type { KubeObject } from "#api/meta.ts";
import { childController } from "#std/abort.ts";
import { canonicalHash } from "#std/canonical-json.ts";
import type { Clock } from "#std/clock.ts";
import { silentLogger, type Logger } from "#std/log.ts";
import { Event } from "./builtin-kinds.ts";
import type { Client } from "./client.ts";
import { rfc3339 } from "./conditions.ts";
import { isNotFound, isUnreachable } from "./errors.ts";
import { createEventAggregator, type AggregatedEvent, type EventNote } from "./event-aggregation.ts";

export interface EventRecorder {
  /** Never throws and never waits. The same note again raises the count of the Event that is there. */
  record(object: KubeObject, note: EventNote): void;
  /** Sends what was recorded as fast as it goes, for at most ten seconds; what is left then is given up. */
  flush(): Promise<void>;
}

export interface EventRecorderOptions {
  readonly client: Client;
  /** `clusternet-controller-manager` and so on: the Event's source. */
  readonly component: string;
  readonly clock: Clock;
  readonly log?: Logger;
  /** Events of cluster-scoped objects have to live somewhere. */
  readonly clusterScopedNamespace?: string;
  /** Gives up what waits. */
  readonly signal?: AbortSignal;
}

/** What sets off an Event sets off work too: that goes first, and what is recorded again in this time is sent once. */
export const EVENT_REST_MS = 1_000;
/** A busy parent needs Events last: so many go out at once, the others at this rate. */
export const EVENTS_AT_ONCE_MAX = 50;
export const EVENTS_PER_SECOND_MAX = 25;
const PENDING_MAX = 10_000;
const FLUSH_MS_MAX = 10_000;

/** The object that an Event is about. */
type Reference = Event["involvedObject"] & { readonly name: string };
const SEND_TRIES_MAX = 4;
const RETRY_MS = 1_000;
const NAME_CHARS_MAX = 200;

export function createEventRecorder({
  client,
  component,
  clock,
  log = silentLogger,
  clusterScopedNamespace = "default",
  signal = new AbortController().signal,
}: EventRecorderOptions): EventRecorder {
  const aggregator = createEventAggregator();
  /** By identity: what is recorded again before it is sent is sent once. */
  const pending = new Map<string, { readonly about: Reference; readonly event: AggregatedEvent }>();
  let pump: Promise<void> | undefined;
  const pace = new Pace(clock);
  /** Ends the pace. */
  let hurry = childController(signal);

  const send = async (about: Reference, event: AggregatedEvent): Promise<void> => {
    const namespace = about.namespace ?? clusterScopedNamespace;
    const lastTimestamp = rfc3339(event.lastAt);
    if (event.name !== undefined) {
      const body = { count: event.count, lastTimestamp, message: event.message };
      try {
        await client.patch(Event, { namespace, name: event.name }, { type: "merge", body }, signal);
        return;
      } catch (error) {
        // Events live for an hour; its like is made anew.
        if (!isNotFound(error)) throw error;
      }
    }
    const created = newEvent({ about, event, component, namespace });
    await client.create(Event, created, signal);
    aggregator.named(event.id, created.metadata.name);
  };

  const sendAll = async (): Promise<void> => {
    await clock.sleep(EVENT_REST_MS, hurry.signal);
    while (pending.size > 0 && !signal.aborted) {
      const waitMs = pace.waitMs();
      if (waitMs > 0) await clock.sleep(waitMs, hurry.signal);
      // Only now: it may have been recorded again meanwhile.
      const [next] = pending;
      if (next === undefined) return;
      const [id, { about, event }] = next;
      pending.delete(id);
      await withTries(() => send(about, event), { clock, log, signal });
    }
  };

  return {
    record: (object, note) => {
      const event = aggregator.add(object, note, clock.now());
      if (event === undefined) return;
      if (!pending.has(event.id) && pending.size >= PENDING_MAX) {
        log.warn("event.dropped", { reason: note.reason, pending: pending.size });
        return;
      }
      pending.set(event.id, { about: referenceTo(object), event });
      pump ??= sendAll().finally(() => {
        pump = undefined;
      });
    },
    flush: async () => {
      hurry.abort();
      const timer = new AbortController();
      const isLate = clock.sleep(FLUSH_MS_MAX, timer.signal);
      const sent = (async () => {
        while (pump !== undefined) await pump;
      })();
      await Promise.race([sent, isLate]);
      timer.abort();
      if (pending.size > 0) log.warn("event.dropped", { reason: "flush", pending: pending.size });
      pending.clear();
      hurry[Symbol.dispose]();
      hurry = childController(signal);
    },
  };
}

/** Not the object itself: thousands may wait, and must not hold what caches have let go. */
function referenceTo({ apiVersion, kind, metadata: { name, namespace, uid, resourceVersion } }: KubeObject): Reference {
  return {
    apiVersion,
    kind,
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
}

/** A bucket of turns that fills again with time. */
class Pace {
  readonly #clock: Clock;
  #turns = EVENTS_AT_ONCE_MAX;
  #at: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#at = clock.monotonic();
  }

  /** Takes a turn; how long until it has come. */
  waitMs(): number {
    const now = this.#clock.monotonic();
    this.#turns = Math.min(EVENTS_AT_ONCE_MAX, this.#turns + ((now - this.#at) / 1_000) * EVENTS_PER_SECOND_MAX) - 1;
    this.#at = now;
    return Math.max(0, (-this.#turns / EVENTS_PER_SECOND_MAX) * 1_000);
  }
}

interface TryOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Never rejects: an Event that cannot be sent is not worth stopping anything. */
async function withTries(send: () => Promise<void>, { clock, log, signal }: TryOptions): Promise<void> {
  for (let tries = 1; !signal.aborted; tries += 1) {
    try {
      await send();
      return;
    } catch (error) {
      if (tries >= SEND_TRIES_MAX || !isUnreachable(error)) {
        log.warn("event.not-sent", { error, tries });
        return;
      }
      await clock.sleep(RETRY_MS * 2 ** tries, signal);
    }
  }
}

interface NewEvent {
  readonly about: Reference;
  readonly event: AggregatedEvent;
  readonly component: string;
  readonly namespace: string;
}

function newEvent({ about, event, component, namespace }: NewEvent): Event {
  const { type, reason, message, count } = event;
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: {
      namespace,
      name: `${about.name.slice(0, NAME_CHARS_MAX)}.${canonicalHash([event.id, event.firstAt])}`,
    },
    involvedObject: about,
    type,
    reason,
    message,
    count,
    firstTimestamp: rfc3339(event.firstAt),
    lastTimestamp: rfc3339(event.lastAt),
    source: { component },
    reportingComponent: component,
    reportingInstance: component,
  };
}
