// Kinds of others that reload knows: their definitions for the twin, and objects of them.
import type { KubeObject } from '#kube/objects/objects.ts'
import type { GroupVersionResource } from '#kube/objects/resource.ts'
import type { ControlledCluster } from './controlled-cluster.ts'
import { auto, podTemplate, type ReloadWorkload } from './reload-cluster.ts'

const csiGroup = 'secrets-store.csi.x-k8s.io'

interface Defined {
  readonly group: string
  readonly version?: string
  readonly kind: string
  readonly plural: string
}

/** A kind that takes any fields. */
export function definition({ group, version = 'v1', kind, plural }: Defined): KubeObject {
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } }
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
      versions: [{ name: version, served: true, storage: true, schema }],
    },
  }
}

const argo: Defined = { group: 'argoproj.io', version: 'v1alpha1', kind: 'Rollout', plural: 'rollouts' }
export const rollouts: GroupVersionResource = { group: argo.group, version: 'v1alpha1', resource: argo.plural }
export const rolloutDefinition = definition(argo)

/** Argo's Rollout; nobody runs it in the twin. */
export function argoRollout(of: ReloadWorkload): KubeObject {
  const { name, replicas = 1, annotations = auto, namespace = 'shop' } = of
  const selector = { matchLabels: { app: name } }
  return {
    apiVersion: `${argo.group}/v1alpha1`,
    kind: argo.kind,
    metadata: { name, namespace, annotations },
    spec: { replicas, selector, strategy: { canary: {} }, template: podTemplate(of) },
  }
}

export const mounts: GroupVersionResource = { group: csiGroup, version: 'v1', resource: 'secretproviderclasspodstatuses' }
export const providerClasses: GroupVersionResource = { group: csiGroup, version: 'v1', resource: 'secretproviderclasses' }
export const csiDefinitions: readonly KubeObject[] = [
  definition({ group: csiGroup, kind: 'SecretProviderClass', plural: providerClasses.resource }),
  definition({ group: csiGroup, kind: 'SecretProviderClassPodStatus', plural: mounts.resource }),
]

export function providerClass(name: string, annotations: Readonly<Record<string, string>> = {}): KubeObject {
  return {
    apiVersion: `${csiGroup}/v1`,
    kind: 'SecretProviderClass',
    metadata: { name, namespace: 'shop', annotations },
    spec: { provider: 'vault' },
  }
}

function status(version: string) {
  return { secretProviderClassName: 'vault', objects: [{ id: 'password', version }] }
}

/** What the driver tells of one pod's mount of the class `vault`. */
export function mount(name: string, version: string): KubeObject {
  return {
    apiVersion: `${csiGroup}/v1`,
    kind: 'SecretProviderClassPodStatus',
    metadata: { name, namespace: 'shop' },
    status: status(version),
  }
}

/** The pod has another version. */
export function report(cluster: ControlledCluster, name: string, version: string): Promise<void> {
  return cluster.change(mounts, { name, namespace: 'shop' }, { status: status(version) })
}
