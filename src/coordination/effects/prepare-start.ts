// The template of a workload that runs nothing, or of a CronJob: the next start takes the change along. Nobody is disturbed, so that no
// permit is needed.
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import type { Target, TemplateChange } from '../intent.ts'
import type { Permission } from '../needs.ts'
import { type EffectContext, effectOptions, leadingGuard } from './effect-context.ts'
import { type NotDone, notDoneBy } from './foreseen.ts'
import { templatePatch } from './template-patch.ts'

/** The right it takes for CronJobs; the others' is that of a rollout. */
export const prepareCronJobPermission: Permission = {
  groups: ['batch'],
  resources: ['cronjobs'],
  verbs: ['patch'],
  because: 'has the next Job of a CronJob start with its changed configuration',
}

const resourceOfKind: Readonly<Record<string, GroupVersionResource>> = {
  Deployment: builtIn.deployments,
  StatefulSet: builtIn.statefulsets,
  CronJob: builtIn.cronjobs,
}

interface Preparation {
  readonly workload: Target
  /** In which it had no replicas: in another it may have some, and the server refuses. */
  readonly resourceVersion: string
  readonly change: TemplateChange
  readonly requester: string
  readonly fieldManager?: string
}

/** `object`: as the server has it now. */
type PrepareOutcome = { readonly kind: 'prepared'; readonly object: KubeObject } | NotDone

/** Writes `change` into the template of a workload at 0 replicas, or of a CronJob. Safe to call twice. @throws Error for another kind, a lost Lease, and what the server did not foresee. */
export async function prepareStart(
  context: EffectContext,
  { workload, resourceVersion, change, requester, fieldManager }: Preparation,
  signal: AbortSignal,
): Promise<PrepareOutcome> {
  const guard = leadingGuard(context)
  const resource = resourceOfKind[workload.kind]
  if (resource === undefined)
    throw new Error(`${workload.kind} ${workload.name}: only a Deployment, StatefulSet or CronJob starts later`)
  const template = templatePatch(change, undefined)
  const body = {
    metadata: { ...(workload.uid === undefined ? {} : { uid: workload.uid }), resourceVersion },
    spec: workload.kind === 'CronJob' ? { jobTemplate: { spec: { template } } } : { template },
  }
  const by = { requester, ...(fieldManager === undefined ? {} : { fieldManager }) }
  try {
    const options = effectOptions(by, workload.namespace, { guard, signal })
    const workloads = context.api.resource<KubeObject>(resource)
    return { kind: 'prepared', object: await workloads.patch(workload.name, { type: 'strategic', body }, options) }
  } catch (error) {
    return notDoneBy(error)
  }
}
