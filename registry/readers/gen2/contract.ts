/**
 * Gen2 repositories: files whose paths follow templates. What there is of a repository is what was listed; templates say which files are datasets, of which
 * type and under which data ID, and the other way round.
 */

import type { DataIdValue, DimensionName } from '../../contract.js';
import type { NamedLocation } from '../../definitions/contract.js';

/** A key of a Gen2 data ID, as templates write it: `%(ccd)03d`. */
export type FieldName =
  'field' | 'dateObs' | 'pointing' | 'filter' | 'visit' | 'ccd' | 'tract' | 'patch' | 'calibDate' | 'subfilter' | 'name' | 'pixel_id';

/** Values of Gen2 keys, in the form that they have in registries: `patch` is `x,y`, dates are texts. */
export type FieldValues = Readonly<Partial<Record<FieldName, DataIdValue>>>;

/** Which directory a template's paths begin in: that of each repository, of each that is a rerun, or the one with its calibrations. */
export type TemplateRoot = 'repository' | 'rerun' | 'calibrations';

/** Where the files of one dataset type are. */
export interface Template {
  readonly type: string;
  /** Relative, with fields: `%(pointing)05d/%(filter)s/corr/CORR-%(visit)07d-%(ccd)03d.fits`. */
  readonly path: string;
  readonly root: TemplateRoot;
  /** What identifies a dataset, beside what these require. */
  readonly dimensions: readonly DimensionName[];
  readonly storageClass: string;
  /** Of a type with ranges of validity: the keys that its rows in the calibration registry are looked up by, beside the date. */
  readonly validity?: readonly ('ccd' | 'filter')[] | undefined;
  /** Where it stands, for messages: `camera HSC`, `butlerfs.yaml:3`. */
  readonly where?: string | undefined;
  /** Of one that a user defined: the path in the user's own words. */
  readonly written?: string | undefined;
}

/** A camera with the layout of its repositories: data, of which users may change any part. */
export interface Camera {
  /** Value of the `instrument` dimension. */
  readonly instrument: string;
  readonly detectors: readonly { readonly id: number; readonly purpose: string }[];
  /** What packed data IDs count detectors with, at least one more than the greatest. */
  readonly detectorMaximum: number;
  /** The sky map that tracts and patches count in: a Gen2 repository holds it in a form that only its own software reads. */
  readonly skymap: { readonly name: string; readonly columns: number; readonly rows: number; readonly tracts: number };
  /** Bands by physical filter. Of several filters of one band the first is the one that its coadds are taken to be of. */
  readonly filters: Readonly<Record<string, string>>;
  /** By dataset type. */
  readonly templates: Readonly<Record<string, Template>>;
  /** Beginnings of paths that definitions may name. */
  readonly locations: readonly NamedLocation[];
}

/** One repository of a stack: the root, a rerun, or a parent. Plain data: it travels to a thread. */
export interface Gen2Repository {
  /** Directory below the mounted root; '' is the root itself. */
  readonly path: string;
  /** Directories of the repositories that its data are looked for in after its own, in that order, ancestors included; undefined where that cannot be told. */
  readonly ancestors: readonly string[] | undefined;
  /** Why, where it cannot be told. */
  readonly problem?: string | undefined;
  /** Directory of the calibrations that hold for it; undefined where there is no calibration registry. */
  readonly calibrations: string | undefined;
}

/** What is read of a Gen2 repository. Plain data. */
export interface Gen2Reading {
  readonly camera: Camera;
  /** The mounted root first, then by path. */
  readonly repositories: readonly Gen2Repository[];
  /** The SQLite file with what was listed ({@link ListingStore}). */
  readonly listingFile: string;
  /** Copies here of registries, by location: `registry.sqlite3`, `CALIB/calibRegistry.sqlite3`. */
  readonly registries: Readonly<Record<string, string>>;
  /**
   * Set where not all was listed yet: then what was is read, and the rest is added as it is found (additions.ts). `coaddFilters` are the physical filters that
   * coadds have: of which band they are must be known from the start.
   */
  readonly growing?: { readonly coaddFilters: readonly string[] } | undefined;
}
