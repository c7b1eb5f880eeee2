// What every delivery controller is given.

import type { DeliveryInformers } from "#controller-manager/informers.ts";
import type { Client } from "#kube/client.ts";
import type { EventRecorder } from "#kube/events.ts";
import type { Clock } from "#std/clock.ts";
import type { Logger } from "#std/log.ts";
import type { Metrics } from "#std/metrics.ts";

export interface DeliveryDeps {
  readonly client: Client;
  readonly informers: DeliveryInformers;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Objects at the same time, per controller. */
  readonly concurrency: number;
}
