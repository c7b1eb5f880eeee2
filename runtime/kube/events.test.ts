// Events are sent last: after a rest, a burst at once, the others as the parent has time for it, and nothing for ever.

import { expect, test } from "@jest/globals";
import type { KubeObject } from "#api/meta.ts";
import { createFakeClock } from "#test/framework/fake-clock.ts";
import type { Client } from "./client.ts";
import { createEventRecorder, EVENT_REST_MS, EVENTS_AT_ONCE_MAX, EVENTS_PER_SECOND_MAX, type EventRecorder } from "./events.ts";

interface World {
  readonly recorder: EventRecorder;
  readonly clock: ReturnType<typeof createFakeClock>;
  /** What the server took. */
  readonly sent: { readonly message: string; readonly count: number }[];
}

function worldWith(answer: () => Promise<unknown> = () => Promise.resolve()): World {
  const clock = createFakeClock();
  const sent: World["sent"] = [];
  const create = async (_type: unknown, event: World["sent"][number]): Promise<unknown> => {
    await answer();
    sent.push(event);
    return event;
  };
  const client = { create } as unknown as Client;
  return { recorder: createEventRecorder({ client, component: "test", clock }), clock, sent };
}

const objectOf = (number: number): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { namespace: "shop", name: `web-${String(number)}` },
});

function record({ recorder }: World, count: number): void {
  for (let number = 0; number < count; number += 1) {
    recorder.record(objectOf(number), { type: "Normal", reason: "Bound", message: `number ${String(number)}` });
  }
}

const MORE = 100;

test("a burst goes out at once, the others at the rate, in their order, and none is lost", async () => {
  const world = worldWith();
  record(world, EVENTS_AT_ONCE_MAX + MORE);
  await world.clock.advance(EVENT_REST_MS - 1);
  expect(world.sent).toEqual([]);
  await world.clock.advance(1);
  expect(world.sent).toHaveLength(EVENTS_AT_ONCE_MAX);
  for (let second = 0; second < 2; second += 1) {
    for (let step = 0; step < EVENTS_PER_SECOND_MAX; step += 1) await world.clock.advance(1_000 / EVENTS_PER_SECOND_MAX);
  }
  expect(world.sent).toHaveLength(EVENTS_AT_ONCE_MAX + 2 * EVENTS_PER_SECOND_MAX);
  await world.recorder.flush();
  expect(world.sent.map(({ message }) => message)).toEqual(
    Array.from({ length: EVENTS_AT_ONCE_MAX + MORE }, (_, number) => `number ${String(number)}`),
  );
});

test("after a quiet time there is a burst again", async () => {
  const world = worldWith();
  record(world, EVENTS_AT_ONCE_MAX);
  await world.clock.advance(60_000);
  for (let number = 0; number < EVENTS_AT_ONCE_MAX; number += 1) {
    world.recorder.record(objectOf(1_000 + number), { type: "Normal", reason: "Bound", message: "later" });
  }
  await world.clock.advance(EVENT_REST_MS);
  expect(world.sent).toHaveLength(2 * EVENTS_AT_ONCE_MAX);
});

test("what is recorded again while it waits is sent once, with its count", async () => {
  const world = worldWith();
  record(world, EVENTS_AT_ONCE_MAX + 1);
  await world.clock.advance(EVENT_REST_MS);
  const last = { type: "Normal", reason: "Bound", message: `number ${String(EVENTS_AT_ONCE_MAX)}` } as const;
  world.recorder.record(objectOf(EVENTS_AT_ONCE_MAX), last);
  await world.clock.advance(1_000);
  expect(world.sent.slice(EVENTS_AT_ONCE_MAX)).toMatchObject([{ count: 2 }]);
});

test("the end of a process does not wait for a parent that hangs", async () => {
  const world = worldWith(() => new Promise(() => undefined));
  record(world, 3);
  const flushed = world.recorder.flush();
  await world.clock.advance(10_000);
  await flushed;
  expect(world.sent).toEqual([]);
});
