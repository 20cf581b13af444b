// What the installer applied, found again by its labels.
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import { installedLabel, type RemovalRun } from './removal-run.ts'

const monitoring = (resource: string): GroupVersionResource => ({ group: 'monitoring.coreos.com', version: 'v1', resource })

/** In the order in which they go: first what runs, last what it may. */
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
  builtIn.configmaps,
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
      if (resource === builtIn.namespaces && (await isUsed(run, object.metadata.name))) {
        run.left.push(`Namespace ${object.metadata.name}: pods of others run there`)
        continue
      }
      await run.delete(resource, object)
    }
  }
  if (ofHelm > 0) run.left.push(`${ofHelm} objects that Helm applied: helm uninstall ${release} -n ${namespace} deletes them`)
}

async function isUsed(run: RemovalRun, namespace: string): Promise<boolean> {
  const isOfOthers = (labels: Readonly<Record<string, string>> = {}) => labels[installedLabel] !== run.options.release
  return (await run.find(builtIn.pods, ({ metadata }) => isOfOthers(metadata.labels), namespace)).length > 0
}
