// The first of the single executable (Node's `node:sea`): the bundle's files are inside, as if they lay in a folder that is called as the executable is.
// Nothing real can lie there, so nothing is hidden, and nothing is unpacked. Modules are loaded from it, the few functions of `node:fs` by which
// the program reads its own files look into it, and processes and threads of its own begin here again.
import childProcess, { type ForkOptions } from 'node:child_process'
import fs from 'node:fs'
import { registerHooks } from 'node:module'
import { join, sep } from 'node:path'
import sea from 'node:sea'
import { fileURLToPath, pathToFileURL } from 'node:url'
import vm from 'node:vm'
import workerThreads, { type WorkerOptions } from 'node:worker_threads'

/** Under which name this file is among the files. */
const ownName = 'executable-main.cjs'
const root = `${process.execPath}${sep}`
const rootUrl = pathToFileURL(root).href
const names: ReadonlySet<string> = new Set(sea.getAssetKeys())

/** The name of what is inside; `undefined` for all that is not below the root. */
function nameOf(path: unknown): string | undefined {
  const text = path instanceof URL && path.protocol === 'file:' ? fileURLToPath(path) : path
  return typeof text === 'string' && text.startsWith(root) ? text.slice(root.length).replaceAll('\\', '/') : undefined
}

/** The executable's own memory: it is not to be written. */
const contentOf = (name: string): Buffer => Buffer.from(sea.getRawAsset(name))

const below = (name: string) => [...names].filter(one => one.startsWith(`${name}/`)).map(one => one.slice(name.length + 1))

const isFolder = (name: string) => !names.has(name) && below(name).length > 0

/** As the system says it. */
function absent(call: string, path: unknown): Error {
  return Object.assign(new Error(`ENOENT: no such file or directory, ${call} '${String(path)}'`), {
    ...{ errno: -2, code: 'ENOENT', syscall: call, path: String(path) },
  })
}

/** Puts what looks inside in the place of a function whose first argument is a path. */
function lookInside<Key extends 'existsSync' | 'readFileSync' | 'readdirSync' | 'statSync'>(
  key: Key,
  inside: (name: string, path: unknown, options: unknown) => unknown,
): void {
  const outside = fs[key]
  Object.assign(fs, {
    [key]: (path: unknown, ...more: readonly unknown[]) => {
      const name = nameOf(path)
      return name === undefined ? Reflect.apply(outside, fs, [path, ...more]) : inside(name, path, more[0])
    },
  })
}

const optionOf = (options: unknown, key: string): unknown =>
  typeof options === 'object' && options !== null ? Reflect.get(options, key) : undefined

const entryOf = (name: string, parentPath: string, isDirectory: boolean) => ({
  ...{ name, parentPath },
  isFile: () => !isDirectory,
  isDirectory: () => isDirectory,
})

function fileSystem(): void {
  lookInside('existsSync', name => names.has(name) || isFolder(name))
  lookInside('readFileSync', (name, path, options) => {
    if (!names.has(name)) throw absent('open', path)
    const encoding = typeof options === 'string' ? options : optionOf(options, 'encoding')
    const content = contentOf(name)
    return typeof encoding === 'string' && Buffer.isEncoding(encoding) ? content.toString(encoding) : Buffer.from(content)
  })
  lookInside('statSync', (name, path, options) => {
    if (names.has(name)) return { ...entryOf(name, '', false), size: contentOf(name).length }
    if (isFolder(name)) return { ...entryOf(name, '', true), size: 0 }
    if (optionOf(options, 'throwIfNoEntry') === false) return undefined
    throw absent('stat', path)
  })
  lookInside('readdirSync', (name, path, options) => {
    if (!isFolder(name)) throw absent('scandir', path)
    const paths = new Set(
      below(name).flatMap(one => {
        const parts = one.split('/')
        const depths = optionOf(options, 'recursive') === true ? parts.length : 1
        return Array.from({ length: depths }, (_, depth) => parts.slice(0, depth + 1).join('/'))
      }),
    )
    if (optionOf(options, 'withFileTypes') !== true) return [...paths]
    return [...paths].map(one => {
      const cut = one.lastIndexOf('/')
      return entryOf(
        one.slice(cut + 1),
        cut < 0 ? String(path) : join(String(path), one.slice(0, cut)),
        !names.has(`${name}/${one}`),
      )
    })
  })
}

