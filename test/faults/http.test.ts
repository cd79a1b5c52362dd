/**
 * What readers of a mount get when HTTP goes wrong: the right bytes or an errno, within the deadline, while the rest of the mount answers. A real nginx stands
 * behind proxies that do the wrong.
 */

import { readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Database } from '../../registry/sqlite/driver.js';
import { mountRepository, temporaryHome, type TestMount } from '../support/mounted.js';
import { Nginx } from '../support/nginx.js';
import { run } from '../support/run.js';
import { eventually, removeDirectory, temporaryDirectory } from '../support/temporary.js';
import { fileOf } from '../support/tree.js';
import { always, delivered, flipped, HttpProxy, says, times, type HttpRule, type SeenRequest, type ServerAnswer } from './http-proxy.js';
import { readingOf, type Outcome, type Reading } from './reading.js';
import { FaultRepository, type Victim } from './repository.js';
import { TcpProxy } from './tcp-proxy.js';
import { watch, type Watch } from './watch.js';

/** Seconds. The idle timeout is longer than what counts as an answer of a mount that waits for nothing (watch.ts). */
const DEADLINE = 4;
const IDLE_TIMEOUT = 2;
const OPTIONS = ['-o', `deadline=${DEADLINE},idle-timeout=${IDLE_TIMEOUT}`];
/** Milliseconds in which an operation that brings nothing new must have failed: the deadline, and time for a busy machine. */
const IN_TIME = 1000 * DEADLINE + 5000;
const USER = { name: 'reader', password: 'hunter2' };

let place: string;
let repository: FaultRepository;
let nginx: Nginx;

beforeAll(async () => {
  place = temporaryDirectory('faults-http');
  repository = new FaultRepository(join(place, 'repository'), 242, 256);
  nginx = await Nginx.start(repository.directory, { user: USER });
});
afterAll(async () => {
  await nginx?.stop();
  removeDirectory(place);
});

/** Mounts what a proxy of nginx serves, with the credentials for it. */
function mountBehind(port: number, args: readonly string[] = OPTIONS): Promise<TestMount> {
  const home = temporaryHome();
  writeFileSync(join(home.directory, '.netrc'), `machine 127.0.0.1 login ${USER.name} password ${USER.password}\n`, { mode: 0o600 });
  return mountRepository(`http://127.0.0.1:${port}`, { args, home });
}

async function watchMount(mount: TestMount): Promise<Watch> {
  const [cached, file] = [repository.take(), repository.take()];
  const cachedFile = await fileOf(mount, cached.dataset);
  expect((await readFile(cachedFile)).equals(cached.content)).toBe(true);
  return watch({ mount: mount.path, file: await fileOf(mount, file.dataset), directory: join(mount.path, 'calexp'), cached: cachedFile });
}

interface Case {
  readonly what: string;
  readonly rule: (victim: Victim) => HttpRule;
  readonly outcome: Outcome | readonly Outcome[];
  /** Milliseconds; default: 0 and {@link IN_TIME}. */
  readonly atLeast?: number;
  readonly atMost?: number;
  readonly check?: (seen: { victim: Victim; requests: readonly SeenRequest[]; sent: number; reading: Reading }) => void;
}

/** What a reader must not have to wait for: a failure that another attempt would not cure. */
const AT_ONCE = 2000;

const tenths = Array.from({ length: 10 }, (_, tenth): Case => ({
  what: `reset after ${tenth} tenths`,
  rule: ({ content }) => times(1, delivered({ kind: 'reset', after: Math.floor((content.length * tenth) / 10) })),
  outcome: 'right',
  check: ({ requests }) => {
    expect(requests).toHaveLength(2);
    // Continued, not begun anew.
    if (tenth > 0) expect(requests[1]!.headers.range).toMatch(/^bytes=[1-9]\d*-$/);
  },
}));

