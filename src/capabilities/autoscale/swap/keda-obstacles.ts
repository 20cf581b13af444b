// What KEDA does for a cluster's objects and ours cannot, by the name of each object: a swap begins only where there is nothing of it.
import type { Api } from '#kube/client/api.ts'
import { messageOf } from '#kube/log.ts'
import { at, listAt, shown, templateOf, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { GroupVersionResource } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { flagsIn } from '#upstreams/flags.ts'
import type { Reads, TimedReads } from '#upstreams/upstream.ts'
import { isTree } from '#upstreams/values-tree.ts'
import { formulaOf } from '../admission/modifiers.ts'
import type { ScaledObject } from '../kinds/scaled-object.ts'
import {
  cloudEventSources,
  clusterCloudEventSources,
  clusterTriggerAuthentications,
  scaledJobs,
  scaledObjects,
  triggerAuthentications,
} from '../names.ts'
import { standingOf } from '../scalers/registry.ts'
import { type Refusals, refusalsOf } from './keda-refusals.ts'
import { kedaLease } from './keda-told.ts'
import { isFurther, keyOf, targetKind } from './target-kinds.ts'

/** So many are told; how many more there are is said. */
const mostTold = 20

async function all(api: Api, resource: GroupVersionResource, kind: string, signal: AbortSignal): Promise<readonly KubeObject[]> {
  const found: KubeObject[] = []
  const apiVersion = `${resource.group}/${resource.version}`
  try {
    for await (const page of api.resource<KubeObject>(resource).pages({ signal }))
      found.push(...page.items.map(item => ({ ...item, apiVersion, kind })))
  } catch (error) {
    // A kind that is not defined has no objects.
    if (!isNotFound(error)) throw error
  }
  return found
}

/** Objects of users that a conversion has to see. */
export async function usersObjects({ api, signal }: Reads): Promise<readonly KubeObject[]> {
  const lists = await Promise.all([
    all(api, scaledObjects, 'ScaledObject', signal),
    all(api, cloudEventSources, 'CloudEventSource', signal),
    all(api, clusterCloudEventSources, 'ClusterCloudEventSource', signal),
  ])
  return lists.flat()
}

/** Why the operator would act although ours holds the Lease; none: it waits. */
export function standsAlone(workload: KubeObject): readonly string[] {
  const containers = listAt(templateOf(workload), 'spec', 'containers')
  const flags = flagsIn(containers.flatMap(one => [...listAt(one, 'command'), ...listAt(one, 'args')]))
  const said = (name: string) => flags.findLast(flag => flag.name === name)?.values.join(' ')
  const isElecting = flags.some(({ name }) => name === 'leader-elect') && said('leader-elect') !== 'false'
  if (!isElecting)
    return [`${shown(workload)} elects no leader (--leader-elect): it would act together with ours. Give it the flag first`]
  const id = said('leader-election-id') ?? kedaLease
  if (id === kedaLease) return []
  return [
    `${shown(workload)} has Lease ${id}, ours waits for ${kedaLease}: both would act together. Take --leader-election-id away first`,
  ]
}

/** What stands in the way, most important first. */
export async function kedaObstacles(reads: TimedReads, workload: KubeObject, section: unknown): Promise<readonly string[]> {
  const { api, signal } = reads
  const [objects, jobs, own, ofCluster] = await Promise.all([
    all(api, scaledObjects, 'ScaledObject', signal),
    all(api, scaledJobs, 'ScaledJob', signal),
    all(api, triggerAuthentications, 'TriggerAuthentication', signal),
    all(api, clusterTriggerAuthentications, 'ClusterTriggerAuthentication', signal),
  ])
  const authentications = new Map([...own, ...ofCluster].map(one => [keyOfAuthentication(one.kind, one.metadata), one]))
  await using refusals = refusalsOf(reads, section)
  const ofObjects: string[] = []
  // One after the other: of each its target may be read.
  for (const object of [...objects, ...jobs]) ofObjects.push(...(await ofObject(object, { authentications, section, refusals })))
  const found = [...standsAlone(workload), ...ofObjects, ...objects.flatMap(object => ofTarget(object, section))]
  return told(found)
}

export const told = (found: readonly string[]): readonly string[] =>
  found.length <= mostTold ? found : [...found.slice(0, mostTold), `and ${found.length - mostTold} more`]

export async function scaledObjectsAndJobs({ api, signal }: Reads): Promise<readonly KubeObject[]> {
  const lists = await Promise.all([all(api, scaledObjects, 'ScaledObject', signal), all(api, scaledJobs, 'ScaledJob', signal)])
  return lists.flat()
}

const keyOfAuthentication = (kind: string, { namespace = '', name }: { readonly namespace?: string; readonly name: string }) =>
  kind === 'ClusterTriggerAuthentication' ? `${kind} ${name}` : `${kind} ${namespace}/${name}`

interface Around {
  readonly authentications: ReadonlyMap<string, KubeObject>
  readonly section: unknown
  readonly refusals: Refusals
}

async function ofObject(object: KubeObject, around: Around): Promise<readonly string[]> {
  const { authentications, section, refusals } = around
  const found: string[] = []
  for (const [index, trigger] of listAt(object, 'spec', 'triggers').entries()) {
    const type = textAt(trigger, 'type') ?? ''
    const where = `${shown(object)}: trigger ${index} (${type})`
    if (standingOf(type) === 'missing') {
      found.push(
        `${where} is of a type that KEDA has and Ballast has not yet: leave KEDA in charge, or run that scaler and name it by type external`,
      )
      continue
    }
    if (type === 'external-push' && object.kind === 'ScaledJob')
      found.push(`${where} is never heard of by KEDA either; ours refuses the object`)
    const used = usedAuthentication(object, trigger, authentications)
    if (used !== undefined) found.push(...credentialProblems(used, object, section).map(problem => `${where} ${problem}`))
    const refused = await refusals.of(object, index, used)
    if (refused !== undefined) found.push(`${where}: ours refuses it: ${refused}`)
  }
  return [...found, ...formulaProblem(object)]
}

function usedAuthentication(
  object: KubeObject,
  trigger: unknown,
  authentications: ReadonlyMap<string, KubeObject>,
): KubeObject | undefined {
  const name = textAt(trigger, 'authenticationRef', 'name')
  if (name === undefined || name === '') return undefined
  const kind = textAt(trigger, 'authenticationRef', 'kind') ?? 'TriggerAuthentication'
  return authentications.get(keyOfAuthentication(kind, { ...object.metadata, name }))
}

const clouds = {
  azureKeyVault: 'Azure Key Vault',
  gcpSecretManager: 'GCP Secret Manager',
  awsSecretManager: 'AWS Secrets Manager',
  azureServicePrincipal: "Azure's service principals",
} as const

function credentialProblems(used: KubeObject, object: KubeObject, section: unknown): readonly string[] {
  const named = `uses ${shown(used)}, which`
  const spec: unknown = used['spec']
  const identity = textAt(spec, 'podIdentity', 'provider') ?? 'none'
  const accounts = listAt(spec, 'boundServiceAccountToken').map(one => textAt(one, 'serviceAccountName') ?? '')
  const vault = at(spec, 'hashiCorpVault')
  const isLogin = textAt(vault, 'authentication') === 'kubernetes'
  const account = textAt(vault, 'credential', 'serviceAccountName') ?? ''
  // A cluster's authentication has its accounts where its Secrets are.
  const place =
    used.kind === 'ClusterTriggerAuthentication' ? textAt(section, 'clusterObjectNamespace') : object.metadata.namespace
  const asked = [
    ...accounts.map(name => `${place ?? ''}/${name}`),
    ...(isLogin && account !== '' ? [`${object.metadata.namespace}/${account}`] : []),
  ]
  const audiences = at(section, 'tokenAudiences')
  const places = listAt(section, 'tokenNamespaces')
  return [
    ...(identity === 'none' ? [] : [`${named} asks for the pod identity ${identity}: Ballast has none yet`]),
    ...Object.entries(clouds)
      .filter(([field]) => at(spec, field) !== undefined)
      .map(([field, store]) => `${named} reads ${store} (${field}): Ballast does not yet`),
    ...(isLogin && account === ''
      ? [`${named} logs in to Vault by a file of KEDA's (credential.serviceAccount): name a serviceAccountName`]
      : []),
    ...asked
      .filter(key => !(isTree(audiences) && Object.hasOwn(audiences, key)) || !places.includes(key.split('/')[0]))
      .map(
        key =>
          `${named} asks for tokens of ServiceAccount ${key}: install Ballast with its namespace in capabilities.autoscale.tokenNamespaces and its audience in tokenAudiences first`,
      ),
    ...(textAt(spec, 'filePath') !== undefined && (textAt(section, 'filePathRoot') ?? '') === ''
      ? [`${named} reads a file: install Ballast with capabilities.autoscale.filePathRoot first`]
      : []),
  ]
}

/** Where KEDA computes it and ours would not. */
function formulaProblem(object: KubeObject): readonly string[] {
  const isReady = listAt(object, 'status', 'conditions').some(
    one => textAt(one, 'type') === 'Ready' && textAt(one, 'status') === 'True',
  )
  if (object.kind !== 'ScaledObject' || !isReady) return []
  try {
    // The API server has checked it against the definition.
    formulaOf((object as ScaledObject).spec)
    return []
  } catch (error) {
    return [`${shown(object)}: its formula is none that Ballast computes: ${messageOf(error).replaceAll('\n', ': ')}`]
  }
}

/** A kind that ours has no right to scale. */
function ofTarget(object: KubeObject, section: unknown): readonly string[] {
  const kind = targetKind(object)
  if (kind === undefined || !isFurther(kind)) return []
  const named = listAt(section, 'scaleKinds').some(
    one => keyOf({ group: textAt(one, 'group') ?? '', resource: textAt(one, 'resource') ?? '' }) === keyOf(kind),
  )
  return named
    ? []
    : [
        `${shown(object)} targets ${kind.resource}.${kind.group}, which capabilities.autoscale.scaleKinds of ours does not name: add it first`,
      ]
}
