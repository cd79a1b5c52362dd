import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Pace } from './pace.js';
import { encodePacket, MalformedPacketError, PacketReader, PacketSplitter } from './wire.js';

describe('packets', () => {
  it('come out of any chunks as they went in', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 50 })),
        (bodies, cuts) => {
          const stream = Buffer.concat(bodies.map((body) => encodePacket(7, [body])));
          const got: Buffer[] = [];
          const splitter = new PacketSplitter(1000, (packet) => got.push(packet));
          let at = 0;
          for (const cut of [...cuts, stream.length + 1]) {
            splitter.push(stream.subarray(at, at + cut));
            at += cut;
          }
          expect(got.map((packet) => [packet[0], new PacketReader(packet, 1).bytes()])).toEqual(
            bodies.map((body) => [7, Buffer.from(body)]),
          );
        },
      ),
    );
  });

  it('of impossible length are refused before memory is taken', () => {
    for (const length of [0, 1001, 0xffffffff]) {
      const head = Buffer.alloc(4);
      head.writeUInt32BE(length);
      expect(() => new PacketSplitter(1000, () => undefined).push(head)).toThrow(MalformedPacketError);
    }
  });

  it('that lie about themselves are MalformedPacketError, and nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const reader = new PacketReader(Buffer.from(bytes), 0);
        try {
          while (!reader.isAtEnd) reader.attributes();
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedPacketError);
        }
      }),
    );
    expect(() => new PacketReader(Buffer.alloc(8, 0xff), 0).uint64()).toThrow(MalformedPacketError);
  });

  it('attributes are as much as the server says', () => {
    const attributes = (...fields: (number | bigint | string)[]) => new PacketReader(encodePacket(0, fields), 5).attributes();
    expect(attributes(0)).toEqual({ size: null, kind: null, modified: null });
    expect(attributes(0xf, 5n, 0, 0, 0o100644, 1, 2)).toEqual({ size: 5, kind: 'file', modified: 2 });
    expect(attributes(0x4, 0o040755)).toEqual({ size: null, kind: 'directory', modified: null });
    expect(attributes(0x80000008, 1, 0xffffffff, 1, 'name', 'value')).toMatchObject({ modified: 0xffffffff });
  });
});

describe('pace', () => {
  it('grows to what a quick line holds, and stays there', () => {
    const pace = new Pace(255 * 1024);
    // 50 ms at 100 Mbit/s, and much more on a quicker one.
    for (let i = 0; i < 100; i++) pace.answered(pace.request, 20);
    expect(pace.window).toBe(4 * 1024 * 1024);
    expect(pace.request).toBe(255 * 1024);
  });

  it('on a slow line asks for no more than arrives before a reader gives up', () => {
    const pace = new Pace(255 * 1024);
    // One after the other at 20 kB/s.
    for (let i = 0; i < 20; i++) pace.answered(pace.request, (pace.window / 20_000) * 1000);
    expect(pace.request).toBe(32 * 1024);
    expect(pace.window / 20_000).toBeLessThan(5);
  });

  it('learns what the server sends at most', () => {
    const pace = new Pace(255 * 1024);
    for (let i = 0; i < 100; i++) pace.answered(pace.request, 1);
    pace.limitedTo(65_536);
    expect(pace.request).toBe(65_536);
    pace.limitedTo(1000);
    expect(pace.request).toBe(4096);
  });
});