const broken: Case[] = [
  ...tenths,
  {
    what: 'reset after another tenth each time',
    rule: ({ content }) => always(delivered({ kind: 'reset', after: Math.ceil(content.length / 10) })),
    outcome: 'right',
    atMost: 30_000,
    check: ({ victim, sent }) => expect(sent).toBeLessThan(2 * victim.content.length),
  },
  { what: 'reset before the head, always', rule: () => always(delivered({ kind: 'reset', after: 'nothing' })), outcome: 'EIO' },
  {
    what: 'reset at the same byte, always',
    rule: () => always(upTo(100_000, 'reset')),
    outcome: 'EIO',
  },
  { what: 'closed before the head, once', rule: () => times(1, delivered({ kind: 'truncate', after: 'nothing' })), outcome: 'right' },
  { what: 'no head, once', rule: () => times(1, delivered({ kind: 'stall', after: 'nothing' })), outcome: 'right', atLeast: 1500 },
  { what: 'no head, always', rule: () => always(delivered({ kind: 'stall', after: 'nothing' })), outcome: 'ETIMEDOUT' },
  { what: 'no body, always', rule: () => always(delivered({ kind: 'stall', after: 0 })), outcome: 'ETIMEDOUT' },
  {
    what: 'a stall in the middle, once',
    rule: () => times(1, delivered({ kind: 'stall', after: 100_000 })),
    outcome: 'right',
    atLeast: 1500,
    check: ({ requests }) => expect(requests.map(({ headers }) => headers.range)).toEqual([undefined, 'bytes=100000-']),
  },
  { what: 'a stall at the same byte, always', rule: () => always(upTo(100_000, 'stall')), outcome: 'ETIMEDOUT' },
  { what: 'one byte a second', rule: () => always(delivered({ kind: 'slow', bytesPerSecond: 1 })), outcome: 'ETIMEDOUT' },
  {
    what: 'slow, but going on for longer than the deadline',
    rule: ({ content }) => always(delivered({ kind: 'slow', bytesPerSecond: content.length / (DEADLINE + 2) })),
    outcome: 'right',
    atLeast: 1000 * DEADLINE,
    atMost: 30_000,
  },
];

const incomplete: Case[] = [
  ...([undefined, 'chunked', 'close'] as const).flatMap((length): Case[] => [
    {
      what: `cut off, ${length ?? 'with Content-Length'}, once`,
      rule: () => times(1, delivered({ kind: 'truncate', after: 100_000 }, length)),
      outcome: 'right',
    },
    {
      what: `cut off at the same byte, ${length ?? 'with Content-Length'}, always`,
      rule: () => always(upTo(100_000, 'truncate', length)),
      outcome: 'EIO',
    },
  ]),
  { what: 'whole, without Content-Length', rule: () => always((answer) => ({ ...answer, length: 'chunked' })), outcome: 'right' },
  {
    what: 'a longer body than was registered',
    rule: () => always((answer) => ({ ...answer, body: Buffer.concat([answer.body, Buffer.from('more')]) })),
    outcome: 'EIO',
  },
  {
    what: 'no end, without Content-Length',
    rule: () => always((answer) => ({ ...answer, body: Buffer.concat([answer.body, Buffer.alloc(2 ** 22)]), length: 'chunked' })),
    outcome: 'EIO',
  },
  ...(['bytes 0-9/10', 'bytes */3', 'nothing'] as const).flatMap((range): Case[] => [
    { what: `Content-Range '${range}' when going on, once`, rule: () => goingOn(1, contentRange(range)), outcome: 'right' },
    { what: `Content-Range '${range}' when going on, always`, rule: () => goingOn(Infinity, contentRange(range)), outcome: 'EIO' },
  ]),
  {
    what: 'a range that begins elsewhere, with the Content-Range asked for',
    rule: () => goingOn(1, (answer) => ({ ...answer, body: Buffer.concat([Buffer.alloc(10), answer.body.subarray(10)]) })),
    outcome: 'right',
  },
  {
    what: 'a range answered with the whole',
    rule: ({ content }) => goingOn(Infinity, ({ headers }) => ({ status: 200, headers: without(headers, 'content-range'), body: content })),
    outcome: 'right',
  },
];

