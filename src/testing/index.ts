/**
 * `sif-library/testing`: the conformance suites, for those who write a backend or a store of their
 * own.
 * @module
 */
export { describeMetadataStore, type MetadataSubject, type MetadataSuiteOptions } from './metadata/index.js'
export type { TestRunner } from './runner.js'
export {
  describeStorageBackend,
  type StorageCapability,
  type StorageSubject,
  type StorageSuiteOptions,
} from './storage/index.js'
