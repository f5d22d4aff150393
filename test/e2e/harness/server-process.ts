import { type ChildProcess, spawn } from 'node:child_process'
import { track } from '../../../scripts/children.mjs'

/** A server in a process of its own. */
export interface ServerProcess {
  /** What it printed as `listening on URL`. */
  readonly url: string
  /** All it has said so far. */
  readonly logs: () => string
  /** SIGTERM, then waits; resolves with the exit code. Kills it after 10 seconds and rejects then. Safe to call twice. */
  readonly stop: () => Promise<number | null>
  /** Resolves with the signal or the exit code that it ended by, whoever ended it. */
  readonly ended: Promise<string>
  /** SIGKILL, for tests of what a crash leaves behind. Safe when it has ended. */
  readonly kill: () => Promise<void>
}

export interface ServerCommand {
  /** Default: the Node that runs the tests. */
  readonly program?: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

function exited(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode)
  return new Promise((resolve) => child.once('exit', resolve))
}

async function stop(child: ChildProcess, logs: () => string): Promise<number | null> {
  child.kill('SIGTERM')
  let late = false
  const timer = setTimeout(() => {
    late = true
    child.kill('SIGKILL')
  }, 10_000)
  const code = await exited(child)
  clearTimeout(timer)
  if (late) throw new Error(`the server did not stop within 10 seconds of SIGTERM\n${logs()}`)
  return code
}

/** Starts a Node script and resolves when its stdout says `listening on URL`; rejects when it ends before or says nothing within 20 seconds. */
export function startProcess(command: ServerCommand): Promise<ServerProcess> {
  const child = track(
    spawn(command.program ?? process.execPath, command.args, {
      env: { ...process.env, ...command.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
    }),
  )
  const ended = new Promise<string>((resolve) =>
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`)),
  )
  let said = ''
  const logs = (): string => said
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      child.kill('SIGKILL')
      reject(new Error(`node ${command.args.join(' ')} ${why}\n${said}`))
    }
    const timer = setTimeout(() => fail('did not listen within 20 seconds'), 20_000)
    const early = (): void => fail('ended before it listened')
    child.once('exit', early)
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    let started = false
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text
      const url = /^listening on (\S+)$/m.exec(said)?.[1]
      if (url === undefined || started) return
      started = true
      clearTimeout(timer)
      child.off('exit', early)
      resolve({
        url,
        logs,
        ended,
        stop: () => stop(child, logs),
        kill: async () => {
          child.kill('SIGKILL')
          await exited(child)
        },
      })
    })
  })
}
