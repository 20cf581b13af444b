// Where a cluster comes from: files as `kubectl get -o yaml|json` writes them, or a live cluster that is read once and never written.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { extname, join, relative } from 'node:path'
import { addAbortSignal, type Readable } from 'node:stream'
import { gunzipSync } from 'node:zlib'
import { readDocuments } from '#cluster/documents.ts'
import type { KubeObject } from '#kube/objects.ts'
import { InputError, type Problem } from '#kube/problem.ts'

/** The largest file that is read, in bytes, also after unpacking: a dump of 150,000 pods is about 700 MB and has to be split. */
const largestFileBytes = 512 * 1024 * 1024

interface ReadObject {
  readonly object: KubeObject
  /** File and document, for messages. */
  readonly where: string
}

interface ClusterSource {
  readonly objects: readonly ReadObject[]
  /** Documents that are set aside; the rest stands without them. */
  readonly problems: readonly Problem[]
}

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
  return (file.endsWith('.gz') ? gunzipSync(bytes, { maxOutputLength: largestFileBytes }) : bytes).toString('utf8')
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
  return (isPacked ? gunzipSync(whole, { maxOutputLength: largestFileBytes }) : whole).toString('utf8')
}

/** As `readSource`, and `-` stands for standard input. @throws the signal's reason while it waits for input */
export async function readSourceOrInput(path: string, input: Readable, signal: AbortSignal): Promise<ClusterSource> {
  if (path !== '-') return readSource(path)
  let text = ''
  const problems: Problem[] = []
  try {
    text = await textOfStream(input, signal)
  } catch (error) {
    signal.throwIfAborted()
    problems.push(unreadable('standard input', error))
  }
  const read = readDocuments('standard input', text)
  return standing('standard input', read.objects, [...problems, ...read.problems], 'no object')
}

/**
 * Everything that `path` (a file or a folder) holds.
 * @throws InputError when there is nothing to read; what is wrong inside a file is in `problems`
 */
export function readSource(path: string): ClusterSource {
  const objects: ReadObject[] = []
  const problems: Problem[] = []
  const files = filesOf(path)
  for (const file of files) {
    const shown = file === path ? file : join(path, relative(path, file))
    let text: string
    try {
      text = textOf(file)
    } catch (error) {
      problems.push(unreadable(shown, error))
      continue
    }
    const read = readDocuments(shown, text)
    objects.push(...read.objects)
    problems.push(...read.problems)
  }
  return standing(path, objects, problems, `${files.length} files`)
}

const unreadable = (where: string, error: unknown): Problem => ({
  code: 'file-unreadable',
  where,
  found: reasonOf(error),
  expected: `a readable file of at most ${largestFileBytes} bytes`,
})

/** What was read, where there is anything. @throws InputError */
function standing(where: string, objects: readonly ReadObject[], problems: readonly Problem[], found: string): ClusterSource {
  if (objects.length > 0) return { objects, problems }
  if (problems.length > 0) throw new InputError(problems)
  throw new InputError([{ code: 'source-empty', where, found, expected: 'Kubernetes objects in .yaml, .yml or .json files' }])
}
