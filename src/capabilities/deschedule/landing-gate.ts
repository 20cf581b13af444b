// Steering by `hold`: the webhook gates replacements of the running wave while they are created; each is then let go towards its node.
// Where the webhook cannot be reached the pod comes ungated and is judged as under `observe`.
import type { PlanMove, RebalancePlan } from '#coordination/api.ts'
import type { WebhookEndpoint } from '#coordination/capability.ts'
import type { ClusterView } from '#coordination/cluster-view.ts'
import type { EffectContext } from '#coordination/effects/effect-context.ts'
import { dropGate, gateAtCreation, landingGate } from '#coordination/effects/gate.ts'
import type { KubeObject, Pod } from '#kube/objects.ts'
import { builtIn } from '#kube/resource.ts'
import { type AdmissionRequest, type MutatingWebhook, webhookPath } from '#kube/server/admission.ts'
import { isNotFound } from '#kube/status.ts'
import { capabilityName, fieldManager } from './api.ts'

export const webhookName = 'landing.deschedule.ballast.dev'
/** Its own configuration while only one webhook of ours mutates; named so that uninstall finds it. */
export const webhookConfigurationName = 'ballast-landing'

/** A changed configuration takes effect late: each API server follows its own watch. */
const settleMs = 2_000
/** A gate older than this is taken away, whatever became of its plan. */
const oldestGateMs = 30_000

interface HoldContext {
  readonly effects: EffectContext
  readonly view: ClusterView
  readonly webhooks: WebhookEndpoint
}

/** The CEL conditions under which pods of the wave are sent to us: by the UIDs of the owners whose pods are replaced. */
export function matchConditionsOf(
  moves: readonly PlanMove[],
  ownerUids: readonly string[],
): readonly { readonly name: string; readonly expression: string }[] {
  const uids = ownerUids.map(uid => JSON.stringify(uid)).join(', ')
  const byUid = `object.metadata.ownerReferences.exists(o, o.uid in [${uids}])`
  // The ReplicaSet of a surge does not exist yet: its name begins with the Deployment's.
  const surges = moves
    .filter(move => move.action === 'surge')
    .map(
      ({ workload }) =>
        `(object.metadata.namespace == ${JSON.stringify(workload.namespace)} && object.metadata.ownerReferences.exists(o, o.kind == "ReplicaSet" && o.name.startsWith(${JSON.stringify(`${workload.name}-`)})))`,
    )
  return [{ name: 'wave', expression: `has(object.metadata.ownerReferences) && (${[byUid, ...surges].join(' || ')})` }]
}

/** Answers `CREATE` of a pod: it gets our gate. What is no pod passes. */
export function answerCreation(request: Pick<AdmissionRequest, 'operation' | 'object'>): ReturnType<typeof gateAtCreation> {
  const { object } = request
  if (request.operation !== 'CREATE' || !isPod(object)) return { kind: 'allowed' }
  return gateAtCreation(object)
}

/** The webhook as it is served, at `/mutate/landing.deschedule`. */
export const landingWebhook: MutatingWebhook = {
  kind: 'mutating',
  name: 'landing.deschedule',
  failurePolicy: 'Ignore',
  handle: answerCreation,
}

function isPod(object: unknown): object is Pod {
  return typeof object === 'object' && object !== null && 'kind' in object && object.kind === 'Pod' && 'spec' in object
}

/** Writes the configuration for one wave, then waits until API servers have it. */
export async function holdWave(
  context: HoldContext,
  wave: { readonly plan: RebalancePlan; readonly moves: readonly PlanMove[] },
  signal: AbortSignal,
): Promise<void> {
  const owners = new Set(
    wave.moves.flatMap(
      move => context.view.pod(move.pod.namespace, move.pod.name)?.metadata.ownerReferences?.map(owner => owner.uid) ?? [],
    ),
  )
  const configuration: KubeObject = {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: {
      name: webhookConfigurationName,
      labels: { 'ballast.dev/managed': 'true', 'ballast.dev/capability': capabilityName },
    },
    webhooks: [
      {
        name: webhookName,
        clientConfig: context.webhooks.clientConfig(webhookPath(landingWebhook)),
        rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'], scope: 'Namespaced' }],
        failurePolicy: 'Ignore',
        sideEffects: 'None',
        timeoutSeconds: 5,
        reinvocationPolicy: 'IfNeeded',
        admissionReviewVersions: ['v1'],
        matchConditions: matchConditionsOf(wave.moves, [...owners].sort()),
      },
    ],
  }
  context.effects.leadership.assert()
  await context.effects.api
    .resource<KubeObject>(builtIn.mutatingwebhookconfigurations)
    .apply(configuration, { signal, fieldManager, force: true })
  await context.effects.clock.after(settleMs, signal)
}

/** Takes the configuration away. Safe to call when there is none. */
export async function releaseHold(effects: EffectContext, signal: AbortSignal): Promise<void> {
  effects.leadership.assert()
  try {
    await effects.api.resource<KubeObject>(builtIn.mutatingwebhookconfigurations).delete(webhookConfigurationName, { signal })
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}

/** Drops gates that nobody opens: all of them at start-up, later those older than 30 s. */
export async function dropStrandedGates(
  context: { readonly effects: EffectContext; readonly view: ClusterView },
  which: 'all' | 'old',
  signal: AbortSignal,
): Promise<number> {
  const beforeMs = context.effects.clock.now() - oldestGateMs
  let dropped = 0
  for (const object of [...context.view.pods()].filter(isGated)) {
    const createdMs = Date.parse(object.metadata.creationTimestamp ?? '')
    if (which === 'old' && createdMs > beforeMs) continue
    const outcome = await dropGate(context.effects, { pod: object, requester: capabilityName }, signal)
    if (outcome.kind === 'opened') dropped++
  }
  return dropped
}

export function isGated(pod: Pod): boolean {
  return pod.spec.schedulingGates?.some(gate => gate.name === landingGate) === true
}
