/** The licences of the packages that a build carries inside itself, as one text file beside it. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

/** Folder of the package that a bundled file belongs to; undefined for a file of ours. */
function packageOf(file) {
  const at = file.lastIndexOf('node_modules/')
  if (at === -1) return undefined
  const [scope, name] = file.slice(at + 'node_modules/'.length).split('/')
  return join(file.slice(0, at), 'node_modules', scope, scope.startsWith('@') ? name : '')
}

function noticeOf(folder) {
  const { name, version, license, homepage, repository } = JSON.parse(
    readFileSync(join(folder, 'package.json'), 'utf8'),
  )
  const file = readdirSync(folder).find((entry) => /^licen[cs]e(\.|$)/i.test(entry))
  // in the public domain: there is nothing to keep
  if (file === undefined && license === 'Unlicense')
    return { name, text: `${name} ${version} (${license}, https://unlicense.org)\n` }
  if (file === undefined) throw new Error(`${name}@${version} has no licence file: it cannot be bundled`)
  const source = homepage ?? repository?.url ?? repository
  const text = readFileSync(join(folder, file), 'utf8').trim()
  return { name, text: `${name} ${version} (${license})\n${source}\n\n${text}\n` }
}

/** Name, version and licence text of each package that one of the files belongs to, below `head`. */
export function noticesOf(files, head) {
  const folders = new Set([...files].map((file) => packageOf(resolve(file).replaceAll('\\', '/'))))
  const notices = [...folders].filter((folder) => folder !== undefined && existsSync(folder)).map(noticeOf)
  notices.sort((a, b) => (a.name < b.name ? -1 : 1))
  return [head, ...notices.map(({ text }) => text)].join(`\n${'-'.repeat(80)}\n\n`)
}

/** An esbuild plugin that writes `file`: name, version and licence text of each package in the bundle. */
export function thirdPartyNotices(file) {
  return {
    name: 'third-party-notices',
    setup(build) {
      build.initialOptions.metafile = true
      build.onEnd(({ metafile }) => {
        if (metafile === undefined) return
        const head = 'The command sif-library carries these packages inside its file main.js.\n'
        mkdirSync(dirname(file), { recursive: true })
        writeFileSync(file, noticesOf(Object.keys(metafile.inputs), head))
      })
    },
  }
}
