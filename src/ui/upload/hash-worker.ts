/** Works out the SHA-256 of files beside the page, so that it stays responsive. Obeys a policy of its own. */
import { createSHA256 } from 'hash-wasm'

export interface HashQuestion {
  readonly file: Blob
}

/** `done` bytes are read; `digest` at the end; `error` where the file can no longer be read. */
export interface HashAnswer {
  readonly done?: number
  readonly digest?: string
  readonly error?: string
}

const pieceBytes = 8 * 1024 ** 2

async function hash(file: Blob, say: (answer: HashAnswer) => void): Promise<void> {
  const hasher = await createSHA256()
  hasher.init()
  for (let at = 0; at < file.size; at += pieceBytes) {
    const piece = await file.slice(at, at + pieceBytes).arrayBuffer()
    hasher.update(new Uint8Array(piece))
    say({ done: Math.min(file.size, at + pieceBytes) })
  }
  say({ digest: hasher.digest('hex') })
}

self.onmessage = ({ data }: MessageEvent<HashQuestion>): void => {
  const say = (answer: HashAnswer): void => self.postMessage(answer)
  hash(data.file, say).catch((error: unknown) => say({ error: error instanceof Error ? error.message : String(error) }))
}
