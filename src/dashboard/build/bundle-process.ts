// Builds the page, in a thread of its own so that whoever serves meanwhile is not held up. Nothing else loads the build tool.
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { build } from 'vite'
import * as z from 'zod'
import { type Manifest, type StoredBundle, type StoredFile, typeOf, writeStored } from './stored-bundle.ts'

/** Bytes as gzip sends them: what the first page loads, all scripts, all styles. */
const mostFirstScriptBytes = 60 * 1024
const mostScriptBytes = 150 * 1024
const mostStyleBytes = 15 * 1024
/** Script and styles of a file that holds a replay. */
const mostReplayFileBytes = 40 * 1024

const orderSchema = z.object({
  root: z.string(),
  hash: z.string(),
  /** The first that can be written is. */
  folders: z.array(z.string()).min(1),
})

/** What is sent back. */
export type BuildOutcome = { readonly folder: string } | { readonly failed: string }

type Order = z.infer<typeof orderSchema>

interface Built {
  readonly name: string
  readonly content: Uint8Array
  readonly isEntry: boolean
  /** Scripts that it cannot start without. */
  readonly imports: readonly string[]
  readonly styles: readonly string[]
  /** Ids of what was put together. */
  readonly modules: readonly string[]
}

/** `entry`: the file that is begun with. `asOne`: all of it in one script, for a file that is sent to somebody. */
async function built(root: string, entry: string, { asOne = false } = {}): Promise<readonly Built[]> {
  const output = await build({
    configFile: false,
    envDir: false,
    root: join(root, 'src/dashboard/web'),
    base: './',
    logLevel: 'silent',
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    build: {
      write: false,
      target: 'es2023',
      // `light-dark()` stays as it is written.
      cssTarget: ['chrome125', 'firefox128', 'safari17.5'],
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
      rolldownOptions: {
        input: join(root, 'src/dashboard/web', entry),
        output: {
          ...(asOne ? { codeSplitting: false } : {}),
          entryFileNames: '[name]-[hash].js',
          chunkFileNames: '[name]-[hash].js',
          assetFileNames: '[name]-[hash][extname]',
        },
      },
    },
  })
  const outputs = [output].flat().flatMap(one => ('output' in one ? one.output : []))
  return outputs.map(file => ({
    name: file.fileName,
    content: Buffer.from(file.type === 'chunk' ? file.code : file.source),
    isEntry: file.type === 'chunk' && file.isEntry,
    imports: file.type === 'chunk' ? file.imports : [],
    styles: file.type === 'chunk' ? [...(file.viteMetadata?.importedCss ?? [])] : [],
    modules: file.type === 'chunk' ? Object.keys(file.modules) : [],
  }))
}

function compressed({ name, content }: Built): StoredFile {
  const gzip = gzipSync(content, { level: 9 })
  gzip[9] = 255 // the system it was packed on: unknown
  return {
    type: typeOf(name),
    body: content,
    brotli: brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: content.length } }),
    gzip,
  }
}

/** What `start` cannot run without, itself first. */
function neededBy(start: Built, all: ReadonlyMap<string, Built>): readonly Built[] {
  const needed = new Set<Built>([start])
  for (const one of needed) {
    for (const name of one.imports) {
      const found = all.get(name)
      if (found !== undefined) needed.add(found)
    }
  }
  return [...needed]
}

/** @throws Error where the page is larger than it may be */
function bundled(outputs: readonly Built[], ofReplay: readonly Built[], hash: string): StoredBundle {
  const all = new Map(outputs.map(one => [one.name, one]))
  const files = new Map([...outputs, ...ofReplay].map(one => [one.name, compressed(one)]))
  const entry = outputs.find(({ isEntry }) => isEntry)
  if (entry === undefined) throw new Error('the build made no entry')
  const first = neededBy(entry, all)
  const size = (names: Iterable<string>) => [...names].reduce((sum, name) => sum + (files.get(name)?.gzip.length ?? 0), 0)
  const named = (ending: string) => outputs.map(({ name }) => name).filter(name => name.endsWith(ending))
  const manifest: Manifest = {
    sourceHash: hash,
    entry: {
      script: entry.name,
      styles: [...new Set(first.flatMap(({ styles }) => styles))],
      preload: first.slice(1).map(({ name }) => name),
    },
    replay: replayOf(ofReplay),
    files: [...files.keys()],
    packages: packagesOf(outputs.flatMap(({ modules }) => modules)),
    sizes: { firstScript: size(first.map(({ name }) => name)), scripts: size(named('.js')), styles: size(named('.css')) },
  }
  const { firstScript, scripts, styles } = manifest.sizes
  for (const [what, bytes, most] of [
    ['the first page loads', firstScript, mostFirstScriptBytes],
    ['all pages together load', scripts, mostScriptBytes],
    ['the styles have', styles, mostStyleBytes],
    ['the file of a replay has', size(ofReplay.map(({ name }) => name)), mostReplayFileBytes],
  ] as const)
    if (bytes > most) throw new Error(`${what} ${bytes} bytes (gzip), and may have ${most}`)
  return { manifest, files }
}

function replayOf(outputs: readonly Built[]): Manifest['replay'] {
  const script = outputs.find(({ isEntry }) => isEntry)
  if (script === undefined) throw new Error('the build made no script of a replay')
  return { script: script.name, styles: outputs.map(({ name }) => name).filter(name => name.endsWith('.css')) }
}

/** A package nested in another's folder has both names, as the lock file has them. */
function packagesOf(modules: readonly string[]): string[] {
  const names = modules.flatMap(id => {
    const found = /\/node_modules\/((?:@[^/]+\/)?[^/]+(?:\/node_modules\/(?:@[^/]+\/)?[^/]+)*)\//.exec(id.replaceAll('\\', '/'))
    return found?.[1] === undefined ? [] : [found[1]]
  })
  return [...new Set(names)].toSorted()
}

function stored(folders: Order['folders'], bundle: StoredBundle): string {
  const refusals: string[] = []
  for (const folder of folders) {
    try {
      writeStored(folder, bundle)
      return folder
    } catch (error) {
      refusals.push(error instanceof Error ? error.message : String(error))
    }
  }
  throw new Error(`the bundle could not be written: ${refusals.join('; ')}`)
}

/** The first line that says what is wrong: with file and line as the compiler has them. */
function firstMessage(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  const lines = text.split('\n').filter(line => line.trim() !== '' && !/^Build failed/.test(line))
  return (lines.slice(0, 2).join(' ') || text).slice(0, 500)
}

async function outcomeOf(order: Order): Promise<BuildOutcome> {
  try {
    const page = await built(order.root, 'main.tsx')
    const replay = await built(order.root, 'replay-file.tsx', { asOne: true })
    return { folder: stored(order.folders, bundled(page, replay, order.hash)) }
  } catch (error) {
    return { failed: firstMessage(error) }
  }
}

parentPort?.postMessage(await outcomeOf(orderSchema.parse(workerData)))
