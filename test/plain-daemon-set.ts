// A DaemonSet as who made it wrote it: without what an API server adds, so that one that was sent and one that was read can be compared.
import type { KubeObject } from '#kube/objects/objects.ts'

/** By the path from the object, with `[]` for members of lists, what an API server writes where nobody said anything. */
const standards: Readonly<Record<string, unknown>> = {
  'spec.revisionHistoryLimit': 10,
  'spec.template.spec.dnsPolicy': 'ClusterFirst',
  'spec.template.spec.restartPolicy': 'Always',
  'spec.template.spec.schedulerName': 'default-scheduler',
  'spec.template.spec.securityContext': {},
  'spec.template.spec.terminationGracePeriodSeconds': 30,
  ...Object.fromEntries(
    ['containers', 'initContainers'].flatMap(list => {
      const at = `spec.template.spec.${list}[]`
      return [
        [`${at}.terminationMessagePath`, '/dev/termination-log'],
        [`${at}.terminationMessagePolicy`, 'File'],
        [`${at}.resources`, {}],
        [`${at}.env[].valueFrom.fieldRef.apiVersion`, 'v1'],
        // Go writes no empty text.
        [`${at}.env[].value`, ''],
      ]
    }),
  ),
  'spec.template.spec.volumes[].hostPath.type': '',
  'spec.template.spec.volumes[].configMap.defaultMode': 420,
}

function plain(value: unknown, at: string): unknown {
  if (Array.isArray(value)) return value.map(one => plain(one, `${at}[]`))
  if (typeof value !== 'object' || value === null) return value
  const kept = Object.entries(value).flatMap(([key, inner]) => {
    const path = at === '' ? key : `${at}.${key}`
    if (key === 'creationTimestamp' || inner === undefined) return []
    const standard = standards[path]
    if (standard !== undefined && JSON.stringify(standard) === JSON.stringify(inner)) return []
    return [[key, plain(inner, path)] as const]
  })
  return Object.fromEntries(kept)
}

/** Metadata as far as its maker wrote it, and the spec. */
export function plainDaemonSet(daemonSet: KubeObject): object {
  const { name, namespace, labels, ownerReferences = [] } = daemonSet.metadata
  const owners = ownerReferences.map(({ uid: _, ...owner }) => owner)
  return { metadata: { name, namespace, labels, ownerReferences: owners }, spec: plain({ spec: daemonSet['spec'] }, '') }
}
