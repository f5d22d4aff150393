// Containers of deploy/ that really run, by podman (as root, without a daemon), in storage of this checkout: below .cache/containers.
//
//   node scripts/containers.mjs build                builds deploy/Dockerfile and says how large the image is
//   node scripts/containers.mjs podman ARGS…         podman over that storage
//   node scripts/containers.mjs compose FILE ARGS…   podman-compose over it
//
// No image is pulled: base images are made here, see containers/base-images.mjs.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { track } from './children.mjs'
import { makeBaseImage } from './containers/base-images.mjs'
import { isRoot } from './local-server.mjs'
import { findProgram, run } from './s3-servers/daemon.mjs'

const PACKAGE = dirname(dirname(fileURLToPath(import.meta.url)))
const CACHE = join(PACKAGE, '.cache', 'containers')
/** Pinned: the program that reads compose files, from PyPI. */
const PODMAN_COMPOSE = '1.6.0'
const DOCKERFILE = join(PACKAGE, 'deploy/Dockerfile')
/** What the compose files call the image that they build. */
const BUILT = 'sif-library'
/** Minutes for hundreds of packages over a slow mirror. */
const BUILD_TIMEOUT = 900_000

/** Thrown where no container can run on this machine: a test then skips, and says so. */
export class ContainersMissing extends Error {
  name = 'ContainersMissing'
}

/** Runs a program to its end; its output is returned, and is in the error where it fails. */
function call(program, args, { env = {}, cwd = PACKAGE, timeout = 300_000, input } = {}) {
  return new Promise((done, fail) => {
    const child = track(spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: 'pipe' }), 'SIGTERM')
    const said = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'])
      child[name].setEncoding('utf8').on('data', (text) => {
        said[name] += text
      })
    const timer = setTimeout(() => child.kill('SIGKILL'), timeout)
    child.once('error', fail)
    child.once('close', (code) => {
      clearTimeout(timer)
      done({ code, ...said })
    })
    child.stdin.on('error', () => {})
    child.stdin.end(input ?? '')
  })
}

async function callOk(program, args, options) {
  const { code, stdout, stderr } = await call(program, args, options)
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}\n${stdout}\n${stderr}`.slice(-8000))
  return stdout
}

async function needPrograms() {
  if (!isRoot) throw new ContainersMissing('containers are run as root, and this is another user')
  const wanted = ['podman', 'runc', 'buildah', 'netavark', 'iptables', 'debootstrap']
  // netavark is no command for people: Debian keeps it beside podman's own
  const isThere = (name) => findProgram(name) !== undefined || existsSync(`/usr/lib/podman/${name}`)
  const missing = () => wanted.filter((name) => !isThere(name))
  if (missing().length > 0 && findProgram('apt-get') !== undefined)
    await run('bash', [join(PACKAGE, 'scripts/install-tools.sh')]).catch(() => {})
  if (missing().length > 0)
    throw new ContainersMissing(`${missing().join(', ')} not installed (scripts/install-tools.sh installs it)`)
}

/** The words that every call of podman needs, as a program of its own: podman-compose wants one. */
async function makePodman() {
  await mkdir(CACHE, { recursive: true })
  // short, since sockets lie below it, and gone with a restart of the machine, as the state of containers must be
  const state = `/run/sif-library-${createHash('sha256').update(CACHE).digest('hex').slice(0, 8)}`
  const settings = join(CACHE, 'containers.conf')
  // below the limits of any shell: a container may not raise them
  await writeFile(settings, '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]\n')
  const program = join(CACHE, 'podman')
  const write = async (driver) => {
    const words = [
      ...['--storage-driver', driver, '--root', join(CACHE, driver), '--runroot', `${state}/storage`],
      ...['--tmpdir', `${state}/libpod`, '--network-config-dir', join(CACHE, 'networks')],
      ...['--cgroup-manager', 'cgroupfs', '--runtime', findProgram('runc'), '--events-backend', 'none'],
    ]
    const script = `#!/bin/sh\nCONTAINERS_CONF='${settings}' exec podman ${words.map((word) => `'${word}'`).join(' ')} "$@"\n`
    await writeFile(`${program}.new`, script)
    await chmod(`${program}.new`, 0o755)
    await rename(`${program}.new`, program)
    return program
  }
  await write('overlay')
  // a file system that cannot be stacked: every layer is a copy then
  if ((await call(program, ['info'])).code !== 0) await write('vfs')
  const { code, stderr } = await call(program, ['info'])
  if (code !== 0) throw new ContainersMissing(`podman cannot run here: ${stderr.trim().split('\n').at(-1)}`)
  return program
}

async function makeCompose() {
  const folder = join(CACHE, `podman-compose-${PODMAN_COMPOSE}`)
  const program = join(folder, 'bin/podman-compose')
  if (existsSync(program)) return program
  await rm(folder, { recursive: true, force: true })
  try {
    await callOk('python3', ['-m', 'venv', folder])
    await callOk(join(folder, 'bin/pip'), ['install', '--quiet', `podman-compose==${PODMAN_COMPOSE}`])
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw new ContainersMissing(`podman-compose could not be installed: ${error.message}`)
  }
  return program
}

