import { type ChildProcess, spawn } from 'node:child_process'
import { track } from '../../../scripts/children.mjs'

/** What a finished program said. */
export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly args?: readonly string[]
  readonly cwd?: string
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
  /** Milliseconds; then the program is killed and the promise rejects. Default 120,000. */
  readonly timeout?: number
  /** Sent once stdout has the text. */
  readonly signal?: { readonly name: NodeJS.Signals; readonly when: string }
}

function collect(child: ChildProcess): { stdout: string; stderr: string } {
  const said = { stdout: '', stderr: '' }
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    said.stdout += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said.stderr += text
  })
  return said
}

/** Runs a program to its end. Resolves with any exit code; rejects when it cannot be started or takes too long. */
export function run(program: string, options: RunOptions = {}): Promise<Finished> {
  const { args = [], cwd, env = {}, input, timeout = 120_000, signal } = options
  return new Promise((resolve, reject) => {
    const child = track(
      spawn(program, args, {
        ...(cwd !== undefined && { cwd }),
        env: { ...process.env, ...env },
        stdio: 'pipe',
      }),
    )
    const said = collect(child)
    if (signal !== undefined) {
      const send = (): void => {
        if (!said.stdout.includes(signal.when)) return
        child.stdout.off('data', send)
        child.kill(signal.name)
      }
      child.stdout.on('data', send)
    }
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`${program} ${args.join(' ')} took longer than ${timeout} ms\n${said.stdout}\n${said.stderr}`))
    }, timeout)
    child.on('error', reject)
    child.on('close', (code) => {
      clearTimeout(timer)
      resolve({ code, ...said })
    })
    child.stdin?.on('error', () => {})
    child.stdin?.end(input ?? '')
  })
}

/** As `run`, and rejects with what the program said when its exit code is not 0. Resolves with its stdout. */
export async function runOk(program: string, options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(program, options)
  if (code !== 0)
    throw new Error(`${program} ${(options.args ?? []).join(' ')} ended with ${code}\n${stdout}\n${stderr}`)
  return stdout
}
