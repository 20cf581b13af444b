// Reloads as `ballast up` shows them: a line for each roll-out once it is granted, with what changed; and one more where it failed.
import type { UpStory } from '#cli/up/capability-stories.ts'
import { keptPermits } from '#coordination/account/book.ts'
import { type DisruptionPermit, disruptionPermits } from '#coordination/api.ts'
import { describeTarget } from '#coordination/intent.ts'
import type { PermitRecord } from '#coordination/permits/permit-record.ts'
import type { Informers } from '#kube/informers/informer.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { defaultAnnotationKeys } from '../annotations.ts'

export const reloadStory: UpStory = {
  toTry: objects => {
    const command = reloadToTry(objects)
    return command === undefined ? [] : ['Change a Secret, and what uses it is rolled out once:', `  ${command}`]
  },
  watch: watchReloads,
}

/** A command that changes a Secret whose user asks to be reloaded; `undefined` where there is none. */
export function reloadToTry(objects: readonly KubeObject[]): string | undefined {
  const asking = objects.filter(({ metadata }) => metadata.annotations?.[defaultAnnotationKeys.auto] === 'true')
  for (const { metadata, ...workload } of asking) {
    const text = JSON.stringify(workload)
    const secret = objects.find(
      ({ kind, metadata: own }) =>
        kind === 'Secret' && own.namespace === metadata.namespace && text.includes(JSON.stringify(own.name)),
    )
    const [key] = Object.keys(fieldsOf(secret?.['data']))
    if (secret === undefined || key === undefined) continue
    const patch = JSON.stringify({ stringData: { [key]: 'another' } })
    return `kubectl -n ${secret.metadata.namespace ?? 'default'} patch secret ${secret.metadata.name} -p '${patch}'`
  }
  return undefined
}

function fieldsOf(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {}
}

/** Reloads of one permit beyond these are counted only. */
const mostShown = 5

/** Tells reloads that begin from now on, as lines without a time. @returns what ends it */
export function watchReloads(informers: Pick<Informers, 'of'>, tell: (line: string) => void): () => void {
  const told = new Map<string, 'begun' | 'ended'>()
  return informers.of<DisruptionPermit>(disruptionPermits).onChange(({ type, object, initial }) => {
    const key = object.metadata.uid ?? object.metadata.name
    if (type === 'DELETED') {
      told.delete(key)
      return
    }
    if (object.spec.requester !== 'reload' || object.spec.grant === undefined) return
    const records = keptPermits(object).map(({ record }) => record)
    if (!told.has(key)) {
      told.set(key, 'begun')
      if (!initial) for (const line of shownOnly(records.map(begunLine))) tell(line)
    }
    const failed = records.filter(({ ending }) => ending !== undefined && ending !== 'done')
    const isOver = records.every(({ releasedAtMs }) => releasedAtMs !== undefined)
    if (!isOver || told.get(key) === 'ended') return
    told.set(key, 'ended')
    if (!initial) for (const line of shownOnly(failed.map(one => endLine(one, object)))) tell(line)
  })
}

function begunLine(record: PermitRecord): string {
  const why = record.reasons.map(({ message }) => message).join('; ')
  const joined = record.joined.length === 0 ? '' : `, with ${record.joined.map(({ requester }) => requester).join(', ')} along`
  return `reload  ${shownTarget(record)}: ${why}; ${deedOf(record)} under permit ${record.namespace}/${record.name}${joined}`
}

function deedOf({ targets: [first], verb, change }: PermitRecord): string {
  if (verb === 'evict') return 'its pods evicted'
  if (first?.kind === 'Job') return 'made anew'
  // If a CronJob's template changes, its next Job has the change.
  return first?.kind === 'CronJob' ? (change === undefined ? 'a Job of it started' : 'changed for its next Job') : 'rolled out'
}

function endLine(record: PermitRecord, { status }: DisruptionPermit): string {
  return `reload  ${shownTarget(record)}: ${record.ending ?? 'over'}: ${status?.reason ?? 'no reason was told'}`
}

function shownTarget({ targets: [first], workload }: PermitRecord): string {
  return first === undefined ? (workload ?? 'nothing') : describeTarget(first)
}

function shownOnly(lines: readonly string[]): readonly string[] {
  return lines.length <= mostShown
    ? lines
    : [...lines.slice(0, mostShown), `reload  and ${lines.length - mostShown} workloads more`]
}