/** Node's own flags, as an executable takes them. */
function asOneFlag(flags: readonly string[]): readonly string[] {
  const spaced = flags.find(flag => /\s/.test(flag))
  if (spaced !== undefined) throw new Error(`a flag with a space cannot be passed on: ${spaced}`)
  return flags.length === 0 ? [] : [`--node-options=${flags.join(' ')}`]
}

function processes(): void {
  const { fork, spawn } = childProcess
  Object.assign(childProcess, {
    spawn: (command: unknown, ...more: readonly unknown[]) => {
      const [args, options] = more
      const words: readonly unknown[] = Array.isArray(args) ? args : []
      const at = words.findIndex(word => nameOf(word) !== undefined)
      if (command !== process.execPath || at < 0) return Reflect.apply(spawn, childProcess, [command, ...more])
      const inner = [...asOneFlag(words.slice(0, at).map(String)), ...words.slice(at)]
      return Reflect.apply(spawn, childProcess, [command, inner, options])
    },
    fork: (path: string, args: readonly string[] = [], options: ForkOptions = {}) =>
      fork(path, args, nameOf(path) === undefined ? options : { ...options, execArgv: [...asOneFlag(options.execArgv ?? [])] }),
  })
}

/** A thread begins with this file as well, and is told by its arguments what it is to load. */
function threads(): void {
  const { Worker } = workerThreads
  class InnerWorker extends Worker {
    constructor(path: string | URL, options: WorkerOptions = {}) {
      const name = nameOf(path)
      if (name === undefined) super(path, options)
      else
        super(sea.getAsset(ownName, 'utf8'), {
          ...options,
          ...{ eval: true, argv: [join(root, name)] },
          // Its flags are not those of the process.
          execArgv: [...process.execArgv, ...(options.execArgv ?? [])],
        })
    }
  }
  Object.assign(workerThreads, { Worker: InnerWorker })
}

function modules(entryUrl: string): void {
  registerHooks({
    resolve(specifier, context, next) {
      const isInner = context.parentURL?.startsWith(rootUrl) === true && /^\.{1,2}\//.test(specifier)
      if (!isInner && specifier !== entryUrl) return next(specifier, context)
      return { url: new URL(specifier, context.parentURL).href, format: 'module', shortCircuit: true }
    },
    load(url, context, next) {
      if (!url.startsWith(rootUrl)) return next(url, context)
      const name = nameOf(new URL(url)) ?? ''
      if (!names.has(name)) throw absent('open', fileURLToPath(url))
      // One byte a character (`bundle.ts`).
      const source = contentOf(name).toString('latin1')
      // A module that is imported is never the main one, and this one is.
      return {
        format: 'module',
        source: url === entryUrl ? source.replaceAll('import.meta.main', 'true') : source,
        shortCircuit: true,
      }
    },
  })
}

/** The file that this process is to be: one of its own that was named by who started it, else the command line. */
function entry(): string {
  const [, , first] = process.argv
  if (nameOf(first) === undefined || first === undefined) return join(root, 'ballast.mjs')
  process.argv.splice(1, 1)
  return first
}

const entryUrl = pathToFileURL(entry()).href
fileSystem()
processes()
threads()
modules(entryUrl)
// The main script of an executable may import only what is built in; a script of this kind has Node's whole loader.
const load: unknown = new vm.Script('url => import(url)', {
  importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
}).runInThisContext()
if (typeof load === 'function') load(entryUrl)
