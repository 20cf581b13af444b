// A test double of the reloading capability, for the replay of what upstreams were recorded to do: it asks at the moment at which something
// is marked as rotated, without a look at content, baseline or debounce, and tells each answer that it hears, which the capability keeps to
// itself. Everything else is tested with the capability.
import type { ControllerContext, Leading } from '#coordination/capability.ts'
import { restart, restartPermission } from '#coordination/effects/restart.ts'
import type { Intent } from '#coordination/intent.ts'
import type { Permit } from '#coordination/permits/permit.ts'
import type { PermitRecord } from '#coordination/permits/permit-record.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import type { ControlledCluster } from '../controlled-cluster.ts'
import { requesterCapability } from './requester-capability.ts'
import { type Acted, type Heard, type Requester, startWishes, subjectOf } from './wish-loop.ts'
import { type Progress, podsOf, referenceOf, rolloutOf, targetOf, type Workload, workloadOf } from './workloads.ts'
import { writeTemplate } from './write-template.ts'

/** On a workload: `secret/name` or `configmap/name` that it reads, separated by commas. */
export const readsAnnotation = 'test.ballast.dev/reads'
/** On a ConfigMap or Secret: changed by whoever rotates it. */
const contentAnnotation = 'test.ballast.dev/content'
/** On a ConfigMap or Secret: what it held is known to others, so that nothing may wait. */
export const revokedAnnotation = 'ballast.dev/revoked'
const templateAnnotation = (source: string) => `test.ballast.dev/${source.replace('/', '-')}`

export interface MarkedReloadOptions {
  readonly name?: string
  readonly hear?: (heard: Heard) => void
}

const deadlineMs = 3_600_000
const timeToLiveMs = 15 * 60_000

/** The capability, under the name of the real one. */
export function markedReloadRequester({ name = 'reload', hear = () => undefined }: MarkedReloadOptions = {}) {
  return requesterCapability({
    name,
    disrupts: 'restart',
    needs: [
      { group: '', version: 'v1', resource: 'configmaps', kind: 'ConfigMap', mode: 'metadata' },
      { group: '', version: 'v1', resource: 'secrets', kind: 'Secret', mode: 'metadata' },
    ],
    permission: restartPermission,
    start: (context, signal) => startWishes(context, { requester: leading => new Reloads(name, context, leading), hear }, signal),
  })
}

class Reloads implements Requester {
  readonly name: string
  readonly #context: ControllerContext
  readonly #leading: Leading
  readonly #sources
  readonly #workloads

  constructor(name: string, context: ControllerContext, leading: Leading) {
    this.name = name
    this.#context = context
    this.#leading = leading
    const { informers } = context
    this.#sources = {
      configmap: informers.of<KubeObject>(builtIn.configmaps, { metadataOnly: true }),
      secret: informers.of<KubeObject>(builtIn.secrets, { metadataOnly: true }),
    }
    // What the API server validated as these kinds has these fields.
    this.#workloads = [builtIn.deployments, builtIn.statefulsets, builtIn.daemonsets].map(kind => informers.of<Workload>(kind))
    for (const informer of Object.values(this.#sources)) informer.onChange(() => leading.view.ring())
  }

  wishes(): readonly Intent[] {
    return this.#workloads.flatMap(informer => [...informer.store.list()].flatMap(workload => this.#wishOf(workload) ?? []))
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

  /** With no pod to disturb, the template may say what its next start is to read. */
  async prepareStart(intent: Intent, signal: AbortSignal): Promise<void> {
    const { workload, change } = intent
    const found =
      workload === undefined ? undefined : workloadOf(this.#leading.view, workload.kind, workload.namespace, workload.name)
    if (found === undefined || found.spec.replicas !== 0) return
    await writeTemplate(this.#context, found, { metadata: { annotations: { ...change?.annotations } } }, signal)
  }

  #wishOf(workload: Workload): Intent | undefined {
    const reads = workload.metadata.annotations?.[readsAnnotation]?.split(',') ?? []
    const applied = workload.spec.template.metadata?.annotations ?? {}
    const changed = reads.flatMap(source => {
      const [kind, name = ''] = source.split('/')
      const informer = kind === 'secret' ? this.#sources.secret : this.#sources.configmap
      const found = informer.store.get(workload.metadata.namespace, name)
      const content = found?.metadata.annotations?.[contentAnnotation]
      if (found === undefined || content === undefined || applied[templateAnnotation(source)] === content) return []
      return [{ source, content, isRevoked: found.metadata.annotations?.[revokedAnnotation] === 'true' }]
    })
    if (changed.length === 0) return undefined
    const reference = referenceOf(workload)
    const { apiVersion, kind, namespace, name, uid } = reference
    const nowMs = this.#context.clock.now()
    return {
      requester: this.name,
      verb: 'restart',
      purpose: 'reload',
      class: changed.some(({ isRevoked }) => isRevoked) ? 'safety' : 'correctness',
      targets: [{ apiVersion, kind, namespace, name, uid }],
      workload: reference,
      disrupts: podsOf(this.#leading.view.state(), workload),
      reasons: changed.map(({ source }) => ({ code: 'rotated', message: `${source} was rotated` })),
      idempotencyKey: `${subjectOf(reference)} ${changed.map(({ source, content }) => `${source}=${content}`).join(',')}`,
      deadlineMs: nowMs + deadlineMs,
      timeToLiveMs,
      change: { annotations: Object.fromEntries(changed.map(({ source, content }) => [templateAnnotation(source), content])) },
    }
  }
}

/** Marks a Secret of the namespace shop as rotated. */
export async function markRotated(cluster: ControlledCluster, name: string, content: string): Promise<void> {
  const body = { metadata: { annotations: { [contentAnnotation]: content } } }
  await cluster.change(builtIn.secrets, { namespace: 'shop', name }, body)
}
