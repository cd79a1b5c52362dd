/** Formats of files that a definition can name: how their names end, and the storage class that they have where none is given. */

interface FileFormat {
  /** The first one is added to a template whose name has none. */
  readonly extensions: readonly string[];
  readonly storageClass: string;
}

/** Storage classes are those of daf_butler for files of which only the format is known. */
export const fileFormats: Readonly<Record<string, FileFormat>> = {
  fits: { extensions: ['.fits', '.fit', '.fits.gz', '.fits.fz'], storageClass: 'Unknown' },
  parquet: { extensions: ['.parq', '.parquet'], storageClass: 'DataFrame' },
  json: { extensions: ['.json'], storageClass: 'StructuredDataDict' },
  yaml: { extensions: ['.yaml', '.yml'], storageClass: 'StructuredDataDict' },
  pickle: { extensions: ['.pickle', '.pkl'], storageClass: 'Unknown' },
  ecsv: { extensions: ['.ecsv'], storageClass: 'AstropyTable' },
  csv: { extensions: ['.csv'], storageClass: 'Unknown' },
  hdf5: { extensions: ['.hdf5', '.h5'], storageClass: 'Unknown' },
  text: { extensions: ['.txt', '.log', '.reg', '.py'], storageClass: 'Unknown' },
  png: { extensions: ['.png'], storageClass: 'Plot' },
};
