/** `npm run faults`. */
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { describeReport } from './report.js'
import { runFaults } from './rounds.js'
import type { Stack } from './stack.js'
import { cephStack } from './stack-ceph.js'
import { filesystemStack } from './stack-filesystem.js'
import { minioStack } from './stack-minio.js'

const MiB = 1024 ** 2

const usage = `npm run faults -- [--kills 100] [--seed 1] [--faults server,…] [--clients 6] [--disk MIB]
                  [--stack filesystem|filesystem-postgres|minio|minio-postgres|ceph|ceph-postgres]

Pushes with many clients, kills -9 the server at random moments, restarts it, and checks that nothing acknowledged is lost, nothing damaged is readable,
every interrupted push succeeds when repeated, and that a sweep leaves nothing but the blobs of images.

--faults  what is broken, at random: server (default); on minio and ceph also store-kill, store-pause, store-errors; on ceph also osd-restart,
          osd-kill; on postgres also records-kill, records-pause; with --disk also disk-full; "all" for all of them
--disk    data folder on a tmpfs of this many MiB (needs root)
`

function openStack(
  name: string,
  options: { readonly root: string; readonly disk: string | undefined },
): Promise<Stack> {
  const { root, disk } = options
  const diskBytes = disk === undefined ? {} : { diskBytes: Number(disk) * MiB }
  if (name === 'filesystem') return filesystemStack({ root, ...diskBytes })
  if (name === 'filesystem-postgres') return filesystemStack({ root, records: 'postgres', ...diskBytes })
  if (name === 'minio') return minioStack({ root, records: 'sqlite' })
  if (name === 'minio-postgres') return minioStack({ root, records: 'postgres' })
  if (name === 'ceph') return cephStack({ root, records: 'sqlite' })
  if (name === 'ceph-postgres') return cephStack({ root, records: 'postgres' })
  throw new Error(`no such stack: ${name}`)
}

export async function main(root: string, args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      kills: { type: 'string', default: '100' },
      seed: { type: 'string', default: '1' },
      stack: { type: 'string', default: 'filesystem' },
      faults: { type: 'string', default: 'server' },
      clients: { type: 'string', default: '6' },
      disk: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(usage)
    return 0
  }
  const stack = await openStack(values.stack, { root, disk: values.disk })
  const stopping = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort())
  const started = Date.now()
  try {
    const report = await runFaults({
      root,
      stack,
      kills: Number(values.kills),
      seed: Number(values.seed),
      clients: Number(values.clients),
      faults: values.faults === 'all' ? ['server', ...Object.keys(stack.faults)] : values.faults.split(','),
      signal: stopping.signal,
      log: (line) => process.stdout.write(`${line}\n`),
    })
    const minutes = ((Date.now() - started) / 60_000).toFixed(1)
    process.stdout.write(
      `\n${stack.name}, seed ${values.seed}, ${minutes} minutes, node ${process.version}, ${cpus().length} cores\n${describeReport(report)}\n`,
    )
    return report.violations.length === 0 ? 0 : 1
  } finally {
    await stack.close()
  }
}
