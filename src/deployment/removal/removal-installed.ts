// What the installer applied, found again by its labels.
import { isOwnManager, withoutOurs } from '#kube/client/take-away.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource, resourceKey } from '#kube/objects/resource.ts'
import { installedLabel, type RemovalRun } from './removal-run.ts'

const monitoring = (resource: string): GroupVersionResource => ({ group: 'monitoring.coreos.com', version: 'v1', resource })

/** In the order in which they go: first what runs, last what it may. A CSIDriver stays, as it does with Helm: pods with volumes need it until they are gone. */
const installed: readonly GroupVersionResource[] = [
  // First: an API that nobody answers any more holds up namespaces that are deleted.
  { group: 'apiregistration.k8s.io', version: 'v1', resource: 'apiservices' },
  builtIn.cronjobs,
  builtIn.daemonsets,
  builtIn.deployments,
  builtIn.poddisruptionbudgets,
  builtIn.services,
  { group: 'networking.k8s.io', version: 'v1', resource: 'networkpolicies' },
  monitoring('servicemonitors'),
  monitoring('podmonitors'),
  monitoring('prometheusrules'),
  { group: 'grafana.integreatly.org', version: 'v1beta1', resource: 'grafanadashboards' },
  builtIn.configmaps,
  builtIn.deviceclasses,
  { group: '', version: 'v1', resource: 'resourcequotas' },
  ...['validatingadmissionpolicybindings', 'validatingadmissionpolicies'].map(
    (resource): GroupVersionResource => ({ group: 'admissionregistration.k8s.io', version: 'v1', resource }),
  ),
  builtIn.rolebindings,
  builtIn.roles,
  builtIn.clusterrolebindings,
  builtIn.clusterroles,
  builtIn.serviceaccounts,
  builtIn.namespaces,
]

/** What Helm applied is Helm's to delete: it would go on believing that it is there. */
const isOfHelm = ({ metadata }: KubeObject) => metadata.labels?.['app.kubernetes.io/managed-by'] === 'Helm'

/** Deletes it; the namespace only where it was made with the rest, and nothing of others runs there. */
export async function removeInstalled(run: RemovalRun): Promise<void> {
  const { release, namespace } = run.options
  let ofHelm = 0
  for (const resource of installed) {
    const found = await run.find(
      resource,
      ({ metadata: { labels = {} } }) => labels['app.kubernetes.io/part-of'] === 'ballast' && labels[installedLabel] === release,
    )
    ofHelm += found.filter(isOfHelm).length
    for (const object of found) {
      if (isOfHelm(object)) continue
      const others = resource === builtIn.namespaces ? await othersIn(run, object.metadata.name) : []
      if (others.length > 0) {
        const more = others.length > mostNamed ? ` and ${others.length - mostNamed} more` : ''
        run.left.push(`Namespace ${object.metadata.name}: others have put there ${others.slice(0, mostNamed).join(', ')}${more}`)
        continue
      }
      await run.delete(resource, object)
    }
  }
  if (ofHelm > 0) run.left.push(`${ofHelm} objects that Helm applied: helm uninstall ${release} -n ${namespace} deletes them`)
}

const ownGroup = /^ballast\.dev\//
const mostNamed = 5
/** What a cluster keeps in every namespace, and what tells of others. */
const keptByCluster =
  /^(events(\.events\.k8s\.io)?|endpoints|endpointslices\.discovery\.k8s\.io|leases\.coordination\.k8s\.io|pods\.metrics\.k8s\.io|serviceaccounts default|configmaps kube-root-ca\.crt)( |$)/

/** Names what others would lose with the namespace, as `resource name`. What belongs to another object is not named beside it. */
async function othersIn(run: RemovalRun, namespace: string): Promise<readonly string[]> {
  const { api, signal, release } = run.options
  const { resources } = await api.discover(signal)
  const listed = resources.filter(
    ({ namespaced, verbs, resource }) => namespaced && verbs.includes('list') && !resource.includes('/'),
  )
  const isOurs = ({ metadata, ...object }: KubeObject) =>
    metadata.labels?.[installedLabel] === release ||
    metadata.deletionTimestamp !== undefined ||
    (metadata.ownerReferences ?? []).length > 0 ||
    object['type'] === 'kubernetes.io/service-account-token' ||
    ownGroup.test(object.apiVersion) ||
    ((metadata.managedFields ?? []).some(({ manager }) => isOwnManager(manager)) &&
      withoutOurs({ ...object, metadata }) === undefined)
  const found = new Set<string>()
  for (const resource of listed) {
    const key = resourceKey(resource)
    if (keptByCluster.test(key)) continue
    for (const object of await run.find(resource, one => !isOurs(one), namespace)) {
      const named = `${key} ${object.metadata.name}`
      if (!keptByCluster.test(named)) found.add(named)
    }
  }
  return [...found].sort()
}
