/** All that a small catalogue answers, as plain data without its own keys: to tell whether two catalogues are the same. */

import type { Catalogue, DatasetRow, RepositoryEntry } from '../contract.js';

export function answersOf(catalogue: Catalogue): unknown {
  const paths = [undefined, ...catalogue.collections().map(({ name }) => [name])];
  return {
    counts: [catalogue.info.datasets, catalogue.info.unstored, catalogue.totals()],
    collections: catalogue.collections(),
    types: catalogue.datasetTypes().map(({ name, storageClass, dimensions, isCalibration }) => ({
      name,
      storageClass,
      required: dimensions.required,
      implied: dimensions.implied,
      isCalibration,
    })),
    files: [...catalogue.files()],
    layout: layoutOf(catalogue, ''),
    searched: paths.map((names) => searched(catalogue, names)),
  };
}

function searched(catalogue: Catalogue, names: readonly string[] | undefined): unknown {
  const searchPath = catalogue.searchPath(names);
  const governors = ['instrument', 'skymap'].filter((name) => catalogue.universe.dimension(name) !== undefined);
  return {
    names,
    types: catalogue.typesOn(searchPath).map(({ name }) => name),
    governors: governors.map((governor) => catalogue.governorValues(searchPath, governor, 100)),
    datasets: catalogue.datasetTypes().map((type) => {
      const keys = type.dimensions.required;
      const constraint = new Map();
      const answer = catalogue.directory({ type, searchPath, constraint, keys, rowLimit: 1_000_000 });
      const values = catalogue.directory({ type, searchPath, constraint, keys, rowLimit: 0 });
      const query = [...catalogue.query({ type, searchPath, constraint })].map(({ run, implied, ...row }) => ({
        row: withoutKey(row),
        run,
        implied,
        byUuid: catalogue.datasetByUuid(row.uuid)?.values,
      }));
      return {
        type: type.name,
        rows: answer.kind === 'rows' ? answer.rows.map(withoutKey) : [],
        values: values.kind === 'values' ? values.values : [],
        isRegisteredOnly: catalogue.isRegisteredOnly({ type, searchPath, constraint }),
        query,
      };
    }),
  };
}

function withoutKey({ values, collection, validity, files, ingested, uuid }: DatasetRow): unknown {
  return { values, collection: collection.name, validity, files, ingested, uuid };
}

function layoutOf(catalogue: Catalogue, path: string): RepositoryEntry[] {
  return (catalogue.repositoryDirectory(path) ?? []).flatMap((entry) => {
    const below = path === '' ? entry.name : `${path}/${entry.name}`;
    return entry.file === undefined ? [entry, ...layoutOf(catalogue, below)] : [entry];
  });
}
