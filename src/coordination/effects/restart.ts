// The rollout of one workload: the restart annotation and all changes that go along, in one patch. The only writer of pod templates.

import { type Fields, fieldOf, fieldsIn, listIn, textIn } from '#cluster/loose-fields.ts'
import type { ResourceApi, WriteOptions } from '#kube/client/api.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource, parseApiVersion } from '#kube/objects/resource.ts'
import { isConflict, isNotFound, StatusError } from '#kube/objects/status.ts'
import type { Target, TemplateChange } from '../intent.ts'
import type { Permission } from '../needs.ts'
import type { Permit } from '../permits/permit.ts'
import type { PermitRecord } from '../permits/permit-record.ts'
import { combinedChange } from '../policy/rollouts/combined-change.ts'
import { type EffectContext, effectOptions, permittedGuard } from './effect-context.ts'
import { type Refusal, siftPassengers, withoutDropped } from './sift-passengers.ts'
import { changedTemplate, isMarked, type Template, templatePatch } from './template-patch.ts'

/** The right this effect takes. */
export const restartPermission: Permission = {
  groups: ['apps'],
  resources: ['deployments', 'statefulsets', 'daemonsets'],
  verbs: ['patch'],
  because: 'starts a rollout',
}

/** The right it takes for Argo Rollouts beside, which are read first: the server merges their lists as a whole. */
export const restartArgoRolloutPermission: Permission = {
  groups: ['argoproj.io'],
  resources: ['rollouts'],
  verbs: ['get', 'patch'],
  because: 'starts a rollout of an Argo Rollout',
}

type RestartOutcome =
  /** `object`: as the server has it now. */
  | { readonly kind: 'restarted'; readonly generation: number; readonly object: KubeObject }
  | { readonly kind: 'gone' }
  /** Another object has the name, or a policy forbids the change; `overtaken`: what its basis looks at has changed. */
  | { readonly kind: 'refused'; readonly message: string; readonly overtaken?: true }

/** What a change of the template was decided on, where it must not be written on anything else. */
export interface RestartBasis {
  readonly resourceVersion: string
  /** Whether a later version says the same, as far as it matters. */
  readonly holds: (workload: KubeObject) => boolean
}

/** A kind of somebody else with a pod template. */
export interface CustomTemplate {
  readonly resource: GroupVersionResource
  /** Where its pod template lies. */
  readonly path: readonly string[]
}

interface RestartManner {
  readonly basis?: RestartBasis | undefined
  readonly custom?: CustomTemplate | undefined
}

/** The right it takes for a kind of somebody else, which is read first. */
export function restartCustomPermission({ group, resource }: GroupVersionResource): Permission {
  return { groups: [group], resources: [resource], verbs: ['get', 'patch'], because: 'starts a rollout of a custom kind' }
}

const resourceOfKind: Readonly<Record<string, GroupVersionResource>> = {
  Deployment: builtIn.deployments,
  StatefulSet: builtIn.statefulsets,
  DaemonSet: builtIn.daemonsets,
}

/** The group of Argo's Rollout. */
export const argoGroup = 'argoproj.io'
/** How often a workload is read again that changed meanwhile. */
const conflictTries = 5
const afterConflictMs = 10

/** What the template of a restarted workload says: the permit's own time, so that a second call changes nothing. */
export function restartMark(record: Pick<PermitRecord, 'grant'>): string {
  return new Date(record.grant?.atMs ?? 0).toISOString()
}

/**
 * Starts a rollout of `workload` (Deployment, StatefulSet, DaemonSet, Argo's Rollout, or a kind that `manner` describes) that carries the
 * change of its permit combined with those of all who joined it, with the workload's UID as precondition; where it has a basis, and of kinds
 * that the server merges as plain JSON, so that containers are written as they were read, with its resourceVersion. Safe to call twice: the second patch says the same. Where nobody asks for the mark, nothing but the change is written.
 * Where the server refuses that, it is asked whose change is at fault (by dry runs), the permit names those as dropped, and the others go.
 * That is written before the rollout begins: whoever takes the permit up in between does the same, or withdraws what has not begun.
 * @throws Error for another kind, an uncovered or expired permit, a lost Lease, and what the server did not foresee.
 */
