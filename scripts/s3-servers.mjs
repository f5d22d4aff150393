// Real S3 servers for the tests: starts them on a free loopback port with a data folder of their own. MinIO, versitygw and s3proxy are built once into
// .cache/s3, Ceph and Swift are packages of Debian.
//
//   node scripts/s3-servers.mjs install minio|versitygw|s3proxy|ceph|swift|all
//   node scripts/s3-servers.mjs start   minio|versitygw|s3proxy|ceph|swift      runs until Ctrl-C; prints one line of JSON
//
// They are tools here: run as programs, never linked (MinIO is AGPL-3.0, versitygw and s3proxy Apache-2.0).
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { findFreePort } from './local-server.mjs'
import { installCeph, startCeph } from './s3-servers/ceph.mjs'
import {
  defineDaemon,
  findProgram,
  makeKeys,
  run,
  S3ServerMissing,
  startAll,
  waitForAnswer,
} from './s3-servers/daemon.mjs'
import { installSwift, startSwift } from './s3-servers/swift.mjs'

export { S3ServerMissing, startCeph, startSwift }

const CACHE = join(dirname(dirname(fileURLToPath(import.meta.url))), '.cache', 's3')

/** Pinned versions. MinIO's release tags do not resolve as Go modules everywhere; this pseudo-version does. */
const SERVERS = {
  minio: {
    file: 'minio-v0.0.0-20260212201848-7aac2a2c5b7c',
    module: 'github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c',
    needs: ['go'],
  },
  // MinIO's client, with which administrators make users
  mc: {
    file: 'mc-v0.0.0-20250313080218-cf909e1063a9',
    module: 'github.com/minio/mc@v0.0.0-20250313080218-cf909e1063a9',
    needs: ['go'],
  },
  versitygw: { file: 'versitygw-v1.8.0', module: 'github.com/versity/versitygw/cmd/versitygw@v1.8.0', needs: ['go'] },
  s3proxy: {
    file: 's3proxy-4.1.0-jar-with-dependencies.jar',
    artifact: 'org.gaul:s3proxy:4.1.0:jar:jar-with-dependencies',
    needs: ['mvn', 'java'],
  },
}

/** Servers that Debian packages. */
const PACKAGED = { ceph: installCeph, swift: installSwift }

