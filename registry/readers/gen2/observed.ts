/** What the files and the registries of a stack of repositories say of dimensions: gathered in one pass, then told as records. */

import type { DataIdValue, RepositoryRecord } from '../../contract.js';
import type { Camera } from './contract.js';
import { patchText } from './fields.js';
import type { LocatedDataset } from './layout.js';
import type { RawRow } from './registries.js';
import { dateOfPointing, dayOf, instantOf } from './times.js';

type DimensionRecord = Extract<RepositoryRecord, { kind: 'dimension' }>;
export type VisitFacts = { -readonly [Key in keyof Omit<RawRow, 'visit' | 'ccd'>]?: RawRow[Key] | undefined };

/** Which coadds are of which band. */
export class CoaddBands {
  readonly #bands = new Map<string, string>();
  /** The physical filter of each band. */
  readonly filters = new Map<string, string>();

  /** `inCoadds` are the physical filters that coadds have, `known` all. */
  constructor(camera: Camera, inCoadds: ReadonlySet<string>, known: Iterable<string>) {
    const byBand = new Map<string, string[]>();
    for (const filter of new Set([...Object.keys(camera.filters), ...[...known].sort()])) {
      const band = nominalBand(camera, filter);
      byBand.set(band, [...(byBand.get(band) ?? []), filter]);
    }
    for (const [band, filters] of byBand) {
      const used = filters.filter((filter) => inCoadds.has(filter));
      const [principal = filters[0]!, ...others] = used;
      this.#add(principal, band);
      // Coadds of another filter of the same band would be taken for those of the first: their band is named by the filter.
      for (const other of others) this.#add(other, byBand.has(other) ? `filter ${other}` : other);
    }
  }

  #add(filter: string, band: string): void {
    this.#bands.set(filter, band);
    this.filters.set(band, filter);
  }

  /** The band of the coadds of a physical filter. */
  of(filter: string): string {
    return this.#bands.get(filter) ?? filter;
  }
}

/** The band of a physical filter; of one that the camera does not name, its own name. */
function nominalBand(camera: Camera, filter: string): string {
  return Object.hasOwn(camera.filters, filter) ? camera.filters[filter]! : filter;
}

const visitFields = ['filter', 'pointing', 'field', 'dateObs'] as const;

export class Observed {
  readonly #camera: Camera;
  /** What registries and, after them, the paths of raw files say; what other paths say holds where these say nothing. */
  readonly #visits = new Map<number, VisitFacts>();
  readonly #fromProducts = new Map<number, VisitFacts>();
  readonly #filters = new Set<string>();
  readonly #coaddFilters = new Set<string>();
  /** Patches by tract. */
  readonly #tracts = new Map<number, Set<number>>();
  readonly #catalogues = new Set<string>();
  readonly #detectors = new Set<number>();

  constructor(camera: Camera) {
    this.#camera = camera;
  }