const wrong: Case[] = [
  {
    what: 'a wrong byte, once',
    rule: () => times(1, flipped(77_777)),
    outcome: 'right',
    check: ({ requests }) => {
      expect(requests).toHaveLength(2);
      // Past a cache that gave the wrong one.
      expect(requests[1]!.headers['cache-control']).toBe('no-cache');
    },
  },
  {
    what: 'a wrong byte, always',
    rule: () => always(flipped(77_777)),
    outcome: 'EIO',
    check: ({ reading, requests }) => {
      expect(reading.bytes).toHaveLength(0);
      expect(requests).toHaveLength(2);
    },
  },
  {
    what: 'a wrong byte in the first half, and a reset',
    rule: () => times(1, (answer, request) => ({ ...flipped(10)(answer, request), delivery: { kind: 'reset', after: 100_000 } })),
    outcome: 'right',
  },
  {
    what: 'gzip, not asked for, once',
    rule: () => times(1, gzipped),
    outcome: ['right', 'EIO'],
  },
  { what: 'gzip, not asked for, always', rule: () => always(gzipped), outcome: ['right', 'EIO'] },
  {
    what: 'a login page, once',
    rule: () => times(1, says(200, { 'content-type': 'text/html' }, '<html><title>Log in</title></html>')),
    outcome: 'right',
  },
  {
    what: 'a login page, always',
    rule: () => always(says(200, { 'content-type': 'text/html' }, '<html><title>Log in</title></html>')),
    outcome: 'EIO',
  },
  {
    what: 'a login page of the right size, always',
    rule: ({ content }) => always(says(200, { 'content-type': 'text/html' }, '<html>'.padEnd(content.length))),
    outcome: 'EIO',
  },
  {
    what: 'another file of the same size from the middle on',
    rule: ({ content }) => changedWhenGoingOn({ etag: '"another"' }, Buffer.alloc(content.length, 7)),
    outcome: 'EIO',
    check: ({ reading }) => expect(reading.bytes).toHaveLength(0),
  },
  {
    what: 'another ETag for the same bytes from the middle on',
    rule: ({ content }) => changedWhenGoingOn({ etag: '"another"' }, content),
    outcome: 'right',
  },
];

const statuses: Case[] = [
  { what: '401', rule: () => always(says(401, { 'www-authenticate': 'Basic' })), outcome: 'EACCES', atMost: AT_ONCE },
  { what: '403', rule: () => always(says(403)), outcome: 'EACCES', atMost: AT_ONCE },
  { what: '404', rule: () => always(says(404)), outcome: 'ENOENT', atMost: AT_ONCE },
  { what: '410', rule: () => always(says(410)), outcome: 'ENOENT', atMost: AT_ONCE },
  { what: '416 for the whole', rule: () => always(says(416)), outcome: ['EACCES', 'EIO'] },
  { what: '416 when going on, once', rule: () => goingOn(1, says(416)), outcome: 'right' },
  { what: '416 when going on, always', rule: () => goingOn(Infinity, says(416)), outcome: 'EIO' },
  { what: '429 with Retry-After: 1, once', rule: () => times(1, says(429, { 'retry-after': '1' })), outcome: 'right', atLeast: 950 },
  {
    what: '429 with Retry-After: 3600',
    rule: () => always(says(429, { 'retry-after': '3600' })),
    outcome: 'EIO',
    atMost: AT_ONCE,
    check: ({ requests }) => expect(requests).toHaveLength(1),
  },
  { what: '500, twice', rule: () => times(2, says(500)), outcome: 'right' },
  { what: '500, always', rule: () => always(says(500)), outcome: 'EIO' },
  { what: '503 with Retry-After: 1, once', rule: () => times(1, says(503, { 'retry-after': '1' })), outcome: 'right', atLeast: 950 },
  { what: '503 when going on, once', rule: () => goingOn(1, says(503)), outcome: 'right' },
  { what: '304, not asked for', rule: () => always(says(304)), outcome: ['EACCES', 'EIO'] },
  { what: 'a redirect to itself', rule: ({ path }) => always(says(302, { location: `/${path}` })), outcome: 'EIO' },
  { what: 'a redirect without a Location', rule: () => always(says(302)), outcome: 'EIO' },
  { what: 'a redirect to a file', rule: () => always(says(302, { location: 'file:///etc/passwd' })), outcome: 'EACCES', atMost: AT_ONCE },
];

