/**
 * The base images of deploy/, made of packages: Debian's, npm's and the programs that scripts/s3-servers.mjs builds. They stand
 * in for those of Docker Hub, under the same names, where no registry of containers can be reached: the same programs in
 * the same places, the same users, and as much of their entrypoints as deploy/ uses.
 */
import { createHash } from 'node:crypto'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from '../s3-servers/daemon.mjs'
import { installS3Server } from '../s3-servers.mjs'

const CODENAME = 'bookworm'

/** The first mirror of Debian that apt of this machine uses, with its proxy. */
async function findMirror() {
  const [site] = (await run('apt-get', ['indextargets', '--format', '$(SITE)', 'Created-By: Packages'])).split('\n')
  if (!site) throw new Error('apt of this machine has no mirror')
  const proxy = (await run('apt-config', ['shell', 'proxy', 'Acquire::http::Proxy'])).match(/'(.*)'/)?.[1]
  return { site, env: proxy === undefined ? process.env : { ...process.env, http_proxy: proxy, https_proxy: proxy } }
}

/** The root of a small Debian becomes an image. Documents, translations and package lists are left out, as in Debian's own slim image. */
async function makeDebian(tag, packages, { podman, cache }) {
  const { site, env } = await findMirror()
  const downloads = join(cache, 'debian-packages')
  await mkdir(downloads, { recursive: true })
  const root = await mkdtemp(join(tmpdir(), 'sif-library-debian-'))
  try {
    const options = ['--variant=minbase', `--include=${packages.join(',')}`, `--cache-dir=${downloads}`]
    await run('debootstrap', [...options, CODENAME, root, site], { env })
    const left = ['var/cache/apt', 'var/lib/apt/lists', 'usr/share/doc', 'usr/share/man', 'usr/share/locale']
    const archive = join(cache, `${tag.replaceAll(/\W/g, '-')}.tar`)
    const exclude = left.map((folder) => `--exclude=./${folder}/*`)
    await run('tar', ['--create', '--file', archive, '--directory', root, ...exclude, '.'])
    await podman(['import', archive, tag])
    await rm(archive)
  } finally {
    await rm(root, { recursive: true, force: true })
  }
}

/** Node of exactly that version from the package of npm, and the npm of this machine. */
async function findNode(version) {
  // the package puts its program in place by an install script
  const words = ['exec', '--yes', '--prefer-offline', '--ignore-scripts=false', `--package=node@${version}`]
  const said = await run('npm', [...words, '--', 'node', '-p', 'process.execPath'], { cwd: tmpdir() })
  return { node: said.trim().split('\n').at(-1), npm: join((await run('npm', ['root', '-g'])).trim(), 'npm') }
}

const debian = `localhost/debian:${CODENAME}`
const services = `localhost/debian-services:${CODENAME}`

/** What PostgreSQL's image does at its start: makes user and database once, then is the server. */
const postgresEntrypoint = `#!/bin/sh
set -eu
mkdir -p /var/run/postgresql
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  printf '%s' "$POSTGRES_PASSWORD" > /tmp/password
  initdb --pgdata "$PGDATA" --username "$POSTGRES_USER" --pwfile /tmp/password --encoding UTF8 --auth-host scram-sha-256 --auth-local trust
  rm /tmp/password
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
  pg_ctl --pgdata "$PGDATA" --wait --options "-c listen_addresses=" start
  createdb --username "$POSTGRES_USER" "\${POSTGRES_DB:-$POSTGRES_USER}" 2>/dev/null || true
  pg_ctl --pgdata "$PGDATA" --wait stop
fi
exec "$@" -c listen_addresses='*'
`

/** By the name of the image: what it begins with, what is put into it, and how. */
const recipes = {
  node: {
    from: [debian, ['ca-certificates']],
    async fill(folder, tag) {
      const { node, npm } = await findNode(tag.split('-')[0])
      await cp(node, join(folder, 'node'))
      await cp(npm, join(folder, 'npm'), { recursive: true })
      return [
        'COPY node /usr/local/bin/node',
        'COPY npm /usr/local/lib/node_modules/npm',
        'RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && useradd --uid 1000 --user-group --create-home node',
        'CMD ["node"]',
      ]
    },
  },
  'minio/minio': {
    from: [debian, ['ca-certificates']],
    async fill(folder) {
      for (const name of ['minio', 'mc']) await cp(await installS3Server(name), join(folder, name))
      return ['COPY minio mc /usr/bin/', 'VOLUME /data', 'ENTRYPOINT ["/usr/bin/minio"]']
    },
  },
  postgres: {
    from: [services, ['ca-certificates', 'postgresql', 'nginx-light']],
    async fill(folder) {
      await writeFile(join(folder, 'docker-entrypoint.sh'), postgresEntrypoint, { mode: 0o755 })
      return [
        'COPY docker-entrypoint.sh /usr/local/bin/',
        'ENV PGDATA=/var/lib/postgresql/data',
        'RUN ln -s /usr/lib/postgresql/*/bin/* /usr/local/bin/ && install -d -o postgres -g postgres -m 700 "$PGDATA"',
        'VOLUME /var/lib/postgresql/data',
        'STOPSIGNAL SIGINT',
        'ENTRYPOINT ["docker-entrypoint.sh"]',
        'CMD ["postgres"]',
      ]
    },
  },
}

/** Makes the image of that name where it is missing, or was made by another version of this file. */
export async function makeBaseImage(reference, { podman, cache }) {
  const name = reference.replace(/^docker\.io\/(library\/)?/, '')
  const [repository, tag] = name.split(':')
  const recipe = recipes[repository]
  if (recipe === undefined) throw new Error(`no recipe for ${repository}`)
  const stamp = createHash('sha256')
    .update(await readFile(fileURLToPath(import.meta.url)))
    .digest('hex')
    .slice(0, 12)
  const full = `docker.io/${repository.includes('/') ? '' : 'library/'}${name}`
  const stampOf = (image) =>
    podman(['image', 'inspect', '--format', '{{index .Labels "stand-in"}}', image]).then(
      (text) => text.trim(),
      () => undefined,
    )
  if ((await stampOf(full)) === stamp) return
  const [from, packages] = recipe.from
  process.stderr.write(`making the base image ${name}\n`)
  if ((await stampOf(from)) === undefined) await makeDebian(from, packages, { podman, cache })
  const folder = await mkdtemp(join(tmpdir(), 'sif-library-base-'))
  try {
    const lines = [`FROM ${from}`, ...(await recipe.fill(folder, tag)), `LABEL stand-in=${stamp}`]
    await writeFile(join(folder, 'Dockerfile'), `${lines.join('\n')}\n`)
    await podman([
      'build',
      '--format',
      'docker',
      '--pull=never',
      '--network',
      'host',
      '--layers=false',
      '--tag',
      full,
      folder,
    ])
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
