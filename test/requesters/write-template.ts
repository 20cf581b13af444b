// What a workload at zero takes along at its next start.
import type { ControllerContext } from '#coordination/capability.ts'
import { builtIn } from '#kube/objects/resource.ts'
import type { Workload } from './workloads.ts'

/** Changes the template of a workload without pods, unless somebody changed the workload meanwhile: then it may have some. */
export async function writeTemplate(
  context: ControllerContext,
  workload: Workload,
  template: object,
  signal: AbortSignal,
): Promise<void> {
  const resource = { Deployment: builtIn.deployments, StatefulSet: builtIn.statefulsets, DaemonSet: builtIn.daemonsets }[
    workload.kind
  ]
  if (resource === undefined) throw new Error(`${workload.kind} has no template of pods`)
  const { name, namespace, resourceVersion } = workload.metadata
  const body = { metadata: { resourceVersion }, spec: { template } }
  const options = { signal, fieldManager: 'test-requester', ...(namespace === undefined ? {} : { namespace }) }
  await context.api.resource(resource).patch(name, { type: 'strategic', body }, options)
}