/** What the server answers, but nothing of the file from `limit` on, whatever is asked for. */
function upTo(limit: number, kind: 'reset' | 'stall' | 'truncate', length?: 'chunked' | 'close'): HttpRule {
  return (answer, { headers }) => {
    const first = Number(/^bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? 0);
    return { ...answer, delivery: { kind, after: Math.max(0, limit - first) }, ...(length === undefined ? {} : { length }) };
  };
}

/** The first transfer breaks off in the middle; `rule` is for those that go on. */
function goingOn(count: number, rule: HttpRule): HttpRule {
  let left = count;
  return always((answer, request) => {
    if (request.headers.range === undefined) return { ...answer, delivery: { kind: 'reset', after: 100_000 } };
    return left-- > 0 ? rule(answer, request) : answer;
  });
}

/** From the second request on the server has another version, which knows nothing of the first. */
function changedWhenGoingOn(headers: Readonly<Record<string, string>>, body: Buffer): HttpRule {
  return always((answer, request) => {
    if (request.index === 0) return { ...answer, delivery: { kind: 'reset', after: 100_000 } };
    return { status: 200, headers: { ...without(answer.headers, 'content-range'), ...headers }, body };
  });
}

function contentRange(text: string): HttpRule {
  return (answer) => ({ ...answer, headers: { ...answer.headers, 'content-range': text } });
}

function gzipped({ status, headers, body }: ServerAnswer): ServerAnswer {
  return { status, headers: { ...headers, 'content-encoding': 'gzip' }, body: gzipSync(body) };
}

function without(headers: Readonly<Record<string, string>>, name: string): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([other]) => other !== name));
}

describe('promises 1, 3, 4 and 5: one file whose answers are', () => {
  let proxy: HttpProxy;
  let mount: TestMount;
  let watching: Watch;
  beforeAll(async () => {
    proxy = await HttpProxy.start(nginx.port);
    mount = await mountBehind(proxy.port);
    watching = await watchMount(mount);
  });
  afterAll(async () => {
    watching?.stop();
    await mount?.dispose();
    await proxy?.stop();
  });

  const cases = [...broken, ...incomplete, ...wrong, ...statuses];
  it.concurrent.each(cases)('$what', async ({ rule, outcome, atLeast = 0, atMost = IN_TIME, check }) => {
    const victim = repository.take();
    const file = await fileOf(mount, victim.dataset);
    proxy.rule(victim.path, rule(victim));
    const reading = await readingOf(file, victim.content);
    expect([outcome].flat()).toContain(reading.outcome);
    expect(reading.milliseconds).toBeGreaterThanOrEqual(atLeast);
    expect(reading.milliseconds).toBeLessThan(atMost);
    check?.({ victim, requests: proxy.asked(victim.path), sent: proxy.sent(victim.path), reading });
    // Mended, it can be read, whatever it was before.
    proxy.rule(victim.path, undefined);
    expect((await readingOf(file, victim.content)).outcome).toBe('right');
  });

  it('meanwhile the rest of the mount answers', async () => {
    await watching.expectPrompt();
  });
});