/**
 * How this machine reaches the registry of npm, for a build that has neither its files nor its certificates: volumes of
 * a build, none of which is in the image. The cache of npm is one of them.
 */
async function npmVolumes(folder) {
  // asked without what npm itself hands to the programs that it runs
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)))
  const ask = async (name) => (await run('npm', ['config', 'get', name], { env, cwd: tmpdir() })).trim()
  const [registry, authorities, own, shared, cache] = await Promise.all(
    ['registry', 'cafile', 'userconfig', 'globalconfig', 'cache'].map(ask),
  )
  const texts = await Promise.all([shared, own].map((file) => readFile(file, 'utf8').catch(() => '')))
  const lines = [...texts, `registry=${registry}`, ...(authorities === 'null' ? [] : ['cafile=/run/npm-authorities'])]
  const file = join(folder, 'npmrc')
  await writeFile(file, `${lines.join('\n')}\n`, { mode: 0o600 })
  await mkdir(cache, { recursive: true })
  return [
    ...['--volume', `${file}:/root/.npmrc:ro`, '--volume', `${cache}:/root/.npm`],
    ...(authorities === 'null' ? [] : ['--volume', `${authorities}:/run/npm-authorities:ro`]),
  ]
}

/** The images of others that a Dockerfile begins with, or that services of a compose file run. */
async function findBases(file) {
  const found = [...(await readFile(file, 'utf8')).matchAll(/^(?:FROM| +image:) (\S+)/gm)]
  return found.map(([, reference]) => reference).filter((reference) => reference !== BUILT)
}

/** Containers of this checkout. Rejects with ContainersMissing where none can run. */
export async function openContainers() {
  await needPrograms()
  const program = await makePodman()
  const podman = (args, options) => callOk(program, args, options)
  const findImage = async (tag) => (await call(program, ['image', 'exists', tag])).code === 0

  return {
    podman,
    findImage,

    /** Runs podman; any exit code is an answer. */
    tryPodman: (args, options) => call(program, args, options),

    /** Makes the base images that Dockerfiles and compose files name, where they are missing. */
    async makeBases(files) {
      for (const file of files)
        for (const reference of await findBases(file)) {
          try {
            await makeBaseImage(reference, { podman, cache: CACHE })
          } catch (error) {
            throw new ContainersMissing(`the base image ${reference} could not be made: ${error.message}`)
          }
        }
    },

    /** Builds deploy/Dockerfile of a checkout, whose base images are there, and gives the image that tag. */
    async build(tag, folder = PACKAGE) {
      const temporary = await mkdtemp(join(tmpdir(), 'sif-library-build-'))
      try {
        const volumes = await npmVolumes(temporary)
        // podman keeps HEALTHCHECK in this format only; layers between would be copied for nothing
        const args = ['build', '--format', 'docker', '--pull=never', '--layers=false', '--network', 'host', ...volumes]
        await podman([...args, '--file', join(folder, 'deploy/Dockerfile'), '--tag', tag, folder], {
          timeout: BUILD_TIMEOUT,
        })
        // what had the tag before
        await podman(['image', 'prune', '--force'])
      } finally {
        await rm(temporary, { recursive: true, force: true })
      }
    },

    /** Bytes of an image of deploy/Dockerfile, and of its base image. */
    async measure(tag) {
      const sizeOf = async (name) => Number(await podman(['image', 'inspect', '--format', '{{.Size}}', name]))
      return { size: await sizeOf(tag), base: await sizeOf((await findBases(DOCKERFILE)).at(-1)) }
    },

    /** A compose file as a project. The services that build deploy/Dockerfile run the image with the tag `image`. */
    async openCompose({ file, project, env, image }) {
      const compose = await makeCompose()
      await podman(['tag', image, `localhost/${BUILT}:latest`])
      const words = ['--podman-path', program, '--project-name', project, '--file', file]
      return {
        run: (args, options) => callOk(compose, [...words, ...args], { env, ...options }),
        containerOf: (service) => `${project}_${service}_1`,
      }
    },
  }
}

async function main([command, ...rest]) {
  const containers = await openContainers()
  const show = ({ code, stdout, stderr }) => {
    process.stdout.write(stdout)
    process.stderr.write(stderr)
    process.exitCode = code
  }
  if (command === 'podman') return show(await containers.tryPodman(rest, { cwd: process.cwd() }))
  const [file = '', ...args] = rest
  if (command !== 'build' && command !== 'compose')
    throw new Error('usage: node scripts/containers.mjs build | podman ARGS… | compose FILE ARGS…')
  const tag = `localhost/${BUILT}:latest`
  await containers.makeBases([DOCKERFILE, ...(command === 'build' ? [] : [file])])
  if (command === 'build' || !(await containers.findImage(tag))) await containers.build(tag)
  if (command === 'compose') {
    const compose = await containers.openCompose({ file: resolve(file), project: BUILT, env: {}, image: tag })
    process.stdout.write(await compose.run(args))
    return
  }
  const { size, base } = await containers.measure(tag)
  process.stdout.write(
    `${tag}: ${Math.round(size / 1e6)} MB, of which ${Math.round(base / 1e6)} MB are the base image\n`,
  )
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  await main(process.argv.slice(2)).catch((error) => {
    process.stderr.write(`${error.message}\n`)
    process.exitCode = 1
  })
