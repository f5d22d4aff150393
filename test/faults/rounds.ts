/** The fault run: rounds of pushing, breaking, restarting and checking. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type ServerProcess, startProcess } from '../e2e/harness/server-process.js'
import { type ChaosContext, runClient } from './chaos.js'
import { makeRegistryClient, type RegistryClient, type Step } from './client.js'
import { makeHttpClient } from './http.js'
import { type ImageMaker, makeImages } from './images.js'
import { Ledger } from './ledger.js'
import { planMoment } from './moment.js'
import { cliOf } from './package.js'
import { freePort } from './port.js'
import { makeRandom, type Random } from './random.js'
import type { FaultReport } from './report.js'
import { recheck, type SettleContext, settle, sweepAndAudit } from './settle.js'
import type { Stack } from './stack.js'

export interface FaultRunOptions {
  /** Folder of the built package. */
  readonly root: string
  readonly stack: Stack
  readonly kills: number
  readonly seed: number
  /** Clients that push at once. Default 6. */
  readonly clients?: number
  /** Which faults: `server` (kill -9) and those of the stack. Default `server`. */
  readonly faults?: readonly string[]
  /** Told of violations at once and of progress. */
  readonly log?: (line: string) => void
  /** Ends the run after the round that is under way. */
  readonly signal?: AbortSignal
}

/** Images that stay in the registry from round to round. */
const kept = 40

class FaultRun {
  readonly #options: FaultRunOptions
  readonly #random: Random
  readonly #images: ImageMaker
  readonly #ledger = new Ledger()
  readonly #http = makeHttpClient({ timeoutMs: 30_000 })
  #number = 0
  #round = 0
  #port = 0
  #token = ''
  #server: ServerProcess | undefined
  /** We are about to end the server ourselves. */
  #ending = false
  #aborted = false
  readonly report: FaultReport = {
    kills: 0,
    faults: {},
    counts: { pushes: 0, acknowledged: 0, interrupted: 0, repeated: 0, deletes: 0, pulls: 0, sweepersKilled: 0 },
    swept: { uploads: 0, blobs: 0, orphans: 0, temporary: 0 },
    failures: new Map(),
    violations: [],
  }

  constructor(options: FaultRunOptions) {
    this.#options = options
    this.#random = makeRandom(options.seed)
    this.#images = makeImages(Math.max(options.stack.sizes.single.max, options.stack.sizes.multipart.max))
  }

