/** What other rooms use of the registry, beside its contract. */

export { flattenCollections } from './collections.js';
export { compareDefinitions, fitDefinition } from './definitions/check.js';
export type { FittingType } from './definitions/check.js';
export { readDefinitionFile, typeDefinition } from './definitions/file.js';
export type { WrittenDefinition } from './definitions/file.js';
export { compilePattern, PatternLayout } from './definitions/pattern.js';
export { checkRegistered, onlyGovernor } from './definitions/reader.js';
export {
  definitionFault,
  describeType,
  gen3Locations,
  nameClash,
  refuseOverlap,
  resolveDefinition,
  shownDefinition,
} from './definitions/resolve.js';
export type { ShownType } from './definitions/resolve.js';
export { DataId } from './data-id.js';
export { parseKeyValue, resolveKey } from './keys.js';
export { aliasesSchema } from './aliases.js';
export type { KeyAliases } from './aliases.js';
export { flavorsSchema } from './coadd-flavors.js';
export type { FlavorNames } from './coadd-flavors.js';
export { faultOfNames, parseRepositoryNames } from './names.js';
export type { RepositoryNames } from './names.js';
export { cameraOfMapper, checkClash, definedTemplate, readCamera } from './readers/gen2/camera.js';
export { shownTemplate } from './readers/gen2/definitions.js';
export { fieldsOfVisit, gen2Additions } from './readers/gen2/additions.js';
export type { Gen2Found } from './readers/gen2/additions.js';
export { calibrationName, runName } from './readers/gen2/collections.js';
export type { Camera, FieldValues, Gen2Reading, Gen2Repository, TemplateRoot } from './readers/gen2/contract.js';
export {
  calibrationDirectory,
  calibrationRegistry,
  parentLink,
  rawRegistry,
  RepositoryLayout,
  rerunDirectory,
  rootsAt,
} from './readers/gen2/layout.js';
export { ListingStore } from './readers/gen2/listing-store.js';
export type { ListedEntry } from './readers/gen2/listing-store.js';
export { compileTemplates } from './readers/gen2/matcher.js';
export { calibrationDirectories, Gen2Places } from './readers/gen2/needs.js';
export type { TemplatePlace } from './readers/gen2/needs.js';
export { parseButlerConfiguration } from './readers/gen3/configuration.js';
export type { Gen3Configuration, Gen3Datastore } from './readers/gen3/configuration.js';
export { extensionOf } from './readers/gen3/locations.js';
export { openGen3 } from './readers/gen3/reader.js';
export type { Gen3ReaderOptions } from './readers/gen3/reader.js';
export { buildCatalogue, buildCatalogueFrom } from './sqlite/build.js';
export type { BuildOptions } from './sqlite/build.js';
export { updateCatalogue } from './sqlite/update.js';
export { openCatalogue } from './sqlite/open.js';
export { catalogueSchemaVersion } from './sqlite/schema.js';
export { parseUniverse } from './universe.js';
export type { DimensionElement, ElementUniverse } from './universe.js';
export { lineOfKey } from './validated-yaml.js';
export type { FileText } from './validated-yaml.js';
export { decodeValue, encodeComponent, encodeValue, maxComponentBytes } from './values.js';
export { parseWhere } from './where/parser.js';
