// In what two answers to one case of bad input differ, but for the differences that are accepted, each for its reason.
import { inOneOrder } from './any-order.ts'
import type { RecordedCase } from './case.ts'

interface Difference {
  readonly name: string
  readonly request: string
  /** Paths in the answer with what the real server and the other one have there. */
  readonly leaves: readonly { readonly path: string; readonly real: unknown; readonly found: unknown }[]
}

/** Differences that are accepted, and why. */
const accepted: readonly { readonly group: string; readonly name: RegExp; readonly paths?: RegExp; readonly why: string }[] = [
  { group: 'bodies', name: /uid a number/, why: 'the schemas do not say which strings have a Go type of their own' },
  { group: 'bodies', name: /YAML: a bad indent/, why: 'the line at which the YAML reader notices' },
  { group: 'fields', name: /strategic patch with an unknown field/, why: 'the order of unknown fields in a merged object' },
  { group: 'objects', name: /100,000 digits/, why: 'quantities of more than 256 characters are refused' },
  { group: 'exponents', name: /of a million/, why: 'exponents beyond 999 are refused before they cost anything' },
  {
    group: 'objects',
    name: /memory: (an exponent of 19|a number of 400|an integer beyond int64)/,
    why: 'upstream warns of amounts beyond int64 by how they happen to be held',
  },
  { group: 'objects', name: /a generateName of|a generateName in/, why: 'the letters that are drawn' },
  { group: 'objects', name: /a prefix of 254 letters/, why: 'upstream counts a prefix in characters, labels in bytes' },
  { group: 'objects', name: /an overhead of nonsense/, why: 'no admission by RuntimeClass' },
  { group: 'objects', name: /a selector of a wrong operator/, why: 'a selector that does not parse is one problem, not two' },
  { group: 'objects', name: /pod's wrong phase/, why: 'conditions of pods are not looked at' },
  { group: 'patches', name: /(kind of another|replace the kind)$/, why: 'upstream reads the patched object as the other kind' },
  {
    group: 'patches',
    name: /managedFields of garbage/,
    paths: /managedFields/,
    why: 'upstream drops records that it cannot read and keeps the others',
  },
  { group: 'patches', name: /strategic: deep/, why: 'trees deeper than the stack are refused' },
  {
    group: 'patches',
    name: /operation: (replace what is not there|copy from nowhere|list index (-1|01)|remove index -1)/,
    why: 'RFC 6902 is followed where the library of upstream is more lenient',
  },
  { group: 'patches', name: /strategic: finalizers of garbage/, why: 'the order of finalizers that are merged' },
  {
    group: 'patches',
    name: /delete of an item that is not there/,
    why: 'a directive in an atomic list is taken out without a word',
  },
  { group: 'patches', name: /two ports of one number/, why: 'node ports are handed out by other rules and in another order' },
  {
    group: 'patches',
    name: /in a merge patch: (an item|delete of the only)/,
    why: 'the diff of Go structs behind the words',
  },
  {
    group: 'patches',
    name: /apply: (a resourceVersion of nothing|data null)/,
    why: 'what a dry run shows of versions and of empty maps',
  },
  { group: 'extremes', name: /list as YAML/, why: 'the order of keys, and times that are not put aside in a text' },
  { group: 'protobuf', name: /^a wire type of 7$/, why: 'the field that the tag belongs to' },
  {
    group: 'protobuf',
    name: /./,
    paths: /^\.answer\.spec\.(volumes|containers\.\d+\.volumeMounts)$/,
    why: 'these answers are of a server without admission by ServiceAccount',
  },
  { group: 'protobuf', name: /invalid UTF-8 in a name/, why: 'bytes that are no text are replaced when they are read' },
  {
    group: 'queries',
    name: /^list continue=/,
    why: "the words of Go's readers; tokens of another server are refused as such or start where they say",
  },
  { group: 'queries', name: /resourceVersion=18446744073709551615/, why: 'revisions are doubles' },
  { group: 'queries', name: /labelSelector=%(00|FF)/, why: 'how a NUL and bytes that are no text are read' },
  { group: 'queries', name: /allowWatchBookmarks=perhaps/, why: 'the real server also sent a bookmark before the watch ended' },
  {
    group: 'queries',
    name: /^path: (a broken escape|a NUL|bytes that|two slashes|a leading|dots in|an unknown version)/,
    why: 'paths are cleaned and decoded otherwise before they are routed',
  },
  { group: 'queries', name: /path: the root of no API/, why: 'the twin serves metrics.k8s.io' },
  { group: 'queries', name: /a query of 3,000 parameters/, paths: /continue/, why: 'the revision in the token' },
  { group: 'queries', name: /^POST \/(version|nothing)$/, why: 'paths outside of the API answer any method alike' },
  { group: 'queries', name: /^accept /, why: 'a type that is not known at all has words of its own upstream' },
  { group: 'definitions', name: /a pattern of repeats/, why: 'which of the nested repeats is named' },
  { group: 'definitions', name: /definition: no names/, why: 'singular and list kind are made of an empty kind' },
  { group: 'definitions', name: /object: deep/, why: 'trees deeper than the stack are refused' },
  {
    group: 'rights',
    name: /no rules|takes the rules/,
    paths: /^\.answer\.rules$/,
    why: 'an empty list of rules is null once it was stored',
  },
  { group: 'connections', name: /./, paths: /^\.(answer|headers)/, why: 'the words of the HTTP library' },
  {
    group: 'connections',
    name: /no version|a verb of 10,000|a whole URL|a star|CONNECT|a folded header|unknown encoding|a chunk/,
    paths: /^\.status$/,
    why: 'what the HTTP libraries take: both refuse or answer, neither breaks',
  },
]

/** Undefined where the answers agree in all that is not accepted. */
export function differenceOf(group: string, real: RecordedCase, other: RecordedCase): Difference | undefined {
  // Where the real server hangs, a bounded refusal is right.
  if (real.status === 0 && other.status >= 400 && other.status < 500) return undefined
  const leaves = differingLeaves(real, other).filter(({ path }) => !isAccepted(group, real.name, path))
  return leaves.length === 0 ? undefined : { name: real.name, request: real.request, leaves }
}

/** The leaves in which two answers to one request differ: status, headers that matter, and all of the answer. */
export function differingLeaves(real: ComparedAnswer, found: ComparedAnswer): Difference['leaves'] {
  return leavesOf(picked(real), picked(found), '')
}

type ComparedAnswer = Pick<RecordedCase, 'status' | 'headers' | 'answer'>

/** An echo of the patched object says nothing new, and no two servers write its keys in one order. */
const echo = /(patch: Invalid value: |^Invalid value: )"\{.*\}": /s

/** What counts of an answer. Upstream checks metadata more than once and lists the same cause as often: once is enough. */
function picked(recorded: ComparedAnswer): unknown {
  const { status, headers, answer } = inOneOrder(recorded)
  if (typeof answer !== 'object' || answer === null || !('details' in answer)) return { status, headers, answer: shown(answer) }
  const { details } = answer
  if (typeof details !== 'object' || details === null || !('causes' in details) || !Array.isArray(details.causes))
    return { status, headers, answer: shown(answer) }
  const causes = [...new Set(details.causes.map(cause => JSON.stringify(shown(cause))))].map((text): unknown => JSON.parse(text))
  return { status, headers, answer: { ...shown(answer), details: { ...details, causes } } }
}

function shown<T>(answer: T): T {
  if (typeof answer !== 'object' || answer === null || !('message' in answer) || typeof answer.message !== 'string') return answer
  return { ...answer, message: answer.message.replace(echo, '$1"{…}": ') }
}

function isAccepted(group: string, name: string, path: string): boolean {
  return accepted.some(one => one.group === group && one.name.test(name) && (one.paths === undefined || one.paths.test(path)))
}

function leavesOf(real: unknown, found: unknown, path: string): Difference['leaves'] {
  if (JSON.stringify(real) === JSON.stringify(found)) return []
  const isTree = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null
  if (!isTree(real) || !isTree(found) || Array.isArray(real) !== Array.isArray(found)) return [{ path, real, found }]
  return [...new Set([...Object.keys(real), ...Object.keys(found)])].flatMap(key =>
    leavesOf(real[key], found[key], `${path}.${key}`),
  )
}
