/**
 * `sif-library/sif`: reads SIF files over any ranged reader, without a dependency.
 * @module
 */
export type { SifSignature, SifSignatureFormat } from './claimed-signatures.js'
export { type SifObjectType, sifArchs } from './codes.js'
export { inspectSif, type SifInspection, type SifSbom, type SifState } from './inspect.js'
export type { SifHeader, SifLink, SifObject } from './layout.js'
export type { OciFacts, OciLayer, OciManifest } from './oci.js'
export type { SifSource } from './source.js'
export type { SifText, SifTexts } from './texts.js'
