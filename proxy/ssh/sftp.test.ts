/** A session with servers of other habits than OpenSSH's, and with ones that break the rules. */

import { duplexPair, type Duplex } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import type { ButlerfsError } from '../../common/errors.js';
import { eventually } from '../../test/support/temporary.js';
import { pattern } from '../testing/conformance.js';
import { readRange } from './read.js';
import { SftpSession, type Handle } from './sftp.js';
import { encodePacket, Packet, PacketReader, PacketSplitter, Status } from './wire.js';

const content = pattern(300_001);
const what = 'reading';

interface Question {
  readonly type: number;
  readonly id: number;
  readonly fields: PacketReader;
}

let end: (() => void) | undefined;
afterEach(() => end?.());

/** A session whose other side answers as `answer` says: it gets each question, and what sends packets. */
async function sessionWith(
  answer: (question: Question, send: (packet: Buffer) => void) => void,
  idleTimeout = 5_000,
): Promise<{ session: SftpSession; ends: ButlerfsError[] }> {
  const [client, server] = duplexPair();
  const splitter = new PacketSplitter(1_000_000, (packet) => {
    if (packet[0] === Packet.init) return void server.write(encodePacket(Packet.version, [3]));
    const fields = new PacketReader(packet, 1);
    answer({ type: packet[0]!, id: fields.uint32(), fields }, (reply) => void server.write(reply));
  });
  server.on('data', (chunk: Buffer) => splitter.push(chunk));
  const channel = Object.assign(client as Duplex & { stderr: Duplex; close(): void }, {
    stderr: duplexPair()[0],
    close: () => client.destroy(),
  });
  end = () => client.destroy();
  const ends: ButlerfsError[] = [];
  const session = await SftpSession.start(channel, idleTimeout, { what, onEnd: (why) => ends.push(why) });
  return { session, ends };
}

const statusOf = (id: number, code: number): Buffer => encodePacket(Packet.status, [id, code, 'said so', 'en']);
const attributesOf = (id: number): Buffer => encodePacket(Packet.attributes, [id, 0xd, BigInt(content.length), 0o100644, 1, 2]);

/** Answers one question about the file truthfully, with at most `most` bytes of it. */
function truthfully({ type, id, fields }: Question, most = Infinity): Buffer {
  if (type === Packet.open) return encodePacket(Packet.handle, [id, 'handle']);
  if (type === Packet.fstat || type === Packet.stat) return attributesOf(id);
  if (type !== Packet.read) return statusOf(id, Status.ok);
  fields.bytes();
  const offset = fields.uint64();
  const data = content.subarray(offset, offset + Math.min(fields.uint32(), most));
  return data.length === 0 ? statusOf(id, Status.eof) : encodePacket(Packet.data, [id, data]);
}

async function readAll(session: SftpSession, begin = 0, to = content.length): Promise<{ bytes: Buffer; isWhole: boolean }> {
  const handle: Handle = await session.open('/file', { what });
  const chunks: Uint8Array[] = [];
  let whole: boolean | undefined;
  const check = (_: unknown, isWhole: boolean): void => void (whole = isWhole);
  for await (const chunk of readRange(session, { handle, begin, end: to }, { what }, check)) chunks.push(Buffer.from(chunk));
  return { bytes: Buffer.concat(chunks), isWhole: whole! };
}

describe('a server', { timeout: 10_000 }, () => {
  it.each([1000, 4096, 30_000])('that sends at most %i bytes at a time', async (most) => {
    const { session } = await sessionWith((question, send) => send(truthfully(question, most)));
    const { bytes, isWhole } = await readAll(session, 7, content.length - 5);
    expect(bytes.equals(content.subarray(7, content.length - 5))).toBe(true);
    expect(isWhole).toBe(true);
    expect(session.pace.request).toBe(Math.max(most, 4096));
  });

  it('that answers in another order', async () => {
    const held: Buffer[] = [];
    const { session } = await sessionWith((question, send) => {
      held.push(truthfully(question));
      if (held.length === 1) setTimeout(() => held.splice(0).reverse().forEach(send), 5);
    });
    expect((await readAll(session)).bytes.equals(content)).toBe(true);
  });

  it('whose file ends early, and one whose end nobody knows', async () => {
    const { session } = await sessionWith((question, send) => send(truthfully(question)));
    const early = await readAll(session, 0, content.length + 10);
    expect(early).toMatchObject({ isWhole: false });
    expect(early.bytes.equals(content)).toBe(true);
    expect((await readAll(session, 100_000, Infinity)).bytes.equals(content.subarray(100_000))).toBe(true);
    expect(session.pace.request).toBeGreaterThan(32_000);
  });

  it('that refuses says why', async () => {
    const { session } = await sessionWith(({ id }, send) => send(statusOf(id, Status.permissionDenied)));
    await expect(session.stat('/file', { what })).rejects.toMatchObject({ status: Status.permissionDenied, message: 'said so' });
    expect(session.isOpen).toBe(true);
  });

  it.each([
    [
      'sends more than was asked for',
      ({ id, type }: Question) =>
        type === Packet.read ? encodePacket(Packet.data, [id, content]) : encodePacket(Packet.handle, [id, 'h']),
    ],
    ['answers what nobody asked', ({ id }: Question) => encodePacket(Packet.handle, [id + 1, 'h'])],
    ['answers with something else', ({ id }: Question) => encodePacket(Packet.name, [id, 0])],
    ['sends a packet without end', () => Buffer.from([0x7f, 0xff, 0xff, 0xff, 103])],
  ])('that %s loses its session', async (_, answer) => {
    const { session, ends } = await sessionWith((question, send) => send(answer(question)));
    await expect(readAll(session)).rejects.toMatchObject({ code: 'remote-failed' });
    await expect(session.stat('/file', { what })).rejects.toMatchObject({ code: 'remote-failed' });
    expect(ends).toHaveLength(1);
  });

  it('that falls silent loses its session, but one that is busy with others does not', async () => {
    let silent = false;
    const { session, ends } = await sessionWith((question, send) => {
      if (question.type === Packet.stat && !silent) setTimeout(() => send(truthfully(question)), 900);
      else if (!silent) send(truthfully(question));
    }, 400);
    const slow = session.stat('/file', { what });
    const others = setInterval(() => void session.realpath('/file', { what }).catch(() => undefined), 100);
    await expect(slow).resolves.toMatchObject({ kind: 'file' });
    clearInterval(others);
    silent = true;
    const began = performance.now();
    await expect(session.stat('/file', { what })).rejects.toMatchObject({ code: 'remote-timeout' });
    expect(performance.now() - began).toBeLessThan(1_500);
    expect(ends).toHaveLength(1);
  });

  it('gets a handle back that came too late', async () => {
    const closed: string[] = [];
    let late: (() => void) | undefined;
    const { session } = await sessionWith((question, send) => {
      if (question.type === Packet.open) late = () => send(truthfully(question));
      if (question.type === Packet.close) closed.push(question.fields.bytes().toString());
    });
    const controller = new AbortController();
    const opening = session.open('/file', { what, signal: controller.signal });
    controller.abort();
    await expect(opening).rejects.toMatchObject({ code: 'interrupted' });
    late!();
    await eventually('the handle being closed', () => closed.includes('handle'), 2_000);
  });
});
