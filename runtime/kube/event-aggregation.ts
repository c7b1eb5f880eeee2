// Which notes become a new Event, which raise the count of one that is there, and which are too many. Pure: it is told the time.
//
// - The same note about the same object raises a count.
// - More than SIMILAR_MAX notes of one reason about one object within WINDOW_MS, with messages that differ, share one Event.
// - One object may send BURST_MAX at once, then one every REFILL_MS: a loop that fails must not fill etcd.

import type { KubeObject } from "#api/meta.ts";
import { keyTextOf } from "./object.ts";

export interface EventNote {
  readonly type: "Normal" | "Warning";
  /** UpperCamelCase. */
  readonly reason: string;
  readonly message: string;
}

export interface AggregatedEvent extends EventNote {
  /** Same id, same Event. */
  readonly id: string;
  /** Of the Event on the server, when there is one. */
  readonly name?: string | undefined;
  readonly count: number;
  readonly firstAt: number;
  readonly lastAt: number;
}

export interface EventAggregator {
  /** undefined: too many about this object; it is not sent. */
  add(object: KubeObject, note: EventNote, now: number): AggregatedEvent | undefined;
  /** The Event was made under this name. */
  named(id: string, name: string): void;
}

/** The API refuses more; a cut message ends in dots. */
const NOTE_CHARS_MAX = 1024;
const SIMILAR_MAX = 10;
const WINDOW_MS = 600_000;
const BURST_MAX = 25;
const REFILL_MS = 300_000;
const REMEMBERED_MAX = 4_096;

interface Similar {
  readonly messages: Set<string>;
  readonly since: number;
}

interface Bucket {
  readonly tokens: number;
  readonly at: number;
}

export function createEventAggregator(): EventAggregator {
  const events = new Map<string, AggregatedEvent>();
  const similar = new Map<string, Similar>();
  const buckets = new Map<string, Bucket>();

  const hasRoom = (about: string, now: number): boolean => {
    const { tokens, at } = buckets.get(about) ?? { tokens: BURST_MAX, at: now };
    const refilled = Math.min(BURST_MAX, tokens + (now - at) / REFILL_MS);
    remember(buckets, about, { tokens: refilled < 1 ? refilled : refilled - 1, at: now });
    return refilled >= 1;
  };

  const isOneOfMany = (group: string, message: string, now: number): boolean => {
    const known = similar.get(group);
    const current = known !== undefined && now - known.since < WINDOW_MS ? known : { messages: new Set<string>(), since: now };
    remember(similar, group, current);
    if (current.messages.size <= SIMILAR_MAX) current.messages.add(message);
    return current.messages.size > SIMILAR_MAX;
  };

  return {
    add: (object, note, now) => {
      const about = `${object.apiVersion} ${object.kind} ${keyTextOf(object)} ${object.metadata.uid ?? ""}`;
      if (!hasRoom(about, now)) return undefined;
      const group = `${about} ${note.type} ${note.reason}`;
      const message = cut(note.message);
      const isMany = isOneOfMany(group, message, now);
      const id = isMany ? group : `${group} ${message}`;
      const known = events.get(id);
      const event: AggregatedEvent = {
        ...note,
        id,
        message: isMany ? cut(`(combined from similar events): ${note.message}`) : message,
        name: known?.name,
        count: (known?.count ?? 0) + 1,
        firstAt: known?.firstAt ?? now,
        lastAt: now,
      };
      remember(events, id, event);
      return event;
    },
    named: (id, name) => {
      const event = events.get(id);
      if (event !== undefined) events.set(id, { ...event, name });
    },
  };
}

function cut(message: string): string {
  return message.length <= NOTE_CHARS_MAX ? message : `${message.slice(0, NOTE_CHARS_MAX - 3)}...`;
}

/** The one that was not used for longest goes first. */
function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > REMEMBERED_MAX && oldest !== undefined) map.delete(oldest);
}