/** Makes sure that a server is on this machine and returns its program. Cold: MinIO about 6 minutes on two cores, versitygw 1.5, s3proxy seconds. */
export async function installS3Server(name) {
  if (name in PACKAGED) return PACKAGED[name]()
  const server = SERVERS[name]
  if (server === undefined)
    throw new Error(`unknown server ${name}; known are ${Object.keys({ ...SERVERS, ...PACKAGED }).join(', ')}`)
  const file = join(CACHE, server.file)
  const missing = server.needs.filter(
    (tool) => findProgram(tool) === undefined && !(existsSync(file) && tool !== 'java'),
  )
  if (missing.length > 0) throw new S3ServerMissing(`${name} needs ${missing.join(' and ')}, which is not on the PATH`)
  if (existsSync(file)) return file
  await mkdir(CACHE, { recursive: true })
  const temporary = await mkdtemp(join(CACHE, 'install-'))
  try {
    process.stderr.write(`installing ${name} into ${CACHE}\n`)
    if (server.module !== undefined) {
      const env = { ...process.env, GOBIN: temporary, GOTOOLCHAIN: 'local', CGO_ENABLED: '0' }
      await run('go', ['install', '-trimpath', '-ldflags=-s -w', server.module], { env })
      await rename(join(temporary, name), file)
    } else {
      const copy = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy'
      await run('mvn', ['-q', '-B', copy, `-Dartifact=${server.artifact}`, `-DoutputDirectory=${temporary}`])
      await rename(join(temporary, server.file), file)
    }
  } catch (error) {
    throw new S3ServerMissing(`${name} could not be installed: ${error.message}`)
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
  return file
}

/**
 * MinIO. `certsDirectory` with `public.crt` and `private.key` makes it speak TLS; `env` adds or overrides settings, for example MINIO_DOMAIN. `directory`
 * and `port` let a test start it again on the same data and address.
 */
export async function startMinio({ certsDirectory, env, directory, port, region = 'us-east-1' } = {}) {
  const file = await installS3Server('minio')
  const keys = makeKeys()
  return startServer('minio', {
    directory,
    port,
    region,
    keys,
    protocol: certsDirectory === undefined ? 'http' : 'https',
    command: (at) => [
      file,
      'server',
      '--address',
      `127.0.0.1:${at.port}`,
      '--quiet',
      ...(certsDirectory === undefined ? [] : ['--certs-dir', certsDirectory]),
      at.directory,
    ],
    env: {
      MINIO_ROOT_USER: keys.accessKeyId,
      MINIO_ROOT_PASSWORD: keys.secretAccessKey,
      MINIO_BROWSER: 'off',
      MINIO_UPDATE: 'off',
      MINIO_SITE_REGION: region,
      ...env,
    },
    // `/minio/health/ready` answers 200 before the server can serve: its first answers would be 503
    ready: { path: '/minio/health/cluster', status: 200 },
  })
}

/** versitygw over a folder: independent code, strict about the region; it refuses presigned URLs that sign the payload hash. */
export async function startVersitygw({ directory, port, region = 'us-east-1' } = {}) {
  const file = await installS3Server('versitygw')
  const keys = makeKeys()
  return startServer('versitygw', {
    directory,
    port,
    region,
    keys,
    protocol: 'http',
    command: (at) => [
      file,
      '--port',
      `127.0.0.1:${at.port}`,
      '--region',
      region,
      '--quiet',
      '--health',
      '/health',
      'posix',
      at.directory,
    ],
    env: { ROOT_ACCESS_KEY: keys.accessKeyId, ROOT_SECRET_KEY: keys.secretAccessKey },
    ready: { path: '/health', status: 200 },
  })
}

/** s3proxy over a folder: checks signatures and payload hashes, lenient in multipart. Needs Java. */
export async function startS3Proxy({ directory, port } = {}) {
  const file = await installS3Server('s3proxy')
  const keys = makeKeys()
  return startServer('s3proxy', {
    directory,
    port,
    region: 'us-east-1',
    keys,
    protocol: 'http',
    command: (at) => ['java', '-Xmx256m', '-jar', file, '--properties', join(at.home, 's3proxy.conf')],
    prepare: (at) =>
      writeFile(
        join(at.home, 's3proxy.conf'),
        [
          's3proxy.authorization=aws-v2-or-v4',
          `s3proxy.endpoint=http://127.0.0.1:${at.port}`,
          `s3proxy.identity=${keys.accessKeyId}`,
          `s3proxy.credential=${keys.secretAccessKey}`,
          'jclouds.provider=filesystem-nio2',
          'jclouds.identity=unused',
          'jclouds.credential=unused',
          `jclouds.filesystem.basedir=${at.directory}`,
          '',
        ].join('\n'),
        { mode: 0o600 },
      ),
    env: {},
    ready: { path: '/', status: 403 },
  })
}

async function startServer(name, options) {
  const home = await mkdtemp(join(tmpdir(), `sif-library-${name}-`))
  const directory = options.directory ?? join(home, 'data')
  await mkdir(directory, { recursive: true })
  const at = { home, directory, port: options.port ?? (await findFreePort()) }
  await options.prepare?.(at)
  const log = join(home, 'log')
  const daemon = defineDaemon({ name, command: options.command(at), cwd: home, env: options.env, log })
  const endpoint = `${options.protocol}://127.0.0.1:${at.port}`
  const stop = await startAll(name, { home, daemons: [daemon], log }, async () => {
    daemon.start()
    await waitForAnswer(`${endpoint}${options.ready.path}`, options.ready.status, [daemon])
  })
  return { name, endpoint, ...options.keys, region: options.region, port: at.port, directory, pid: daemon.pid(), stop }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [verb, name] = process.argv.slice(2)
  const starters = {
    minio: startMinio,
    versitygw: startVersitygw,
    s3proxy: startS3Proxy,
    ceph: startCeph,
    swift: startSwift,
  }
  if (verb === 'install' && (name === 'all' || name in starters)) {
    for (const one of name === 'all' ? Object.keys(starters) : [name])
      process.stdout.write(`${await installS3Server(one)}\n`)
  } else if (verb === 'start' && name in starters) {
    const {
      name: server,
      endpoint,
      accessKeyId,
      secretAccessKey,
      region,
      port,
      directory,
      pid,
      stop,
    } = await starters[name]()
    process.stdout.write(
      `${JSON.stringify({ name: server, endpoint, accessKeyId, secretAccessKey, region, port, directory, pid })}\n`,
    )
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop().then(() => process.exit(0)))
  } else {
    process.stderr.write(`usage: node scripts/s3-servers.mjs install|start ${Object.keys(starters).join('|')}\n`)
    process.exitCode = 2
  }
}
