/** What goes over a control socket: one line of JSON each way. Both sides check what they get. */

import { z } from 'zod';
import { DIGEST_ALGORITHMS } from '../cache/contract.js';
import { isDigest } from '../cache/digest.js';
import { ERRNO_OF_CODE } from '../common/errors.js';
import type { ErrorCode, SerializedError } from '../common/errors.js';
import type { CatalogueInfo } from '../registry/contract.js';
import { aliasesSchema, flavorsSchema } from '../registry/open.js';
import type { MountStatus } from './contract.js';
import type { TreeSettings } from './tree-host.js';

/** An ObjectRequest of the cache. */
const objectRequestSchema = z.strictObject({
  origin: z.url().max(8192),
  digest: z
    .strictObject({ algorithm: z.enum(DIGEST_ALGORITHMS), hex: z.string().max(128) })
    .refine(isDigest)
    .exactOptional(),
  size: z.int().nonnegative().exactOptional(),
  member: z.string().max(4096).exactOptional(),
  identity: z.string().max(4096),
});

export const requestSchema = z.discriminatedUnion('command', [
  z.strictObject({ command: z.literal('status') }),
  /** Look at the origin now. */
  z.strictObject({ command: z.literal('refresh') }),
  z.strictObject({ command: z.literal('unmount') }),
  /** What is served: for those who look at it beside the mount. */
  z.strictObject({ command: z.literal('tree') }),
  z.strictObject({ command: z.literal('offline'), on: z.boolean() }),
  /** Bring content into the cache. */
  z.strictObject({ command: z.literal('fetch'), request: objectRequestSchema }),
  z.strictObject({ command: z.literal('damaged'), digests: z.array(z.string().max(160)).max(1000) }),
  /** `path` is below the mount point, without a leading slash. */
  z.strictObject({ command: z.literal('explain'), path: z.string().max(16_384) }),
]);

export type ControlRequest = z.infer<typeof requestSchema>;
export type ControlCommand = ControlRequest['command'];

const errorCodes = Object.keys(ERRNO_OF_CODE) as [ErrorCode, ...ErrorCode[]];

/** The form in which errors travel: see SerializedError. */
export const errorSchema: z.ZodType<SerializedError> = z.object({
  code: z.enum(errorCodes),
  detail: z.object({
    what: z.string(),
    where: z.string().optional(),
    why: z.string().optional(),
    advice: z.string().optional(),
    cause: z.string().optional(),
  }),
});

const infoSchema: z.ZodType<CatalogueInfo> = z.object({
  version: z.number(),
  repository: z.string(),
  format: z.enum(['gen3', 'gen2', 'native']),
  validator: z.string().nullable(),
  readAt: z.number(),
  datasets: z.number(),
  unstored: z.number(),
  universe: z.object({ version: z.number(), namespace: z.string() }),
  defaultCollections: z.array(z.string()).optional(),
});

const statusSchema: z.ZodType<MountStatus> = z.object({
  source: z.string(),
  mountPoint: z.string(),
  transport: z.enum(['kernel', 'libfuse']),
  pid: z.number(),
  mountedAt: z.number(),
  state: z.enum(['ok', 'offline', 'origin-unreachable', 'origin-untrusted']),
  problem: z.string().exactOptional(),
  searchPath: z.array(z.string()),
  defaults: z.record(z.string(), z.string()),
  catalogue: infoSchema,
  walk: z.object({ progress: z.string(), problem: z.string().exactOptional() }).exactOptional(),
  warnings: z.object({ count: z.number(), first: z.array(z.string()) }),
  publication: z.object({ repository: z.string(), serial: z.number(), time: z.string(), keyId: z.string() }).exactOptional(),
  mirrors: z
    .array(
      z.object({
        url: z.string(),
        failures: z.number(),
        restsUntil: z.number().nullable(),
        latency: z.number().nullable(),
        throughput: z.number().nullable(),
        problem: z.string().nullable(),
      }),
    )
    .exactOptional(),
  cache: z.object({
    directory: z.string(),
    objects: z.number(),
    bytes: z.number(),
    limit: z.number(),
    kept: z.number(),
    keptBytes: z.number(),
    brought: z.number(),
    quota: z.number().nullable(),
    free: z.number().nullable(),
    floor: z.number().nullable(),
    quarantined: z.number(),
    scrub: z.object({ period: z.number(), progress: z.number(), finished: z.number().nullable(), damaged: z.number() }).nullable(),
    degraded: z.string().nullable(),
    misses: z.number(),
    fetches: z.number(),
    fetchedBytes: z.number(),
    hits: z.number(),
    evictions: z.number(),
    wrongDigest: z.number(),
    wrongSize: z.number(),
    failures: z.number(),
    inFlight: z.number(),
  }),
  kernel: z.object({
    protocol: z.string(),
    passthrough: z.boolean(),
    requests: z.record(z.string(), z.number()),
    cacheHits: z.number(),
    nodes: z.number(),
    open: z.number(),
    waiting: z.number(),
  }),
  memory: z.object({ resident: z.number(), peak: z.number() }),
  errors: z.array(z.object({ at: z.number(), path: z.string(), message: z.string() })),
  logFile: z.string().nullable(),
});

const treeSchema = z.object({
  catalogueFile: z.string(),
  digestsFile: z.string().optional(),
  cacheDirectory: z.string(),
  verify: z.enum(['fetch', 'open']),
  repositoryUrl: z.string(),
  collections: z.array(z.string()),
  calibrations: z.record(z.string(), z.array(z.string())).exactOptional(),
  defaults: z.record(z.string(), z.union([z.string(), z.number()])),
  aliases: aliasesSchema,
  flavors: flavorsSchema.exactOptional(),
  owner: z.object({ uid: z.number(), gid: z.number() }),
});

/** What each command answers. */
export const resultSchemas = {
  status: statusSchema,
  refresh: infoSchema,
  tree: treeSchema,
  offline: z.null(),
  fetch: z.null(),
  damaged: z.null(),
  unmount: z.null(),
  explain: z.string(),
};

export interface ControlResults {
  readonly status: MountStatus;
  readonly refresh: CatalogueInfo;
  readonly tree: TreeSettings;
  readonly offline: null;
  /** Answered when it is here. */
  readonly fetch: null;
  readonly damaged: null;
  /** Answered before the mount ends. */
  readonly unmount: null;
  readonly explain: string;
}

export const responseSchema = z.discriminatedUnion('ok', [
  z.object({ ok: z.literal(true), result: z.unknown() }),
  z.object({ ok: z.literal(false), error: errorSchema }),
]);

/** Longest line either side takes, bytes. */
export const LONGEST_REQUEST = 64 * 1024;
export const LONGEST_RESPONSE = 8 * 1024 * 1024;