describe('promises 3 and 4: a server that', () => {
  interface ServerCase {
    readonly what: string;
    readonly begin: (proxy: TcpProxy) => void | Promise<void>;
    /** Happens while a file is being read. */
    readonly meanwhile?: (proxy: TcpProxy) => void | Promise<void>;
    readonly end: (proxy: TcpProxy) => void | Promise<void>;
    readonly outcome: Outcome;
  }
  const nothing = (proxy: TcpProxy): void => void (proxy.fault = undefined);
  const cases: ServerCase[] = [
    { what: 'refuses connections', begin: (proxy) => proxy.refuse(), end: (proxy) => proxy.accept(), outcome: 'EIO' },
    {
      what: 'is away for a moment',
      begin: (proxy) => proxy.refuse(),
      meanwhile: (proxy) => sleep(1000).then(() => proxy.accept()),
      end: nothing,
      outcome: 'right',
    },
    {
      what: 'accepts connections and says nothing',
      begin: (proxy) => void (proxy.fault = { kind: 'stall', after: 0 }),
      end: nothing,
      outcome: 'ETIMEDOUT',
    },
    {
      what: 'resets every connection',
      begin: (proxy) => void (proxy.fault = { kind: 'reset', after: 0 }),
      end: nothing,
      outcome: 'EIO',
    },
    {
      what: 'dies in the middle of a file',
      begin: (proxy) => void (proxy.fault = { kind: 'slow', bytesPerSecond: 64 * 1024 }),
      meanwhile: (proxy) => sleep(1000).then(() => proxy.refuse()),
      end: async (proxy) => {
        nothing(proxy);
        await proxy.accept();
      },
      outcome: 'EIO',
    },
    {
      what: 'sends one wrong byte with every connection',
      begin: (proxy) => void (proxy.fault = { kind: 'flip', at: 50_000, once: false }),
      end: nothing,
      outcome: 'right',
    },
  ];
  const behind: { proxy: TcpProxy; mount: TestMount }[] = [];
  beforeAll(async () => {
    for (const _ of cases) {
      const proxy = await TcpProxy.start(nginx.port);
      behind.push({ proxy, mount: await mountBehind(proxy.port) });
    }
  });
  afterAll(async () => {
    for (const { proxy, mount } of behind) {
      await mount.dispose();
      await proxy.stop();
    }
  });

  it.concurrent.each(cases.map((one, index) => ({ ...one, index })))('$what', async ({ begin, meanwhile, end, outcome, index }) => {
    const { proxy, mount } = behind[index]!;
    const victim = repository.take();
    const file = await fileOf(mount, victim.dataset);
    const watching = await watchMount(mount);
    try {
      proxy.reset();
      await begin(proxy);
      const [reading] = await Promise.all([readingOf(file, victim.content), meanwhile?.(proxy)]);
      expect(reading.outcome).toBe(outcome);
      expect(reading.milliseconds).toBeLessThan(IN_TIME);
      await watching.expectPrompt();
      await end(proxy);
      expect((await readingOf(file, victim.content)).outcome).toBe('right');
    } finally {
      watching.stop();
    }
  });
});

describe('promises 1, 2 and 5: a file that is read by chunk, whose server', () => {
  let place: string;
  let large: FaultRepository;
  let server: Nginx;
  let proxy: HttpProxy;
  let mount: TestMount;
  beforeAll(async () => {
    place = temporaryDirectory('faults-chunks');
    // Files of 4 MiB.
    large = new FaultRepository(join(place, 'repository'), 22, 1024);
    server = await Nginx.start(large.directory);
    proxy = await HttpProxy.start(server.port);
    mount = await mountRepository(proxy.url, { args: [...OPTIONS, '-o', 'whole-size=1M'] });
  });
  afterAll(async () => {
    await mount?.dispose();
    await proxy?.stop();
    await server?.stop();
    removeDirectory(place);
  });

  /** From request `from` on: another version of the same size. */
  function replacedFrom(from: number, content: Buffer): HttpRule {
    return always((answer, { index }) => (index < from ? answer : { status: 200, headers: { etag: '"another"' }, body: content }));
  }

  it.concurrent.each([
    {
      what: 'breaks off every answer once',
      rule: () => always((answer, { index }) => (index % 2 === 0 ? { ...answer, delivery: { kind: 'reset', after: 500_000 } } : answer)),
      outcomes: ['right'],
    },
    {
      what: 'stands still once',
      rule: () => times(1, delivered({ kind: 'stall', after: 300_000 })),
      outcomes: ['right'],
    },
    {
      what: 'has another version from the second chunk on',
      rule: ({ content }: Victim) => replacedFrom(1, Buffer.alloc(content.length, 7)),
      outcomes: ['EIO'],
    },
    {
      what: 'names the same bytes otherwise from the second chunk on',
      rule: ({ content }: Victim) => replacedFrom(1, content),
      outcomes: ['right', 'EIO'],
    },
    {
      what: 'knows no ranges',
      rule: ({ content }: Victim) => always(({ headers }) => ({ status: 200, headers: without(headers, 'content-range'), body: content })),
      outcomes: ['right'],
    },
    { what: 'does not have it any more', rule: () => always(says(404)), outcomes: ['ENOENT'] },
    { what: 'answers 503', rule: () => always(says(503)), outcomes: ['EIO'] },
  ])('$what', async ({ rule, outcomes }) => {
    const victim = large.take();
    const file = await fileOf(mount, victim.dataset);
    proxy.rule(victim.path, rule(victim));
    const reading = await readingOf(file, victim.content);
    expect(outcomes).toContain(reading.outcome);
    expect(reading.milliseconds).toBeLessThan(2 * IN_TIME);
    proxy.rule(victim.path, undefined);
    expect((await readingOf(file, victim.content)).outcome).toBe('right');
  });
});

