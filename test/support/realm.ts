/** Runs the sources in a context of their own, as Jest does: Node's errors and bytes then come from another realm than theirs. */
import { readFileSync } from 'node:fs'
import { createRequire, isBuiltin } from 'node:module'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { compileFunction, createContext } from 'node:vm'
import ts from 'typescript'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** What Node adds to a realm; the rest (Error, Uint8Array, Promise …) the realm has of its own. */
const globals = {
  AbortController,
  AbortSignal,
  Buffer,
  Headers,
  Request,
  Response,
  ReadableStream,
  TextDecoder,
  TextEncoder,
  URL,
  URLSearchParams,
  atob,
  btoa,
  clearImmediate,
  clearInterval,
  clearTimeout,
  console,
  fetch,
  performance,
  process,
  queueMicrotask,
  setImmediate,
  setInterval,
  setTimeout,
  structuredClone,
}

const compilerOptions: ts.CompilerOptions = {
  module: ts.ModuleKind.CommonJS,
  target: ts.ScriptTarget.ES2022,
  esModuleInterop: true,
}

/** `load('src/storage/blob/memory.ts')` gives the module of a fresh realm; a realm keeps what it has loaded. */
export function createRealm(): { readonly load: <T>(path: string) => T; readonly evaluate: (code: string) => unknown } {
  const context = createContext({ ...globals })
  const modules = new Map<string, { exports: unknown }>()

  const loadFile = (file: string): unknown => {
    const known = modules.get(file)
    if (known !== undefined) return known.exports
    const module = { exports: {} as unknown }
    modules.set(file, module)
    const text = readFileSync(file, 'utf8')
    if (file.endsWith('.json')) {
      module.exports = JSON.parse(text)
      return module.exports
    }
    const code = file.endsWith('.ts')
      ? ts.transpileModule(text, { compilerOptions }).outputText.replaceAll('import.meta.url', '__url')
      : text
    const names = ['module', 'exports', 'require', '__filename', '__dirname', '__url']
    const run = compileFunction(code, names, { parsingContext: context, filename: file })
    run(module, module.exports, requireFrom(file), file, dirname(file), `file://${file}`)
    return module.exports
  }

  const requireFrom = (file: string) => {
    const native = createRequire(file)
    return (name: string): unknown => {
      if (isBuiltin(name)) return native(name)
      const isSource = file.endsWith('.ts') && name.startsWith('.')
      const found = isSource ? resolve(dirname(file), name.replace(/\.js$/, '.ts')) : native.resolve(name)
      return found.endsWith('.node') ? native(found) : loadFile(found)
    }
  }

  return {
    load: <T>(path: string) => loadFile(resolve(root, path)) as T,
    evaluate: (code) => compileFunction(`return (${code})`, [], { parsingContext: context })(),
  }
}
