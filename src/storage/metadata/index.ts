/**
 * `sif-library/metadata`: what somebody needs who writes a MetadataStore.
 * @module
 */
export type * from './contract.js'
export { isMetadataError, MetadataError, type MetadataErrorCode } from './errors.js'
