// What a person is told while an update waits: the first thing that is in the way, once, and never anything that decides.

import { expect, test } from "@jest/globals";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";
import { follow, progressText, type Following } from "#pulumi/components/progress.ts";
import { createFakeClock } from "#test/framework/fake-clock.ts";

const subscription = (conditions: Readonly<Record<string, string>>, generation = 2): Subscription => ({
  apiVersion: "apps.clusternet.io/v1alpha1",
  kind: "Subscription",
  metadata: { name: "web", generation },
  spec: {} as Subscription["spec"],
  status: {
    conditions: Object.entries(conditions).map(([type, text]) => {
      const [status, ...message] = text.split(": ");
      const value = status as "True" | "False";
      return { type, status: value, reason: "X", message: message.join(": "), observedGeneration: 2, lastTransitionTime: "" };
    }),
  },
});

test.each<[string, Subscription, string | undefined]>([
  ["that nobody has looked at says nothing", subscription({}), undefined],
  ["that is there says nothing", subscription({ Scheduled: "True: ", Delivered: "True: ", Available: "True: " }), undefined],
  [
    "says first what everything else waits for",
    subscription({ Available: "False: In 0 of 2 clusters", Scheduled: "False: no cluster fits" }),
    "Scheduled: no cluster fits",
  ],
  [
    "says what its clusters say",
    subscription({ Scheduled: "True: ", Delivered: "True: ", Available: "False: In 1 of 2 clusters; oslo/oslo: no image" }),
    "Available: In 1 of 2 clusters; oslo/oslo: no image",
  ],
  [
    "says that a deletion asks first",
    subscription({ DeletionBlocked: "True: 40 of 50 objects", Delivered: "False: waiting" }),
    "DeletionBlocked: 40 of 50 objects",
  ],
  ["that blocks no deletion says so to nobody", subscription({ DeletionBlocked: "False: ", Available: "True: " }), undefined],
  ["says nothing of an older generation", subscription({ Available: "False: old" }, 3), undefined],
])("a Subscription %s", (_what, object, says) => {
  expect(progressText(object)).toBe(says);
});

/** Answers of the parent, in order; the last one stays. */
function following(answers: readonly (Subscription | Error | undefined)[]): Following & { readonly said: string[] } {
  const said: string[] = [];
  let asked = -1;
  const get = (): Promise<never> => {
    asked = Math.min(asked + 1, answers.length - 1);
    const answer = answers[asked];
    return answer instanceof Error ? Promise.reject(answer) : (Promise.resolve(answer) as Promise<never>);
  };
  return {
    said,
    key: { namespace: "shop", name: "web" },
    connect: () => Promise.resolve({ client: { get }, [Symbol.asyncDispose]: () => Promise.resolve() }),
    say: (text) => said.push(text),
    clock: createFakeClock(),
  };
}

const MINUTE_MS = 60_000;

test("a text is said once, each change again, and what cannot be read is passed over", async () => {
  const waiting = subscription({ Available: "False: In 0 of 2 clusters" });
  const half = subscription({ Available: "False: In 1 of 2 clusters" });
  const told = following([
    undefined,
    new Error("not there"),
    waiting,
    waiting,
    half,
    subscription({ Available: "True: " }),
    half,
  ]);
  const clock = createFakeClock();
  const done = new AbortController();
  const ended = follow({ ...told, clock }, done.signal);
  await clock.advance(5 * MINUTE_MS);
  done.abort();
  await ended;
  expect(told.said).toEqual(["Available: In 0 of 2 clusters", "Available: In 1 of 2 clusters"]);
});

test("an update that is quick says nothing, and asks nobody", async () => {
  const told = following([subscription({ Available: "False: x" })]);
  const clock = createFakeClock();
  const done = new AbortController();
  const connect = (): never => {
    throw new Error("Nobody may be asked");
  };
  const ended = follow({ ...told, connect, clock }, done.signal);
  await clock.advance(1_000);
  done.abort();
  await ended;
  expect(told.said).toEqual([]);
});

test("a kubeconfig that cannot be used is said without quoting it", async () => {
  const told = following([]);
  const clock = createFakeClock();
  const connect = (): Promise<never> => Promise.reject(new Error("private key abc"));
  const ended = follow({ ...told, connect, clock }, new AbortController().signal);
  await clock.advance(MINUTE_MS);
  await ended;
  expect(told.said).toEqual(["its progress cannot be shown, because the parent's kubeconfig cannot be used from here"]);
});