describe('promise 5: two mirrors, of which the first', () => {
  let [first, second]: HttpProxy[] = [];
  let mount: TestMount;
  beforeAll(async () => {
    [first, second] = [await HttpProxy.start(nginx.port), await HttpProxy.start(nginx.port)];
    const home = temporaryHome();
    writeFileSync(join(home.directory, '.netrc'), `machine 127.0.0.1 login ${USER.name} password ${USER.password}\n`, { mode: 0o600 });
    mount = await mountRepository(first.url, { home, args: [...OPTIONS, '--mirror', second.url] });
  });
  afterAll(async () => {
    await mount?.dispose();
    await Promise.all([first?.stop(), second?.stop()]);
  });

  it.each([
    ['sends wrong bytes', always(flipped(77_777))],
    ['does not have it', always(says(404))],
    ['answers 500', always(says(500))],
    ['breaks off', always(delivered({ kind: 'reset', after: 'nothing' }))],
    ['sends a login page', always(says(200, { 'content-type': 'text/html' }, '<html>'))],
  ])('%s: the other gives the right ones', async (_, rule) => {
    const victim = repository.take();
    const file = await fileOf(mount, victim.dataset);
    first!.rule(victim.path, rule);
    const reading = await readingOf(file, victim.content);
    expect(reading.outcome).toBe('right');
    expect(reading.milliseconds).toBeLessThan(IN_TIME);
  });
});

describe('where bytes come from', () => {
  let proxy: HttpProxy;
  let other: HttpProxy;
  let mount: TestMount;
  beforeAll(async () => {
    [proxy, other] = [await HttpProxy.start(nginx.port), await HttpProxy.start(nginx.port)];
    mount = await mountBehind(proxy.port);
  });
  afterAll(async () => {
    await mount?.dispose();
    await Promise.all([proxy?.stop(), other?.stop()]);
  });

  it.each(['127.0.0.1', 'localhost', 'somebody:else@localhost'])(
    'promise 11: a redirect to another server (%s) is followed without credentials',
    async (host) => {
      const victim = repository.take();
      const file = await fileOf(mount, victim.dataset);
      other.rule(victim.path, says(200, {}, victim.content));
      proxy.rule(victim.path, always(says(302, { location: `http://${host}:${other.port}/${victim.path}` })));
      expect((await readingOf(file, victim.content)).outcome).toBe('right');
      expect(proxy.asked(victim.path)[0]!.headers.authorization).toMatch(/^Basic /);
      const asked = other.asked(victim.path);
      expect(asked.length).toBeGreaterThan(0);
      for (const { headers } of asked) {
        expect(headers.authorization).toBeUndefined();
        expect(headers.cookie).toBeUndefined();
      }
    },
  );

  it('promises 1 and 4: wrong bytes are in the log with both digests, and in the status', async () => {
    const victim = repository.take();
    const file = await fileOf(mount, victim.dataset);
    proxy.rule(victim.path, always(flipped(100_000)));
    const before = (await mount.status()).cache.wrongDigest;
    expect((await readingOf(file, victim.content)).outcome).toBe('EIO');
    const status = await mount.status();
    expect(status.cache.wrongDigest).toBeGreaterThan(before);
    const log = readFileSync(status.logFile!, 'utf8');
    expect(log).toContain(victim.dataset.checksum);
    expect(log.match(/[0-9a-f]{128}/g)?.some((digest) => digest !== victim.dataset.checksum)).toBe(true);
  });

  it('promise 2: an open file stays what it was when the origin has another, and when the origin has none', async () => {
    const victim = repository.take();
    const file = await open(await fileOf(mount, victim.dataset));
    try {
      const first = Buffer.alloc(1000);
      await file.read(first, 0, first.length, 0);
      proxy.rule(victim.path, always(says(200, { etag: '"new"' }, Buffer.alloc(victim.content.length, 1))));
      const whole = async (): Promise<Buffer> => {
        const bytes = Buffer.alloc(victim.content.length);
        await file.read(bytes, 0, bytes.length, 0);
        return bytes;
      };
      expect((await whole()).equals(victim.content)).toBe(true);
      proxy.rule(victim.path, always(says(404)));
      expect((await whole()).equals(victim.content)).toBe(true);
    } finally {
      await file.close();
    }
  });

  it('promise 3: a reader that is interrupted goes at once', async () => {
    const victim = repository.take();
    const file = await fileOf(mount, victim.dataset);
    proxy.rule(victim.path, always(delivered({ kind: 'stall', after: 1000 })));
    const result = await run('timeout', ['-s', 'INT', '1', 'cat', file], { timeout: 20_000 });
    expect(result.elapsed).toBeLessThan(1800);
    expect(result.stdout).toBe('');
    await eventually('the fetch ending', async () => (await mount.status()).cache.inFlight === 0);
  });
});

