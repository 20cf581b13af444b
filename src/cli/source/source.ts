// Where a cluster comes from: files as `kubectl get -o yaml|json` writes them, or a live cluster that is read once and never written.
import { createReadStream, readdirSync, readFileSync, statSync } from 'node:fs'
import { extname, join, relative } from 'node:path'
import { addAbortSignal, pipeline, type Readable } from 'node:stream'
import { createGunzip, gunzipSync } from 'node:zlib'
import { readDocuments, readJsonItem } from '#cluster/documents.ts'
import { JsonItems } from '#cluster/json-items.ts'
import type { SchedulerConfiguration } from '#cluster/simulator-export.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { InputError, type Problem } from '#kube/problem.ts'
import { placeOf } from './installed-examples.ts'

/** The largest file that is read at once, in bytes, also after unpacking; JSON files from `longFileBytes` on are read item by item. */
const largestFileBytes = 512 * 1024 * 1024
const longFileBytes = 64 * 1024 * 1024
const typicalPacking = 16
const chunkBytes = 1024 * 1024

interface ReadObject {
  readonly object: KubeObject
  /** File and document, for messages. */
  readonly where: string
}

export interface ClusterSource {
  readonly objects: readonly ReadObject[]
  /** Documents that are set aside; the rest stands without them. */
  readonly problems: readonly Problem[]
  /** How the scheduler is set up, where an export of kube-scheduler-simulator says so. */
  readonly configuration?: SchedulerConfiguration
}

/** What the files of a source hold. */
interface Pieces {
  readonly objects: ReadObject[]
  readonly problems: Problem[]
  readonly configurations: SchedulerConfiguration[]
}
type Piece = ReturnType<typeof readDocuments>

const isClusterFile = (name: string) =>
  ['.yaml', '.yml', '.json'].includes(extname(name.endsWith('.gz') ? name.slice(0, -3) : name))

/** The files a path stands for. An example folder is its `cluster/` and `config/`, nothing else. */
function filesOf(path: string): string[] {
  let kind: 'file' | 'folder'
  try {
    kind = statSync(path).isDirectory() ? 'folder' : 'file'
  } catch (error) {
    throw new InputError([
      {
        code: 'source-missing',
        where: '--cluster',
        found: path,
        expected: `a file or folder that can be read (${reasonOf(error)})`,
      },
    ])
  }
  if (kind === 'file') return [path]
  const below = (folder: string) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter(entry => entry.isFile() && isClusterFile(entry.name))
      .map(entry => join(entry.parentPath, entry.name))
  const isExample = readdirSync(path, { withFileTypes: true }).some(entry => entry.isDirectory() && entry.name === 'cluster')
  const folders = isExample
    ? ['cluster', 'config']
        .map(name => join(path, name))
        .filter(folder => statSync(folder, { throwIfNoEntry: false })?.isDirectory())
    : [path]
  return folders.flatMap(below).sort()
}

const reasonOf = (error: unknown) => (error instanceof Error ? error.message : String(error))

function textOf(file: string): string {
  const bytes = readFileSync(file)
  if (bytes.length > largestFileBytes) throw new RangeError(`it has ${bytes.length} bytes`)
  return decoded(file.endsWith('.gz') ? gunzipSync(bytes, { maxOutputLength: largestFileBytes }) : bytes)
}

/** The text without its mark; PowerShell writes what it redirects as UTF-16. */
function decoded(bytes: Buffer): string {
  const mark = bytes.subarray(0, 2).toString('hex')
  const text = mark === 'feff' ? new TextDecoder('utf-16be').decode(bytes) : bytes.toString(mark === 'fffe' ? 'utf16le' : 'utf8')
  return text.replace(/^\ufeff/, '')
}

/** `input` to its end, packed or not. Not read at once: a pipe may have nothing yet, and a signal has to end the wait. */
async function textOfStream(input: Readable, signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of addAbortSignal(signal, input)) {
    const bytes: Buffer = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    size += bytes.length
    if (size > largestFileBytes) throw new RangeError(`it has more than ${largestFileBytes} bytes`)
    chunks.push(bytes)
  }
  const whole = Buffer.concat(chunks)
  const isPacked = whole[0] === 0x1f && whole[1] === 0x8b
  return decoded(isPacked ? gunzipSync(whole, { maxOutputLength: largestFileBytes }) : whole)
}

/**
 * As `readSource`, and `-` stands for standard input; JSON files may be of any length. Each object is kept as `keep` makes it.
 * @throws the signal's reason while it waits for input
 */
export async function readSourceOrInput(
  path: string,
  input: Readable,
  signal: AbortSignal,
  keep: (object: KubeObject) => KubeObject = object => object,
): Promise<ClusterSource> {
  if (path !== '-') return await readFiles(path, signal, keep)
  const pieces: Pieces = { objects: [], problems: [], configurations: [] }
  let text = ''
  try {
    text = await textOfStream(input, signal)
  } catch (error) {
    signal.throwIfAborted()
    pieces.problems.push(unreadable('standard input', error))
  }
  add(readDocuments('standard input', text), pieces)
  return standing('standard input', pieces, 'no object')
}

