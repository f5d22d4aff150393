/** Numbers of the SIF format and what they mean (`pkg/sif` of github.com/sylabs/sif/v2). */

export type SifObjectType =
  | 'definition'
  | 'environment'
  | 'labels'
  | 'partition'
  | 'signature'
  | 'json'
  | 'generic'
  | 'cryptographic-message'
  | 'sbom'
  | 'oci-root-index'
  | 'oci-blob'
  | 'unknown'

const objectTypes: Readonly<Record<number, SifObjectType>> = {
  16385: 'definition',
  16386: 'environment',
  16387: 'labels',
  16388: 'partition',
  16389: 'signature',
  16390: 'json',
  16391: 'generic',
  16392: 'cryptographic-message',
  16393: 'sbom',
  16394: 'oci-root-index',
  16395: 'oci-blob',
}

export const objectTypeOf = (code: number): SifObjectType => objectTypes[code] ?? 'unknown'

const archs: Readonly<Record<string, string>> = {
  '01': '386',
  '02': 'amd64',
  '03': 'arm',
  '04': 'arm64',
  '05': 'ppc64',
  '06': 'ppc64le',
  '07': 'mips',
  '08': 'mipsle',
  '09': 'mips64',
  '10': 'mips64le',
  '11': 's390x',
  '12': 'riscv64',
  '13': 'loong64',
}

/** Go name of an arch code of two digits and NUL; null for `00` and what nobody knows. */
export const archOf = (code: string): string | null => archs[code] ?? null

/** Go names of all archs that a SIF file can name. */
export const sifArchs: readonly string[] = Object.values(archs)

/** Codes of file systems that only who has the key can read: LUKS, and gocryptfs of Apptainer. */
const encrypted: readonly number[] = [5, 6]
export const isEncryptedFileSystem = (code: number): boolean => encrypted.includes(code)

const named =
  (names: Readonly<Record<number, string>>) =>
  (code: number): string =>
    names[code] ?? 'unknown'

export const fileSystemOf: (code: number) => string = named({
  1: 'squashfs',
  2: 'ext3',
  3: 'archive',
  4: 'raw',
  5: 'encrypted-squashfs',
  6: 'gocryptfs-squashfs',
})
export const partitionRoleOf: (code: number) => string = named({
  1: 'system',
  2: 'primary-system',
  3: 'data',
  4: 'overlay',
})
export const hashOf: (code: number) => string = named({
  1: 'sha256',
  2: 'sha384',
  3: 'sha512',
  4: 'blake2s',
  5: 'blake2b',
})
export const messageFormatOf: (code: number) => string = named({ 1: 'openpgp', 2: 'pem' })
export const messageKindOf: (code: number) => string = named({ 256: 'clear-signature', 512: 'rsa-oaep' })
export const sbomFormatOf: (code: number) => string = named({
  1: 'cyclonedx-json',
  2: 'cyclonedx-xml',
  3: 'github-json',
  4: 'spdx-json',
  5: 'spdx-rdf',
  6: 'spdx-tag-value',
  7: 'spdx-yaml',
  8: 'syft-json',
})