  async run(): Promise<FaultReport> {
    const { kills, faults = ['server'], log = () => {}, signal } = this.#options
    this.#port = await freePort()
    try {
      await this.#start()
      while (
        this.report.kills < kills &&
        signal?.aborted !== true &&
        !this.#aborted &&
        this.report.violations.length < 20
      ) {
        this.#round += 1
        await this.#chaos(this.#random.pick(faults))
        await this.#settle()
        if (this.#round % 25 === 0 || this.report.kills === kills) log(this.#progress())
      }
      await recheck(this.#settleContext(), [...this.#ledger.settled])
      this.#ending = true
      await this.#server?.stop().catch((error: Error) => this.#violation(error.message.split('\n')[0] ?? ''))
      await this.#audit(true)
    } catch (error) {
      if (!this.#aborted) throw error
    } finally {
      this.#ending = true
      await this.#server?.kill()
      this.#http.close()
    }
    return this.report
  }

  #progress(): string {
    const { counts, swept, kills, violations } = this.report
    const numbers = (record: Readonly<Record<string, number>>): string =>
      Object.entries(record)
        .map(([name, count]) => `${count} ${name}`)
        .join(', ')
    return `${kills} kills; ${numbers(counts)}; swept ${numbers(swept)}; ${violations.length} violations`
  }

  #violation = (text: string): void => {
    // who stops the run from a terminal stops its servers too
    if (this.#aborted || this.#options.signal?.aborted === true) return
    const line = `seed ${this.#options.seed}, round ${this.#round}: ${text}`
    this.report.violations.push(line)
    this.#options.log?.(`VIOLATION ${line}\n${this.#server?.logs().slice(-3000) ?? ''}`)
  }

  async #start(): Promise<void> {
    const { root, stack } = this.#options
    const args = [
      cliOf(root),
      'serve',
      '--data',
      stack.data,
      '--port',
      String(this.#port),
      '--log-level',
      'warn',
      ...stack.serveArgs,
    ]
    const server = await startProcess({ args, env: stack.env })
    this.#server = server
    this.#ending = false
    void server.ended.then((how) => {
      if (this.#server !== server || this.#ending) return
      this.#violation(`the server ended by itself, or by another hand: ${how}`)
      // nothing that follows would prove anything
      this.#aborted = true
    })
    this.#token = (await readFile(join(stack.data, 'admin-token'), 'utf8')).trim()
  }

  #client(onStep?: (step: Step) => void): RegistryClient {
    return makeRegistryClient({
      url: `http://127.0.0.1:${this.#port}`,
      token: this.#token,
      http: this.#http,
      ...(onStep === undefined ? {} : { onStep }),
    })
  }

  /** A sweep without grace beside the running server. */
  #sweeper(): ChildProcess {
    const { root, stack } = this.#options
    const args = [
      cliOf(root),
      'sweep',
      '--grace',
      '0s',
      '--data',
      stack.data,
      ...stack.serveArgs.filter((_, index, all) => isOptionOf('--storage', '--metadata')(index, all)),
    ]
    return spawn(process.execPath, args, { env: { ...process.env, ...stack.env }, stdio: 'ignore' })
  }

  async #chaos(fault: string): Promise<void> {
    const { stack, clients = 6 } = this.#options
    const moment = planMoment(this.#random, stack.pace)
    let broken = false
    let stopped = false
    const client = this.#client(moment.onStep)
    const context: ChaosContext = {
      ledger: this.#ledger,
      random: this.#random,
      images: this.#images,
      sizes: stack.sizes,
      client,
      nextNumber: () => ++this.#number,
      broken: () => broken,
      stopped: () => stopped,
      violation: this.#violation,
      count: (what) => {
        this.report.counts[what] += 1
      },
    }
    const sweeper = this.#random.chance(0.15) ? this.#sweeper() : undefined
    const running = Promise.allSettled(Array.from({ length: clients }, () => runClient(context)))
    await moment.due
    broken = true
    const repair = stack.faults[fault]
    if (repair !== undefined) {
      await repair(this.#random)
      this.#countFault(fault)
    }
    stopped = true
    if (repair === undefined || this.#random.chance(0.3)) {
      if (repair === undefined && fault !== 'server') throw new Error(`no such fault of ${stack.name}: ${fault}`)
      this.#ending = true
      await this.#server?.kill()
      this.#countFault('server')
      await running
      await endSweeper(sweeper, this.#random.chance(0.5), this.report)
      await this.#audit(false, this.#random.chance(0.3))
      await this.#start()
    } else {
      await running
      await endSweeper(sweeper, false, this.report)
    }
    this.report.kills += 1
  }

  #countFault(name: string): void {
    this.report.faults[name] = (this.report.faults[name] ?? 0) + 1
  }

  #settleContext(): SettleContext {
    return {
      ledger: this.#ledger,
      images: this.#images,
      client: this.#client(),
      violation: this.#violation,
      onRepeated: () => {
        this.report.counts.repeated += 1
      },
    }
  }

  async #settle(): Promise<void> {
    const context = this.#settleContext()
    for (const { tries } of this.#ledger.open)
      for (const { failure } of tries) if (failure !== undefined) this.#countFailure(failure)
    await settle(context)
    const { settled } = this.#ledger
    if (settled.length > 0) await recheck(context, [this.#random.pick(settled)])
    for (const entry of settled.slice(0, Math.max(0, settled.length - kept))) {
      if (!(await context.client.remove(`${entry.path}:sha256.${entry.digest}`)))
        this.#violation(`${entry.path}: an old image is gone`)
      this.#ledger.forget(entry)
    }
    await this.#audit(this.#round % 50 === 0)
  }

  #countFailure(failure: string): void {
    const words = failure.replaceAll(/[0-9a-f]{24,}|\d{4,}|"message":.*/g, '…').slice(0, 120)
    this.report.failures.set(words, (this.report.failures.get(words) ?? 0) + 1)
  }

  /** `skip`: not every crash is swept before the server starts again. */
  async #audit(verify: boolean, skip = false): Promise<void> {
    if (skip) return
    const swept = await sweepAndAudit(this.#options.root, {
      stack: this.#options.stack,
      violation: this.#violation,
      verify,
    })
    for (const kind of ['uploads', 'blobs', 'orphans', 'temporary'] as const) this.report.swept[kind] += swept[kind]
  }
}

/** Which words of a command line belong to one of these options. */
function isOptionOf(...names: readonly string[]): (index: number, all: readonly string[]) => boolean {
  return (index, all) => names.includes(all[index] ?? '') || names.includes(all[index - 1] ?? '')
}

async function endSweeper(sweeper: ChildProcess | undefined, kill: boolean, report: FaultReport): Promise<void> {
  if (sweeper === undefined) return
  if (sweeper.exitCode === null && sweeper.signalCode === null) {
    if (kill && sweeper.kill('SIGKILL')) report.counts.sweepersKilled += 1
    await once(sweeper, 'exit')
  }
}

/** Runs until `kills` faults happened; 20 violations end it early. Leaves the stack to its maker. */
export async function runFaults(options: FaultRunOptions): Promise<FaultReport> {
  return new FaultRun(options).run()
}
