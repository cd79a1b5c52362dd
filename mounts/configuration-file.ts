/**
 * The configuration file:
 *
 *     sources:
 *       hsc:                                  # `butlerfs mount hsc /mnt/hsc`
 *         repository: https://data.example.org/hsc/repo
 *         mirrors: [https://mirror.example.org/hsc/repo]
 *         collections: [HSC/runs/RC2]
 *         default: {instrument: HSC}
 *         calibs: {bias: HSC/calib/2024B}       # where datasets of a type are looked up, in place of the search path
 *         public-key: ed25519:...             # show only what is signed with this key
 *         templates: /home/me/hsc.yaml        # where the files of a Gen2 repository are, beside what it says itself
 *     credentials:                            # by host, or host:port
 *       data.example.org: {username: me, password: secret}       # with `scheme: digest` the password itself is never sent
 *       other.example.org: {bearer-file: /home/me/.token}
 *     defaults:                               # for every mount; names and values as after -o
 *       cache-size: 200G
 *     aliases:                                # extra names for keys: registry/aliases.ts
 *       chip: detector
 *     flavors:                                # extra names for coadds: registry/coadd-flavors.ts
 *       coadd: {best: myBestSeeing}
 *     datasetTypes:                           # dataset types of one's own (registry/definitions/file.ts), for repositories that they fit;
 *       myTable: {dimensions: [tract], template: 'my/{tract}.parq', repository: /data/hsc}       # with `repository` for that one alone
 *     locations: {mine: 'rerun/{rerun}/my'}   # beginnings of their paths. Both may also stand in a source
 */

import { LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { ButlerfsError } from '../common/errors.js';
import { didYouMean, nearestNames } from '../common/nearest.js';
import type { NamedLocation, TypeDefinition } from '../registry/definitions/contract.js';
import { definitionFields, definitionKeys, definitionSchema, definitionSet, locationsKey, typesKey } from '../registry/definitions/file.js';
import { aliasesSchema, faultOfNames, flavorsSchema } from '../registry/open.js';
import { lineOfKey } from '../registry/validated-yaml.js';
import type { Addressed, Configuration } from './configuration.js';
import { LOG_LEVELS } from './log-levels.js';
import { TRANSPORTS } from './transports.js';

const texts = z.union([z.string().transform((text) => [text]), z.array(z.string())]);
const text = z.union([z.string(), z.number().transform(String)]);

const sourceSchema = z.strictObject({
  repository: z.string().min(1),
  mirrors: texts.optional(),
  collections: texts.optional(),
  default: z.record(z.string(), text).optional(),
  calibs: z.record(z.string(), texts).optional(),
  'public-key': z
    .string()
    .regex(/^(ed25519:|\/)/, 'must be ed25519:BASE64 or an absolute path')
    .optional(),
  templates: z.string().startsWith('/', 'must be an absolute path').optional(),
  ...definitionKeys,
});

const credentialSchema = z
  .strictObject({
    username: z.string().min(1).optional(),
    password: z.string().optional(),
    scheme: z.literal('digest').optional(),
    bearer: z.string().min(1).optional(),
    'bearer-file': z.string().startsWith('/', 'must be an absolute path').optional(),
  })
  .refine(
    (entry) =>
      (entry.username !== undefined && entry.password !== undefined ? 1 : 0) +
        (entry.bearer === undefined ? 0 : 1) +
        (entry['bearer-file'] === undefined ? 0 : 1) ===
        1 && (entry.username === undefined) === (entry.password === undefined),
    'must give username and password, or bearer, or bearer-file',
  )
  .refine((entry) => entry.scheme === undefined || entry.username !== undefined, 'scheme goes with username and password');

const defaultsSchema = z.strictObject({
  cache: z.string().startsWith('/', 'must be an absolute path').optional(),
  'cache-size': text.optional(),
  'cache-free': text.optional(),
  quota: text.optional(),
  scrub: text.optional(),
  'whole-size': text.optional(),
  verify: z.enum(['fetch', 'open']).optional(),
  collections: texts.optional(),
  default: z.record(z.string(), text).optional(),
  calibs: z.record(z.string(), texts).optional(),
  deadline: text.optional(),
  'idle-timeout': text.optional(),
  'rate-limit': text.optional(),
  'ca-file': z.string().startsWith('/', 'must be an absolute path').optional(),
  poll: text.optional(),
  'log-level': z.enum(LOG_LEVELS).optional(),
  transport: z.enum(TRANSPORTS).optional(),
  allow_other: z.boolean().optional(),
});

const generalDefinitionSchema = definitionSchema.extend({ repository: z.string().min(1).optional() });

const fileSchema = z.strictObject({
  sources: z.record(z.string().regex(/^[^/:]+$/, 'a name holds no slash and no colon'), sourceSchema).default({}),
  credentials: z.record(z.string(), credentialSchema).default({}),
  defaults: defaultsSchema.default({}),
  aliases: aliasesSchema.default({}),
  flavors: flavorsSchema.exactOptional(),
  ...definitionKeys,
  [typesKey]: z.record(z.string(), generalDefinitionSchema).optional(),
});

/** A repository with a name. */
export type NamedSource = Readonly<z.infer<typeof sourceSchema>>;
/** Credentials of one host; exactly one kind is given. */
export type HostCredentials = Readonly<z.infer<typeof credentialSchema>>;
/** Options for every mount, as text. */
export type ConfiguredDefaults = Readonly<z.infer<typeof defaultsSchema>>;

/** The keys that may stand at a place of the file, for the nearest one; undefined where any may. */
function knownKeys(path: readonly PropertyKey[]): readonly string[] | undefined {
  const [section] = path;
  if (path.length === 0) return Object.keys(fileSchema.shape);
  if (path.length === 1) return section === 'defaults' ? Object.keys(defaultsSchema.shape) : undefined;
  if (path.length === 2 && section === 'sources') return Object.keys(sourceSchema.shape);
  if (path.length === 2 && section === 'credentials') return Object.keys(credentialSchema.shape);
  if (path.length === 2 && section === typesKey) return Object.keys(generalDefinitionSchema.shape);
  if (path.length === 4 && path[2] === typesKey) return definitionFields;
  return undefined;
}

/** Parses one file's text; `file` is for messages. Values never appear in them, since they may be secret. */
export function parseConfiguration(content: string, file: string): Configuration {
  const lines = new LineCounter();
  const document = parseDocument(content, { lineCounter: lines, prettyErrors: false });
  const [syntax] = document.errors;
  if (syntax !== undefined) {
    throw new ButlerfsError('configuration', {
      what: `${file}:${lines.linePos(syntax.pos[0]).line}`,
      why: syntax.code.toLowerCase().replaceAll('_', ' '),
    });
  }
  const parsed = fileSchema.safeParse(document.toJS({ maxAliasCount: 100 }) ?? {}, { reportInput: false });
  if (parsed.success) {
    const { sources, credentials, defaults, aliases, flavors } = parsed.data;
    const defined = definitionsOf(parsed.data, (path) => `${file}:${lineOfKey(document, lines, path)}`);
    return { sources, credentials, defaults, aliases, ...(flavors !== undefined && { flavors }), ...defined };
  }
  // A misspelt key is also a missing one: what was meant is said by the first.
  const { issues } = parsed.error;
  const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0]!;
  const ofNames = issue.path[0] === 'aliases' || issue.path[0] === 'flavors';
  if (issue.code === 'unrecognized_keys' && !ofNames) {
    const key = issue.keys[0]!;
    const known = knownKeys(issue.path) ?? [];
    throw new ButlerfsError('configuration', {
      what: `${file}:${lineOfKey(document, lines, [...issue.path, key])}`,
      why: `unknown key '${[...issue.path, key].join('.')}'`,
      advice: didYouMean(nearestNames(key, known, 1)) ?? `known here: ${known.join(', ')}`,
    });
  }
  const { path, why } = ofNames ? faultOfNames(issue) : { path: issue.path, why: describeIssue(issue) };
  throw new ButlerfsError('configuration', { what: `${file}:${lineOfKey(document, lines, path)}`, why: `'${path.join('.')}' ${why}` });
}

