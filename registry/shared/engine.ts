/** What differs between database servers, behind one contract. */

import { within } from '../../common/deadline.js';
import type { DatabaseAddress } from './contract.js';
import type { SharedDatabase } from './schema.js';

export interface Engine {
  readonly address: DatabaseAddress;
  /** Of the schema that the address names. Connects when it is first asked; each connection that stands still for too long is ended. */
  readonly database: SharedDatabase;
  /** Whether {@link Engine.listen} is there. */
  readonly isTold: boolean;
  /** Runs `work` while no other process migrates the same catalogue; in a transaction where the engine has them for changes of tables. */
  migrating(work: (database: SharedDatabase) => Promise<void>): Promise<void>;
  /** Tells those who listen to the channel, when the transaction that `transaction` belongs to commits. */
  tell(transaction: SharedDatabase, channel: string): Promise<void>;
  /**
   * Listens to a channel on a connection of its own: `onTold` is called for each message, also once when the connection stands. Resolves when `signal` fires, and
   * rejects when the connection is lost.
   */
  listen(channel: string, onTold: () => void, signal: AbortSignal): Promise<void>;
  /** Ends every connection, whatever it waits for. Idempotent. */
  close(): Promise<void>;
}

/** Milliseconds that a server has to take a connection. */
export const CONNECT_DEADLINE = 10_000;
/** Milliseconds after which a statement is given up, by the server and, where that is gone, by its client. */
export const STATEMENT_DEADLINE = 60_000;
/** Milliseconds that a writer waits for its turn. */
export const TURN_DEADLINE = 30_000;
/** Connections at a time. */
export const CONNECTIONS = 4;
/** Milliseconds for which an unused connection is kept. */
export const IDLE_CONNECTION = 15_000;

/** Milliseconds that closing may take. */
const CLOSE_DEADLINE = 1_000;

/** Waits for the end of connections, but not for ever, and fails never. */
export async function closeWithin(closing: Promise<void>): Promise<void> {
  await within(closing, CLOSE_DEADLINE, () => new Error('late')).catch(() => undefined);
}

/** What there is of a socket. */
export interface Wire {
  setTimeout(milliseconds: number, onTimeout: () => void): unknown;
  once(event: 'close', listener: () => void): unknown;
  destroy(error?: Error): unknown;
}

/** A connection that stands still for longer than any statement may take is cut: its server, or the way to it, is gone. `wires` has those that are open. */
export function cutWhenSilent(wire: Wire, wires: Set<Wire>): void {
  wire.setTimeout(STATEMENT_DEADLINE + TURN_DEADLINE, () => {
    wire.destroy(Object.assign(new Error('the server does not answer'), { code: 'ETIMEDOUT' }));
  });
  wires.add(wire);
  wire.once('close', () => wires.delete(wire));
}
