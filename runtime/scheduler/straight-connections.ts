// Connections to predictors that are asked straight. They stay open, because a child is asked again within seconds.

import { createClient, type Client } from "#kube/client.ts";
import { connectWith, type Connection } from "#kube/connection.ts";
import type { CredentialSource } from "#kube/credentials.ts";
import { assert } from "#std/assert.ts";

/** Each holds a socket until the child closes it, or for a minute. Who was not asked for the longest time is let go. */
const CONNECTIONS_MAX = 1_000;

interface Open {
  readonly connection: Connection;
  readonly client: Client;
}

export class StraightConnections implements AsyncDisposable {
  readonly #source: CredentialSource;
  readonly #connectionsMax: number;
  /** By address; who was asked last comes last. */
  readonly #open = new Map<string, Open>();

  /** `source`: the authority of predictors, and the certificate that we show them. */
  constructor(source: CredentialSource, connectionsMax = CONNECTIONS_MAX) {
    this.#source = source;
    this.#connectionsMax = connectionsMax;
  }

  async clientOf(address: string, signal: AbortSignal): Promise<Client> {
    const credentials = await this.#source.read(signal);
    assert(credentials.caPem !== undefined, "The system's authorities do not count for predictors");
    const server = address.replace(/\/+$/, "");
    const known = this.#open.get(server);
    this.#open.delete(server);
    const open = known ?? openedTo(connectWith({ server }, { source: this.#source, credentials }));
    this.#open.set(server, open);
    if (this.#open.size > this.#connectionsMax) await this.#closeOldest();
    return open.client;
  }

  async #closeOldest(): Promise<void> {
    for (const [server, { connection }] of this.#open) {
      this.#open.delete(server);
      await connection[Symbol.asyncDispose]();
      return;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(all.map(({ connection }) => connection[Symbol.asyncDispose]()));
  }
}

function openedTo(connection: Connection): Open {
  return { connection, client: createClient(connection, { component: "scheduler" }) };
}
