/** OpenStack Swift with its S3 API: one proxy, one object, container and account server each, one memcached. */
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { findFreePort } from '../local-server.mjs'
import { defineDaemon, run, startAll, waitForAnswer } from './daemon.mjs'
import { needPrograms } from './debian.mjs'

const KINDS = ['account', 'container', 'object']
const PROGRAMS = [
  ...KINDS.map((kind) => `swift-${kind}-server`),
  'swift-proxy-server',
  'swift-ring-builder',
  'memcached',
]
const PACKAGES = 'swift-proxy swift-object swift-account swift-container memcached'

/** Makes sure that Swift's programs are there and returns the proxy's. */
export async function installSwift() {
  return (await needPrograms('Swift', PROGRAMS, PACKAGES))['swift-proxy-server']
}

/** What `swift-ring-builder` does for each kind of server, in one start of Python instead of nine. */
const RINGS = `
import sys
from swift.common.ring import RingBuilder
for kind, port in zip(sys.argv[1::2], sys.argv[2::2]):
    builder = RingBuilder(4, 1, 1)
    place = {'region': 1, 'zone': 1, 'ip': '127.0.0.1', 'port': int(port), 'device': 'd1', 'weight': 1.0, 'meta': ''}
    builder.add_dev({**place, 'replication_ip': place['ip'], 'replication_port': place['port']})
    builder.rebalance()
    builder.get_ring().save(kind + '.ring.gz')
`

const ini = (sections) =>
  Object.entries(sections)
    .flatMap(([name, values]) => [
      `[${name}]`,
      ...Object.entries(values).map(([key, value]) => `${key} = ${value}`),
      '',
    ])
    .join('\n')

const PIPELINE =
  'catch_errors gatekeeper healthcheck cache listing_formats bulk s3api tempauth copy slo dlo versioned_writes symlink proxy-server'

function describeProxy({ common, port, memcachedPort, region, secret, maxParts }) {
  const filters = PIPELINE.split(' ').slice(0, -1)
  const settings = {
    cache: { memcache_servers: `127.0.0.1:${memcachedPort}` },
    s3api: { location: region, ...(maxParts === undefined ? {} : { max_upload_part_num: maxParts }) },
    tempauth: { user_tester_tester: `${secret} .admin` },
    versioned_writes: { use: 'egg:swift#versioned_writes', allow_versioned_writes: true },
  }
  return ini({
    DEFAULT: { ...common, bind_port: port },
    'pipeline:main': { pipeline: PIPELINE },
    'app:proxy-server': { use: 'egg:swift#proxy', account_autocreate: true, allow_account_management: true },
    ...Object.fromEntries(
      filters.map((name) => [
        `filter:${name}`,
        { use: `egg:swift#${name === 'cache' ? 'memcache' : name}`, ...settings[name] },
      ]),
    ),
  })
}

/** Starts a Swift. See s3-servers.d.mts. */
export async function startSwift({ port: wanted, region = 'us-east-1', maxParts, maxFileBytes } = {}) {
  const programs = await needPrograms('Swift', PROGRAMS, PACKAGES)
  const home = await mkdtemp(join(tmpdir(), 'sif-library-swift-'))
  const port = wanted ?? (await findFreePort())
  const ports = {}
  for (const name of [...KINDS, 'memcached']) ports[name] = await findFreePort()
  const secret = randomBytes(20).toString('hex')
  const [devices, log] = [join(home, 'devices'), join(home, 'daemons.log')]
  const common = {
    bind_ip: '127.0.0.1',
    user: userInfo().username,
    swift_dir: home,
    workers: 0,
    log_level: 'WARNING',
    // the log goes to standard error (--verbose): no syslog is asked for
    log_address: join(home, 'no-syslog'),
  }
  const storage = { devices, mount_check: false, fallocate_reserve: 0 }
  await mkdir(join(devices, 'd1'), { recursive: true })
  const files = {
    'swift.conf': ini({
      'swift-hash': {
        swift_hash_path_prefix: randomBytes(8).toString('hex'),
        swift_hash_path_suffix: randomBytes(8).toString('hex'),
      },
      'storage-policy:0': { name: 'one', default: 'yes' },
      ...(maxFileBytes === undefined ? {} : { 'swift-constraints': { max_file_size: maxFileBytes } }),
    }),
    'proxy.conf': describeProxy({ common, port, memcachedPort: ports.memcached, region, secret, maxParts }),
    ...Object.fromEntries(
      KINDS.map((kind) => [
        `${kind}.conf`,
        ini({
          DEFAULT: { ...common, ...storage, bind_port: ports[kind] },
          'pipeline:main': { pipeline: `${kind}-server` },
          [`app:${kind}-server`]: { use: `egg:swift#${kind}` },
        }),
      ]),
    ),
  }
  for (const [name, text] of Object.entries(files)) await writeFile(join(home, name), text, { mode: 0o600 })

  const daemon = (name, ...command) => defineDaemon({ name, command, cwd: home, env: {}, log })
  const memcached = daemon(
    'memcached',
    programs.memcached,
    ...['-l', '127.0.0.1', '-p', `${ports.memcached}`, '-U', '0', '-m', '16', '-u', common.user],
  )
  const servers = Object.fromEntries(
    ['proxy', ...KINDS].map((kind) => [
      kind,
      daemon(`the ${kind} server`, programs[`swift-${kind}-server`], join(home, `${kind}.conf`), '--verbose'),
    ]),
  )
  const daemons = { ...servers, memcached }
  const endpoint = `http://127.0.0.1:${port}`
  const all = Object.values(daemons)

  const stop = await startAll('Swift', { home, daemons: all, log }, async () => {
    await run('/usr/bin/python3', ['-c', RINGS, ...KINDS.flatMap((kind) => [kind, `${ports[kind]}`])], { cwd: home })
    for (const one of all) one.start()
    await waitForAnswer(`${endpoint}/healthcheck`, 200, all)
    for (const kind of KINDS) await waitForAnswer(`http://127.0.0.1:${ports[kind]}/`, 'any', all)
  })
  return {
    name: 'swift',
    endpoint,
    accessKeyId: 'tester:tester',
    secretAccessKey: secret,
    region,
    port,
    directory: home,
    pid: servers.proxy.pid(),
    daemons,
    /** Waits until a proxy that was started again answers. */
    ready: () => waitForAnswer(`${endpoint}/healthcheck`, 200, [servers.proxy]),
    stop,
  }
}
