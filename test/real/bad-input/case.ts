// What a case of bad input is, and what of an answer to it counts.
import { createHash } from 'node:crypto'
import { comparable } from '#test/api-answers.ts'
import { type Endpoint, exchangeBytes, NoAnswer, type WireAnswer, WireClient, type WireRequest } from './wire.ts'

export interface BadInputCase {
  /** Unique in its group. */
  readonly name: string
  readonly request: WireRequest | { readonly bytes: string | Uint8Array }
}

export interface BadInputGroup {
  /** Also the name of its namespace and of its fixture. */
  readonly name: string
  /** Requests that must succeed before the first case. */
  readonly setUp: readonly WireRequest[]
  readonly cases: readonly BadInputCase[]
  /** A real server may not answer some of it, and goes on working at it: it is started anew for each case. */
  readonly mayHang?: boolean
}

export interface RecordedCase {
  readonly name: string
  /** For readers; the table of cases has the whole request. */
  readonly request: string
  /** 0 where the server hangs. */
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** The body with what no two servers share made equal; of a long one its digest. */
  readonly answer: unknown
}

export interface RecordedGroup {
  readonly server: string
  readonly command: string
  readonly cases: readonly RecordedCase[]
}

const headersThatMatter = ['content-type', 'warning', 'retry-after', 'allow', 'accept-patch']
/** Longer bodies are compared by digest. */
const longestAnswer = 6_000
const longestRequestLine = 160

/** Asks all cases of a group, in order. `onCase` hears of each before it is sent. */
export async function answersTo(
  endpoint: Endpoint,
  group: BadInputGroup,
  onCase?: (name: string) => void,
): Promise<RecordedCase[]> {
  const client = new WireClient(endpoint)
  try {
    for (const request of group.setUp) {
      const { status, text } = await client.send(request)
      if (status >= 300) throw new Error(`${group.name}: ${request.verb} ${request.path} answered ${status}: ${text}`)
      await served(client, request)
    }
    const recorded: RecordedCase[] = []
    for (const { name, request } of group.cases) {
      onCase?.(name)
      const answer = await answerTo(client, endpoint, request, name)
      recorded.push({ name, request: requestLine(request), ...comparableAnswer(answer) })
    }
    return recorded
  } finally {
    client.close()
  }
}

async function answerTo(
  client: WireClient,
  endpoint: Endpoint,
  request: BadInputCase['request'],
  name: string,
): Promise<WireAnswer> {
  try {
    return 'bytes' in request ? await exchangeBytes(endpoint, Buffer.from(request.bytes)) : await client.send(request)
  } catch (cause) {
    if (cause instanceof NoAnswer) return { status: 0, headers: {}, text: cause.message }
    throw new Error(`${name}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

/** A real server serves a custom kind a moment after its definition was created. */
async function served(client: WireClient, { path, body }: WireRequest): Promise<void> {
  if (!path.includes('customresourcedefinitions') || body === undefined) return
  const definition: unknown = JSON.parse(String(body))
  const { spec } = definition as { spec: { group: string; names: { plural: string }; versions: { name: string }[] } }
  const list = `/apis/${spec.group}/${spec.versions[0]?.name}/${spec.names.plural}`
  while ((await client.send({ verb: 'GET', path: list })).status !== 200) await new Promise(resolve => setTimeout(resolve, 50))
}

function requestLine(request: BadInputCase['request']): string {
  const text =
    'bytes' in request
      ? Buffer.from(request.bytes).toString('latin1')
      : `${request.verb} ${request.path} ${request.headers?.['content-type'] ?? ''} ${Buffer.from(request.body ?? '').toString('latin1', 0, longestRequestLine)}`
  return text.length > longestRequestLine ? `${text.slice(0, longestRequestLine)}…` : text
}

/** What counts of an answer; a long one as its digest, but where it is wanted whole. */
export function comparableAnswer(
  { status, headers, text }: WireAnswer,
  isWhole = false,
): Pick<RecordedCase, 'status' | 'headers' | 'answer'> {
  const kept: Record<string, string> = {}
  for (const name of headersThatMatter) if (headers[name] !== undefined) kept[name] = [headers[name]].flat().join(', ')
  let answer = readable(text)
  const length = JSON.stringify(answer).length
  if (length > longestAnswer && !isWhole) {
    const digest = createHash('sha256').update(JSON.stringify(answer)).digest('hex')
    answer = { length, digest }
  }
  return { status, headers: kept, answer }
}

/** A JSON body, the lines of a watch, or a text. */
function readable(text: string): unknown {
  if (!text.startsWith('{')) return text
  // Rules are typed against types that are named after the nanosecond.
  const shown = text
    .replaceAll(/, current: \d+/g, ', current: N')
    .replaceAll(/\bselfType\d+/g, 'selfType0')
    .trimEnd()
  const lines = shown.split('\n')
  const isStream = lines.length > 1 && lines.every(line => line.startsWith('{"type":'))
  try {
    return isStream ? lines.map(line => comparable(exactly(line))) : comparable(exactly(shown))
  } catch (cause) {
    if (cause instanceof RangeError) return 'too deep to compare'
    throw cause
  }
}

/** JSON with integers beyond what doubles hold kept as their text. */
function exactly(text: string): unknown {
  // Upstream's types do not know the third argument yet.
  const revive = (_name: string, value: unknown, ...more: readonly { readonly source?: string }[]) =>
    typeof value === 'number' && !Number.isSafeInteger(value) && Number.isInteger(value) ? `number ${more[0]?.source}` : value
  return JSON.parse(text, revive)
}
