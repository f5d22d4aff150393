/** What the first bytes of a file say: whether it is a SIF image, and for which architecture. */

/** Codes of the header, by the SIF specification. */
const archs: Readonly<Record<string, string>> = {
  ...{ '01': '386', '02': 'amd64', '03': 'arm', '04': 'arm64', '05': 'ppc64', '06': 'ppc64le', '07': 'mips' },
  ...{ '08': 'mipsle', '09': 'mips64', '10': 'mips64le', '11': 's390x', '12': 'riscv64' },
}

/** Launch script, magic, version, architecture. */
const headerBytes = 48

export interface SifFile {
  /** undefined = the header names none. */
  readonly arch: string | undefined
}

/** undefined = not a SIF file. */
export async function readSifFile(file: Blob): Promise<SifFile | undefined> {
  const header = new Uint8Array(await file.slice(0, headerBytes).arrayBuffer())
  const text = new TextDecoder('latin1').decode(header)
  if (text.slice(32, 41) !== 'SIF_MAGIC') return undefined
  return { arch: archs[text.slice(45, 47)] }
}
