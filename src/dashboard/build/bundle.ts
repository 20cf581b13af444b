// The page's scripts and styles: read from where they were built, or built beside the start. Who serves asks it each time.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { extname, join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Log } from '#kube/log.ts'
import type { BuildOutcome } from './bundle-process.ts'
import { plainStyles } from './plain-styles.ts'
import { buildEnvironment, sourceHash } from './source-hash.ts'
import { type Manifest, readStored, type StoredBundle, type StoredFile } from './stored-bundle.ts'

export interface BundleProblem {
  readonly code: 'dashboard-not-built'
  /** A whole sentence, with the compiler's first message where it has one. */
  readonly message: string
  readonly remedy: string
}

/** What a page names in its head: paths below the base path, `/assets/main-a1b2.js`. */
interface BundleEntry {
  /** Undefined until it is built. */
  readonly script: string | undefined
  readonly styles: readonly string[]
  readonly preload: readonly string[]
}

export interface Bundle extends AsyncDisposable {
  readonly state: 'ready' | 'building' | 'failed'
  /** Why there is none. */
  readonly problem: BundleProblem | undefined
  /** Bytes as gzip sends them; undefined until it is built. */
  readonly sizes?: Manifest['sizes'] | undefined
  entry(): BundleEntry | undefined
  /** Script and styles of a file that holds a replay; undefined until it is built. */
  replayParts(): { readonly script: string; readonly styles: string } | undefined
  /** By its name below `/assets/`. Names carry a hash of the content: they may be kept for ever. */
  file(name: string): StoredFile | undefined
  /** Resolves when it is no longer building; never rejects. */
  readonly ready: Promise<void>
}

interface BundleOptions {
  /** Folder of the clone or the installed package. */
  readonly root: string
  /** Where what cannot be written below `root` is kept: `$XDG_CACHE_HOME/ballast`. */
  readonly cacheDirectory: string
  readonly log: Log
}

/** The bundle that fits the sources: at once where it was built before, else built in a thread while the caller goes on. */
export function openBundle(options: BundleOptions): Bundle {
  const { root, cacheDirectory, log } = options
  const hash = sourceHash(root)
  const own = join(root, 'dist', 'web')
  const cached = hash === undefined ? undefined : join(cacheDirectory, `web-${hash.slice(0, 16)}`)
  const folders = cached === undefined ? [own] : [own, cached]
  const found = folders.map(folder => readStored(folder, hash)).find(stored => stored !== undefined)
  const bundle = new PageBundle(found, root)
  if (found !== undefined) return bundle
  if (hash === undefined) bundle.fail('The page was not built into this installation.', 'install a package or image that has it')
  else if (!hasBuildTool(root)) bundle.fail('The page is not built and the build tool is not installed.', 'npm install')
  else {
    log.debug({ folders }, 'the page is being built')
    bundle.build({ root, hash, folders }, log)
  }
  return bundle
}

const hasBuildTool = (root: string): boolean => {
  try {
    createRequire(join(root, 'package.json')).resolve('vite/package.json')
    return existsSync(join(root, 'src/dashboard/build'))
  } catch {
    // Not installed: `--omit=dev`, or a package without it.
    return false
  }
}

class PageBundle implements Bundle {
  #stored: StoredBundle | undefined
  #problem: BundleProblem | undefined
  #worker: Worker | undefined
  #ready: Promise<void> = Promise.resolve()

  /** Until there is a build, and where there is none, the page has its looks. */
  readonly #plain: { readonly name: string; readonly file: StoredFile } | undefined

  constructor(stored: StoredBundle | undefined, root: string) {
    this.#stored = stored
    this.#plain = stored === undefined ? plainStyles(root) : undefined
  }

  get state(): Bundle['state'] {
    if (this.#stored !== undefined) return 'ready'
    return this.#problem === undefined ? 'building' : 'failed'
  }

  get problem(): BundleProblem | undefined {
    return this.#problem
  }

  get sizes(): Manifest['sizes'] | undefined {
    return this.#stored?.manifest.sizes
  }

  get ready(): Promise<void> {
    return this.#ready
  }

  entry(): BundleEntry | undefined {
    const path = (name: string) => `/assets/${name}`
    if (this.#stored === undefined)
      return this.#plain === undefined ? undefined : { script: undefined, styles: [path(this.#plain.name)], preload: [] }
    const { script, styles, preload } = this.#stored.manifest.entry
    return { script: path(script), styles: styles.map(path), preload: preload.map(path) }
  }

  replayParts(): { readonly script: string; readonly styles: string } | undefined {
    const { manifest, files } = this.#stored ?? {}
    if (manifest === undefined || files === undefined) return undefined
    const textOf = (name: string) => new TextDecoder().decode(files.get(name)?.body)
    return { script: textOf(manifest.replay.script), styles: manifest.replay.styles.map(textOf).join('\n') }
  }

  file(name: string): StoredFile | undefined {
    return this.#stored?.files.get(name) ?? (name === this.#plain?.name ? this.#plain.file : undefined)
  }

  fail(message: string, remedy: string): void {
    this.#problem = { code: 'dashboard-not-built', message, remedy }
  }

  build(order: { readonly root: string; readonly hash: string; readonly folders: readonly string[] }, log: Log): void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#ready = promise
    const program = join(import.meta.dirname, `bundle-process${extname(import.meta.filename)}`)
    const worker = new Worker(program, { workerData: order, env: buildEnvironment, stdout: true, stderr: true })
    this.#worker = worker
    const failed = (message: string) => {
      if (this.state !== 'building') return
      this.fail(`The page could not be built: ${message}`, 'mend what is named, then start again')
      log.warn({ code: 'dashboard-not-built', message }, 'the page could not be built')
    }
    worker.on('message', (outcome: BuildOutcome) => {
      if ('failed' in outcome) failed(outcome.failed)
      else {
        this.#stored = readStored(outcome.folder, order.hash)
        if (this.#stored === undefined) failed(`${outcome.folder} cannot be read`)
      }
    })
    worker.on('error', error => failed(error instanceof Error ? error.message : String(error)))
    worker.on('exit', () => {
      failed('the build ended without an answer')
      this.#worker = undefined
      resolve()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker?.terminate()
    await this.#ready
  }
}
