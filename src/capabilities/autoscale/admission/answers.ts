// Answers API servers about objects of KEDA's kinds: what could never work is refused, what is surprising is warned of.
import { isDeepStrictEqual } from 'node:util'
import { isRecord } from '#kube/objects/object-shape.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { AdmissionRequest } from '#kube/server/admission.ts'
import { cloudEventSourceSpec } from '../kinds/cloud-event-source.ts'
import { type ScaledJob, scaledJobSpec } from '../kinds/scaled-job.ts'
import { type ScaledObject, scaledObjectSpec } from '../kinds/scaled-object.ts'
import { triggerAuthenticationSpec } from '../kinds/trigger-authentication.ts'
import { authenticationProblem, eventSourceProblem } from './authentication-rules.ts'
import { calendarProblem, judgeScaledObject, type Neighbours, type Verdict, windowWarnings } from './scaled-object-rules.ts'
import { triggersProblem } from './triggers.ts'

type ObjectAnswer =
  | { readonly kind: 'allowed'; readonly warnings?: readonly string[] }
  | { readonly kind: 'denied'; readonly message: string }

/** Told of each ScaledObject that is judged; `reason`: why it is refused. */
type Judged = (namespace: string, action: 'create' | 'update', reason: string | undefined) => void

type Asked = Pick<AdmissionRequest, 'operation' | 'object' | 'oldObject' | 'subResource'>

/** Finds out what else there is; asked only for ScaledObjects that are to be judged. @throws StatusError; `signal.reason` */
export type Look = (object: ScaledObject) => Promise<Neighbours>

/** Answers one request. @throws what `look` throws */
export async function answerObject(request: Asked, look: Look, nowMs: number, onJudged?: Judged): Promise<ObjectAnswer> {
  const { operation, object, oldObject } = request
  if ((operation !== 'CREATE' && operation !== 'UPDATE') || (request.subResource ?? '') !== '') return { kind: 'allowed' }
  if (object === undefined || losesFinalizer(object, oldObject)) return { kind: 'allowed' }
  const verdict = await judge(object, look, nowMs)
  // What the schema refuses is refused there.
  if (verdict === undefined) return { kind: 'allowed' }
  if (object.kind === 'ScaledObject')
    onJudged?.(
      object.metadata.namespace ?? '',
      operation === 'CREATE' ? 'create' : 'update',
      verdict.problem === undefined ? undefined : verdict.reason,
    )
  if (verdict.problem !== undefined) return { kind: 'denied', message: verdict.problem }
  return { kind: 'allowed', ...(verdict.warnings.length === 0 ? {} : { warnings: verdict.warnings }) }
}

/** Its end must never be held by what is wrong with it. */
function losesFinalizer(object: KubeObject, old: KubeObject | undefined): boolean {
  if (old === undefined) return false
  const count = ({ metadata }: KubeObject) => metadata.finalizers?.length ?? 0
  return count(object) < count(old) && isDeepStrictEqual(object['spec'], old['spec'])
}

async function judge(object: KubeObject, look: Look, nowMs: number): Promise<Verdict | undefined> {
  const spec = object['spec']
  if (!isRecord(spec)) return undefined
  const told = (problem: string | undefined): Verdict => (problem === undefined ? { warnings: [] } : { problem })
  if (object.kind === 'ScaledObject') {
    const parsed = scaledObjectSpec.safeParse(spec)
    if (!parsed.success) return undefined
    const scaled: ScaledObject = { ...object, spec: parsed.data }
    return judgeScaledObject(scaled, await look(scaled))
  }
  if (object.kind === 'ScaledJob') {
    const parsed = scaledJobSpec.safeParse(spec)
    return parsed.success ? judgeScaledJob(parsed.data, nowMs) : undefined
  }
  if (object.kind === 'TriggerAuthentication' || object.kind === 'ClusterTriggerAuthentication') {
    const parsed = triggerAuthenticationSpec.safeParse(spec)
    return parsed.success ? told(authenticationProblem(parsed.data)) : undefined
  }
  if (object.kind === 'CloudEventSource' || object.kind === 'ClusterCloudEventSource') {
    const parsed = cloudEventSourceSpec.safeParse(spec)
    return parsed.success ? told(eventSourceProblem(parsed.data)) : undefined
  }
  return undefined
}

function judgeScaledJob({ triggers }: ScaledJob['spec'], nowMs: number): Verdict {
  const problem = triggersProblem(triggers) ?? calendarProblem(triggers)
  return problem === undefined ? { warnings: windowWarnings(triggers, nowMs) } : { problem }
}
