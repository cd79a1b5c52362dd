/** Packets of SFTP version 3 (draft-ietf-secsh-filexfer-02), and OpenSSH's `limits@openssh.com`. */

/** Types of packets that are used. */
export const Packet = {
  init: 1,
  version: 2,
  open: 3,
  close: 4,
  read: 5,
  fstat: 8,
  opendir: 11,
  readdir: 12,
  realpath: 16,
  stat: 17,
  status: 101,
  handle: 102,
  data: 103,
  name: 104,
  attributes: 105,
  extended: 200,
  extendedReply: 201,
} as const;

/** Codes of a status. */
export const Status = {
  ok: 0,
  eof: 1,
  noSuchFile: 2,
  permissionDenied: 3,
  badMessage: 5,
  unsupported: 8,
} as const;

export const OPEN_FOR_READING = 1;

/** What a server says of a file; what it does not say is null. */
export interface Attributes {
  /** Bytes. */
  readonly size: number | null;
  readonly kind: 'file' | 'directory' | 'link' | 'other' | null;
  /** Seconds since 1970. */
  readonly modified: number | null;
}

/** A packet, or a directory entry's name, that is not of the form that the protocol says. */
export class MalformedPacketError extends Error {
  constructor(why: string) {
    super(`a packet that is not SFTP: ${why}`);
    this.name = 'MalformedPacketError';
  }
}

/** One packet, to be sent. `fields`: bytes and texts as strings, numbers as uint32, bigints as uint64. */
export function encodePacket(type: number, fields: readonly (Uint8Array | string | number | bigint)[]): Buffer {
  const parts = fields.map((field) => {
    if (typeof field === 'number' || typeof field === 'bigint') {
      const part = Buffer.allocUnsafe(typeof field === 'number' ? 4 : 8);
      if (typeof field === 'number') part.writeUInt32BE(field);
      else part.writeBigUInt64BE(field);
      return part;
    }
    const bytes = Buffer.from(field);
    const length = Buffer.allocUnsafe(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  });
  const body = Buffer.concat(parts);
  const head = Buffer.allocUnsafe(5);
  head.writeUInt32BE(body.length + 1);
  head[4] = type;
  return Buffer.concat([head, body]);
}

/** Reads the fields of one packet in turn; past its end it throws {@link MalformedPacketError}. */
export class PacketReader {
  readonly #packet: Buffer;
  #at: number;

  constructor(packet: Buffer, at: number) {
    this.#packet = packet;
    this.#at = at;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#packet.length;
  }

  uint32(): number {
    return this.#packet.readUInt32BE(this.#take(4));
  }

  /** Throws for numbers that a file size cannot be. */
  uint64(): number {
    const value = this.#packet.readBigUInt64BE(this.#take(8));
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new MalformedPacketError(`the number ${value}`);
    return Number(value);
  }

  /** A view into the packet. */
  bytes(): Buffer {
    const length = this.uint32();
    const at = this.#take(length);
    return this.#packet.subarray(at, at + length);
  }

  attributes(): Attributes {
    const flags = this.uint32();
    const size = flags & 1 ? this.uint64() : null;
    if (flags & 2) this.#take(8);
    const mode = flags & 4 ? this.uint32() : null;
    let modified: number | null = null;
    if (flags & 8) {
      this.uint32();
      modified = this.uint32();
    }
    if (flags & 0x80000000) for (let left = this.uint32() * 2; left > 0; left--) this.bytes();
    return { size, kind: mode === null ? null : kindOf(mode), modified };
  }

  #take(bytes: number): number {
    const at = this.#at;
    if (at + bytes > this.#packet.length) throw new MalformedPacketError('it ends early');
    this.#at += bytes;
    return at;
  }
}

function kindOf(mode: number): Attributes['kind'] {
  switch (mode & 0o170000) {
    case 0o100000:
      return 'file';
    case 0o040000:
      return 'directory';
    case 0o120000:
      return 'link';
    default:
      return 'other';
  }
}

/** Cuts a stream of bytes into packets, without their length. */
export class PacketSplitter {
  readonly #onPacket: (packet: Buffer) => void;
  readonly #longest: number;
  readonly #allocate: (length: number) => Buffer;
  readonly #length = Buffer.alloc(4);
  #lengthBytes = 0;
  #packet: Buffer | undefined;
  #filled = 0;

  /** Packets longer than `longest` bytes make {@link push} throw. Each packet is a buffer of its own, which `allocate` gives. */
  constructor(longest: number, onPacket: (packet: Buffer) => void, allocate: (length: number) => Buffer = Buffer.allocUnsafe) {
    this.#longest = longest;
    this.#onPacket = onPacket;
    this.#allocate = allocate;
  }

  /** Nothing refers to `chunk` afterwards. */
  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length;) {
      if (this.#packet === undefined) {
        this.#length[this.#lengthBytes++] = chunk[at++]!;
        if (this.#lengthBytes < 4) continue;
        const length = this.#length.readUInt32BE(0);
        if (length < 1 || length > this.#longest) throw new MalformedPacketError(`a length of ${length} bytes`);
        this.#packet = this.#allocate(length);
        this.#lengthBytes = this.#filled = 0;
      }
      const copied = chunk.copy(this.#packet, this.#filled, at);
      this.#filled += copied;
      at += copied;
      if (this.#filled < this.#packet.length) continue;
      const packet = this.#packet;
      this.#packet = undefined;
      this.#onPacket(packet);
    }
  }
}
