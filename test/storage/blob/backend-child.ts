import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const SOURCE = fileURLToPath(new URL('../../../src/', import.meta.url))

/** Runs the filesystem backend in a process of its own, which can be killed. */
export class BackendChildren {
  #code: string | undefined
  readonly #running: ChildProcess[] = []

  /** Node 20 runs no TypeScript: the sources are transpiled file by file into a folder. */
  async prepare(): Promise<void> {
    this.#code = await mkdtemp(join(tmpdir(), 'sif-library-code-'))
    await writeFile(join(this.#code, 'package.json'), '{"type":"module"}')
    for (const name of await readdir(SOURCE, { recursive: true })) {
      const isNeeded =
        name === 'foreign.ts' || (name.startsWith('storage/blob/') && !name.startsWith('storage/blob/s3/'))
      if (!isNeeded || !name.endsWith('.ts')) continue
      const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 }
      const { outputText } = ts.transpileModule(await readFile(join(SOURCE, name), 'utf8'), { compilerOptions })
      const file = join(this.#code, name.replace(/\.ts$/, '.js'))
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, outputText)
    }
  }

  /**
   * Starts `script` (module code; `storage` and `directory` are at hand, `say(line)` talks to the test, `hang` never settles) and resolves with what it says,
   * line by line.
   */
  async start(
    directory: string,
    script: string,
  ): Promise<{ next(): Promise<string>; kill(): Promise<void>; send(line: string): void }> {
    if (this.#code === undefined) throw new Error('prepare first')
    const file = join(this.#code, `script-${this.#running.length}-${Date.now()}.js`)
    const head = `
      import { createHash } from 'node:crypto'
      import { once } from 'node:events'
      import { filesystemStorage } from './storage/blob/filesystem/index.js'
      const directory = ${JSON.stringify(directory)}
      const storage = filesystemStorage({ directory })
      const say = (line) => process.stdout.write(line + '\\n')
      const told = () => once(process.stdin, 'data')
      const hang = new Promise(() => setInterval(() => {}, 1000))
      const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex')
      await storage.ready()
    `
    await writeFile(file, head + script)
    const child = spawn(process.execPath, [file], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#running.push(child)
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    return {
      next: async () => {
        const line = await lines.next()
        if (line.done === true) throw new Error('the child ended')
        return line.value
      },
      kill: () => endChild(child),
      send: (line) => child.stdin.write(`${line}\n`),
    }
  }

  async dispose(): Promise<void> {
    for (const child of this.#running) await endChild(child)
    if (this.#code !== undefined && dirname(this.#code) === tmpdir()) await rm(this.#code, { recursive: true })
  }
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}
