// Asks the API server whether the landing webhook answers, before a pod goes that relies on it: a permit that is never stored (dry run)
// passes the very configuration that gates the wave's pods, and comes back with our mark or without. It takes no right beyond the
// arbiter's own; a probe pod would take the right to create pods.
import { createHash } from 'node:crypto'
import { messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { StatusError } from '#kube/objects/status.ts'
import type { MutatingAnswer } from '#kube/server/admission.ts'
import { ballastApiVersion, type DisruptionPermit, disruptionPermits } from '../../api.ts'
import type { EffectContext } from '../../effects/effect-context.ts'
import type { GateAnswer } from './landing-decision.ts'

const prefix = 'landing-probe-'
/** The mark that our webhook leaves on a probe. */
const answeredAnnotation = 'ballast.dev/landing-gate'
/** Longer than an API server waits for the webhook. */
const probeTimeoutMs = 8_000

/** The name of the probe of one wave: a configuration of another wave does not know it. */
export function probeNameOf(condition: string): string {
  return `${prefix}${createHash('sha256').update(condition).digest('hex').slice(0, 16)}`
}

/** What the webhook answers to a probe; `undefined`: `object` is none. */
export function answerProbe(object: unknown): MutatingAnswer | undefined {
  if (!isProbe(object)) return undefined
  const { annotations } = object.metadata
  return {
    kind: 'patched',
    patch: [{ op: 'add', path: '/metadata/annotations', value: { ...annotations, [answeredAnnotation]: 'answered' } }],
  }
}

function isProbe(object: unknown): object is KubeObject {
  if (typeof object !== 'object' || object === null || !('kind' in object) || object.kind !== 'DisruptionPermit') return false
  if (!('metadata' in object) || typeof object.metadata !== 'object' || object.metadata === null) return false
  return 'name' in object.metadata && typeof object.metadata.name === 'string' && object.metadata.name.startsWith(prefix)
}

/** One question; the answer is about the API server that we speak to, and about this moment. @throws what is no answer of the server. */
export async function askGate(
  effects: Pick<EffectContext, 'api'>,
  probe: { readonly name: string; readonly namespace: string; readonly requester: string },
  signal: AbortSignal,
): Promise<GateAnswer> {
  const { name, namespace, requester } = probe
  const object: DisruptionPermit = {
    apiVersion: ballastApiVersion,
    kind: 'DisruptionPermit',
    metadata: { name, namespace },
    spec: {
      requester,
      class: 'balance',
      verb: 'evict',
      purpose: 'move',
      targets: [{ apiVersion: 'v1', kind: 'Pod', namespace, name }],
      reasons: [],
      idempotencyKey: name,
      nodes: [],
      joined: [],
      deadline: '1970-01-01T00:00:00Z',
      siblings: [],
    },
  }
  try {
    const made = await effects.api
      .resource<DisruptionPermit>(disruptionPermits)
      .create(object, { signal, namespace, dryRun: true, fieldManager: `ballast-${requester}`, timeoutMs: probeTimeoutMs })
    return made.metadata.annotations?.[answeredAnnotation] === undefined
      ? { kind: 'ungated', why: 'the landing webhook does not answer' }
      : { kind: 'gated' }
  } catch (error) {
    if (error instanceof StatusError) return { kind: 'ungated', why: `the landing webhook cannot be tried: ${messageOf(error)}` }
    throw error
  }
}