describe('promise 12: names that lead outside', () => {
  const SECRET = 'not of this repository';

  it('of a web server are refused before it is asked', async () => {
    const directory = join(place, 'hostile');
    const hostile = new FaultRepository(directory, 24, 16);
    writeFileSync(join(place, 'secret'), SECRET);
    const locations = [
      '../secret',
      '/../secret',
      'a/../../secret',
      '..',
      `file://${place}/secret`,
      `${place}/secret`,
      'ftp://127.0.0.1/secret',
    ];
    const victims = locations.map((location) => ({ location, victim: hostile.take() }));
    const registry = new Database(join(directory, 'gen3.sqlite3'));
    for (const { location, victim } of victims) {
      const { changes } = registry
        .prepare('UPDATE file_datastore_records SET path = ?, checksum = NULL, file_size = ? WHERE path = ?')
        .run(location, SECRET.length, victim.path);
      expect(changes).toBe(1);
    }
    registry.close();
    const server = await Nginx.start(directory);
    const proxy = await HttpProxy.start(server.port);
    let mount: TestMount | undefined;
    try {
      mount = await mountRepository(proxy.url, { args: OPTIONS });
      for (const { location, victim } of victims) {
        const outcome = await fileOf(mount, victim.dataset).then(
          async (file) => (await readingOf(file, Buffer.from(SECRET))).outcome,
          (error: unknown) => (error as NodeJS.ErrnoException).code,
        );
        expect(['EACCES', 'ENOENT'], `${location}: ${outcome}`).toContain(outcome);
      }
      const good = hostile.take();
      expect((await readingOf(await fileOf(mount, good.dataset), good.content)).outcome).toBe('right');
      expect(proxy.requests.filter(({ path }) => path.includes('secret') || path.includes('..'))).toEqual([]);
    } finally {
      await mount?.dispose();
      await proxy.stop();
      await server.stop();
    }
  });

  it('of a directory are refused: links out of it', async () => {
    const directory = join(place, 'links');
    const linked = new FaultRepository(directory, 24, 16);
    const [inside, outside, good] = [linked.take(), linked.take(), linked.take()];
    writeFileSync(join(place, 'outside'), outside.content);
    renameSync(join(directory, inside.path), join(directory, 'elsewhere'));
    symlinkSync(join(directory, 'elsewhere'), join(directory, inside.path));
    renameSync(join(directory, outside.path), join(place, 'outside'));
    symlinkSync(join(place, 'outside'), join(directory, outside.path));
    const mount = await mountRepository(directory, { args: OPTIONS });
    try {
      expect((await readingOf(await fileOf(mount, inside.dataset), inside.content)).outcome).toBe('right');
      expect((await readingOf(await fileOf(mount, outside.dataset), outside.content)).outcome).toBe('EACCES');
      expect((await readingOf(await fileOf(mount, good.dataset), good.content)).outcome).toBe('right');
    } finally {
      await mount.dispose();
    }
  });
});
