/**
 * The dimension universe of a repository, read from the JSON text that the repository itself holds (`config:dimensions.json` of a Gen3 registry).
 *
 * Nothing is known in advance but the shape of that text: elements with keys, what they require and imply, and the families of sky pixelisations.
 * Versions 0 to 8 exist; a later one is as good where its shape is the same.
 */

import { z } from 'zod';
import { ButlerfsError } from '../common/errors.js';
import { didYouMean, nearestNames } from '../common/nearest.js';
import type { Dimension, DimensionGroup, DimensionName, DimensionUniverse } from './contract.js';

/** A dimension, or a relation between dimensions that has records but no value of its own (`visit_detector_region`). */
export interface DimensionElement {
  readonly name: string;
  /** In the universe's order; for a dimension it is among them. */
  readonly required: readonly DimensionName[];
  /** Direct ones only. */
  readonly implied: readonly DimensionName[];
  /** The field of a record that holds the dimension's own value (`id`, `name`); undefined for a relation. */
  readonly keyField: string | undefined;
  /** Names of all other fields. */
  readonly fields: readonly string[];
  /** The dimension whose records name the values, for one without records of its own (`band` in `physical_filter`). */
  readonly viewOf: string | undefined;
}

/** What is understood for certain; later versions are tried. */
const supportedVersions = '0 to 8';

/** Names become names of tables and columns. */
const nameShape = z.string().regex(/^[A-Za-z_]\w*$/);
const fieldShape = z.looseObject({ name: nameShape, type: z.string() });
const storageShape = z.looseObject({ view_of: z.string().nullish(), nested: z.looseObject({ view_of: z.string().nullish() }).nullish() });
const elementShape = z.looseObject({
  keys: z.array(fieldShape).nullish(),
  requires: z.array(z.string()).nullish(),
  implies: z.array(z.string()).nullish(),
  metadata: z.array(fieldShape).nullish(),
  governor: z.boolean().nullish(),
  view_of: z.string().nullish(),
  implied_union_target: z.string().nullish(),
  storage: storageShape.nullish(),
});
const universeShape = z.looseObject({
  version: z.number().int().min(0),
  namespace: z.string().nullish(),
  skypix: z.record(z.string(), z.union([z.string(), z.looseObject({ max_level: z.number().int().min(0).nullish() })])).nullish(),
  elements: z.record(nameShape, elementShape),
});
type ElementShape = z.infer<typeof elementShape>;

/** The universe with its elements, for those that store and read dimension records. */
export interface ElementUniverse extends DimensionUniverse {
  /** Every element with records or a value, in the universe's order. */
  readonly elements: readonly DimensionElement[];
  element(name: string): DimensionElement | undefined;
}

/**
 * Reads a universe. Throws `unsupported-repository` where the text has another shape than the known versions; the message names the version found.
 * `where` is the repository, for messages.
 */
export function parseUniverse(json: string, where?: string): ElementUniverse {
  let raw: unknown;
  try {
    raw = JSON.parse(json);
  } catch (cause) {
    throw unsupported('of unknown version', where, 'its configuration is not JSON', cause);
  }
  const parsed = universeShape.safeParse(raw);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const place = issue === undefined || issue.path.length === 0 ? 'its configuration' : `'${issue.path.join('.')}'`;
    throw unsupported(versionOf(raw), where, `${place} has an unknown shape`, parsed.error);
  }
  const { version, namespace, skypix, elements } = parsed.data;
  const named = new Map(Object.entries(elements));
  for (const [name, element] of named) {
    const missing = [...(element.requires ?? []), ...(element.implies ?? [])].find((other) => !named.has(other));
    if (missing !== undefined) throw unsupported(`version ${version}`, where, `'${name}' refers to '${missing}', which it does not define`);
  }
  const order = dependencyOrder(named);
  if (order === undefined) throw unsupported(`version ${version}`, where, 'its dimensions depend on each other in a circle');
  const systems = new Map<string, number>();
  for (const [name, system] of Object.entries(skypix ?? {})) {
    if (typeof system === 'object') systems.set(name, system.max_level ?? 24);
  }
  const common = typeof skypix?.['common'] === 'string' ? skypix['common'] : 'htm7';
  return new Universe({ version, namespace: namespace ?? 'daf_butler', json, common, systems, named, order });
}

function unsupported(found: string, where: string | undefined, why: string, cause?: unknown): ButlerfsError {
  return new ButlerfsError('unsupported-repository', {
    what: `dimension universe ${found}`,
    where,
    why,
    advice: `universes of daf_butler, versions ${supportedVersions}, are supported: a newer butlerfs may read this one`,
    cause,
  });
}

function versionOf(raw: unknown): string {
  const version = typeof raw === 'object' && raw !== null && 'version' in raw ? raw.version : undefined;
  return typeof version === 'number' || typeof version === 'string' ? `version ${version}` : 'of unknown version';
}

/** Everything after what it needs; within one depth by name. Undefined for a circle. */
function dependencyOrder(elements: ReadonlyMap<string, ElementShape>): string[] | undefined {
  const remaining = new Set(elements.keys());
  const order: string[] = [];
  while (remaining.size > 0) {
    const free = [...remaining].filter((name) => {
      const { requires, implies } = elements.get(name)!;
      return [...(requires ?? []), ...(implies ?? [])].every((other) => !remaining.has(other));
    });
    if (free.length === 0) return undefined;
    for (const name of free.sort()) {
      order.push(name);
      remaining.delete(name);
    }
  }
  return order;
}