export async function restart(
  context: EffectContext,
  permit: Permit,
  workload: Target,
  signal: AbortSignal,
  manner: RestartManner = {},
): Promise<RestartOutcome> {
  const rollout = new Rollout(context, { permit, workload, signal, manner })
  const record = latestOf(permit)
  const whole = await rollout.begin(record)
  if (whole.kind !== 'rejected') return whole
  const refused = { kind: 'refused', message: whole.message } as const
  if (record.joined.every(({ change }) => change === undefined)) return refused
  const sifted = await siftPassengers(record, one => rollout.refusalOf(one))
  if (sifted.kind === 'refused') return sifted
  if (sifted.dropped.length > 0) await permit.drop(sifted.dropped, signal)
  const rest = await rollout.begin(withoutDropped(record, sifted.dropped))
  return rest.kind === 'rejected' ? { kind: 'refused', message: rest.message } : rest
}

/** The permit as it is known now: somebody may have been dropped since it was handed out. */
function latestOf({ record, ledger }: Permit): PermitRecord {
  const known = ledger.byKey(record.requester, record.idempotencyKey)
  return (
    known.find(one => one.name === record.name && one.namespace === record.namespace && one.member === record.member) ?? record
  )
}

interface Deed {
  readonly permit: Permit
  readonly workload: Target
  readonly signal: AbortSignal
  readonly manner: RestartManner
}

class Rollout {
  readonly #context: EffectContext
  readonly #deed: Deed

  constructor(context: EffectContext, deed: Deed) {
    this.#context = context
    this.#deed = deed
  }

  /** `rejected`: what the change says is not allowed, by the schema or by admission. */
  async begin(record: PermitRecord): Promise<RestartOutcome | { readonly kind: 'rejected'; readonly message: string }> {
    try {
      const object = await this.#patch(record, false)
      return { kind: 'restarted', generation: object.metadata.generation ?? 0, object }
    } catch (error) {
      if (isNotFound(error)) return { kind: 'gone' }
      if (error instanceof OvertakenError) return { kind: 'refused', message: error.message, overtaken: true }
      if (isConflict(error)) return { kind: 'refused', message: error.message }
      if (isRejection(error)) return { kind: 'rejected', message: error.message }
      throw error
    }
  }

  /** What the server would say to `record`. */
  async refusalOf(record: PermitRecord): Promise<Refusal | undefined> {
    try {
      await this.#patch(record, true)
      return undefined
    } catch (error) {
      if (!isRejection(error)) throw error
      return { message: error.message, isBlind: blindly.test(error.message) }
    }
  }

  /** Asks about the permit each time: many questions take long. */
  #patch(record: PermitRecord, dryRun: boolean): Promise<KubeObject> {
    const { permit, workload, signal, manner } = this.#deed
    const guard = permittedGuard(this.#context, permit, workload)
    const options = { ...effectOptions(record, workload.namespace, { guard, signal }), dryRun }
    const { change } = combinedChange(record)
    const mark = isMarked(record) ? restartMark(record) : undefined
    if (manner.custom !== undefined) return this.#patchWhole({ change, mark }, manner.custom, options)
    if (isArgoRollout(workload)) return this.#patchWhole({ change, mark }, argoTemplate(workload), options)
    const resource = resourceOfKind[workload.kind]
    if (resource === undefined)
      throw new Error(`restart ${workload.kind}: only a Deployment, StatefulSet, DaemonSet or Argo Rollout has rollouts`)
    const spec = { template: templatePatch(change, mark) }
    const workloads = this.#context.api.resource<KubeObject>(resource)
    const write = (resourceVersion?: string) => {
      const metadata = {
        ...(workload.uid === undefined ? {} : { uid: workload.uid }),
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
      }
      const body = { ...(Object.keys(metadata).length === 0 ? {} : { metadata }), spec }
      return workloads.patch(workload.name, { type: 'strategic', body }, options)
    }
    return dryRun ? write() : this.#writeOn(manner.basis, workloads, write)
  }

