// In what two servers differ on one request, in words that are the same each time it is found: the kind, the way, and the field.
import type { RecordedCase } from '../bad-input/case.ts'
import { differingLeaves } from '../bad-input/differences.ts'
import type { DifferentialRequest } from './request.ts'

/** Status, headers and body, with what no two servers share made equal. */
export type Answer = Pick<RecordedCase, 'status' | 'headers' | 'answer'>

export interface Finding {
  /** `refused`: by the real server alone; `taken`: by it alone; `words`: both refuse, otherwise; `value`: both take it, and answer otherwise. */
  readonly way: 'refused' | 'taken' | 'words' | 'value'
  /** `spec.template.spec.containers[*].image`; of a refusal without a field its reason and words in brackets. */
  readonly field: string
  readonly real: unknown
  readonly twin: unknown
}

type Fields = Readonly<Record<string, unknown>>

export function findingsOf(real: Answer, twin: Answer): readonly Finding[] {
  const [isRealRefused, isTwinRefused] = [real.status >= 400, twin.status >= 400]
  if (isRealRefused !== isTwinRefused) {
    const way = isRealRefused ? 'refused' : 'taken'
    const told = refusalsOf(isRealRefused ? real : twin)
    return once(told).map(({ field, words }) => ({
      way,
      field,
      real: isRealRefused ? words : real.status,
      twin: isTwinRefused ? words : twin.status,
    }))
  }
  if (isRealRefused) return refusedOtherwise(real, twin)
  const leaves = differingLeaves(keyed(real), keyed(twin))
  return once(leaves.map(({ path, real, found }) => ({ way: 'value', field: fieldOf(path), real, twin: found })))
}

function refusedOtherwise(real: Answer, twin: Answer): readonly Finding[] {
  const leaves = differingLeaves(real, twin)
  if (leaves.length === 0) return []
  const [before, after] = [refusalsOf(real), refusalsOf(twin)]
  const lacks = (all: readonly Refusal[], { field, words }: Refusal) =>
    !all.some(other => other.field === field && other.words === words)
  const missing = before
    .filter(one => lacks(after, one))
    .map(({ field, words }): Finding => ({ way: 'words', field, real: words, twin: wordsAt(after, field) }))
  const further = after
    .filter(one => lacks(before, one) && !missing.some(({ field }) => field === one.field))
    .map(({ field, words }): Finding => ({ way: 'words', field, real: wordsAt(before, field), twin: words }))
  if (missing.length + further.length > 0) return once([...missing, ...further])
  return once(leaves.map(({ path, real, found }) => ({ way: 'words', field: fieldOf(path), real, twin: found })))
}

const wordsAt = (all: readonly Refusal[], field: string) => all.find(one => one.field === field)?.words

interface Refusal {
  readonly field: string
  readonly words: string
}

/** The fields that a refusal names; its reason and first words where it names none. */
function refusalsOf({ status, answer }: Answer): readonly Refusal[] {
  const body = isFields(answer) ? answer : {}
  const details = isFields(body['details']) ? body['details'] : {}
  const causes = Array.isArray(details['causes']) ? details['causes'] : []
  const named = causes.flatMap((cause): readonly Refusal[] =>
    isFields(cause) && typeof cause['field'] === 'string'
      ? [{ field: bracketed(cause['field']), words: String(cause['message']) }]
      : [],
  )
  if (named.length > 0) return named
  const words = String(body['message'] ?? answer)
  const general = words
    .replaceAll(/"(?:[^"\\]|\\.)*"/g, '"…"')
    .replaceAll(/\bn?\d+\b/g, 'N')
    .slice(0, 120)
  return [{ field: `(${status} ${String(body['reason'] ?? '')}: ${general})`, words }]
}

/** One of each field. */
function once<Item extends { readonly field: string }>(items: readonly Item[]): readonly Item[] {
  return items.filter(({ field }, index) => items.findIndex(other => other.field === field) === index)
}

/** Entries of managed fields by who has them: a missing one moves no other. */
function keyed(answer: Answer): Answer {
  return { ...answer, answer: withKeys(answer.answer) }
}

function withKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withKeys)
  if (!isFields(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [
      name,
      name === 'managedFields' && Array.isArray(item) ? byManager(item) : withKeys(item),
    ]),
  )
}

function byManager(entries: readonly unknown[]): Fields {
  return Object.fromEntries(
    entries.map(entry => {
      const { manager, operation, subresource = '' } = isFields(entry) ? entry : {}
      return [`${String(manager)} ${String(operation)} ${String(subresource)}`.trim(), entry]
    }),
  )
}

/** `.answer.items.0.spec.containers.0.name` as `spec.containers[*].name`. */
function fieldOf(path: string): string {
  return bracketed(
    path
      .replace(/^\.(answer|headers)\.?/, '')
      .replace(/^items\.\d+\./, '')
      .replace(/^\d+\.object\./, '')
      .replace(/^rows\.\d+\./, 'row.')
      .replaceAll(/\.(\d+)(?=\.|$)/g, '[$1]'),
  )
}

/** Any item of a list is every item, and any key of a map that is a number. */
function bracketed(path: string): string {
  return path.replaceAll(/\[[^\]]*\]/g, '[*]').replaceAll(/\bn\d+\b/g, 'N')
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A request in a line. */
export function requestText({ verb, path, contentType, body }: DifferentialRequest): string {
  return `${verb} ${path} ${contentType ?? ''} ${body === undefined ? '' : JSON.stringify(body)}`
}