/** The order of directory levels (docs/paths.md, rule 2); sky pixelisations take the place of `''`. */
const directoryLevels = [
  'instrument',
  'skymap',
  'tract',
  'patch',
  'day_obs',
  'exposure',
  'visit',
  'detector',
  '',
  'physical_filter',
  'band',
];

interface UniverseParts {
  readonly version: number;
  readonly namespace: string;
  readonly json: string;
  readonly common: string;
  /** Highest level of each sky pixelisation. */
  readonly systems: ReadonlyMap<string, number>;
  readonly named: ReadonlyMap<string, ElementShape>;
  readonly order: readonly string[];
}

class Universe implements ElementUniverse {
  readonly version: number;
  readonly namespace: string;
  readonly json: string;
  readonly commonSkypix: DimensionName;
  readonly names: readonly DimensionName[];
  readonly elements: readonly DimensionElement[];
  readonly #systems: ReadonlyMap<string, number>;
  readonly #elements = new Map<string, DimensionElement>();
  readonly #dimensions = new Map<DimensionName, Dimension>();
  readonly #position = new Map<string, number>();
  readonly #groups = new Map<string, DimensionGroup>();

  constructor({ version, namespace, json, common, systems, named, order }: UniverseParts) {
    this.version = version;
    this.namespace = namespace;
    this.json = json;
    this.commonSkypix = common;
    this.#systems = systems;
    order.forEach((name, index) => this.#position.set(name, index));
    for (const name of order) {
      const { element, dimension } = this.#define(name, named.get(name)!);
      this.#elements.set(name, element);
      if (dimension !== undefined) this.#dimensions.set(name, dimension);
    }
    this.elements = [...this.#elements.values()];
    this.names = [...this.#dimensions.keys()];
  }

  /** Called in dependency order, so that what is required is defined already. */
  #define(name: string, shape: ElementShape): { element: DimensionElement; dimension: Dimension | undefined } {
    const keys = shape.keys ?? [];
    const [key] = keys;
    const required = new Set<string>(key === undefined ? [] : [name]);
    for (const other of shape.requires ?? []) for (const each of this.#elements.get(other)!.required) required.add(each);
    const element: DimensionElement = {
      name,
      required: this.#sorted(required),
      implied: this.#sorted(shape.implies ?? []),
      keyField: key?.name,
      fields: [...keys.slice(1), ...(shape.metadata ?? [])].map((field) => field.name),
      viewOf: shape.view_of ?? shape.implied_union_target ?? shape.storage?.view_of ?? shape.storage?.nested?.view_of ?? undefined,
    };
    if (key === undefined) return { element, dimension: undefined };
    const dimension: Dimension = {
      name,
      type: key.type === 'int' ? 'int' : 'string',
      isGovernor: shape.governor ?? (name === 'instrument' || name === 'skymap'),
      isSkypix: false,
      required: element.required,
      implied: element.implied,
    };
    return { element, dimension };
  }

  element(name: string): DimensionElement | undefined {
    return this.#elements.get(name);
  }

  dimension(name: DimensionName): Dimension | undefined {
    return this.#dimensions.get(name) ?? this.#skypix(name);
  }

  #skypix(name: string): Dimension | undefined {
    const match = /^([a-z]\w*?)(0|[1-9]\d*)$/.exec(name);
    const highest = match === null ? undefined : this.#systems.get(match[1]!);
    if (highest === undefined || Number(match![2]) > highest) return undefined;
    const dimension: Dimension = { name, type: 'int', isGovernor: false, isSkypix: true, required: [name], implied: [] };
    this.#dimensions.set(name, dimension);
    return dimension;
  }

  group(names: Iterable<DimensionName>): DimensionGroup {
    const closure = new Set<string>();
    const implied = new Set<string>();
    const add = (name: string): void => {
      if (closure.has(name)) return;
      const dimension = this.#known(name);
      closure.add(name);
      dimension.required.forEach(add);
      for (const other of dimension.implied) {
        implied.add(other);
        add(other);
      }
    };
    for (const name of names) add(name);
    const ordered = this.pathOrder(closure);
    const key = ordered.join(' ');
    const group = this.#groups.get(key) ?? {
      required: Object.freeze(ordered.filter((name) => !implied.has(name))),
      implied: Object.freeze(ordered.filter((name) => implied.has(name))),
    };
    this.#groups.set(key, group);
    return group;
  }

  #known(name: string): Dimension {
    const dimension = this.dimension(name);
    if (dimension !== undefined) return dimension;
    throw new ButlerfsError('unknown-dimension', {
      what: `dimension '${name}'`,
      where: `universe ${this.namespace} ${this.version}`,
      advice: didYouMean(nearestNames(name, this.names)) ?? `the dimensions are ${this.names.join(', ')}`,
    });
  }

  pathOrder(names: Iterable<DimensionName>): DimensionName[] {
    const unique = [...new Set(names)];
    return unique.sort((a, b) => this.#level(a) - this.#level(b) || this.#compare(a, b));
  }

  #level(name: string): number {
    const level = directoryLevels.indexOf(this.#position.has(name) ? name : '');
    return level < 0 ? directoryLevels.length : level;
  }

  #sorted(names: Iterable<string>): string[] {
    return [...names].sort((a, b) => this.#compare(a, b));
  }

  #compare(a: string, b: string): number {
    const [left, right] = [this.#position.get(a), this.#position.get(b)];
    if (left !== undefined && right !== undefined) return left - right;
    return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
  }
}