  /**
   * Status changes a version as well: read again, and written where what counts is as it was. Where nothing counts but the workload itself,
   * the server tells a conflict when it was overtaken a few times in a row: written again.
   */
  async #writeOn(
    basis: RestartBasis | undefined,
    workloads: ResourceApi<KubeObject>,
    write: (resourceVersion?: string) => Promise<KubeObject>,
  ): Promise<KubeObject> {
    const { workload, signal } = this.#deed
    let version = basis?.resourceVersion
    for (let attempt = 1; ; attempt++) {
      try {
        return await write(version)
      } catch (error) {
        if (!isConflict(error) || attempt >= conflictTries) throw error
      }
      await this.#context.clock.after(afterConflictMs, signal)
      if (basis === undefined) continue
      const found = await workloads.get(workload.name, { namespace: workload.namespace, signal, priority: 'effect' })
      const isOther = workload.uid !== undefined && found.metadata.uid !== workload.uid
      if (isOther || !basis.holds(found)) throw new OvertakenError('somebody else has changed it meanwhile')
      version = found.metadata.resourceVersion ?? ''
    }
  }

  /** Custom resources know no strategic merge: the containers are written whole, on the version that was read. */
  async #patchWhole(
    { change, mark }: { readonly change: TemplateChange | undefined; readonly mark: string | undefined },
    { resource, path }: CustomTemplate,
    options: WriteOptions,
  ): Promise<KubeObject> {
    const { workload, signal, manner } = this.#deed
    const rollouts = this.#context.api.resource<KubeObject>(resource)
    for (let attempt = 1; ; attempt++) {
      const { namespace } = workload
      const found = await rollouts.get(workload.name, { namespace, signal, priority: 'effect' })
      const { uid, resourceVersion } = found.metadata
      if (workload.uid !== undefined && uid !== workload.uid) throw new RejectedError(`another ${workload.kind} has its name`)
      if (manner.basis?.holds(found) === false) throw new OvertakenError('somebody else has changed it meanwhile')
      const template = templateAt(found, path)
      if (template === undefined) throw new RejectedError(missingTemplate(workload, path))
      const changed = changedTemplate(template, change, mark)
      if (!changed.ok) throw new RejectedError(changed.message)
      const { metadata, spec } = changed.template
      const patch = {
        ...(metadata === template.metadata ? {} : { metadata: { annotations: metadata?.annotations } }),
        ...(spec === template.spec ? {} : { spec: { containers: spec?.containers } }),
      }
      const body = {
        metadata: { uid, resourceVersion },
        ...path.reduceRight<object>((inner, step) => ({ [step]: inner }), patch),
      }
      try {
        return await rollouts.patch(workload.name, { type: 'merge', body }, options)
      } catch (error) {
        if (!isConflict(error) || attempt >= conflictTries) throw error
        await this.#context.clock.after(afterConflictMs, signal)
      }
    }
  }
}

/** The pod template at `path`; nothing of somebody else's kind is taken for granted. */
function templateAt(object: KubeObject, path: readonly string[]): Template | undefined {
  const template = path.reduce<Fields>((fields, step) => fieldsIn(fields, step), object)
  const given = fieldOf(fieldsIn(template, 'spec'), 'containers')
  const containers = listIn(fieldsIn(template, 'spec'), 'containers')
  const isWhole = Array.isArray(given) && given.length > 0 && given.length === containers.length
  return isWhole && containers.every(isContainer) ? template : undefined
}

function isContainer(container: Fields): boolean {
  const env = fieldOf(container, 'env') ?? []
  const hasNames =
    Array.isArray(env) && env.length === listIn(container, 'env').filter(one => textIn(one, 'name') !== undefined).length
  return hasNames && textIn(container, 'name') !== undefined
}

function missingTemplate({ kind }: Target, path: readonly string[]): string {
  if (kind === 'Rollout') return 'its template lies in the workload that spec.workloadRef names'
  return `it has no pod template with named containers at ${path.join('.')}`
}

/** What the server says of a dry run that a webhook does not support. */
const blindly = /does not support dry run/

function isArgoRollout({ apiVersion, kind }: Target): boolean {
  return kind === 'Rollout' && parseApiVersion(apiVersion).group === argoGroup
}

function argoTemplate(workload: Target): CustomTemplate {
  return { resource: resourceOfRollout(workload), path: ['spec', 'template'] }
}

/** The resource of an Argo Rollout, in the version in which it is named. */
export function resourceOfRollout({ apiVersion }: Pick<Target, 'apiVersion'>): GroupVersionResource {
  return { ...parseApiVersion(apiVersion), resource: 'rollouts' }
}

/** Its basis holds no more. */
class OvertakenError extends Error {
  override readonly name = 'OvertakenError'
}

/** What the server would refuse, if it were asked. */
class RejectedError extends Error {
  override readonly name = 'RejectedError'
}

/** The schema refuses it, or admission does: webhooks choose their code. */
function isRejection(error: unknown): error is StatusError | RejectedError {
  return error instanceof RejectedError || (error instanceof StatusError && [400, 403, 422].includes(error.code))
}
