// The lines of a kubelet's answer that concern one pod or the node itself, and which of them our decoder rejects: it is asked of each line alone.
import { NoMetricsError, readExposition } from '../decode/exposition-text.ts'
import { KnownContainers } from '../decode/known-containers.ts'
import { type NodeReading, type RejectedLine, seriesNames } from '../decode/reading.ts'

export interface RawLine {
  /** The container that it names; undefined for the node's, and where its labels cannot be read. */
  readonly container: string | undefined
  /** As it came, cut where it is long. */
  readonly text: string
  readonly rejected?: RejectedLine
}

/** Lines that are shown of one answer. */
const mostLines = 200
/** Characters of a line that are shown. */
const mostCharacters = 400

const series = new RegExp(`^(?:${seriesNames.join('|')})(?=[{ \\t])`)

/** Lines of one pod's containers, in their order. */
export async function linesOfPod(
  body: Buffer,
  { namespace, pod }: { readonly namespace: string; readonly pod: string },
): Promise<readonly RawLine[]> {
  const found: RawLine[] = []
  for (const line of candidates(body, text => text.startsWith('container_') && text.includes(`"${pod}"`))) {
    const read = await decoded(line)
    const [one] = read?.containers ?? []
    const rejected = read === undefined ? undefined : [...read.rejected.keys()][0]
    // A line whose labels cannot be read may be its own: the texts of both names stand in it.
    const isIts =
      one === undefined
        ? rejected !== undefined && line.includes(`"${namespace}"`)
        : one.namespace === namespace && one.pod === pod
    if (isIts) found.push(shown(line, one?.container, rejected))
    if (found.length >= mostLines) break
  }
  return found
}

/** Lines of the node itself. */
export async function linesOfNode(body: Buffer): Promise<readonly RawLine[]> {
  const found: RawLine[] = []
  for (const line of candidates(body, text => text.startsWith('node_'))) {
    const read = await decoded(line)
    found.push(shown(line, undefined, read === undefined ? undefined : [...read.rejected.keys()][0]))
    if (found.length >= mostLines) break
  }
  return found
}

function* candidates(body: Buffer, isWanted: (line: string) => boolean): Generator<string> {
  let from = 0
  while (from < body.length) {
    const end = body.indexOf(0x0a, from)
    const to = end < 0 ? body.length : end
    const line = body.toString('utf8', from, to)
    if (isWanted(line) && series.test(line)) yield line
    from = to + 1
  }
}

async function decoded(line: string): Promise<NodeReading | undefined> {
  try {
    return await readExposition(Buffer.from(line), { known: new KnownContainers(), sentMs: 0 })
  } catch (error) {
    if (error instanceof NoMetricsError) return undefined
    throw error
  }
}

function shown(line: string, container: string | undefined, rejected: RejectedLine | undefined): RawLine {
  const text = line.length > mostCharacters ? `${line.slice(0, mostCharacters)}…` : line
  return { container, text, ...(rejected === undefined ? {} : { rejected }) }
}
