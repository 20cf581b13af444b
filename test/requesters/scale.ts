// A test double of the autoscaling capability: an annotation on a ScaledObject says how many replicas its target is to have.
import type { ControllerContext, Leading } from '#coordination/capability.ts'
import { scale, scalePermission } from '#coordination/effects/scale.ts'
import type { Intent } from '#coordination/intent.ts'
import type { Permit } from '#coordination/permits/permit.ts'
import type { PermitRecord } from '#coordination/permits/permit-record.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { requesterCapability } from './requester-capability.ts'
import { type Acted, type Heard, type Requester, startWishes, subjectOf } from './wish-loop.ts'
import { type Progress, podsOf, referenceOf, rolloutOf, targetOf, workloadOf } from './workloads.ts'

/** On a ScaledObject: the replicas that its triggers ask for. */
export const replicasAnnotation = 'test.ballast.dev/replicas'
export const scaledObjects = { group: 'keda.sh', version: 'v1alpha1', resource: 'scaledobjects' } as const

const deadlineMs = 600_000
const timeToLiveMs = 10 * 60_000

/** The capability, under the name of the real one. */
export function scaleRequester({
  name = 'autoscale',
  hear = () => undefined,
}: {
  name?: string
  hear?: (heard: Heard) => void
} = {}) {
  return requesterCapability({
    name,
    disrupts: 'scale',
    permission: scalePermission,
    start: (context, signal) => startWishes(context, { requester: leading => new Scales(name, context, leading), hear }, signal),
  })
}

interface ScaledObject extends KubeObject {
  readonly spec?: { readonly scaleTargetRef?: { readonly kind?: string; readonly name?: string } }
}

class Scales implements Requester {
  readonly name: string
  readonly #context: ControllerContext
  readonly #leading: Leading
  readonly #scalers

  constructor(name: string, context: ControllerContext, leading: Leading) {
    this.name = name
    this.#context = context
    this.#leading = leading
    this.#scalers = context.informers.of<ScaledObject>(scaledObjects, { optional: true })
  }

  wishes(): readonly Intent[] {
    return [...this.#scalers.store.list()].flatMap(scaler => this.#intentOf(scaler) ?? [])
  }

  async act(permit: Permit, signal: AbortSignal): Promise<Acted> {
    const [target] = permit.record.targets
    if (target === undefined) return { kind: 'failed', reason: 'its permit names nothing' }
    const outcome = await scale(this.#leading.effects, permit, target, signal)
    const isDone = outcome.kind === 'scaled' || outcome.kind === 'unchanged'
    return isDone ? { kind: 'acted', generation: 0 } : { kind: 'failed', reason: outcome.kind }
  }

  progress(record: PermitRecord): Progress {
    const workload = targetOf(this.#leading.view, record)
    if (workload === undefined) return 'stuck'
    return workload.spec.replicas === record.replicas ? rolloutOf(workload, 0) : 'under-way'
  }

  #intentOf({ metadata, spec }: ScaledObject): Intent | undefined {
    const text = metadata.annotations?.[replicasAnnotation]
    const target = spec?.scaleTargetRef
    const workload = workloadOf(this.#leading.view, target?.kind ?? 'Deployment', metadata.namespace ?? '', target?.name ?? '')
    if (text === undefined || workload === undefined) return undefined
    const replicas = Number(text)
    const present = workload.spec.replicas ?? 1
    if (replicas === present) return undefined
    const reference = referenceOf(workload)
    const isLess = replicas < present
    return {
      requester: this.name,
      verb: 'scale',
      purpose: isLess ? 'scale-to-zero' : 'provide',
      class: isLess ? 'cost' : 'capacity',
      targets: [{ ...reference }],
      workload: reference,
      disrupts: isLess ? podsOf(this.#leading.view.state(), workload).slice(replicas) : [],
      reasons: [{ code: 'scale', message: `ScaledObject ${metadata.name} asks for ${replicas} replicas, there are ${present}` }],
      idempotencyKey: `${subjectOf(reference)} ${metadata.name}=${metadata.resourceVersion}`,
      replicas,
      deadlineMs: this.#context.clock.now() + deadlineMs,
      timeToLiveMs,
    }
  }
}