  /** A dataset's path. `patch` is its sequential number. */
  addFile({ template: { dimensions }, fields }: LocatedDataset, patch: number | undefined): void {
    const { visit, filter, tract, ccd, name, pointing, dateObs, field } = fields;
    if (typeof filter === 'string') {
      this.#filters.add(filter);
      if (dimensions.includes('band')) this.#coaddFilters.add(filter);
    }
    if (typeof ccd === 'number') this.#detectors.add(ccd);
    if (typeof name === 'string') this.#catalogues.add(name);
    if (typeof tract === 'number') {
      const patches = this.#tracts.get(tract) ?? new Set();
      if (patch !== undefined) patches.add(patch);
      this.#tracts.set(tract, patches);
    }
    if (typeof visit !== 'number') return;
    // The filter in the path of a warp is that of the coadd that it was made for.
    const own = dimensions.includes('patch') || filter === undefined ? undefined : String(filter);
    this.#merge(dimensions.includes('exposure') ? this.#visits : this.#fromProducts, visit, {
      filter: own,
      pointing: typeof pointing === 'number' ? pointing : null,
      dateObs: typeof dateObs === 'string' ? dateObs : null,
      field: typeof field === 'string' ? field : null,
    });
  }

  /** What a registry says: before the files, since what is said first holds. */
  addVisit({ visit, ...facts }: Partial<RawRow> & Pick<RawRow, 'visit' | 'filter'>): void {
    this.#filters.add(facts.filter);
    if (facts.ccd !== undefined) this.#detectors.add(facts.ccd);
    this.#merge(this.#visits, visit, facts);
  }

  addFilter(filter: string): void {
    this.#filters.add(filter);
  }

  /** What was found out of a visit before: likewise before the files. */
  addKnown(visit: number, facts: VisitFacts): void {
    this.#merge(this.#visits, visit, facts);
  }

  /** Whether anything was said of a visit. */
  knows(visit: number): boolean {
    return this.#visits.has(visit);
  }

  /** Every physical filter that was met. */
  get filters(): Iterable<string> {
    return this.#filters;
  }

  /** Physical filters that coadds have, whether or not any of those was met. */
  addCoaddFilters(filters: readonly string[]): void {
    for (const filter of filters) this.#coaddFilters.add(filter);
  }

  /** What is said first holds. */
  #merge(visits: Map<number, VisitFacts>, visit: number, facts: VisitFacts): void {
    const known = visits.get(visit) ?? {};
    known.filter ??= facts.filter;
    known.field ??= facts.field ?? null;
    known.pointing ??= facts.pointing ?? null;
    known.dateObs ??= facts.dateObs ?? null;
    known.taiObs ??= facts.taiObs ?? null;
    known.proposal ??= facts.proposal ?? null;
    known.exposureTime ??= facts.exposureTime ?? null;
    visits.set(visit, known);
  }

  /** Ends the first pass. */
  finish(): void {
    for (const [visit, facts] of this.#fromProducts) this.#merge(this.#visits, visit, facts);
    this.#fromProducts.clear();
  }

  /**
   * Whether a path says of its visit what is known of it: a visit has one filter, one pointing, one field and one date, by which Gen2 finds its files. After
   * {@link finish}.
   */
  agrees({ template: { dimensions }, fields }: LocatedDataset): boolean {
    const facts = typeof fields.visit === 'number' && !dimensions.includes('patch') ? this.#visits.get(fields.visit) : undefined;
    return facts === undefined || visitFields.every((name) => fields[name] === undefined || fields[name] === (facts[name] ?? fields[name]));
  }

  bands(): CoaddBands {
    return new CoaddBands(this.#camera, this.#coaddFilters, this.#filters);
  }

  *records(bands: CoaddBands): IterableIterator<DimensionRecord> {
    const { instrument, detectors, detectorMaximum, skymap, filters } = this.#camera;
    const known = new Map(detectors.map((detector) => [detector.id, detector.purpose]));
    for (const id of this.#detectors) if (!known.has(id)) known.set(id, 'UNKNOWN');
    yield record('instrument', { name: instrument, detector_max: Math.max(detectorMaximum - 1, ...known.keys()) + 1 });
    for (const name of new Set([...Object.keys(filters), ...[...this.#filters].sort()])) {
      yield record('physical_filter', { name, band: nominalBand(this.#camera, name) });
    }
    for (const [name, physicalFilter] of bands.filters) yield record('band', { name, physical_filter: physicalFilter });
    for (const [id, purpose] of known) yield record('detector', { instrument, id, full_name: String(id).padStart(3, '0'), purpose });
    const { name, columns, rows, tracts } = skymap;
    yield record('skymap', { name, tract_max: tracts, patch_nx_max: columns, patch_ny_max: rows });
    for (const tract of this.#tracts.keys()) yield record('tract', { skymap: name, id: tract });
    for (const [tract, patches] of this.#tracts) {
      for (const patch of patches) {
        const [x, y] = patchText(skymap, patch).split(',').map(Number);
        yield record('patch', { skymap: name, tract, id: patch, cell_x: x!, cell_y: y! });
      }
    }
    for (const catalogue of this.#catalogues) yield record('catalogue', { name: catalogue });
    const days = new Set<number>();
    for (const facts of this.#visits.values()) {
      const day = dayOfVisit(facts);
      if (day !== null) days.add(day);
    }
    for (const id of days) yield record('day_obs', { instrument, id });
    for (const [id, facts] of this.#visits) yield record('visit', { instrument, id, ...this.#visitFields(facts) });
    for (const [id, facts] of this.#visits) yield record('exposure', { instrument, id, visit: id, ...this.#visitFields(facts) });
  }

  #visitFields(facts: VisitFacts): Record<string, DataIdValue | bigint | null> {
    const { filter = null, field, pointing, taiObs, proposal, exposureTime } = facts;
    const begin = instantOf(taiObs ?? dateOfVisit(facts) ?? '') ?? null;
    return {
      physical_filter: filter,
      band: filter === null ? null : nominalBand(this.#camera, filter),
      day_obs: dayOfVisit(facts),
      timespan_begin: begin,
      timespan_end: begin === null ? null : begin + 1n,
      exposure_time: exposureTime ?? null,
      target_name: field ?? null,
      science_program: proposal ?? null,
      pointing: pointing ?? null,
      field: field ?? null,
      dateObs: dateOfVisit(facts) ?? null,
      taiObs: taiObs ?? null,
    };
  }
}

function dateOfVisit({ dateObs, pointing }: VisitFacts): string | undefined {
  return dateObs ?? (typeof pointing === 'number' ? dateOfPointing(pointing) : undefined);
}

function dayOfVisit(facts: VisitFacts): number | null {
  return dayOf(dateOfVisit(facts) ?? facts.taiObs ?? '') ?? null;
}

function record(element: string, fields: DimensionRecord['fields']): DimensionRecord {
  return { kind: 'dimension', element, fields };
}
