// A test double of the right-sizing capability: a ConfigMap wishes requests for a container of a workload, and a rollout brings them.
import type { ControllerContext, Leading } from '#coordination/capability.ts'
import { restart, restartPermission } from '#coordination/effects/restart.ts'
import type { Intent } from '#coordination/intent.ts'
import type { Permit } from '#coordination/permits/permit.ts'
import type { PermitRecord } from '#coordination/permits/permit-record.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { compareQuantities, quantity } from '#kube/values/quantity.ts'
import { requesterCapability } from './requester-capability.ts'
import { type Acted, type Heard, type Requester, startWishes, subjectOf } from './wish-loop.ts'
import { type Progress, podsOf, referenceOf, rolloutOf, targetOf, workloadOf } from './workloads.ts'
import { writeTemplate } from './write-template.ts'

/** Label of ConfigMaps that wish; data: `workload` (`Deployment/name` of its namespace), `container`, and quantities by resource. */
export const resizeLabel = 'test.ballast.dev/resize'

const deadlineMs = 3_600_000
const timeToLiveMs = 15 * 60_000

/** The capability, under the name of the real one. */
export function resizeRequester({
  name = 'rightsize',
  hear = () => undefined,
}: {
  name?: string
  hear?: (heard: Heard) => void
} = {}) {
  return requesterCapability({
    name,
    disrupts: 'resize',
    needs: [{ group: '', version: 'v1', resource: 'configmaps', kind: 'ConfigMap', mode: 'full' }],
    permission: restartPermission,
    start: (context, signal) => startWishes(context, { requester: leading => new Resizes(name, context, leading), hear }, signal),
  })
}

interface WishObject extends KubeObject {
  readonly data?: Readonly<Record<string, string>>
}

class Resizes implements Requester {
  readonly name: string
  readonly #context: ControllerContext
  readonly #leading: Leading
  readonly #wishes

  constructor(name: string, context: ControllerContext, leading: Leading) {
    this.name = name
    this.#context = context
    this.#leading = leading
    this.#wishes = context.informers.of<WishObject>(builtIn.configmaps, { labelSelector: resizeLabel })
    this.#wishes.onChange(() => leading.view.ring())
  }

  wishes(): readonly Intent[] {
    return [...this.#wishes.store.list()].flatMap(wish => this.#intentOf(wish) ?? [])
  }

  async act(permit: Permit, signal: AbortSignal): Promise<Acted> {
    const [target] = permit.record.targets
    if (target === undefined) return { kind: 'failed', reason: 'its permit names nothing' }
    const outcome = await restart(this.#leading.effects, permit, target, signal)
    if (outcome.kind === 'restarted') return { kind: 'acted', generation: outcome.generation }
    return { kind: 'failed', reason: outcome.kind }
  }

  progress(record: PermitRecord, { generation }: Acted & { readonly kind: 'acted' }): Progress {
    const workload = targetOf(this.#leading.view, record)
    return workload === undefined ? 'stuck' : rolloutOf(workload, generation)
  }

  /** With no pod to disturb, the template may say how large its next start is to be. */
  async prepareStart({ workload, change }: Intent, signal: AbortSignal): Promise<void> {
    const found =
      workload === undefined ? undefined : workloadOf(this.#leading.view, workload.kind, workload.namespace, workload.name)
    if (found === undefined || found.spec.replicas !== 0) return
    const containers = (change?.resources ?? []).map(({ container, requests }) => ({ name: container, resources: { requests } }))
    await writeTemplate(this.#context, found, { spec: { containers } }, signal)
  }

  #intentOf({ metadata, data = {} }: WishObject): Intent | undefined {
    const { workload: named = '', container = '', ...requests } = data
    const [kind = '', name = ''] = named.split('/')
    const workload = workloadOf(this.#leading.view, kind, metadata.namespace ?? '', name)
    if (workload === undefined) return undefined
    const has = workload.spec.template.spec?.containers.find(one => one.name === container)?.resources?.requests ?? {}
    const comparisons = Object.entries(requests).map(([resource, wanted]) =>
      compareQuantities(quantity(wanted), quantity(String(has[resource] ?? '0'))),
    )
    if (comparisons.every(comparison => comparison === 0)) return undefined
    const reference = referenceOf(workload)
    return {
      requester: this.name,
      verb: 'resize',
      purpose: 'resize',
      class: comparisons.some(comparison => comparison > 0) ? 'capacity' : 'cost',
      targets: [{ ...reference }],
      workload: reference,
      disrupts: podsOf(this.#leading.view.state(), workload),
      reasons: [{ code: 'resize', message: `${metadata.name} recommends ${Object.values(requests).join(', ')}` }],
      idempotencyKey: `${subjectOf(reference)} ${metadata.name}=${metadata.resourceVersion}`,
      deadlineMs: this.#context.clock.now() + deadlineMs,
      timeToLiveMs,
      change: { resources: [{ container, requests }] },
    }
  }
}
