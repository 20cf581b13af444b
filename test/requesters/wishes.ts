// What people and programs do to make the requesters wish, and how it is seen that the wish came true.
import { createHash } from 'node:crypto'
import { listIn, textIn } from '#cluster/loose-fields.ts'
import type { Deployment } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import type { ControlledCluster } from '../controlled-cluster.ts'
import { resizeLabel } from './resize.ts'
import { replicasAnnotation, scaledObjects } from './scale.ts'

/** A Secret gets other content. */
export async function rotate(cluster: ControlledCluster, name: string, content: string, namespace = 'shop'): Promise<void> {
  const data = { content: Buffer.from(content).toString('base64') }
  await cluster.change(builtIn.secrets, { namespace, name }, { data })
}

/** What the template of a workload says once it has read a Secret that was rotated to `content`. */
export function readingOf(content: string): string {
  return createHash('sha1').update(`content=${content}`).digest('hex')
}

/** A recommender wishes CPU for a container of a Deployment; of the small cluster where nothing else is said. */
export async function wishSize(
  cluster: ControlledCluster,
  wish: { readonly workload: string; readonly cpu: string; readonly namespace?: string; readonly container?: string },
): Promise<void> {
  const { workload, cpu, namespace = 'shop', container = 'main' } = wish
  const { signal } = new AbortController()
  await cluster.admin.resource(builtIn.configmaps).create(
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: `size-${workload}`, namespace, labels: { [resizeLabel]: '' } },
      data: { workload: `Deployment/${workload}`, container, cpu },
    },
    { namespace, signal },
  )
}

/** The triggers of a ScaledObject ask for so many replicas. */
export async function wishReplicas(
  cluster: ControlledCluster,
  name: string,
  replicas: number,
  namespace = 'shop',
): Promise<void> {
  const body = { metadata: { annotations: { [replicasAnnotation]: String(replicas) } } }
  await cluster.change(scaledObjects, { namespace, name }, body)
}

function deployment(cluster: ControlledCluster, name: string): Deployment | undefined {
  return cluster.list<Deployment>('deployments.apps').find(one => one.metadata.name === name)
}

/** What the template of a Deployment says. */
export function templateOf(cluster: ControlledCluster, name: string) {
  const spec = deployment(cluster, name)?.spec
  return {
    replicas: spec?.replicas,
    cpu: spec?.template.spec?.containers[0]?.resources?.requests?.['cpu'],
    /** What a reload wrote of a Secret. */
    reading: (secret: string) =>
      spec?.template.spec?.containers
        .flatMap(container => listIn(container, 'env'))
        .filter(variable => textIn(variable, 'name') === `STAKATER_${secret.toUpperCase()}_SECRET`)
        .map(variable => textIn(variable, 'value'))[0],
  }
}

/** How often the template of a Deployment was changed while it had replicas to replace. */
export function rolloutsOf(cluster: ControlledCluster, name: string): number {
  return cluster.list('replicasets.apps').filter(set => set.metadata.labels?.['app'] === name).length - 1
}

/** No permit is out. */
export function isQuiet(cluster: ControlledCluster): boolean {
  return cluster.permits().every(permit => permit.status?.releasedAt !== undefined)
}

/** Each plan has ended, and there is one. */
export const plansAreOver = (cluster: ControlledCluster) =>
  cluster.plans().length > 0 &&
  cluster.plans().every(plan => ['Succeeded', 'Incomplete', 'Failed', 'Expired'].includes(plan.status?.phase ?? ''))

/** The permits on a Deployment: who asked, who went along, how it ended. */
export const permitsOn = (cluster: ControlledCluster, name: string, namespace = 'shop') =>
  cluster
    .permits()
    .filter(({ spec }) => spec.workload === `${namespace}/Deployment/${name}`)
    .map(({ spec, status }) => ({
      wish: `${spec.requester} ${spec.verb}`,
      joined: spec.joined.map(one => `${one.requester} ${one.verb} ${one.purpose}`),
      ending: status?.ending,
      ...(status?.dropped === undefined ? {} : { dropped: status.dropped.map(one => one.requester) }),
    }))
