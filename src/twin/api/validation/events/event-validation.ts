// Events: what whoever reports one must say. Writers of events.k8s.io are held to more, and may change little later.
import { type FieldError, invalid, required } from '#kube/objects/field-error.ts'
import { qualifiedNameProblems } from '#kube/objects/names.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Draft, fieldsAt, isSame, textAt, valueAt } from '../../../json-value.ts'

interface EventOptions {
  /** Sent in events.k8s.io/v1, not in the core group. */
  readonly isStrict: boolean
  /** What it was before, where it was there. */
  readonly before?: KubeObject | undefined
}

/** Texts that must be there, and how many bytes they may have. */
const wanted = ['reportingInstance', 'action', 'reason']
const textLength = 128
const messageLength = 1024

/** Everything that is wrong with an Event but for its metadata. */
export function eventProblems(draft: Draft, { isStrict, before }: EventOptions): readonly FieldError[] {
  const problems = placeProblems(draft, isStrict)
  if (!isStrict) return problems
  return [...problems, ...(before === undefined ? newProblems(draft) : changeProblems(draft, before))]
}

/** What every Event must have, whoever writes it. */
function placeProblems(draft: Draft, isStrict: boolean): readonly FieldError[] {
  const namespace = textAt(draft, 'metadata', 'namespace') ?? ''
  const about = textAt(draft, 'involvedObject', 'namespace') ?? ''
  const elsewhere = [invalid('involvedObject.namespace', about, 'does not match event.namespace')]
  if ((draft['eventTime'] ?? null) === null) {
    const isThere = about === '' ? namespace === 'default' : about === namespace
    return isThere ? [] : elsewhere
  }
  const controller = textAt(draft, 'reportingComponent') ?? ''
  const at = isStrict ? 'reportingController' : 'reportingComponent'
  const isThere = about !== '' || namespace === 'default' || namespace === 'kube-system'
  return [
    ...(isThere ? [] : elsewhere),
    ...(controller === '' ? [required(at)] : []),
    ...qualifiedNameProblems(controller).map(rule => invalid(at, controller, rule)),
    ...wanted.flatMap(field => {
      const text = textAt(draft, field) ?? ''
      return text === '' ? [required(field)] : lengthProblems(field, text, textLength)
    }),
    ...lengthProblems('message', textAt(draft, 'message') ?? '', messageLength),
  ]
}

function lengthProblems(field: string, text: string, most: number): readonly FieldError[] {
  return Buffer.byteLength(text) > most ? [invalid(field, '', `can have at most ${most} characters`)] : []
}

function seriesProblems(draft: Draft): readonly FieldError[] {
  const series = fieldsAt(draft, 'series')
  if (series === undefined) return []
  const count = series['count'] ?? 0
  return [
    ...(typeof count === 'number' && count < 2 ? [invalid('series.count', '', 'should be at least 2')] : []),
    ...((series['lastObservedTime'] ?? null) === null ? [required('series.lastObservedTime')] : []),
  ]
}

function newProblems(draft: Draft): readonly FieldError[] {
  const type = textAt(draft, 'type') ?? ''
  const source = fieldsAt(draft, 'source')
  const isGiven = (value: unknown) => (value ?? null) !== null && value !== '' && value !== 0
  const unset = (field: string) => invalid(field, '', 'needs to be unset')
  return [
    ...seriesProblems(draft),
    ...(isGiven(draft['eventTime']) ? [] : [required('eventTime')]),
    ...(type === 'Normal' || type === 'Warning' ? [] : [invalid('type', '', `has invalid value: ${type}`)]),
    ...['firstTimestamp', 'lastTimestamp', 'count'].filter(field => isGiven(draft[field])).map(unset),
    ...(isGiven(source?.['component']) || isGiven(source?.['host']) ? [unset('source')] : []),
  ]
}

/** Fields that stay as they were, in the order in which they are looked at; upstream looks at the reason twice. */
const fixed = [
  ...['involvedObject', 'reason', 'message', 'source', 'firstTimestamp', 'lastTimestamp', 'count', 'reason', 'type'],
  ...['eventTime', 'action', 'related', 'reportingComponent', 'reportingInstance'],
]
const texts: ReadonlySet<string> = new Set(['reason', 'message', 'type', 'action', 'reportingComponent', 'reportingInstance'])

function changeProblems(draft: Draft, before: KubeObject): readonly FieldError[] {
  const isSeriesSame = isSame(draft['series'] ?? null, valueAt(before, 'series') ?? null)
  return [
    ...(isSeriesSame ? [] : seriesProblems(draft)),
    ...fixed.flatMap(field => {
      const [now, earlier] = [draft, before].map(object => goValue(field, valueAt(object, field)))
      const at = field === 'reportingComponent' ? 'reportingController' : field
      return isSame(now, earlier) ? [] : [invalid(at, now, 'field is immutable')]
    }),
  ]
}

/** A field as Go has it in its struct. */
function goValue(field: string, value: unknown): unknown {
  if (texts.has(field)) return value ?? ''
  if (field === 'count') return value ?? 0
  if (field === 'source')
    return { Component: textAt({ value }, 'value', 'component') ?? '', Host: textAt({ value }, 'value', 'host') ?? '' }
  if (field === 'involvedObject' || (field === 'related' && (value ?? null) !== null)) {
    const text = (name: string) => textAt({ value }, 'value', name) ?? ''
    return {
      Kind: text('kind'),
      Namespace: text('namespace'),
      Name: text('name'),
      UID: text('uid'),
      APIVersion: text('apiVersion'),
      ResourceVersion: text('resourceVersion'),
      FieldPath: text('fieldPath'),
    }
  }
  return value ?? null
}
