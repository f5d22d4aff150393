/** A Ceph cluster of one monitor, one OSD and one S3 gateway (RGW). */
import { randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { findFreePort } from '../local-server.mjs'
import { defineDaemon, makeKeys, run, startAll, waitForAnswer } from './daemon.mjs'
import { needPrograms } from './debian.mjs'

const PROGRAMS = ['ceph-mon', 'ceph-osd', 'radosgw', 'radosgw-admin', 'ceph', 'monmaptool']

/** Makes sure that Ceph's programs are there and returns the gateway's. */
export async function installCeph() {
  const found = await needPrograms('Ceph', PROGRAMS, 'ceph-mon ceph-osd radosgw ceph-common')
  return found.radosgw
}

/** Where an OSD keeps the bytes: in memory, written down when it is ended in order; or in a file, which outlives a kill. */
const KEEPS = {
  memory: {
    'osd objectstore': 'memstore',
    // else it does not write its memory down when it is ended in order, and starts empty
    'osd fast shutdown': false,
    'memstore device bytes': 4 * 1024 ** 3,
  },
  file: {
    'osd objectstore': 'bluestore',
    // sparse
    'bluestore block size': 32 * 1024 ** 3,
    'osd memory target': 1024 ** 3,
  },
}

function describeCluster({ home, fsid, monPort, port, dnsName, keep }) {
  return Object.entries({
    fsid,
    'mon host': `[v1:127.0.0.1:${monPort}]`,
    'auth cluster required': 'none',
    'auth service required': 'none',
    'auth client required': 'none',
    'public addr': '127.0.0.1',
    'cluster addr': '127.0.0.1',
    'ms bind ipv6': false,
    'osd pool default size': 1,
    'osd pool default min size': 1,
    'osd pool default pg num': 1,
    'osd pool default pgp num': 1,
    'osd pool default pg autoscale mode': 'off',
    'osd crush chooseleaf type': 0,
    // an OSD that tells its place itself does it at times before it knows the cluster, and ends ("wrong fsid")
    'osd crush update on start': false,
    'osd class update on start': false,
    'mon allow pool size one': true,
    'mon max pg per osd': 1000,
    // what is left of the disk is none of our business: the bytes are in memory
    'mon data avail crit': 1,
    'run dir': home,
    'pid file': join(home, '$type.$id.pid'),
    'admin socket': join(home, '$type.$id.asok'),
    'log file': join(home, '$type.$id.log'),
    'mon data': join(home, 'mon'),
    'osd data': join(home, 'osd'),
    ...KEEPS[keep],
    'rgw frontends': `beast endpoint=127.0.0.1:${port}`,
    ...(dnsName === undefined ? {} : { 'rgw dns name': dnsName }),
  })
    .map(([name, value]) => `${name} = ${value}\n`)
    .join('')
}

/** Starts a cluster. See s3-servers.d.mts. */
export async function startCeph({ port: wanted, dnsName, keep = 'memory' } = {}) {
  const programs = await needPrograms('Ceph', PROGRAMS, 'ceph-mon ceph-osd radosgw ceph-common')
  const home = await mkdtemp(join(tmpdir(), 'sif-library-ceph-'))
  const port = wanted ?? (await findFreePort())
  const monPort = await findFreePort()
  const [fsid, osdId] = [randomUUID(), randomUUID()]
  const keys = makeKeys()
  const config = join(home, 'ceph.conf')
  const log = join(home, 'daemons.log')
  for (const folder of ['mon', 'osd']) await mkdir(join(home, folder))
  await writeFile(config, `[global]\n${describeCluster({ home, fsid, monPort, port, dnsName, keep })}`)

  // `ceph` and `radosgw-admin` read no other configuration, and what hangs is ended by our own timeout
  const env = { PATH: process.env.PATH, HOME: home, CEPH_CONF: config, PYTHONWARNINGS: 'ignore' }
  const tool = (name, ...args) => run(programs[name], ['-c', config, ...args], { cwd: home, env })
  /** A cluster of which a part stood still lets a tool hang now and then: it is ended and tried again. */
  const ask = (tries, name, args) =>
    run(programs[name], ['-c', config, ...args], { cwd: home, env, timeout: 20_000 }).catch((error) => {
      if (tries <= 1) throw error
      return ask(tries - 1, name, args)
    })
  const daemon = (name, program, ...args) =>
    defineDaemon({ name, command: [programs[program], '-c', config, '-f', ...args], cwd: home, env, log })
  const mon = daemon('the monitor', 'ceph-mon', '-i', 'a')
  const osd = daemon('the OSD', 'ceph-osd', '-i', '0')
  const gateway = daemon('the gateway', 'radosgw', '-n', 'client.rgw')
  const endpoint = `http://127.0.0.1:${port}`

  const stop = await startAll('Ceph', { home, daemons: [gateway, osd, mon], log }, async () => {
    const map = join(home, 'monmap')
    const address = `[v1:127.0.0.1:${monPort}]`
    await run(programs.monmaptool, ['--create', '--clobber', '--addv', 'a', address, '--fsid', fsid, map], { env })
    await tool('ceph-mon', '--mkfs', '-i', 'a', '--monmap', map)
    mon.start()
    // at its very start the monitor refuses a command now and then (EPERM); `osd new` with the same UUID may be repeated
    const makeOsd = () => tool('ceph', '--connect-timeout', '60', 'osd', 'new', osdId, '0')
    for (let tries = 1; ; tries += 1) {
      const failure = await makeOsd().then(
        () => undefined,
        (error) => error,
      )
      if (failure === undefined) break
      if (tries === 10 || !mon.isAlive()) throw failure
      await wait(500)
    }
    await tool('ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', osdId)
    await tool('ceph', 'osd', 'crush', 'add', 'osd.0', '1.0', 'root=default', 'host=local')
    osd.start()
    gateway.start()
    await waitForAnswer(`${endpoint}/`, 200, [mon, osd, gateway])
    await tool(
      'radosgw-admin',
      ...['user', 'create', '--uid=tester', '--display-name=tester'],
      ...[`--access-key=${keys.accessKeyId}`, `--secret-key=${keys.secretAccessKey}`],
    )
  })
  return {
    name: 'ceph',
    endpoint,
    ...keys,
    region: 'us-east-1',
    port,
    directory: home,
    pid: gateway.pid(),
    daemons: { gateway, osd, mon },
    /** Waits until a gateway that was started again answers. */
    ready: () => waitForAnswer(`${endpoint}/`, 200, [gateway]),
    /** Runs radosgw-admin on the cluster and returns what it prints. */
    admin: (...args) => ask(3, 'radosgw-admin', args),
    stop,
  }
}
