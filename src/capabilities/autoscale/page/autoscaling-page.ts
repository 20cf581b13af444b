// The page of autoscaling: ScaledObjects with their triggers, what holds each from zero, what was scaled lately, and which windows come next.
import type { ClusterEvent } from '#coordination/account/cluster-events.ts'
import type { CapabilityView, Sentence } from '#dashboard/contract.ts'
import type { CapabilityPage, Picture } from '#dashboard/picture.ts'
import { sourceNamed, unknownBecause } from '#dashboard/views/sources.ts'
import type { Viewing } from '#dashboard/views/viewing.ts'
import { workloadPath } from '#dashboard/words/links.ts'
import { say } from '#dashboard/words/sentence.ts'
import { formatTime } from '#kube/time/time.ts'
import { preWarmedReason } from '../decisions/scale-decision.ts'
import { type ScaledObject, scaledObjectSpec } from '../kinds/scaled-object.ts'
import { scaledObjects } from '../names.ts'
import { type Reason, type Told, toldOf } from '../told/told.ts'

const mostRows = 200
/** How long ago scaling is told. */
const latelyMs = 3_600_000
/** Characters of one cell. */
const longestCell = 300

type Table = CapabilityView['tables'][number]
type Row = Table['rows'][number]

export const autoscalingPage: CapabilityPage = {
  path: 'autoscaling',
  title: 'Autoscaling',
  view: (picture, viewing) => {
    const { told, unreadable, hidden } = seenBy(picture, viewing)
    return {
      title: 'Autoscaling',
      sentences: sentencesOf(picture, { told, unreadable, hidden }),
      tables: [objectsOf(picture, told), triggersOf(told), windowsOf(told), latelyOf(picture, viewing)],
    }
  },
  onTop: (picture, viewing) => topOf(seenBy(picture, viewing).told),
}

/** Each in one line: what its triggers say, and what holds it where it is. */
function topOf(told: readonly Told[]): Table {
  return table({
    name: 'scaled-objects',
    title: 'ScaledObjects',
    columns: ['ScaledObject', '#Replicas', 'Of', 'Triggers', 'Held by'],
    rows: told.map(({ namespace, name, replicas, bounds, triggers, reasons }) => ({
      key: `${namespace}/${name}`,
      cells: [
        `${namespace}/${name}`,
        replicas ?? null,
        `${bounds.least}-${bounds.most}`,
        triggers.map(({ type, value, target }) => (target === undefined ? type : `${type} ${value ?? '-'}/${target}`)).join(', '),
        heldText(reasons),
      ],
      path: null,
    })),
    empty: 'There are no ScaledObjects that you may see.',
  })
}

/** What holds it, rather than that nothing is active. */
function heldText(reasons: readonly Reason[]): string | null {
  const first = reasons.find(({ rule }) => rule !== 'not-active' && rule !== 'autoscaler') ?? reasons[0]
  if (first === undefined) return null
  return `${first.rule}${first.untilMs === undefined ? '' : ` until ${formatTime(first.untilMs)}`}`
}

interface Seen {
  readonly told: readonly Told[]
  /** Names of those whose spec is none. */
  readonly unreadable: readonly string[]
  /** How many are in namespaces that the viewer may not see. */
  readonly hidden: number
}

function seenBy({ state, nowMs, past }: Picture, viewing: Viewing): Seen {
  const all = past === undefined ? state.objects('ScaledObject.keda.sh') : []
  const seen = all.filter(({ metadata }) => viewing.sees(metadata.namespace))
  const told: Told[] = []
  const unreadable: string[] = []
  for (const object of seen) {
    const { namespace, name } = object.metadata
    if (!isScaledObject(object)) {
      unreadable.push(`${namespace}/${name}`)
      continue
    }
    const { scaleTargetRef } = object.spec
    const autoscaler = state.object('HorizontalPodAutoscaler', namespace, object.status?.hpaName ?? `keda-hpa-${name}`)
    const target = state.object(scaleTargetRef.kind ?? 'Deployment', namespace, scaleTargetRef.name)
    told.push(toldOf(object, { autoscaler, target, nowMs, others: seen.filter(one => one.metadata.namespace === namespace) }))
  }
  const order = ({ namespace, name }: Told) => `${namespace}/${name}`
  return { told: told.toSorted((a, b) => (order(a) < order(b) ? -1 : 1)), unreadable, hidden: all.length - seen.length }
}

function isScaledObject(object: object): object is ScaledObject {
  return 'spec' in object && scaledObjectSpec.safeParse(object.spec).success
}

function sentencesOf(picture: Picture, { told, unreadable, hidden }: Seen): readonly Sentence[] {
  if (picture.past !== undefined) return [say('autoscaling-not-kept', 'How ScaledObjects stood then is not kept.')]
  const why = unknownBecause(picture, scaledObjects.resource)
  if (why !== undefined) return [say('autoscaling-unknown', why)]
  const api = sourceNamed(picture, 'api')
  const stale = api === undefined || api.state === 'live' || api.because === null ? [] : [say('autoscaling-stale', api.because)]
  const atZero = told.filter(({ replicas }) => replicas === 0).length
  const failing = told.filter(({ lastError }) => lastError !== undefined).length
  const unsettled = told.filter(({ conditions }) => conditions.length === 0).length
  const facts = { objects: told.length, atZero, failing }
  const count = `${told.length} ${told.length === 1 ? 'ScaledObject' : 'ScaledObjects'}: ${atZero} at zero, ${failing} with an error.`
  const leader = 'nobody leads autoscaling, or KEDA has them and has not answered'
  return [
    ...stale,
    say('autoscaling-count', count, facts),
    ...(unsettled === 0 ? [] : [say('autoscaling-unsettled', `${unsettled} were never looked at: ${leader}.`, { unsettled })]),
    ...(unreadable.length === 0
      ? []
      : [say('autoscaling-unreadable', `Cannot be read, since a field is of a wrong type: ${unreadable.join(', ')}.`)]),
    ...(hidden === 0 ? [] : [say('autoscaling-hidden', 'Those of namespaces whose pods you may not list are left out.')]),
  ]
}