/** What the user defines in one file, in sources and beside them. */
function definitionsOf(
  { sources, [typesKey]: types = {}, [locationsKey]: general = {} }: z.output<typeof fileSchema>,
  placeOf: (path: readonly string[]) => string,
): Pick<Configuration, 'definitions' | 'locations'> {
  const definitions: Addressed<TypeDefinition>[] = [];
  const repositories = new Map(Object.entries(types).map(([name, { repository }]) => [name, repository]));
  const withoutRepository = Object.fromEntries(Object.entries(types).map(([name, { repository: _, ...written }]) => [name, written]));
  const beside = definitionSet({ [typesKey]: withoutRepository, [locationsKey]: general }, placeOf);
  for (const definition of beside.definitions) {
    const repository = repositories.get(definition.name);
    definitions.push({ ...definition, repository, isGeneral: repository === undefined });
  }
  const locations: Addressed<NamedLocation>[] = beside.locations.map((location) => ({ ...location, repository: undefined }));
  for (const [name, source] of Object.entries(sources)) {
    const own = definitionSet(source, (path) => placeOf(['sources', name, ...path]));
    definitions.push(...own.definitions.map((definition) => ({ ...definition, repository: name })));
    locations.push(...own.locations.map((location) => ({ ...location, repository: name })));
  }
  return { ...(definitions.length > 0 && { definitions }), ...(locations.length > 0 && { locations }) };
}

function describeIssue(issue: z.core.$ZodIssue): string {
  if (issue.code === 'custom' || (issue.code === 'invalid_format' && issue.message !== '')) return issue.message;
  if (issue.code === 'invalid_value') return `must be one of ${issue.values.join(', ')}`;
  if (issue.code === 'invalid_type') return `must be ${issue.expected === 'record' ? 'a mapping' : `a ${issue.expected}`}`;
  if (issue.code === 'invalid_union') return 'must be a text, or a list of texts where several are meant';
  return issue.message;
}
