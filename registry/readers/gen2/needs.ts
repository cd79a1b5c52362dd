/** Where the files of a data ID are, when nothing of them was listed yet. */

import type { DataIdValue, DataNeed } from '../../contract.js';
import { calibrationName, runName } from './collections.js';
import type { Camera, FieldName, FieldValues, Gen2Reading, Gen2Repository, Template } from './contract.js';
import { fieldOf, patchText } from './fields.js';
import { calibrationDirectory, rootsAt } from './layout.js';
import { compileTemplates } from './matcher.js';
import type { TemplateMatcher } from './matcher.js';
import { CoaddBands } from './observed.js';
import type { CompiledTemplate } from './template.js';

/** Files of one type below one directory. */
export interface TemplatePlace {
  /** Directory that the template's paths begin in. */
  readonly base: string;
  readonly template: CompiledTemplate;
  /** What is known of their paths. */
  readonly fields: FieldValues;
}

/** What is known of a visit: keys of paths that no data ID gives. */
export type FactsOfVisit = (visit: number) => FieldValues | undefined;

export class Gen2Places {
  readonly #camera: Camera;
  readonly #repositories: readonly Gen2Repository[];
  readonly #matcher: TemplateMatcher;
  readonly #bands: CoaddBands;

  constructor({ camera, repositories, growing }: Pick<Gen2Reading, 'camera' | 'repositories' | 'growing'>) {
    this.#camera = camera;
    this.#repositories = repositories;
    this.#matcher = compileTemplates(camera);
    this.#bands = new CoaddBands(camera, new Set(growing?.coaddFilters), []);
  }

  /** In the order of search; none where nothing can be there. */
  of({ type, dataId, collections }: Extract<DataNeed, { kind: 'data' }>, factsOfVisit: FactsOfVisit): TemplatePlace[] {
    const template = this.#matcher.template(type);
    const fields = template === undefined ? undefined : this.#fields(template.template, dataId, factsOfVisit);
    if (template === undefined || fields === undefined) return [];
    return this.#bases(template.template, collections).map((base) => ({ base, template, fields }));
  }

  /** Undefined where the values cannot be those of one dataset. */
  #fields(template: Template, dataId: Readonly<Record<string, DataIdValue>>, factsOfVisit: FactsOfVisit): FieldValues | undefined {
    const fields: Partial<Record<FieldName, DataIdValue>> = {};
    for (const [dimension, value] of Object.entries(dataId)) {
      if (dimension === 'instrument' && value !== this.#camera.instrument) return undefined;
      if (dimension === 'skymap' && value !== this.#camera.skymap.name) return undefined;
      const field = fieldOf(dimension);
      if (field === undefined || (field === 'filter' && !saysFilter(template, dimension))) continue;
      const written = this.#fieldValue(dimension, value);
      if (written === undefined || (fields[field] ?? written) !== written) return undefined;
      fields[field] = written;
    }
    const { visit } = fields;
    if (typeof visit !== 'number' || template.dimensions.includes('patch')) return fields;
    const known = factsOfVisit(visit);
    if (known?.filter !== undefined && fields.filter !== undefined && known.filter !== fields.filter) return undefined;
    return { ...known, ...fields };
  }

  #fieldValue(dimension: string, value: DataIdValue): DataIdValue | undefined {
    const { columns, rows } = this.#camera.skymap;
    if (dimension === 'band') return this.#bands.filters.get(String(value));
    if (dimension !== 'patch') return value;
    return typeof value === 'number' && value >= 0 && value < columns * rows ? patchText(this.#camera.skymap, value) : undefined;
  }

  #bases({ root }: Template, collections: readonly string[]): string[] {
    if (root !== 'calibrations') {
      const holding = this.#repositories.filter(({ path }) => rootsAt(path).includes(root));
      const byRun = new Map(holding.map((repository) => [runName(repository), repository.path]));
      return collections.flatMap((name) => byRun.get(name) ?? []);
    }
    return calibrationDirectories(this.#repositories).filter((directory) => {
      const name = calibrationName(directory);
      return collections.some((collection) => collection === name || collection.startsWith(`${name}/`));
    });
  }
}

/** Directories that calibrations may be in. */
export function calibrationDirectories(repositories: readonly Gen2Repository[]): string[] {
  const own = repositories.map(({ path }) => (path === '' ? calibrationDirectory : `${path}/${calibrationDirectory}`));
  return [...new Set([...own, ...repositories.flatMap(({ calibrations }) => calibrations ?? [])])];
}

/** Whether a dimension's value is the filter in the paths of a type. The one in the path of a warp is that of the coadd that it was made for. */
function saysFilter({ dimensions }: Template, dimension: string): boolean {
  if (dimensions.includes('band') || !dimensions.includes('patch'))
    return dimension === 'physical_filter' || dimensions.includes(dimension);
  return false;
}