function objectsOf(picture: Picture, told: readonly Told[]): Table {
  return table({
    name: 'objects',
    title: 'ScaledObjects',
    columns: ['ScaledObject', 'Scales', '#Replicas', 'From', 'To', 'Active', 'Fallback', 'Why', 'Last error'],
    rows: told.map(one => ({
      key: `${one.namespace}/${one.name}`,
      cells: [
        `${one.namespace}/${one.name}`,
        `${one.target.kind} ${one.target.name}`,
        one.replicas ?? null,
        one.bounds.idle === undefined ? String(one.bounds.least) : `${one.bounds.least}, idle ${one.bounds.idle}`,
        String(one.bounds.most),
        one.conditions.find(({ type }) => type === 'Active')?.status ?? null,
        one.isFallingBack ? 'stands in' : 'no',
        cut(one.reasons.map(({ sentence }) => sentence).join(' ')),
        one.lastError === undefined ? null : cut(one.lastError),
      ],
      path:
        one.replicas === undefined
          ? null
          : workloadPath({ kind: one.target.kind, namespace: one.namespace, name: one.target.name }),
    })),
    empty: unknownBecause(picture, scaledObjects.resource) ?? 'There are no ScaledObjects that you may see.',
  })
}

function triggersOf(told: readonly Told[]): Table {
  return table({
    name: 'triggers',
    title: 'Triggers: value against target',
    columns: ['ScaledObject', 'Trigger', 'Metric', 'Value', 'Target', 'Active', '#Failures in a row', 'What is wrong'],
    rows: told.flatMap(({ namespace, name, triggers }) =>
      triggers.map(one => ({
        key: `${namespace}/${name}/${one.index}`,
        cells: [
          `${namespace}/${name}`,
          `${one.index} ${one.type}${one.name === undefined ? '' : ` ${one.name}`}`,
          one.metric ?? null,
          one.value ?? null,
          one.target ?? null,
          one.isActive === undefined ? null : one.isActive ? 'yes' : 'no',
          one.failures,
          one.problem === undefined ? null : cut(one.problem),
        ],
        path: null,
      })),
    ),
    empty: 'There are no triggers that you may see.',
  })
}

function windowsOf(told: readonly Told[]): Table {
  const rows = told.flatMap(({ namespace, name, triggers }) =>
    triggers.flatMap(({ index, windows }) =>
      windows.map(({ fromMs, toMs }, at) => ({
        fromMs,
        row: {
          key: `${namespace}/${name}/${index}/${at}`,
          cells: [`${namespace}/${name}`, String(index), formatTime(fromMs), toMs === undefined ? 'never' : formatTime(toMs)],
          path: null,
        },
      })),
    ),
  )
  const warm = told.flatMap(({ namespace, name, warmSpans }) =>
    warmSpans.map(({ fromMs, toMs }, at) => ({
      fromMs,
      row: {
        key: `${namespace}/${name}/warm/${at}`,
        cells: [`${namespace}/${name}`, 'pre-warm', formatTime(fromMs), formatTime(toMs)],
        path: null,
      },
    })),
  )
  return table({
    name: 'windows',
    title: 'Next windows of schedules',
    columns: ['ScaledObject', 'Trigger', 'Begins', 'Ends'],
    rows: [...rows, ...warm].toSorted((a, b) => a.fromMs - b.fromMs).map(({ row }) => row),
    empty: 'No trigger has a schedule.',
  })
}

const scaledReasons: ReadonlySet<string> = new Set([
  'KEDAScaleTargetActivated',
  'KEDAScaleTargetDeactivated',
  preWarmedReason,
  'SuccessfulRescale',
])

/** Events of the last hour, newest first. */
function latelyOf({ book, nowMs }: Picture, viewing: Viewing): Table {
  const isTold = ({ reason, lastMs, regarding }: ClusterEvent) =>
    (scaledReasons.has(reason) || (regarding.kind === 'ScaledObject' && /Failed$/.test(reason))) &&
    lastMs >= nowMs - latelyMs &&
    viewing.sees(regarding.namespace)
  const rows = book.events.filter(isTold).toSorted((a, b) => b.lastMs - a.lastMs)
  return table({
    name: 'lately',
    title: 'Scaled in the last hour',
    columns: ['When', 'What', 'Reason', 'In words'],
    rows: rows.map(({ lastMs, regarding, reason, note }, at) => ({
      key: `${lastMs}/${at}`,
      cells: [formatTime(lastMs), `${regarding.kind} ${regarding.namespace ?? ''}/${regarding.name}`, reason, cut(note)],
      path: null,
    })),
    empty: 'Nothing was scaled in the last hour.',
  })
}

/** A column whose title begins with # holds numbers. */
function table({
  columns,
  rows,
  ...rest
}: Pick<Table, 'name' | 'title' | 'empty'> & { readonly columns: readonly string[]; readonly rows: readonly Row[] }): Table {
  return {
    ...rest,
    columns: columns.map(title => ({ title: title.replace(/^#/, ''), isNumber: title.startsWith('#') })),
    rows: rows.slice(0, mostRows),
    total: rows.length,
  }
}

function cut(text: string): string {
  return text.length > longestCell ? `${text.slice(0, longestCell - 1)}…` : text
}
