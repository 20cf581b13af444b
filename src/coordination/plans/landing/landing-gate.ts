// Steering by `hold`: the webhook gates replacements of the running wave while they are created; each is then let go towards its node.
// Whether it can be reached is asked before each pod that goes (wave-gate.ts); a pod that comes ungated all the same is told apart.

import { takeAway } from '#kube/client/take-away.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { type AdmissionRequest, type MutatingWebhook, webhookPath } from '#kube/server/admission.ts'
import { ballastGroup, ballastVersion, disruptionPermits, type PlanMove, type RebalancePlan } from '../../api.ts'
import type { WebhookEndpoint } from '../../capability.ts'
import type { EffectContext } from '../../effects/effect-context.ts'
import { dropGate, gateAtCreation, landingGate } from '../../effects/gate.ts'
import type { ClusterView } from '../../facts/cluster-view.ts'
import { askingOf } from '../names.ts'
import { answerProbe, probeNameOf } from './landing-probe.ts'

export const webhookName = 'landing.deschedule.ballast.dev'
/** Its own configuration while only one webhook of ours mutates; named so that uninstall finds it. */
export const webhookConfigurationName = 'ballast-landing'

const capabilityLabel = 'ballast.dev/capability'

/** A changed configuration takes effect late: each API server follows its own watch. */
const settleMs = 2_000
/** How long an API server waits for us: so long a pod of the wave is held up where nobody answers. */
const webhookSeconds = 3
/** A gate older than this is taken away, whatever became of its plan. */
const oldestGateMs = 30_000

export interface HoldContext {
  readonly effects: EffectContext
  readonly view: Pick<ClusterView, 'pod'>
  readonly webhooks: WebhookEndpoint
}

interface WaveConditions {
  readonly conditions: readonly { readonly name: string; readonly expression: string }[]
  /** Name of the permit that is sent to us as well, and by which the wave's configuration is told from others. */
  readonly probe: string
}

/** The CEL conditions under which pods of the wave are sent to us: by the UIDs of the owners whose pods are replaced. */
export function matchConditionsOf(moves: readonly PlanMove[], ownerUids: readonly string[]): WaveConditions {
  const uids = ownerUids.map(uid => JSON.stringify(uid)).join(', ')
  const byUid = `object.metadata.ownerReferences.exists(o, o.uid in [${uids}])`
  // The ReplicaSet of a surge does not exist yet: its name begins with the Deployment's.
  const surges = moves
    .filter(move => move.action === 'surge')
    .map(
      ({ workload }) =>
        `(object.metadata.namespace == ${JSON.stringify(workload.namespace)} && object.metadata.ownerReferences.exists(o, o.kind == "ReplicaSet" && o.name.startsWith(${JSON.stringify(`${workload.name}-`)})))`,
    )
  const ofWave = `has(object.metadata.ownerReferences) && (${[byUid, ...surges].join(' || ')})`
  const probe = probeNameOf(ofWave)
  const isProbe = `request.resource.resource == "${disruptionPermits.resource}" && request.name == ${JSON.stringify(probe)}`
  return { conditions: [{ name: 'wave', expression: `(${isProbe}) || (${ofWave})` }], probe }
}

/** Answers `CREATE`: a pod gets our gate, a probe our mark. What is neither passes. */
export function answerCreation(request: Pick<AdmissionRequest, 'operation' | 'object'>): ReturnType<typeof gateAtCreation> {
  const { object } = request
  if (request.operation !== 'CREATE') return { kind: 'allowed' }
  return isPod(object) ? gateAtCreation(object) : (answerProbe(object) ?? { kind: 'allowed' })
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

/** Writes the configuration for one wave, then waits until API servers have it. @returns the name of its probe */
export async function holdWave(
  context: HoldContext,
  wave: { readonly plan: RebalancePlan; readonly moves: readonly PlanMove[] },
  signal: AbortSignal,
): Promise<string> {
  const owners = new Set(
    wave.moves.flatMap(
      move => context.view.pod(move.pod.namespace, move.pod.name)?.metadata.ownerReferences?.map(owner => owner.uid) ?? [],
    ),
  )
  const { conditions, probe } = matchConditionsOf(wave.moves, [...owners].sort())
  const annotations = context.webhooks.annotations?.() ?? {}
  const onCreate = { apiVersions: ['v1'], operations: ['CREATE'], scope: 'Namespaced' }
  const configuration: KubeObject = {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: {
      name: webhookConfigurationName,
      labels: { 'ballast.dev/managed': 'true', [capabilityLabel]: askingOf(wave.plan).requester },
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    },
    webhooks: [
      {
        name: webhookName,
        clientConfig: context.webhooks.clientConfig(webhookPath(landingWebhook)),
        rules: [
          { ...onCreate, apiGroups: [''], resources: ['pods'] },
          { ...onCreate, apiGroups: [ballastGroup], apiVersions: [ballastVersion], resources: [disruptionPermits.resource] },
        ],
        failurePolicy: 'Ignore',
        sideEffects: 'None',
        timeoutSeconds: webhookSeconds,
        reinvocationPolicy: 'IfNeeded',
        admissionReviewVersions: ['v1'],
        matchConditions: conditions,
      },
    ],
  }
  context.effects.leadership.assert()
  await context.effects.api
    .resource<KubeObject>(builtIn.mutatingwebhookconfigurations)
    .apply(configuration, { signal, fieldManager: `ballast-${askingOf(wave.plan).requester}`, force: true })
  await context.effects.clock.after(settleMs, signal)
  return probe
}

/** Takes the configuration away, unless another capability wrote it; webhooks that others added to it stay. Safe to call when there is none. */
export async function releaseHold(effects: EffectContext, requester: string, signal: AbortSignal): Promise<void> {
  effects.leadership.assert()
  const configurations = effects.api.resource<KubeObject>(builtIn.mutatingwebhookconfigurations)
  try {
    const { metadata } = await configurations.get(webhookConfigurationName, { signal })
    if ((metadata.labels?.[capabilityLabel] ?? requester) !== requester) return
    await takeAway(configurations, webhookConfigurationName, { signal, uid: metadata.uid })
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}

/** Drops gates that nobody opens: all of them at start-up, later those older than 30 s. */
export async function dropStrandedGates(
  context: { readonly effects: EffectContext; readonly view: ClusterView },
  choice: { readonly which: 'all' | 'old'; readonly requester: string },
  signal: AbortSignal,
): Promise<number> {
  const beforeMs = context.effects.clock.now() - oldestGateMs
  let dropped = 0
  for (const object of [...context.view.pods()].filter(isGated)) {
    const createdMs = Date.parse(object.metadata.creationTimestamp ?? '')
    if (choice.which === 'old' && createdMs > beforeMs) continue
    const outcome = await dropGate(context.effects, { pod: object, requester: choice.requester }, signal)
    if (outcome.kind === 'opened') dropped++
  }
  return dropped
}

export function isGated(pod: Pod): boolean {
  return pod.spec.schedulingGates?.some(gate => gate.name === landingGate) === true
}