async function readFiles(path: string, signal: AbortSignal, keep: (object: KubeObject) => KubeObject): Promise<ClusterSource> {
  const pieces: Pieces = { objects: [], problems: [], configurations: [] }
  const place = placeOf(path)
  const files = filesOf(place)
  for (const file of files) {
    const shown = file === place ? path : join(path, relative(place, file))
    for await (const read of isLong(file) ? longFile(file, shown, signal) : [oneFile(file, shown)]) add(read, pieces, keep)
  }
  return standing(path, pieces, `${files.length} files`)
}

/** One by one: more items than a call takes arguments may come at once. */
function add(read: Piece, to: Pieces, keep: (object: KubeObject) => KubeObject = object => object): void {
  for (const { object, where } of read.objects) to.objects.push({ object: keep(object), where })
  for (const problem of read.problems) to.problems.push(problem)
  for (const configuration of read.configurations ?? []) to.configurations.push(configuration)
}

const isLong = (file: string) =>
  /\.json(\.gz)?$/.test(file) && statSync(file).size > (file.endsWith('.gz') ? longFileBytes / typicalPacking : longFileBytes)

/** JSON piece by piece: the whole may be longer than a string can be. */
async function* longFile(file: string, shown: string, signal: AbortSignal): AsyncGenerator<Piece> {
  const items = new JsonItems()
  try {
    const bytes = addAbortSignal(signal, createReadStream(file, { highWaterMark: chunkBytes }))
    const chunks: AsyncIterable<Uint8Array> = file.endsWith('.gz')
      ? pipeline(bytes, createGunzip({ chunkSize: chunkBytes }), () => undefined)
      : bytes
    for await (const chunk of chunks) for (const item of items.read(chunk)) yield readJsonItem(shown, item)
    for (const item of items.end()) yield readJsonItem(shown, item)
  } catch (error) {
    signal.throwIfAborted()
    yield { objects: [], problems: [unreadable(shown, error)] }
  }
}

function oneFile(file: string, shown: string): Piece {
  try {
    return readDocuments(shown, textOf(file))
  } catch (error) {
    return { objects: [], problems: [unreadable(shown, error)] }
  }
}

/**
 * Everything that `path` (a file or a folder) holds.
 * @throws InputError when there is nothing to read; what is wrong inside a file is in `problems`
 */
export function readSource(path: string): ClusterSource {
  const pieces: Pieces = { objects: [], problems: [], configurations: [] }
  const place = placeOf(path)
  const files = filesOf(place)
  for (const file of files) add(oneFile(file, file === place ? path : join(path, relative(place, file))), pieces)
  return standing(path, pieces, `${files.length} files`)
}

const unreadable = (where: string, error: unknown): Problem => ({
  code: 'file-unreadable',
  where,
  found: reasonOf(error),
  expected: `a readable file of at most ${largestFileBytes} bytes`,
})

/** What was read, where there is anything. @throws InputError */
function standing(where: string, { objects, problems, configurations }: Pieces, found: string): ClusterSource {
  if (objects.length > 0) {
    const once = withoutRepeats(objects)
    const configuration = configurations.at(-1)
    const unused = configurations.slice(0, -1).map(earlier => ({
      code: 'simulator-export',
      where: earlier.where,
      found: 'another configuration of the scheduler',
      expected: `one; the last one is taken (${configuration?.where})`,
    }))
    return {
      objects: once.objects,
      problems: [...problems, ...unused, ...once.problems],
      ...(configuration === undefined ? {} : { configuration }),
    }
  }
  if (problems.length > 0) throw new InputError(problems)
  throw new InputError([{ code: 'source-empty', where, found, expected: 'Kubernetes objects in .yaml, .yml or .json files' }])
}

/** Dumps of `all` and of a kind have the same objects: of those with one UID the last is taken. Others of one name are judged with the cluster. */
function withoutRepeats(objects: readonly ReadObject[]): ClusterSource {
  const last = new Map<string, ReadObject>()
  const repeats = new Map<string, { readonly first: ReadObject; count: number }>()
  for (const [index, read] of objects.entries()) {
    const { kind, metadata } = read.object
    const isOne = typeof metadata === 'object' && metadata !== null && typeof metadata.uid === 'string'
    const key = isOne ? `${kind} ${metadata.namespace ?? ''}/${metadata.name} ${metadata.uid}` : String(index)
    if (last.has(key)) {
      const repeat = repeats.get(kind)
      if (repeat === undefined) repeats.set(kind, { first: read, count: 1 })
      else repeat.count++
    }
    last.set(key, read)
  }
  return {
    objects: [...last.values()],
    problems: [...repeats].map(([kind, { first, count }]) => ({
      code: 'object-duplicate',
      where: `${first.where}: ${kind} ${first.object.metadata.name}`,
      found: count === 1 ? 'the same object again' : `the same object again, as ${count - 1} more of its kind`,
      expected: 'each object once; the last one is taken',
    })),
  }
}
